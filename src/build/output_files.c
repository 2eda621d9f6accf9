/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the result outside of any image: as a directory, as an archive. A worker mounts the
 * layers where nobody else sees them and copies.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "storage/layer_write.h"
#include "sys/copy_tree.h"
#include "transport/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct files_job {
	struct build *b;
	struct strv lowers;
	int out_fd; /* a directory to copy to, or where the archive goes */
	bool is_archive;
};

/* ---- in the worker ---- */

static int open_result(const struct files_job *job, struct err *err)
{
	const struct timespec times[2] = {{.tv_sec = job->b->graph.epoch_s},
					  {.tv_sec = job->b->graph.epoch_s}};
	cleanup_close int mounted = -1;
	int fd = -1;

	if (job->lowers.n == 0) {
		/* FROM scratch and nothing more. */
		if (mkdirat(job->b->staging.fd, "nothing", 0755) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create an empty directory");
		fd = openat(job->b->staging.fd, "nothing", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || futimens(fd, times) < 0)
			return err_sys(err, errno, "open an empty directory");
		return fd;
	}
	mounted = view_mount_image(job->b->engine, &job->lowers, err);
	if (mounted < 0)
		return mounted;
	fd = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open the files of the result") : fd;
}

/* worker_fn */
static int files_work(int fd, void *data, struct err *err)
{
	const struct files_job *job = data;
	/* docker's client writes files as who it is, over those that are there. */
	const struct copy_tree_options how = {
		.replaces = true, .is_layer = true, .is_mine = true, .leaves_root = true};
	const struct layer_write_options options = {.is_upper = false};
	cleanup_close int root = open_result(job, err);
	int rc = 0;

	(void)fd;
	if (root < 0)
		return -err->code;
	if (job->is_archive)
		return layer_write(root, job->out_fd, &options, err);
	rc = copy_tree_with(root, job->out_fd, &how);
	return rc < 0 ? err_sys(err, -rc, "copy the files of the result") : 0;
}

static int run_job(struct files_job *job, size_t step, struct err *err)
{
	struct build *b = job->b;
	struct worker worker = WORKER_INIT;
	struct worker_word word;
	cleanup_close int lease = snapshot_lease(b->engine->store, err);

	if (lease < 0 || build_ensure_staging(b, err) < 0 ||
	    node_add_lowers(b, step, &job->lowers, err) < 0 ||
	    worker_start(&worker, files_work, job, err) < 0)
		return -err->code;
	fd_cleanup_close(&lease);
	worker_read(&worker, &word);
	worker_finish(&worker);
	if (word.kind == WORKER_LOST)
		return err_set(err, ERR_SYSTEM, "the process that writes the result was killed");
	if (word.kind == WORKER_FAILED)
		*err = word.err;
	return word.kind == WORKER_FAILED ? -err->code : 0;
}

/* ---- a directory ---- */

/* "linux_arm64" below the destination for one of several platforms. */
static int open_dir(const struct output *o, const char *dest, const char *platform, struct err *err)
{
	cleanup_free char *path = NULL;
	int rc = 0;
	int fd = -1;

	if (o->b->graph.is_multi_platform) {
		path = str_printf("%s/%s", dest, platform);
		for (char *p = path + strlen(dest) + 1; *p; p++)
			*p = *p == '/' ? '_' : *p;
	} else {
		path = str_dup(dest);
	}
	rc = fd_mkdir_p(path, 0755);
	if (rc < 0)
		return err_sys(err, -rc, "create %s", path);
	/* lint: what the user typed */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s", path) : fd;
}

static int write_dir(struct output *o, const char *dest, const struct build_result_image *image,
		     struct err *err)
{
	struct files_job job = {.b = o->b, .out_fd = open_dir(o, dest, image->platform, err)};
	int rc = job.out_fd < 0 ? -err->code : run_job(&job, image->step, err);

	fd_cleanup_close(&job.out_fd);
	strv_done(&job.lowers);
	return rc;
}

int output_local(struct output *o, const struct build_attributes *a, struct err *err)
{
	static const char name[] = "exporting to client directory";
	struct build_graph *g = &o->b->graph;
	size_t vertex = vertex_begin(o->b, name);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_images; i++)
		rc = write_dir(o, build_attributes_get(a, "dest"), &g->images[i], err);
	vertex_end(o->b, vertex, name, rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
		   rc < 0 ? err->msg : NULL);
	return rc;
}

/* ---- an archive ---- */

static int write_archive(struct output *o, int out_fd, struct err *err)
{
	struct files_job job = {.b = o->b, .out_fd = out_fd, .is_archive = true};
	int rc = 0;

	if (o->b->graph.n_images != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "an archive of files is of one platform: use type=local for more");
	rc = run_job(&job, o->b->graph.images[0].step, err);
	strv_done(&job.lowers);
	return rc;
}

int output_to_console(const char *kind, struct err *err)
{
	return isatty(STDOUT_FILENO)
		       ? err_set(err, ERR_INVALID,
				 "dest file is required for %s exporter. refusing to write to "
				 "console",
				 kind)
		       : 0;
}

int output_tar(struct output *o, const struct build_attributes *a, struct err *err)
{
	static const char name[] = "exporting to client tarball";
	const char *dest = build_attributes_get(a, "dest");
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	size_t vertex = 0;
	int rc = 0;

	if (strcmp(dest, "-") == 0)
		return output_to_console("tar", err) < 0 ? -err->code
							 : write_archive(o, STDOUT_FILENO, err);
	vertex = vertex_begin(o->b, name);
	rc = new_file_open_any(dest, 0644, &file, err);
	if (rc == 0)
		rc = write_archive(o, file.fd, err);
	if (rc == 0)
		rc = new_file_commit(&file, false, err);
	vertex_end(o->b, vertex, name, rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
		   rc < 0 ? err->msg : NULL);
	return rc;
}
