/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CONTAINER_PLAN_H
#define RUNTIME_CONTAINER_PLAN_H
/*
 * From a runtime configuration to the plan of a container: what the host does, what the first
 * process does inside, and how it is all taken down again. Pure data: nothing is changed here.
 */
#include "oci/runtime_config.h"
#include "plan/plan.h"
#include "plan/steps.h"

#include <linux/filter.h>

/* A join target that is alive: descriptors are borrowed and must stay open until the plan ran. */
struct runtime_join {
	uint64_t flag; /* CLONE_NEW* */
	int fd;
	const char *path;
};

/* A volume that another container has mounted at this moment, and that has to be taken from there:
 * FD is the mount namespace, PATH its place in it. */
struct runtime_shared {
	char volume[256];
	char *container, *path; /* owned by who made the list */
	int fd;
};

/* Where links and addresses come into a plan: on the host before the clone, in the container before
 * its kernel parameters are set and it is sealed, and on the host when its command runs. */
enum runtime_network_part {
	RUNTIME_NETWORK_BEFORE,
	RUNTIME_NETWORK_INSIDE,
	RUNTIME_NETWORK_AFTER,
};

/* Where mounts come into a plan that no configuration describes: their sources on the host before
 * the clone, in the container before its root is mounted, and on that when everything else is. */
enum runtime_mounts_part { RUNTIME_MOUNTS_SOURCES, RUNTIME_MOUNTS_BELOW, RUNTIME_MOUNTS_INSIDE };

/* What the configuration does not say: where things are on this host, at this start. */
struct runtime_place {
	const char *dir;	   /* the container's directory */
	const struct strv *lowers; /* layer directories, uppermost first */
	const char *layers;	   /* where layers are, for images that are mounted */
	const struct runtime_shared *shared;
	size_t n_shared;
	const struct cgroup_layout *cgroups;
	const struct sock_fprog *seccomp; /* NULL: unconfined */
	const char *seccomp_name;
	const struct runtime_join *joins;
	size_t n_joins;
	const char *init_path;	      /* reaper to put in front of the command, NULL for none */
	unsigned short rows, columns; /* of the console, 0 when unknown */
	const char *tools_path;	      /* NULL, or where TOOLS_FD (a mount, borrowed) is attached */
	int tools_fd;
	/* Adds the steps of one part; NULL: a network namespace of its own has nothing but
	 * loopback. */
	void (*add_network)(struct plan *plan, enum runtime_network_part part, void *ctx);
	void *network_ctx;
	/* Adds the steps of one part; NULL: nothing but the configuration's mounts. */
	void (*add_mounts)(struct plan *plan, enum runtime_mounts_part part, void *ctx);
	void *mounts_ctx;
	bool script; /* the plan is to become a script */
};

/* Adds the steps that start CONFIG's container. INFO and CONFIG are borrowed until the plan has
 * run. 0 or -code (a limit that this host cannot apply: R9). Warnings are appended to WARNINGS. */
int runtime_plan_start(const struct oci_runtime_config *config, const struct runtime_place *place,
		       struct plan_exec_info *info, struct plan *plan, struct strv *warnings,
		       struct err *err);

/* Adds the steps that remove the control groups of a container after its end. */
void runtime_plan_teardown(const struct cgroup_layout *cgroups, const char *cgroup, bool has_cpuset,
			   struct plan *plan);

/* The namespaces that CONFIG wants new, as CLONE_NEW* bits. The cgroup namespace is not among them:
 * it is made after the control groups were joined. */
uint64_t runtime_clone_flags(const struct oci_runtime_config *config);

#endif
