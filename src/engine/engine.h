/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H
/*
 * The engine: where the state is, what this host offers, and where the program's own parts are.
 * Every verb takes one; a command opens it once.
 */
#include "base/err.h"
#include "sys/cgroup.h"

#include <stdbool.h>

struct store;

struct engine {
	char *root, *runroot; /* owned, absolute */
	struct store *store;
	struct cgroup_layout cgroups;
	bool has_cgroups; /* detected: see engine_get_cgroups */
	char *exe;	  /* this program's file */
	char *libexec;	  /* directory of tare-unpack, tare-seccomp, tare-init */
	char *images;	  /* directory of the bundled images */
};

/* Opens the state directories, creating them. RET must be all zero. ERR_DENIED with a hint when the
 * caller is not root, ERR_* when a directory cannot be used. */
int engine_open(struct engine *ret, const char *root, const char *runroot, struct err *err);
/* The same for reading alone: where nothing was ever made, nothing is, and ret->store is NULL. */
int engine_open_unchanged(struct engine *ret, const char *root, const char *runroot,
			  struct err *err);
void engine_close(struct engine *engine);
#define cleanup_engine __attribute__((cleanup(engine_close)))

/* The host's control groups, looked for once. */
const struct cgroup_layout *engine_get_cgroups(struct engine *engine);

/* Owned path of a program of ours ("tare-unpack"). */
char *engine_helper_path(const struct engine *engine, const char *name);

/* The owned name of the control group of container ID. One of --cgroup-parent is named by a link
 * beside its configuration. */
char *container_cgroup_name(const struct engine *engine, const char *id);
#define CONTAINER_CGROUP_LINK "cgroup"

/* An O_PATH descriptor of RUNROOT/containers/ID, created when CREATE; -errno. */
int engine_open_run_dir(const struct engine *engine, const char *id, bool create);
/* A descriptor of ROOT/containers/ID; -errno. */
int engine_open_container_dir(const struct engine *engine, const char *id);

#endif
