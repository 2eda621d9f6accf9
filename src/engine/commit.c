/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit: a child reads the upper directory as a layer into a pipe, the store unpacks, compresses
 * and digests what comes out, and becomes the richer by one layer and one image in one transaction.
 * The image below is not looked at, so the time depends on the changes alone.
 *
 * A running container is paused only while its layer is read. A second child, the guard, waits for
 * the end of this process and has the container go on when that comes first.
 */
#include "engine/commit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/commit_config.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/view.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/container.h"
#include "storage/dir_names.h"
#include "storage/image.h"
#include "storage/incoming.h"
#include "storage/layer_write.h"
#include "sys/feeder.h"
#include "json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CONFIG (4 << 20)

struct commit_ctx {
	struct engine *engine;
	const struct commit_request *request;
	struct container_record record;
	struct container_state state;
	struct image_config config; /* of the base, becoming that of the new image */
	char *name;		    /* owned, canonical; NULL for none */
	char *created_by;	    /* owned */
	struct incoming *in;
};

static void ctx_done(struct commit_ctx *c)
{
	incoming_free(c->in);
	container_record_done(&c->record);
	image_config_done(&c->config);
	free(c->name);
	free(c->created_by);
}

/* ---- the guard of a paused container ---- */

struct guard {
	pid_t pid;
	int fd; /* closed without a byte: let the container go on */
};

static void guard_run(struct commit_ctx *c, int fd)
{
	cleanup_engine struct engine engine = {};
	struct err err = ERR_INIT;
	sigset_t all;
	char byte = 0;

	/* Whoever interrupts or kills the command's process group must not end its guard with it.
	 */
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (fd_read_full(fd, &byte, 1) == 1)
		_exit(0);
	/* The index of a process that was forked is not its child's to use. */
	if (engine_open(&engine, c->engine->root, c->engine->runroot, &err) == 0 &&
	    engine_pause(&engine, c->record.row.id, false, &err) < 0)
		log_debug("container %.12s: %s", c->record.row.id, err.msg);
	_exit(0);
}

static int guard_start(struct commit_ctx *c, struct guard *ret, struct err *err)
{
	int ends[2] = {-1, -1};
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		guard_run(c, ends[0]);
	}
	close(ends[0]);
	if (pid < 0) {
		err_sys(err, errno, "start a process");
		close(ends[1]);
		return -err->code;
	}
	*ret = (struct guard){.pid = pid, .fd = ends[1]};
	return 0;
}

