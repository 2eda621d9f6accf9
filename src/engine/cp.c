/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each copy is an archive that a child writes of the source and this process unpacks at the
 * destination, one half inside the container's root and one half outside: neither ever has a path
 * from the other side. Where docker's client and its daemon ask each other, in the order in which
 * they do, so that the same mistake gets the same answer.
 */
#include "engine/cp.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cp_path.h"
#include "engine/cp_place.h"
#include "engine/cp_root.h"
#include "engine/cp_stream.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct copy {
	struct engine *engine;
	const struct cp_request *request;
	char *ref;	     /* owned: of the container */
	const char *inside;  /* path in it */
	const char *outside; /* path of this host, or "-" */
	struct cp_root root; /* of the container */
	int host_fd;	     /* "/" of this host */
	char *host_path;     /* owned: `outside`, absolute, with what it ended in */
	struct cp_place source;
	struct cp_plan plan;
};

static void copy_done(struct copy *c)
{
	cp_place_done(&c->source);
	cp_plan_done(&c->plan);
	cp_root_done(&c->root);
	fd_cleanup_close(&c->host_fd);
	free(c->ref);
	free(c->host_path);
}

static bool is_stream(const struct copy *c)
{
	return strcmp(c->outside, "-") == 0;
}

/* ---- paths of this host ---- */

static int open_host(struct copy *c, struct err *err)
{
	cleanup_free char *cwd = NULL;

	if (*c->outside != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_sys(err, errno, "find the current directory");
	}
	c->host_path = str_printf("%s%s%s", cwd ? cwd : "", cwd ? "/" : "", c->outside);
	/* lint: where the user's own paths begin */
	c->host_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->host_fd < 0 ? err_sys(err, errno, "open /") : 0;
}

