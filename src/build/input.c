/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build reads first: the Dockerfile and the main context. Where the Dockerfile is follows
 * from both -f and the context, by docker's rules: beside the context's root by default, anywhere
 * on the host with -f and a directory, inside of a context that was fetched.
 */
/* lint file: directories named by the user */
#include "build/tree.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/git.h"
#include "build/git_url.h"
#include "build/graph.h"
#include "build/http.h"
#include "build/input_private.h"
#include "build/interrupt.h"
#include "dockerfile/ignore.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_NAME "Dockerfile"

/* Where a Dockerfile is looked for. */
struct place {
	int dir_fd; /* borrowed */
	const char *name;
};

/* A build_input in the making. */
struct opening {
	struct engine *engine;
	const struct build_request *request;
	int staging_fd;
	struct build_input *in;
};

/* ---- Dockerfiles ---- */

/* Says why the Dockerfile NAME could not be read, in docker's words. */
static int cannot_read(const char *name, int rc, struct err *err)
{
	const char *call = rc == -EISDIR ? "read" : "open";

	if (rc == -EINVAL)
		return err_set(err, ERR_INVALID,
			       "failed to read dockerfile: open %s: not a regular file", name);
	if (rc == -EFBIG)
		return err_set(err, ERR_INVALID,
			       "failed to read dockerfile: %s: larger than %u bytes", name,
			       INPUT_MAX_DOCKERFILE);
	return err_sys(err, -rc, "failed to read dockerfile: %s %s", call, name);
}

static void take_text(struct build_input *in, const char *name, struct str *text)
{
	str_replace(&in->file_name, name);
	in->file_len = text->len;
	in->file_text = str_take(text);
}

/* The default name, or what else people call it. */
static int read_default(int dir_fd, const char **ret_name, struct str *ret)
{
	static const char *const names[] = {DEFAULT_NAME, "dockerfile", "Containerfile"};
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(names) && rc == -ENOENT; i++) {
		rc = input_read_file(dir_fd, names[i], INPUT_MAX_DOCKERFILE, ret);
		if (rc == 0)
			*ret_name = names[i];
	}
	return rc;
}

/* Reads the Dockerfile; PLACE has its name afterwards. */
static int read_dockerfile(struct build_input *in, struct place *place, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	if (strcmp(place->name, DEFAULT_NAME) == 0)
		rc = read_default(place->dir_fd, &place->name, &text);
	else
		rc = input_read_file(place->dir_fd, place->name, INPUT_MAX_DOCKERFILE, &text);
	if (rc < 0)
		return cannot_read(place->name, rc, err);
	take_text(in, place->name, &text);
	return 0;
}

/* All of standard input, for whose writer an interrupted build does not wait. */
static int read_all_stdin(struct str *ret)
{
	char bytes[16 << 10];
	ssize_t n = 0;

	do {
		int rc = interrupt_wait(STDIN_FILENO);

		if (rc < 0)
			return rc;
		n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0)
			return -errno;
		str_add_bytes(ret, bytes, (size_t)n);
		if (ret->len > INPUT_MAX_DOCKERFILE)
			return -EFBIG;
	} while (n > 0);
	return 0;
}

/* The same from standard input. */
static int read_stdin(struct build_input *in, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = read_all_stdin(&text);

	if (rc < 0)
		return cannot_read(DEFAULT_NAME, rc, err);
	take_text(in, DEFAULT_NAME, &text);
	return 0;
}

/* ---- ignore files ---- */

/* --ignorefile: a file of the host's, which must be there. */
static int read_chosen_ignore(const char *path, struct ignore **ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(AT_FDCWD, path, INPUT_MAX_IGNORE, &text);

	if (rc < 0)
		return err_sys(err, -rc, "open %s", path);
	if (ignore_parse(str_get(&text), text.len, ret, err) < 0)
		return err_wrap(err, "failed parsing %s", path);
	return 0;
}

/* The user's own choice, else the one beside the Dockerfile that has its name, else that of the
 * context. PLACE is where the Dockerfile is; dir_fd -1 when that is no file. */
static int read_ignore(const struct build_request *request, const struct place *place,
		       struct build_tree *context, struct err *err)
{
	static const char *const endings[] = {".dockerignore", ".containerignore"};
	int rc = 0;

	if (request->ignorefile)
		return read_chosen_ignore(request->ignorefile, &context->ignore, err);
	for (size_t i = 0; place->dir_fd >= 0 && i < ARRAY_LEN(endings) && rc == 0; i++) {
		cleanup_free char *name = str_printf("%s%s", place->name, endings[i]);

		rc = input_read_ignore(place->dir_fd, name, &context->ignore, err);
	}
	if (rc == 0)
		rc = input_find_ignore(context->root_fd, &context->ignore, err);
	return rc < 0 ? rc : 0;
}

/* ---- kinds of contexts ---- */

