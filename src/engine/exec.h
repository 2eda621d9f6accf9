/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H
/* Further commands in running containers. */
#include "base/rand.h"
#include "engine/engine.h"
#include "monitor/relay.h"
#include "plan/plan.h"
#include "plan/steps.h"

struct oci_runtime_config;

/* The group of health checks. */
#define EXEC_HEALTH_GROUP "tare-health"

struct exec_request {
	const char *ref;
	struct strv args;
	struct strv env;     /* "K=V", over the container's own */
	const char *user;    /* NULL: the container's */
	const char *workdir; /* NULL: the container's */
	bool privileged, tty, interactive, detach;
	unsigned short rows, columns;
	/* A detached mount (borrowed) that this command alone finds at a path, and what of it goes
	 * to the front of its PATH; NULL for none. */
	const char *tools_path, *tools_search;
	int tools_fd;
	/* A group below the container's that the command is alone in, with what it starts, as far
	 * as killing it goes (sys/cgroup_live.h); NULL: the container's own. */
	const char *group;
	bool dies_with_caller; /* also with a terminal: nobody can detach from it */
};

/* A command that runs, and this side's ends of its streams. */
struct exec_started {
	struct relay_process process;
	pid_t pid;
	char exec_id[ID_LEN + 1]; /* of this command, for its events */
	char container_id[ID_LEN + 1];
	bool is_entered; /* also on failure: the container runs, and it is the command that did not
			  */
};

/* Starts REQUEST's command; returns when it runs. The caller must be sealed (sys/process.h): the
 * container can see the process that enters it. PLAN (plan_init is the caller's) keeps the steps.
 * ERR_CONFLICT "container ID is not running", "Container ID is paused, ..."; NO_COMMAND and NO_EXEC
 * as run. */
int engine_exec(struct engine *engine, const struct exec_request *request, struct plan *plan,
		struct exec_started *ret, struct err *err);

/* The environment of a further command in the container of CONFIG: its own, TERM with TTY, SEARCH
 * (NULL for none) in front of PATH, then TYPED: "K=V", or a bare "K" that takes K away. */
void exec_make_env(const struct oci_runtime_config *config, bool tty, const char *search,
		   const struct strv *typed, struct strv *ret);

#endif
