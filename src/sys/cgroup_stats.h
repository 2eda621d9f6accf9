/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CGROUP_STATS_H
#define SYS_CGROUP_STATS_H
/*
 * What a group uses now. `stats` reads this of every container once a second, so it is one read(2)
 * for each file and nothing is allocated. Leaf calls: >= 0 or -errno.
 */
#include "sys/cgroup.h"

#include <stdint.h>

/* Figures of one group and those below it; 0 where the host does not have one, UINT64_MAX for no
 * limit. */
struct cgroup_stats {
	uint64_t cpu_ns;
	uint64_t memory, memory_limit;
	uint64_t memory_inactive_file; /* page cache that docker leaves out of its figure */
	uint64_t pids;
	uint64_t read_bytes, write_bytes; /* of block devices */
};

/* 0 or -ENOENT. */
int cgroup_read_stats(const struct cgroup_layout *layout, const char *name,
		      struct cgroup_stats *ret);
/* The number after "KEY " at the start of a line of TEXT, as memory.stat and its like have it. 0 or
 * -ENOENT. */
int cgroup_stats_find(const char *text, const char *key, uint64_t *ret);

#endif
