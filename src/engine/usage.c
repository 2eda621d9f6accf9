/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures come from the container's control group and, for the network, from the namespace of
 * its first process: /proc/PID/net/dev. A container in the host's network namespace has none of
 * its own, and docker shows none.
 */
#include "engine/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/state.h"
#include "sys/cgroup_stats.h"

#define PROC_TEXT  16384
#define N_CPU_USES 7 /* user nice system idle iowait irq softirq: what docker adds up */
/* Fields of an interface's line: bytes received first, bytes sent ninth. */
#define SENT_FIELD 8

/* ---- files ---- */

static void read_text(const char *path, char buf[static PROC_TEXT])
{
	/* lint: a file of the kernel */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, buf, PROC_TEXT - 1);

	buf[n > 0 ? n : 0] = '\0';
}

/* The number after blanks at *P, which moves behind it. */
static uint64_t scan_number(const char **p)
{
	uint64_t value = 0;

	*p += strspn(*p, " ");
	for (; **p >= '0' && **p <= '9'; (*p)++)
		value = value * 10 + (uint64_t)(**p - '0');
	return value;
}

uint64_t usage_parse_stat(const char *text, uint64_t ticks_per_s)
{
	uint64_t ticks = 0;

	if (strncmp(text, "cpu ", 4) != 0 || !ticks_per_s)
		return 0;
	text += 4;
	for (int i = 0; i < N_CPU_USES; i++)
		ticks += scan_number(&text);
	return ticks * (CLOCK_NS_PER_S / ticks_per_s);
}

uint64_t usage_parse_meminfo(const char *text)
{
	const char *p = strstr(text, "MemTotal:");

	if (!p)
		return 0;
	p += strlen("MemTotal:");
	return scan_number(&p) * 1024;
}

void usage_parse_net_dev(const char *text, uint64_t *ret_received, uint64_t *ret_sent)
{
	uint64_t received = 0, sent = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		line += strspn(line, " ");
		const char *p = line + strcspn(line, ":\n");

		if (*p != ':' || strncmp(line, "lo:", 3) == 0)
			continue;
		p++;
		received += scan_number(&p);
		for (int i = 1; i < SENT_FIELD; i++)
			scan_number(&p);
		sent += scan_number(&p);
	}
	*ret_received = received;
	*ret_sent = sent;
}

/* The number of the network namespace of PID, 0 for a process that is gone. All of them are on one
 * file system. */
static uint64_t network_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	/* lint: a file of the kernel */
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

void usage_host_read(struct usage_host *ret)
{
	long ticks = sysconf(_SC_CLK_TCK);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char text[PROC_TEXT];

	read_text("/proc/stat", text);
	ret->cpu_ns = usage_parse_stat(text, ticks > 0 ? (uint64_t)ticks : 0);
	read_text("/proc/meminfo", text);
	ret->memory = usage_parse_meminfo(text);
	ret->n_cpus = cpus > 0 ? (unsigned)cpus : 1;
	ret->network = network_of(getpid());
}

/* ---- one container ---- */

static void read_network(pid_t pid, const struct usage_host *host, struct usage *ret)
{
	char text[PROC_TEXT];
	char path[64];

	if (network_of(pid) == host->network)
		return;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	read_text(path, text);
	usage_parse_net_dev(text, &ret->received, &ret->sent);
}

void usage_set_memory(struct usage *usage, const struct cgroup_stats *stats, uint64_t host_memory)
{
	uint64_t cache = stats->memory_inactive_file;

	usage->memory = cache < stats->memory ? stats->memory - cache : stats->memory;
	usage->memory_limit = stats->memory_limit;
	if (host_memory && host_memory < usage->memory_limit)
		usage->memory_limit = host_memory;
}

void usage_read(struct engine *engine, const struct usage_host *host, const char *id,
		const struct container_state *state, struct usage *ret)
{
	struct cgroup_stats stats;
	cleanup_free char *name = NULL;

	*ret = (struct usage){};
	if (!container_has_process(state))
		return;
	name = container_cgroup_name(engine, id);
	if (cgroup_read_stats(engine_get_cgroups(engine), name, &stats) < 0)
		return;
	usage_set_memory(ret, &stats, host->memory);
	ret->cpu_ns = stats.cpu_ns;
	ret->host_cpu_ns = host->cpu_ns;
	ret->read_bytes = stats.read_bytes;
	ret->written = stats.write_bytes;
	ret->pids = stats.pids;
	read_network(state->pid, host, ret);
}

/* ---- arithmetic ---- */

double usage_cpu_percent(const struct usage *before, const struct usage *now, unsigned n_cpus)
{
	if (now->cpu_ns <= before->cpu_ns || now->host_cpu_ns <= before->host_cpu_ns ||
	    !before->host_cpu_ns)
		return 0;
	return (double)(now->cpu_ns - before->cpu_ns) /
	       (double)(now->host_cpu_ns - before->host_cpu_ns) * n_cpus * 100;
}

double usage_memory_percent(const struct usage *usage)
{
	if (!usage->memory_limit)
		return 0;
	return (double)usage->memory / (double)usage->memory_limit * 100;
}