static void set_main(const struct opening *o, enum build_source_kind kind)
{
	struct build_source *source = mem_zalloc(sizeof(*source));

	source->kind = kind;
	source->where = str_dup(o->request->context);
	source->name = str_dup("context");
	o->in->main = source;
	o->in->has_context = true;
}

/* Splits what -f says of a file on the host. RET_DIR_FD is owned. */
static int open_file_dir(const char *file, int *ret_dir_fd, char **ret_name, struct err *err)
{
	cleanup_free char *path = str_dup(file);
	size_t len = strlen(path);
	char *slash = NULL;
	int fd = -1;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*ret_name = str_dup(slash ? slash + 1 : path);
	if (slash)
		*slash = '\0';
	fd = input_open_dir(!slash ? "." : *path ? path : "/");
	if (fd < 0)
		return cannot_read(*ret_name, fd == -ENOTDIR ? -ENOENT : fd, err);
	*ret_dir_fd = fd;
	return 0;
}

/* -f is a URL: the Dockerfile is there, whatever the context is. */
static int read_url(const struct opening *o, struct err *err)
{
	const struct build_source source = {.kind = BUILD_SOURCE_HTTP, .where = o->request->file};
	cleanup_build_tree struct build_tree tree = {.root_fd = -1};
	struct place place = {-1, DEFAULT_NAME};

	if (http_open(o->engine, &source, DEFAULT_NAME, o->staging_fd, &tree, NULL, err) < 0)
		return err_wrap(err, "failed to read dockerfile: %s", o->request->file);
	place.dir_fd = tree.root_fd;
	return read_dockerfile(o->in, &place, err);
}

/* A Dockerfile that is in no directory: 1 when it is one. */
static int read_elsewhere(const struct opening *o, struct err *err)
{
	const char *file = o->request->file;

	if (!file)
		return 0;
	if (strcmp(file, "-") == 0)
		return read_stdin(o->in, err) < 0 ? -err->code : 1;
	if (url_is_http(file))
		return read_url(o, err) < 0 ? -err->code : 1;
	return 0;
}

/* The Dockerfile that -f names as a file of the host's, with the ignore file beside it. */
static int read_named(const struct opening *o, bool with_ignore, struct err *err)
{
	cleanup_close int dir_fd = -1;
	cleanup_free char *name = NULL;
	struct place place = {-1, NULL};

	if (open_file_dir(o->request->file, &dir_fd, &name, err) < 0)
		return -err->code;
	place = (struct place){dir_fd, name};
	if (read_dockerfile(o->in, &place, err) < 0)
		return -err->code;
	return with_ignore ? read_ignore(o->request, &place, &o->in->context, err) : 0;
}

/* The Dockerfile of a context that is a directory of the host's: -f is a file of the host, too. */
static int read_of_directory(const struct opening *o, struct err *err)
{
	struct place place = {-1, DEFAULT_NAME};
	int rc = read_elsewhere(o, err);

	if (rc < 0)
		return rc;
	if (rc == 0 && o->request->file)
		return read_named(o, true, err);
	if (rc == 0) {
		place.dir_fd = o->in->context.root_fd;
		if (read_dockerfile(o->in, &place, err) < 0)
			return -err->code;
		o->in->context.dockerfile = str_dup(place.name);
	}
	return read_ignore(o->request, &place, &o->in->context, err);
}

/* The Dockerfile of a context that was fetched: -f is a path in it, unless it is an absolute one of
 * the host's. An ignore file in such a context does not count, as docker has it. */
static int read_of_fetched(const struct opening *o, struct err *err)
{
	const char *file = o->request->file ? o->request->file : DEFAULT_NAME;
	struct place place = {o->in->context.root_fd, file};
	int rc = read_elsewhere(o, err);

	if (rc == 0 && *file == '/') {
		rc = read_named(o, false, err);
	} else if (rc == 0) {
		rc = read_dockerfile(o->in, &place, err);
		if (rc == 0)
			o->in->context.dockerfile = str_dup(place.name);
	}
	if (rc < 0 || !o->request->ignorefile)
		return rc < 0 ? rc : 0;
	return read_chosen_ignore(o->request->ignorefile, &o->in->context.ignore, err);
}

static int open_directory(const struct opening *o, int dir_fd, struct err *err)
{
	o->in->context = (struct build_tree){.root_fd = dir_fd, .is_context = true};
	set_main(o, BUILD_SOURCE_LOCAL);
	return read_of_directory(o, err);
}

/* A new empty directory as the context. */
static int open_empty(const struct opening *o, struct err *err)
{
	int fd = input_make_dir(o->staging_fd, "context", err);

	if (fd < 0)
		return fd;
	o->in->context = (struct build_tree){.root_fd = fd, .is_context = true};
	return 0;
}

