/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CGROUP_PLAN_H
#define SYS_CGROUP_PLAN_H
/*
 * What the v1 and v2 halves of cgroup_plan share; for cgroup*.c only.
 */
#include "sys/cgroup.h"

#include <sys/types.h>

/* A plan in the making. */
struct cgroup_build {
	const struct cgroup_layout *layout;
	const char *name;
	const struct cgroup_limits *limits;
	struct cgroup_actions *actions;
	bool is_update; /* the group is there: only what is set is written */
};

/* Scalar limits, for tables: where they are in struct cgroup_limits and the option behind them. */
struct cgroup_limit_info {
	size_t offset;
	const char *flag;
};

extern const struct cgroup_limit_info cgroup_memory, cgroup_memory_swap, cgroup_swappiness,
	cgroup_reservation, cgroup_nano_cpus, cgroup_cpu_shares, cgroup_cpu_quota,
	cgroup_cpu_period, cgroup_pids, cgroup_blkio_weight;

/* The limit that INFO is about. */
const struct cgroup_limit *cgroup_limit_get(const struct cgroup_limits *limits,
					    const struct cgroup_limit_info *info);

/* The five lists of figures for block devices: their options and files. */
struct cgroup_device_list {
	size_t offset; /* in struct cgroup_limits */
	const char *flag;
	const char *v1_file; /* NULL: the weight file of the host */
	const char *v2_key;  /* word of io.max; NULL: the weight file */
};

#define CGROUP_N_DEVICE_LISTS 5
extern const struct cgroup_device_list cgroup_device_lists[CGROUP_N_DEVICE_LISTS];
/* The figures of LIMITS that LIST is about; borrowed, never NULL. */
const struct cgroup_device_limits *cgroup_device_list_get(const struct cgroup_limits *limits,
							  const struct cgroup_device_list *list);

/* Append actions; paths and values are copied. */
void cgroup_add_mkdir(struct cgroup_build *b, const char *path);
void cgroup_add_write(struct cgroup_build *b, const char *dir, const char *file, const char *value,
		      const char *flag, bool required);
void cgroup_add_writef(struct cgroup_build *b, const char *dir, const char *file, const char *flag,
		       bool required, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The device filter of the list's rules onto DIR. */
void cgroup_add_devfilter(struct cgroup_build *b, const char *dir, bool required);
/* mkdir of every directory of b->name from the top of ROOT; returns the owned path of the group. */
char *cgroup_add_path(struct cgroup_build *b, const char *root);
/* The owned path of the group's parent directory below ROOT (ROOT itself for a name of one word).
 */
char *cgroup_parent(const struct cgroup_build *b, const char *root);

/* A control that is not there: ERR_UNSUPPORTED naming FLAG for SOURCE user; else 0 and WARNING (may
 * be NULL) among the warnings. */
int cgroup_missing(struct cgroup_build *b, enum limit_source source, const char *flag,
		   const char *what, const char *warning, struct err *err);
/* docker's words for the one implied control that is often missing. */
#define CGROUP_NO_SWAP_LIMIT                                                                  \
	"Your kernel does not support swap limit capabilities or the cgroup is not mounted. " \
	"Memory limited without swap."

/* Number of processes for the group: LIMIT, or 90 % of what the directories above allow where that
 * is less, so that a fork bomb leaves the rest of an outer container able to act. -1 for unlimited.
 */
int64_t cgroup_pids_within_parents(const struct cgroup_build *b, const char *root, int64_t limit);
/* First line of a kernel file, without its newline; "" when it cannot be read. */
void cgroup_read_line(const char *dir, const char *file, struct str *ret);
bool cgroup_has_file(const char *dir, const char *file);

/* CPU bandwidth as quota and period in us, from --cpus or from the two; false when none is asked
 * for. QUOTA is -1 for unlimited, PERIOD 0 for the kernel's own. */
struct cgroup_bandwidth {
	int64_t quota, period;
	const char *flag;
	enum limit_source source;
};
bool cgroup_bandwidth_get(const struct cgroup_limits *limits, struct cgroup_bandwidth *ret);

/* Append the actions for b->limits on that kind of hierarchy. 0, or -code as cgroup_plan. */
int cgroup_plan_v1(struct cgroup_build *b, struct err *err);
int cgroup_plan_v2(struct cgroup_build *b, struct err *err);

#endif
