/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CGROUP_H
#define SYS_CGROUP_H
/*
 * Control groups of containers, on v1, v2 and hybrid hosts: where the hierarchies are, and what
 * must be written to make a group with given limits. Nothing here changes the host except
 * cgroup_action_run: making a group is first computed as a list of actions.
 *
 * A group is named by its path below every hierarchy, "tare/<id>". Names start at the top of what
 * this host (or the container that we are in) shows as the hierarchy: the mount point. That is the
 * same directory for every command, wherever the command itself was started, and inside a container
 * with a control group view of its own it is that container's group, whose limits therefore hold.
 * The directory of the caller's own group, which /proc/self/cgroup shows, is left alone: a
 * session's or a service's group goes away with it, and the containers must not.
 */
#include "base/err.h"
#include "base/str.h"
#include "sys/devfilter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- where ---- */

enum cgroup_controller {
	CGROUP_DEVICES,
	CGROUP_PIDS,
	CGROUP_MEMORY,
	CGROUP_FREEZER,
	CGROUP_CPU,
	CGROUP_CPUACCT,
	CGROUP_BLKIO, /* "io" on v2 */
	CGROUP_CPUSET,
	CGROUP_N_CONTROLLERS,
};

enum cgroup_mode {
	CGROUP_NONE,   /* no controller anywhere */
	CGROUP_V1,     /* one hierarchy for each controller, or several controllers on one */
	CGROUP_HYBRID, /* the same, and a v2 hierarchy that is left alone */
	CGROUP_V2,
};

#define CGROUP_ROOT_LEN 128

struct cgroup_hierarchy {
	char root[CGROUP_ROOT_LEN]; /* mount point */
	unsigned controllers;	    /* bit 1 << enum cgroup_controller */
};

struct cgroup_layout {
	enum cgroup_mode mode;
	size_t n;
	struct cgroup_hierarchy hierarchies[CGROUP_N_CONTROLLERS]; /* one on v2 */
};

/* Finds the hierarchies: the usual places first, /proc/self/mountinfo where they are unusual.
 * Cannot fail: a host without control groups is CGROUP_NONE. About 50 us. */
void cgroup_detect(struct cgroup_layout *ret);
/* The same from the text of a mountinfo file; for v2 the controllers are read from its root. */
void cgroup_detect_mountinfo(const char *text, struct cgroup_layout *ret);
/* "v1", "v2", "hybrid", "none". */
const char *cgroup_mode_name(enum cgroup_mode mode);
/* "memory", "cpu", ...; "io" for CGROUP_BLKIO on v2. */
const char *cgroup_controller_name(enum cgroup_controller c, enum cgroup_mode mode);
/* The hierarchy that has C, or NULL. */
const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *layout,
					   enum cgroup_controller c);
/* Owned path of group NAME in the hierarchy of C, or NULL where C is missing. */
char *cgroup_dir(const struct cgroup_layout *layout, enum cgroup_controller c, const char *name);
/* Whether NAME can be a group: relative, not empty, no "." or ".." or empty component. */
bool cgroup_name_is_valid(const char *name);

/* ---- what ---- */

/* Who wants a limit: R9, what the user typed and cannot be applied stops the container; what is
 * only implied gives a warning. */
enum limit_source { LIMIT_UNSET, LIMIT_IMPLIED, LIMIT_USER };

struct cgroup_limit {
	int64_t value;
	enum limit_source source;
};

/* A figure for one block device. */
struct cgroup_device_limit {
	uint32_t major, minor;
	uint64_t value;
};

struct cgroup_device_limits {
	struct cgroup_device_limit *items; /* owned */
	size_t n;
};

