/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_USAGE_H
#define ENGINE_USAGE_H
/*
 * What containers use of the host, and docker's arithmetic on it. A percentage of CPU time needs
 * two samples; everything else is in one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct container_state;
struct engine;

/* The host at one moment: read once for all containers of a round. */
struct usage_host {
	uint64_t cpu_ns;  /* time that all CPUs together have counted, idle or not */
	uint64_t memory;  /* bytes */
	unsigned n_cpus;  /* online */
	uint64_t network; /* number of our network namespace */
};

/* A container at one moment. All zero for one that does not run, as docker shows it. */
struct usage {
	uint64_t cpu_ns, host_cpu_ns;
	uint64_t memory; /* without page cache that could be dropped at once */
	uint64_t memory_limit;
	uint64_t received, sent;      /* bytes of its network interfaces, loopback left out */
	uint64_t read_bytes, written; /* bytes of block devices */
	uint64_t pids;
};

/* Fills RET; figures that /proc does not give are 0. */
void usage_host_read(struct usage_host *ret);
/* What container ID with STATE uses. One that ends meanwhile is all zero. About 50 us. */
void usage_read(struct engine *engine, const struct usage_host *host, const char *id,
		const struct container_state *state, struct usage *ret);

/* Per cent of one CPU that were used between BEFORE and NOW: up to 100 for each CPU. 0 when BEFORE
 * is not of the same run (its count is higher, or it did not run). */
double usage_cpu_percent(const struct usage *before, const struct usage *now, unsigned n_cpus);
/* Of the limit, or of the host's memory where there is none. */
double usage_memory_percent(const struct usage *usage);

/* The files behind it, for tests: sums of TEXT as /proc/net/dev has it; the counted time of the
 * first line of /proc/stat; the bytes of MemTotal of /proc/meminfo. */
void usage_parse_net_dev(const char *text, uint64_t *ret_received, uint64_t *ret_sent);
uint64_t usage_parse_stat(const char *text, uint64_t ticks_per_s);
uint64_t usage_parse_meminfo(const char *text);
/* docker's figures from a group's: page cache taken off, limit of the host where there is none. */
struct cgroup_stats;
void usage_set_memory(struct usage *usage, const struct cgroup_stats *stats, uint64_t host_memory);

#endif