/* An archive in FD: the context is what is in it. */
static int open_archive(const struct opening *o, int fd, struct err *err)
{
	if (open_empty(o, err) < 0 || input_unpack(o->engine, fd, o->in->context.root_fd, err) < 0)
		return -err->code;
	return read_of_fetched(o, err);
}

/* Standard input: an archive, else a Dockerfile of its own with nothing to copy from. */
static int open_stream(const struct opening *o, struct err *err)
{
	const char *file = o->request->file;
	unsigned char head[INPUT_HEAD_LEN];
	ssize_t n = 0;

	if (file && strcmp(file, "-") == 0)
		return err_set(err, ERR_INVALID,
			       "invalid argument: can't use stdin for both build context and "
			       "dockerfile");
	n = input_peek(STDIN_FILENO, head);
	if (n < 0)
		return err_sys(err, (int)-n, "failed to peek context header from STDIN");
	set_main(o, BUILD_SOURCE_STREAM);
	if (input_is_archive(head, (size_t)n))
		return open_archive(o, STDIN_FILENO, err);
	if (file)
		return err_set(err, ERR_INVALID,
			       "ambiguous Dockerfile source: both stdin and flag correspond to "
			       "Dockerfiles");
	return open_empty(o, err) < 0 ? -err->code : read_stdin(o->in, err);
}

/* The build argument that keeps .git of the main context. */
static bool keeps_git_dir(const struct build_request *request)
{
	static const char name[] = "BUILDKIT_CONTEXT_KEEP_GIT_DIR=";
	const char *value = "";

	strv_foreach (i, &request->build_args)
		if (str_has_prefix(request->build_args.items[i], name))
			value = request->build_args.items[i] + sizeof(name) - 1;
	return strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0;
}

static int open_git(const struct opening *o, struct err *err)
{
	set_main(o, BUILD_SOURCE_GIT);
	o->in->main->keep_git_dir = keeps_git_dir(o->request);
	if (git_open(o->in->main, o->staging_fd, &o->in->context, NULL, err) < 0)
		return -err->code;
	return read_of_fetched(o, err);
}

/* What a URL has is an archive, else a Dockerfile with nothing to copy from. */
static int open_download(const struct opening *o, struct err *err)
{
	cleanup_build_tree struct build_tree tree = {.root_fd = -1};
	cleanup_close int fd = -1;
	unsigned char head[INPUT_HEAD_LEN];
	struct place place = {-1, "context"};
	ssize_t n = 0;

	set_main(o, BUILD_SOURCE_HTTP);
	if (http_open(o->engine, o->in->main, place.name, o->staging_fd, &tree, NULL, err) < 0)
		return err_wrap(err, "failed to load %s", o->request->context);
	fd = path_open_beneath(tree.root_fd, place.name, O_RDONLY, 0);
	n = fd < 0 ? fd : input_peek(fd, head);
	if (n < 0)
		return err_sys(err, (int)-n, "read what was downloaded");
	if (input_is_archive(head, (size_t)n))
		return open_archive(o, fd, err);
	place.dir_fd = tree.root_fd;
	return open_empty(o, err) < 0 ? -err->code : read_dockerfile(o->in, &place, err);
}

static int open_context(const struct opening *o, struct err *err)
{
	const char *context = o->request->context ? o->request->context : "";
	cleanup_git_url struct git_url url = {};
	int dir_fd = -1;
	int is_git = 0;

	if (strcmp(context, "-") == 0)
		return open_stream(o, err);
	dir_fd = input_open_dir(context);
	if (dir_fd >= 0)
		return open_directory(o, dir_fd, err);
	if (dir_fd != -ENOENT && dir_fd != -ENOTDIR)
		return err_sys(err, -dir_fd, "unable to prepare context: open %s", context);
	is_git = git_url_parse(context, &url, err);
	if (is_git != 0)
		return is_git < 0 ? is_git : open_git(o, err);
	if (url_is_http(context))
		return open_download(o, err);
	if (dir_fd == -ENOTDIR)
		return err_set(err, ERR_INVALID,
			       "unable to prepare context: context must be a directory: %s",
			       context);
	return err_set(err, ERR_NOT_FOUND, "unable to prepare context: path \"%s\" not found",
		       context);
}

int build_input_open(struct engine *engine, const struct build_request *request, int staging_fd,
		     struct build_input *ret, struct err *err)
{
	struct build_input in = {.context = {.root_fd = -1}};
	const struct opening o = {engine, request, staging_fd, &in};

	if (open_context(&o, err) < 0) {
		build_input_done(&in);
		return -err->code;
	}
	*ret = in;
	return 0;
}

static void source_free(struct build_source *source)
{
	if (!source)
		return;
	free(source->where);
	free(source->name);
	free(source->checksum);
	free(source);
}

void build_input_done(struct build_input *in)
{
	free(in->file_name);
	free(in->file_text);
	build_tree_done(&in->context);
	source_free(in->main);
	*in = (struct build_input){.context = {.root_fd = -1}};
}
