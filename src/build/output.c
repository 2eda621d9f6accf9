/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: a table of the kinds of --output. Without one the image goes into the store, as with
 * docker's own builder.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "oci/reference.h"
#include "storage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*output_fn)(struct output *o, const struct build_attributes *a, struct err *err);

/* ---- names ---- */

static int add_name(const char *text, struct strv *ret, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *name = NULL;

	if (reference_parse(text, &ref, err) < 0)
		return err_wrap(err, "invalid tag \"%s\"", text);
	if (ref.digest)
		return err_set(err, ERR_INVALID,
			       "invalid tag \"%s\": refusing to create a tag with a digest "
			       "reference",
			       text);
	reference_ensure_tag(&ref);
	name = reference_format(&ref);
	if (!strv_has(ret, name))
		strv_add(ret, name);
	return 0;
}

/* "name=a:1,b:2" of an output. */
static int add_names_of(const struct build_attributes *a, struct strv *ret, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *text = build_attributes_get(a, "name");

	if (!text)
		return 0;
	strv_split(&names, text, ',');
	strv_foreach (i, &names)
		if (add_name(names.items[i], ret, err) < 0)
			return -err->code;
	return 0;
}

static int get_names(const struct build_request *r, struct strv *ret, struct err *err)
{
	strv_foreach (i, &r->tags)
		if (add_name(r->tags.items[i], ret, err) < 0)
			return -err->code;
	for (size_t i = 0; i < r->n_outputs; i++)
		if (add_names_of(&r->outputs[i], ret, err) < 0)
			return -err->code;
	return 0;
}

/* ---- the kinds ---- */

static int output_image(struct output *o, const struct build_attributes *a, struct err *err)
{
	(void)a;
	o->is_kept = true;
	if (output_make_images(o, err) < 0)
		return -err->code;
	return output_name_images(o, err);
}

static int output_docker(struct output *o, const struct build_attributes *a, struct err *err)
{
	return build_attributes_get(a, "dest") ? output_archive(o, a, err)
					       : output_image(o, a, err);
}

static int output_nothing(struct output *o, const struct build_attributes *a, struct err *err)
{
	(void)o;
	(void)a;
	(void)err;
	return 0;
}

static const struct output_kind {
	const char *name;
	bool needs_dest;
	output_fn fn;
} kinds[] = {
	{"image", false, output_image}, {"docker", false, output_docker},
	{"oci", true, output_archive},	{"local", true, output_local},
	{"tar", true, output_tar},	{"cacheonly", false, output_nothing},
};

static const struct output_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (name && strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static int no_registry(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "pushing is not possible: there are no registries yet");
}

static int check_compression(const char *how, struct err *err)
{
	if (!how || strcmp(how, "gzip") == 0 || strcmp(how, "zstd") == 0 ||
	    strcmp(how, "uncompressed") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "unsupported layer compression type: %s", how);
}

static int check_output(const struct build_attributes *a, struct err *err)
{
	const struct output_kind *kind = find_kind(a->type);

	if ((a->type && strcmp(a->type, "registry") == 0) || build_attributes_is_true(a, "push"))
		return no_registry(err);
	if (!kind)
		return err_set(err, ERR_INVALID, "exporter \"%s\" could not be found",
			       a->type ? a->type : "");
	if (kind->needs_dest && !build_attributes_get(a, "dest"))
		return err_set(err, ERR_INVALID, "dest is required for %s exporter", kind->name);
	return check_compression(build_attributes_get(a, "compression"), err);
}

int build_output_check(const struct build_request *request, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < request->n_outputs; i++)
		if (check_output(&request->outputs[i], err) < 0)
			return -err->code;
	return get_names(request, &names, err);
}

/* ---- files about the result ---- */

/* A pipe, a device or a directory, also behind a link ("/dev/stdout"). */
static bool is_no_file(const char *path)
{
	struct stat st;

	/* lint: what the user typed */
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int build_output_forget(const struct build_request *request, struct err *err)
{
	const char *path = request->iidfile;

	/* lint: what the user typed */
	if (!path || is_no_file(path) || unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_sys(err, errno, "removing image ID file: remove %s", path);
}

int output_write_text(const char *path, const char *text, size_t len, struct err *err)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (is_no_file(path)) {
		/* lint: what the user typed */
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		rc = fd < 0 ? -errno : fd_write_full(fd, text, len);
	} else {
		rc = fd_replace_file_at(AT_FDCWD, path, text, len, 0644, false);
	}
	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

/* ---- the end ---- */

static int write_iidfile(const struct output *o, struct err *err)
{
	const char *path = o->b->request->iidfile;
	cleanup_free char *text = NULL;

	if (!path || o->n == 0 || !o->is_made)
		return 0;
	text = str_printf(DIGEST_PREFIX "%s", o->images[0].id);
	return output_write_text(path, text, strlen(text), err);
}

static void fill_outcome(const struct output *o)
{
	struct build_outcome *ret = o->b->ret;

	if (!o->is_made || o->n == 0)
		return;
	ret->image_id = str_printf(DIGEST_PREFIX "%s", o->images[0].id);
	if (*o->target)
		ret->target = str_printf(DIGEST_PREFIX "%s", o->target);
	strv_foreach (i, &o->names) {
		cleanup_reference struct reference ref = REFERENCE_INIT;
		struct err ignored = ERR_INIT;

		if (o->is_kept && reference_parse(o->names.items[i], &ref, &ignored) == 0)
			strv_add_take(&ret->names, reference_format_familiar(&ref));
	}
}

/* An image that was only made to be written somewhere else. */
static void remove_passing(const struct output *o)
{
	struct image_removal how = {.force = false};
	struct err ignored = ERR_INIT;

	for (size_t i = 0; o->is_made && !o->is_kept && i < o->n; i++) {
		cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", o->images[i].id);

		if (!o->images[i].was_there)
			image_remove(o->b->engine->store, ref, &how, NULL, &ignored);
	}
}

static void output_done(struct output *o)
{
	remove_passing(o);
	for (size_t i = 0; i < o->n; i++) {
		free(o->images[i].snapshots);
		snapshot_done(&o->images[i].squashed);
		strv_done(&o->images[i].base_diffs);
		strv_done(&o->images[i].diffs);
		free(o->images[i].config);
	}
	free(o->images);
	strv_done(&o->names);
}

static int run_outputs(struct output *o, struct err *err)
{
	const struct build_request *r = o->b->request;

	if (r->n_outputs == 0 || r->load)
		if (output_image(o, NULL, err) < 0)
			return -err->code;
	for (size_t i = 0; i < r->n_outputs; i++)
		if (find_kind(r->outputs[i].type)->fn(o, &r->outputs[i], err) < 0)
			return -err->code;
	return 0;
}

int build_output(struct build *b, struct err *err)
{
	cleanup_with(output_done) struct output o = {.b = b};

	if (get_names(b->request, &o.names, err) < 0 || run_outputs(&o, err) < 0 ||
	    write_iidfile(&o, err) < 0 || metadata_write(&o, err) < 0)
		return -err->code;
	fill_outcome(&o);
	return 0;
}