/* docker's client looks at these before it asks for anything. */
static int check_output(struct copy *c, struct err *err)
{
	cleanup_free char *clean = cp_clean(c->host_path);
	cleanup_cp_path struct cp_path path = CP_PATH_INIT;
	cleanup_close int dir = -1;
	cleanup_close int fd = -1;
	struct stat st;

	cp_path_parse(clean, false, &path);
	dir = path_open_in_root(c->host_fd, path.dir, O_PATH, 0);
	if (dir < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "invalid output path: directory \"%s\" does not exist", path.dir);
	fd = path_open_in_root(c->host_fd, c->host_path, O_PATH, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : err_sys(err, -fd, "stat %s", c->host_path);
	if (fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return err_set(err, ERR_INVALID,
			       "invalid output path: \"%s\" must be a directory or a regular file: "
			       "got a device",
			       clean);
	return 0;
}

/* The first part of PATH that is not there, as docker names it. */
static int err_missing(const struct copy *c, const char *path, struct err *err)
{
	cleanup_free char *clean = cp_clean(path);

	for (char *end = strchr(clean + 1, '/'); end; end = strchr(end + 1, '/')) {
		cleanup_close int fd = -1;

		*end = '\0';
		fd = path_open_in_root(c->host_fd, clean, O_PATH, 0);
		if (fd == -ENOENT)
			break;
		*end = '/';
	}
	return err_sys(err, ENOENT, "lstat %s", clean);
}

static int find_host_source(struct copy *c, struct err *err)
{
	int rc = cp_place_find(c->host_fd, c->host_path, false, c->request->follow_link,
			       &c->source);

	if (rc == -ENOENT)
		return err_missing(c, c->source.path.path, err);
	if (rc == -ENOTDIR && c->source.path.asserts_dir)
		return err_set(err, ERR_INVALID, "not a directory");
	return rc < 0 ? err_sys(err, -rc, "lstat %s", c->source.path.path) : 0;
}

/* ---- paths of the container ---- */

static int open_container(struct copy *c, struct err *err)
{
	cleanup_free char *rooted = str_printf("/%s", c->inside);
	cleanup_free char *clean = cp_clean(rooted);

	return cp_root_open(c->engine, c->ref, clean, &c->root, err);
}

static int check_inside(const struct copy *c, struct err *err)
{
	return *c->inside ? 0 : err_set(err, ERR_INVALID, "bad parameter: path cannot be empty");
}

static int err_not_found(const struct copy *c, const char *path, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", path,
		       c->ref);
}

static int find_inside(struct copy *c, struct err *err)
{
	int rc = cp_place_find(c->root.fd, c->inside, true, c->request->follow_link, &c->source);

	if (rc == -ENOENT)
		return err_not_found(c, c->source.path.path, err);
	return rc < 0 ? err_sys(err, -rc, "lstat %s", c->source.path.path) : 0;
}

/* A directory of the container that can be written to; its descriptor. */
static int open_extraction(const struct copy *c, const char *dir, struct err *err)
{
	int fd = path_open_in_root(c->root.fd, dir, O_PATH | O_DIRECTORY, 0);
	struct statvfs fs;
	struct stat root, st;

	if (fd == -ENOENT)
		return err_not_found(c, dir, err);
	if (fd == -ENOTDIR)
		return err_set(err, ERR_INVALID, "extraction point is not a directory");
	if (fd < 0)
		return err_sys(err, -fd, "open %s in container %s", dir, c->ref);
	if (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY) {
		bool in_root = fstat(c->root.fd, &root) == 0 && fstat(fd, &st) == 0 &&
			       root.st_dev == st.st_dev;

		close(fd);
		return err_set(err, ERR_DENIED,
			       in_root ? "container rootfs is marked read-only"
				       : "mounted volume is marked read-only");
	}
	return fd;
}

/* ---- copying ---- */

static int write_source(int out_fd, void *data, struct err *err)
{
	const struct copy *c = data;

	return cp_place_write(&c->source, c->plan.name, out_fd, err);
}

static int write_plain(int out_fd, void *data, struct err *err)
{
	const struct copy *c = data;

	return cp_stream_plain(c->engine->store, STDIN_FILENO, out_fd, err);
}

/* Whether standard input ends at once: docker takes that for an archive of nothing. */
static bool is_input_empty(void)
{
	struct stat st;
	int ends[2] = {-1, -1};
	ssize_t n = -1;

	if (fstat(STDIN_FILENO, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == makedev(1, 3); /* /dev/null */
	if (S_ISREG(st.st_mode))
		return lseek(STDIN_FILENO, 0, SEEK_CUR) >= st.st_size;
	/* tee(2) looks without taking. */
	if (pipe2(ends, O_CLOEXEC) == 0)
		n = tee(STDIN_FILENO, ends[1], 1, 0);
	fd_cleanup_close(&ends[0]);
	fd_cleanup_close(&ends[1]);
	return n == 0;
}

static int copy_out(struct copy *c, uint64_t *ret_bytes, struct err *err)
{
	bool keep = c->request->archive;
	struct cp_apply_options options = {.base = "",
					   .uid = keep ? (uid_t)-1 : geteuid(),
					   .gid = keep ? (gid_t)-1 : getegid()};
	cleanup_cp_place struct cp_place to = CP_PLACE_INIT;
	cleanup_cp_path struct cp_path from = CP_PATH_INIT;
	cleanup_free char *clean = NULL;
	cleanup_close int dir = -1;
	int rc = cp_place_find(c->host_fd, c->host_path, false, true, &to);

	if (rc < 0 && rc != -ENOENT)
		return err_sys(err, -rc, "lstat %s", to.path.path);
	/* By the name that was typed, whatever a link led to. */
	cp_path_parse(c->inside, true, &from);
	if (cp_plan(from.base, S_ISDIR(c->source.st.st_mode), &to.path, rc == 0,
		    rc == 0 && S_ISDIR(to.st.st_mode), &c->plan, err) < 0)
		return -err->code;
	dir = path_open_in_root(c->host_fd, c->plan.dir, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(err, -dir, "stat %s", c->plan.dir);
	clean = cp_clean(c->plan.dir);
	options.shown = clean;
	return cp_stream(dir, write_source, c, &options, ret_bytes, err);
}

static int copy_from_container(struct copy *c, struct cp_result *ret, struct err *err)
{
	const char *name = NULL;

	if (!is_stream(c) && (open_host(c, err) < 0 || check_output(c, err) < 0))
		return -err->code;
	if (open_container(c, err) < 0 || check_inside(c, err) < 0 || find_inside(c, err) < 0)
		return -err->code;
	if (!is_stream(c)) {
		if (copy_out(c, &ret->bytes, err) < 0)
			return -err->code;
		ret->destination = take_ptr(c->host_path);
		return 0;
	}
	name = c->source.path.base;
	if (strcmp(name, ".") == 0 || strcmp(name, "/") == 0)
		name = "";
	return cp_place_write(&c->source, name, STDOUT_FILENO, err);
}

static int check_destination(const struct copy *c, const struct cp_place *to, bool exists,
			     struct err *err)
{
	bool is_dir = exists && S_ISDIR(to->st.st_mode);

	if (exists && (S_ISCHR(to->st.st_mode) || S_ISBLK(to->st.st_mode)))
		return err_set(err, ERR_INVALID,
			       "destination \"%s:%s\" must be a directory or a regular file: got a "
			       "device",
			       c->ref, c->inside);
	if (is_stream(c) && !is_dir)
		return err_set(err, ERR_INVALID, "destination \"%s:%s\" must be a directory",
			       c->ref, c->inside);
	return 0;
}

static int copy_in(struct copy *c, const struct cp_place *to, bool exists, uint64_t *ret_bytes,
		   struct err *err)
{
	struct cp_apply_options options = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	cleanup_cp_path struct cp_path from = CP_PATH_INIT;
	cleanup_free char *clean = NULL;
	cleanup_close int dir = -1;

	if (is_stream(c)) {
		c->plan.dir = str_dup(to->path.path);
	} else {
		cp_path_parse(c->host_path, false, &from);
		if (cp_plan(from.base, S_ISDIR(c->source.st.st_mode), &to->path, exists,
			    exists && S_ISDIR(to->st.st_mode), &c->plan, err) < 0)
			return -err->code;
	}
	dir = open_extraction(c, c->plan.dir, err);
	if (dir < 0)
		return -err->code;
	clean = cp_clean(c->plan.dir);
	options.base = options.shown = clean;
	if (is_stream(c) && is_input_empty())
		return 0;
	return cp_stream(c->root.fd, is_stream(c) ? write_plain : write_source, c, &options,
			 ret_bytes, err);
}

static int copy_to_container(struct copy *c, struct cp_result *ret, struct err *err)
{
	cleanup_cp_place struct cp_place to = CP_PLACE_INIT;
	bool exists = false;

	if (!is_stream(c) && (open_host(c, err) < 0 || find_host_source(c, err) < 0))
		return -err->code;
	if (open_container(c, err) < 0 || (is_stream(c) && check_inside(c, err) < 0))
		return -err->code;
	/* Whatever is wrong with it shows when it is written to. No path is, as in docker, one that
	 * is not there: what is in a directory goes to the root then. */
	if (*c->inside)
		exists = cp_place_find(c->root.fd, c->inside, true, true, &to) == 0;
	else
		cp_path_parse(".", true, &to.path);
	if (check_destination(c, &to, exists, err) < 0 ||
	    copy_in(c, &to, exists, &ret->bytes, err) < 0)
		return -err->code;
	ret->destination = is_stream(c) ? NULL : str_printf("%s:%s", c->ref, c->inside);
	return 0;
}

/* The event of a copy that ended with RC; hands RC on. */
static int tell(const struct copy *c, const char *action, int rc)
{
	if (rc == 0)
		event_container(c->engine, &c->root.record.row, action, NULL);
	return rc;
}

int engine_cp(struct engine *engine, const struct cp_request *request, struct cp_result *ret,
	      struct err *err)
{
	cleanup_with(copy_done) struct copy c = {.engine = engine,
						 .request = request,
						 .root = CP_ROOT_INIT,
						 .host_fd = -1,
						 .source = CP_PLACE_INIT};
	cleanup_free char *to = NULL;
	const char *from_path = NULL, *to_path = NULL;

	if (!*request->source || !*request->destination)
		return err_set(err, ERR_INVALID, "%s can not be empty",
			       *request->source ? "destination" : "source");
	cp_split_argument(request->source, &c.ref, &from_path);
	cp_split_argument(request->destination, &to, &to_path);
	if (c.ref && to)
		return err_set(err, ERR_INVALID, "copying between containers is not supported");
	if (!c.ref && !to)
		return err_set(err, ERR_INVALID, "must specify at least one container source");
	/* A reader that went away is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	c.inside = c.ref ? from_path : to_path;
	c.outside = c.ref ? to_path : from_path;
	if (c.ref)
		return tell(&c, "archive-path", copy_from_container(&c, ret, err));
	c.ref = take_ptr(to);
	return tell(&c, "extract-to-dir", copy_to_container(&c, ret, err));
}
