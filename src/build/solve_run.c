/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN on its way: this process is the parent of the command. Its output and its end are two sources
 * of the loop.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "build/build_private.h"
#include "engine/engine.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_CHUNK 16384

/* What the command is started with; borrowed by it until its end. */
struct run_inputs {
	struct build_run_input input;
	char id[ID_LEN + 1];
	struct strv lowers;
	size_t n_mounts;
	struct build_tree **trees;
	struct strv *layers;	      /* of the mounts from steps */
	const struct strv **pointers; /* to them */
};

static void inputs_free(struct run_inputs *in)
{
	if (!in)
		return;
	strv_done(&in->lowers);
	for (size_t i = 0; i < in->n_mounts; i++)
		strv_done(&in->layers[i]);
	free(in->trees);
	free(in->layers);
	free(in->pointers);
	free(in);
}

static int add_mount(struct node *n, struct run_inputs *in, size_t i, struct err *err)
{
	const struct build_mount *m = &node_step(n)->run.mounts[i];

	if (m->from_step != BUILD_NONE) {
		in->pointers[i] = &in->layers[i];
		return node_add_lowers(n->build, m->from_step, &in->layers[i], err);
	}
	if (m->from_source != BUILD_NONE)
		return build_ensure_tree(n->build, m->from_source, &in->trees[i], err);
	return 0;
}

/* With the lease held. */
static int make_inputs(struct node *n, struct err *err)
{
	const struct build_step *s = node_step(n);
	struct run_inputs *in = mem_zalloc(sizeof(*in));

	inputs_free(n->run_inputs);
	n->run_inputs = in;
	in->n_mounts = s->run.n_mounts;
	in->trees = mem_zalloc((in->n_mounts + 1) * sizeof(struct build_tree *));
	in->layers = mem_zalloc((in->n_mounts + 1) * sizeof(*in->layers));
	in->pointers = mem_zalloc((in->n_mounts + 1) * sizeof(struct strv *));
	rand_hex(ID_LEN / 2, in->id);
	in->input = (struct build_run_input){.request = n->build->request,
					     .op = &s->run,
					     .trees = in->trees,
					     .mount_lowers = in->pointers};
	node_get_place(n, &in->lowers, in->id, &in->input.place);
	if (node_add_lowers(n->build, s->parent, &in->lowers, err) < 0)
		return -err->code;
	for (size_t i = 0; i < in->n_mounts; i++)
		if (add_mount(n, in, i, err) < 0)
			return -err->code;
	return 0;
}

/* ---- its output ---- */

static void end_log(struct node *n)
{
	loop_remove(&n->build->loop, &n->log_source);
	fd_cleanup_close(&n->log_fd);
}

/* Takes what there is: 1, 0 when there will be no more, -1 when there is nothing now. */
static int read_log(struct node *n)
{
	char chunk[LOG_CHUNK];
	ssize_t len = read(n->log_fd, chunk, sizeof(chunk));

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (len <= 0)
		return 0;
	log_tail_add(&n->tail, clock_mono_ns() - n->began_ns, chunk, (size_t)len);
	vertex_log(n->build, n->vertex, node_step(n)->name, chunk, (size_t)len);
	return 1;
}

/* loop_fn */
static int on_log(void *data, uint32_t events)
{
	struct node *n = data;

	(void)events;
	/* The other end of a terminal that is gone is an error, not an end. */
	if (read_log(n) == 0)
		end_log(n);
	return 0;
}

/* ---- its end ---- */

static void forget(struct node *n)
{
	end_log(n);
	inputs_free(n->run_inputs);
	n->run_inputs = NULL;
}

/* The pipe has what was written before the end. */
static void drain_log(struct node *n)
{
	while (n->log_fd >= 0 && read_log(n) > 0)
		continue;
}

static bool is_failure(const struct node *n, int code, bool is_oom, struct err *err)
{
	if (code == 0)
		return false;
	failure_of_process(&node_step(n)->run.argv, code, is_oom, err);
	n->build->ret->failure.exit_code = code;
	return true;
}

/* --on-error=shell: before anything of the command's surroundings is gone. What else runs is ended,
 * and what has happened is told, so that the terminal is the shell's alone. */
static void offer_shell(struct node *n)
{
	struct err err = ERR_INIT;
	siginfo_t info = {};
	int code = 0;

	if (!n->build->request->error_shell ||
	    waitid(P_PIDFD, (id_t)build_run_pidfd(n->run), &info, WEXITED | WNOWAIT) < 0)
		return;
	code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	if (code == 0)
		return;
	nodes_kill(n->build, n);
	failure_of_process(&node_step(n)->run.argv, code, false, &err);
	node_end(n, BUILD_EVENT_STEP_FAILED, err.msg);
	n->is_told = true;
	if (build_run_shell(n->run, &err) < 0)
		log_warn("%s", err.msg);
}

static int take_end(struct node *n, struct err *err)
{
	bool is_oom = false;
	int code = 0;

	drain_log(n);
	offer_shell(n);
	/* Before its descriptor is closed: a worker that was forked may have another one of it, and
	 * then closing does not take it out of the loop. */
	loop_remove(&n->build->loop, &n->end_source);
	int rc = build_run_finish(take_ptr(n->run), &code, &is_oom, err);

	drain_log(n);
	forget(n);
	n->build->n_busy--;
	if (rc < 0 || is_failure(n, code, is_oom, err))
		return -err->code;
	return node_publish(n, err);
}

/* loop_fn */
static int on_end(void *data, uint32_t events)
{
	struct node *n = data;
	struct err err = ERR_INIT;

	(void)events;
	if (take_end(n, &err) < 0)
		node_fail(n, &err);
	return 0;
}

/* ---- its start ---- */

static int watch(struct node *n, struct err *err)
{
	struct loop *loop = &n->build->loop;
	int rc = loop_add(loop, &n->log_source, n->log_fd, EPOLLIN, on_log, n);

	if (rc == 0)
		rc = loop_add(loop, &n->end_source, build_run_pidfd(n->run), EPOLLIN, on_end, n);
	return rc < 0 ? err_sys(err, -rc, "watch a step of the build") : 0;
}

int run_node_start(struct node *n, struct err *err)
{
	struct engine *engine = n->build->engine;
	cleanup_close int lease = snapshot_lease(engine->store, err);
	int rc = lease;

	if (rc >= 0)
		rc = make_inputs(n, err);
	if (rc >= 0)
		rc = build_run_start(engine, &n->run_inputs->input, &n->run, &n->log_fd, err);
	return rc != 0 ? rc : watch(n, err);
}

int run_node_explain(struct node *n, struct str *ret, struct err *err)
{
	struct engine *engine = n->build->engine;
	cleanup_close int lease = snapshot_lease(engine->store, err);
	int rc = lease;

	if (rc >= 0)
		rc = make_inputs(n, err);
	if (rc >= 0)
		rc = build_run_explain(engine, &n->run_inputs->input, ret, err);
	forget(n);
	return rc < 0 ? rc : 0;
}

void run_node_kill(struct node *n)
{
	struct err ignored = ERR_INIT;
	bool is_oom = false;
	int code = 0;

	loop_remove(&n->build->loop, &n->end_source);
	if (n->run) {
		build_run_kill(n->run);
		if (build_run_finish(take_ptr(n->run), &code, &is_oom, &ignored) < 0)
			log_warn("step %s: %s", node_step(n)->name, ignored.msg);
	}
	forget(n);
}