/* All zero: no limits, the default devices. Strings and arrays are owned. */
struct cgroup_limits {
	struct cgroup_limit memory;	  /* bytes, -1 unlimited */
	struct cgroup_limit memory_swap;  /* memory and swap together; -1 unlimited. Unset with
					     MEMORY  set: twice MEMORY, implied */
	struct cgroup_limit swappiness;	  /* 0..100; v1 only */
	struct cgroup_limit reservation;  /* bytes */
	struct cgroup_limit nano_cpus;	  /* billionths of a CPU */
	struct cgroup_limit cpu_shares;	  /* 1024 is normal; clamped to 2..262144 */
	struct cgroup_limit cpu_quota;	  /* us in each period, -1 unlimited */
	struct cgroup_limit cpu_period;	  /* us */
	struct cgroup_limit pids;	  /* 0 and -1 unlimited */
	struct cgroup_limit blkio_weight; /* 10..1000 */
	char *cpuset_cpus, *cpuset_mems;  /* "0-2,4"; NULL when unset */
	struct cgroup_device_limits weight_device, read_bps, write_bps, read_iops, write_iops;
	bool oom_kill_disable;
	bool all_devices;	     /* --privileged: no filter */
	bool devices_may_be_missing; /* a host that cannot filter devices is only warned about: the
					caller takes CAP_MKNOD away instead */
	struct device_rule *devices; /* owned; allowed besides the defaults */
	size_t n_devices;
};

/* Frees everything inside and leaves it all zero. */
void cgroup_limits_done(struct cgroup_limits *limits);
void cgroup_limits_add_device(struct cgroup_limits *limits, const struct device_rule *rule);
void cgroup_device_limits_add(struct cgroup_device_limits *list, uint32_t major, uint32_t minor,
			      uint64_t value);
/* Ranges and conflicts, with docker's messages; 0 or -ERR_INVALID. The number of CPUs of the host
 * is the engine's to check. */
int cgroup_limits_check(const struct cgroup_limits *limits, struct err *err);

/* ---- how ---- */

enum cgroup_action_kind {
	CGROUP_MKDIR,	  /* a directory that may exist already */
	CGROUP_WRITE,	  /* VALUE into the existing file PATH */
	CGROUP_DEVFILTER, /* the eBPF filter of the list's rules onto directory PATH */
};

struct cgroup_action {
	enum cgroup_action_kind kind;
	char *path;	  /* owned, absolute */
	char *value;	  /* owned; for CGROUP_WRITE */
	const char *flag; /* the option it stems from ("--memory"), or NULL: a constant */
	bool required;	  /* else a failure is a warning */
};

struct cgroup_actions {
	struct cgroup_action *items; /* owned, in order */
	size_t n;
	/* The group's directories. A process joins by "0" into the cgroup.procs of each; with
	 * join_by_clone there is one, for CLONE_INTO_CGROUP, so that the child is born in it. All
	 * are to be removed after the container's end, in any order. */
	struct strv dirs;
	bool join_by_clone;
	struct strv warnings;	   /* one line each: what was implied and cannot be had */
	struct device_rule *rules; /* owned: the default rules and the container's own */
	size_t n_rules;
};

/* Frees everything inside and leaves it all zero. */
void cgroup_actions_done(struct cgroup_actions *actions);
#define cleanup_cgroup_actions __attribute__((cleanup(cgroup_actions_done)))

/* What makes group NAME with LIMITS. Reads a few files of the hierarchies and changes nothing. 0,
 * or -code: a limit the user typed that this host cannot apply (the message names the option), or
 * one that makes no sense. RET is to be empty and needs cgroup_actions_done in any case. Limits are
 * only ever put on NAME and never on a directory above it; those above are created where missing.
 */
int cgroup_plan(const struct cgroup_layout *layout, const char *name,
		const struct cgroup_limits *limits, struct cgroup_actions *ret, struct err *err);

/* The same for group NAME that is there already: what is unset in LIMITS stays as it is. A limit of
 * memory comes with the one of memory and swap that is to hold beside it, cpuset_cpus with
 * cpuset_mems; pids -1 takes the limit away. The device filter is left alone. */
int cgroup_plan_update(const struct cgroup_layout *layout, const char *name,
		       const struct cgroup_limits *limits, struct cgroup_actions *ret,
		       struct err *err);

/* Does ACTIONS->items[I]. 0, 1 when it failed and is not required (ERR says why), -code otherwise.
 */
int cgroup_action_run(const struct cgroup_actions *actions, size_t i, struct err *err);
/* ERR for an action that failed with ERRNUM: names the option and what to do; returns -code. */
int cgroup_action_error(const struct cgroup_action *action, int errnum, struct err *err);

#endif