static void guard_dismiss(struct guard *guard)
{
	if (guard->fd < 0)
		return;
	fd_write_full(guard->fd, "", 1);
	fd_cleanup_close(&guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ---- what is asked for ---- */

static int parse_name(struct commit_ctx *c, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *familiar = NULL;

	if (!c->request->name || !*c->request->name)
		return 0;
	if (reference_parse(c->request->name, &ref, err) < 0)
		return -err->code;
	if (ref.digest)
		return err_set(err, ERR_INVALID,
			       "refusing to create a tag with a digest reference");
	familiar = reference_format_familiar_name(&ref);
	if (strcmp(familiar, "sha256") == 0)
		return err_set(
			err, ERR_INVALID,
			"refusing to create an ambiguous tag using digest algorithm as name");
	reference_ensure_tag(&ref);
	c->name = reference_format(&ref);
	return 0;
}

/* The container's own configuration takes the place of the image's. */
static int set_run(struct commit_ctx *c, struct err *err)
{
	const char *text = c->record.row.config;
	cleanup_json json_t *config = NULL;
	struct image_run run = {};

	if (json_parse(text, strlen(text), MAX_CONFIG, "configuration of the container", &config,
		       err) < 0)
		return -err->code;
	if (image_run_parse(config, &run, err) < 0) {
		image_run_done(&run);
		return -err->code;
	}
	image_run_done(&c->config.run);
	c->config.run = run;
	c->created_by = commit_created_by(&run);
	return commit_apply_changes(c->request->changes, &c->config.run, err);
}

static int load_base(struct commit_ctx *c, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free char *ref = str_printf(DIGEST_PREFIX "%s", c->record.row.image_id);

	if (image_find(c->engine->store, ref, &image, err) < 0)
		return -err->code;
	return image_config_parse(image.config, strlen(image.config), &c->config, err);
}

static int prepare(struct commit_ctx *c, struct err *err)
{
	if (parse_name(c, err) < 0 ||
	    container_find(c->engine, c->request->ref, &c->record, &c->state, err) < 0 ||
	    load_base(c, err) < 0)
		return -err->code;
	return set_run(c, err);
}

/* ---- the layer ---- */

static int write_layer(int out_fd, void *data, struct err *err)
{
	const struct layer_write_options options = {.is_upper = true};

	return layer_write(*(const int *)data, out_fd, &options, err);
}

/* Whether the container has changed nothing at all: then the image gets no layer, as docker has it.
 */
static bool is_unchanged(int upper_fd)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	/* The listing moves a descriptor's offset. */
	cleanup_close int fd = openat(upper_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && dir_names_read(&names, fd) == 0 && names.n == 0 && fstat(fd, &st) == 0 &&
	       (st.st_mode & 07777) == 0755 && st.st_uid == 0 && st.st_gid == 0;
}

static int read_layer(struct commit_ctx *c, int upper_fd, struct err *err)
{
	cleanup_feeder struct feeder feeder = FEEDER_INIT;
	struct layer_source source = {.length = UNPACK_STREAM, .raw_size = -1};
	int rc = feeder_start(&feeder, write_layer, &upper_fd, err);
	int fed = 0;

	if (rc < 0)
		return rc;
	source.fd = feeder.data_fd;
	rc = incoming_add_layers(c->in, &source, 1, NULL, NULL, NULL, err);
	/* A stream that was cut short may still be an archive: the child's word counts. */
	fed = feeder_finish(&feeder, rc < 0, err);
	if (fed < 0)
		return err_wrap(err, "read the changes of container %.12s", c->record.row.id);
	return rc;
}

static int add_layer(struct commit_ctx *c, bool *ret_is_empty, struct err *err)
{
	cleanup_close int upper = view_open_upper(c->engine, c->record.row.id, err);
	size_t n = 0;

	if (upper < 0)
		return -err->code;
	*ret_is_empty = is_unchanged(upper);
	if (*ret_is_empty)
		return 0;
	if (read_layer(c, upper, err) < 0 || view_verify(c->engine, &c->record, err) < 0)
		return -err->code;
	n = incoming_count_layers(c->in);
	strv_addf(&c->config.diff_ids, DIGEST_PREFIX "%s", incoming_get_diff_id(c->in, n - 1));
	return 0;
}

/* Reads the layer with the container standing still. */
static int add_layer_paused(struct commit_ctx *c, bool *ret_is_empty, struct err *err)
{
	struct guard guard = {.fd = -1};
	struct err unpause = ERR_INIT;
	int rc = guard_start(c, &guard, err);

	if (rc == 0)
		rc = engine_pause(c->engine, c->record.row.id, true, err);
	if (rc < 0) {
		guard_dismiss(&guard);
		return rc;
	}
	rc = add_layer(c, ret_is_empty, err);
	/* Somebody else may have let it go on, or removed it: that is not ours to complain of. */
	if (engine_pause(c->engine, c->record.row.id, false, &unpause) < 0 && rc == 0 &&
	    unpause.code != ERR_CONFLICT && unpause.code != ERR_NOT_FOUND) {
		*err = unpause;
		rc = -err->code;
	}
	guard_dismiss(&guard);
	return rc;
}

/* ---- the image ---- */

static int set_config(struct commit_ctx *c, bool is_empty, struct err *err)
{
	const struct commit_request *r = c->request;
	struct image_history *history = NULL;
	char now[CLOCK_RFC3339_LEN];
	cleanup_free char *text = NULL;

	clock_format_rfc3339(clock_real_ns(), now);
	str_replace(&c->config.created, now);
	str_replace(&c->config.author, r->author && *r->author ? r->author : NULL);
	str_replace(&c->config.comment, r->message && *r->message ? r->message : NULL);
	str_replace(&c->config.docker_version, NULL);
	history = image_config_add_history(&c->config);
	*history = (struct image_history){
		.created = str_dup(now),
		.created_by = str_dup(*c->created_by ? c->created_by : NULL),
		.author = str_dup(c->config.author),
		.comment = str_dup(c->config.comment),
		.empty_layer = is_empty,
	};
	text = image_config_format(&c->config);
	return incoming_set_config(c->in, text, strlen(text), err);
}

static int commit(struct commit_ctx *c, struct err *err)
{
	bool pauses = c->request->pause && c->state.status == STATUS_RUNNING;
	bool is_empty = false;

	if (incoming_begin(c->engine->store, &c->in, err) < 0 ||
	    incoming_set_base(c->in, c->record.row.image_id, err) < 0)
		return -err->code;
	if ((pauses ? add_layer_paused : add_layer)(c, &is_empty, err) < 0)
		return -err->code;
	if (set_config(c, is_empty, err) < 0)
		return -err->code;
	if (c->name)
		incoming_add_name(c->in, c->name);
	return incoming_commit(c->in, err);
}

int engine_commit(struct engine *engine, const struct commit_request *request,
		  char ret_id[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_with(ctx_done) struct commit_ctx c = {.engine = engine, .request = request};

	if (prepare(&c, err) < 0 || commit(&c, err) < 0)
		return -err->code;
	memcpy(ret_id, incoming_get_id(c.in), DIGEST_HEX_LEN + 1);
	event_commit(engine, &c.record.row, ret_id, request->name, request->message);
	return 0;
}
