/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups that exist. Waiting is by short sleeps that double up to 10 ms: v1 tells nobody when a
 * group becomes frozen or empty, and the waits are of the order of one scheduling round.
 *
 * Killing: v2 has cgroup.kill (since Linux 5.14). Elsewhere the processes are stopped first, so
 * that none can fork while the list is read, then each gets SIGKILL through a pidfd of which it was
 * verified that its process was still in the group after the pidfd was opened: a number from a file
 * may belong to somebody else by then. Frozen processes of v1 die when they are thawed.
 */
#include "sys/cgroup_live.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/cgroup_plan.h"
#include "sys/cgroup_stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILE_LIMIT    (4UL << 20) /* cgroup.procs of the largest possible group (4 million pids) */
#define MAX_DEPTH     64	  /* of groups that a container made below its own */
#define KILL_BATCH    256	  /* pidfds open at a time */
#define FREEZE_FOR_NS 200000000	  /* before killing: a help, not a condition */

/* ---- waiting ---- */

struct wait {
	uint64_t deadline;
	long pause_ns;
};

static struct wait wait_begin(uint64_t timeout_ns)
{
	return (struct wait){clock_mono_ns() + timeout_ns, 100000};
}

/* Sleeps a little; false when the time is over. */
static bool wait_again(struct wait *w)
{
	struct timespec ts = {.tv_nsec = w->pause_ns};

	if (clock_mono_ns() >= w->deadline)
		return false;
	nanosleep(&ts, NULL);
	w->pause_ns = w->pause_ns * 2 > 10000000 ? 10000000 : w->pause_ns * 2;
	return true;
}

/* ---- files ---- */

static int write_file(const char *dir, const char *file, const char *value)
{
	cleanup_free char *path = str_printf("%s/%s", dir, file);
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_full(fd, value, strlen(value));
}

static int read_file(const char *dir, const char *file, struct str *ret)
{
	cleanup_free char *path = str_printf("%s/%s", dir, file);

	str_truncate(ret, 0);
	return fd_read_kernel_file(path, FILE_LIMIT, ret);
}

static bool is_v2(const struct cgroup_layout *layout)
{
	return layout->mode == CGROUP_V2;
}

char *cgroup_process_dir(const struct cgroup_layout *layout, const char *name)
{
	const struct cgroup_hierarchy *h = cgroup_find(layout, CGROUP_FREEZER);

	if (!h)
		h = cgroup_find(layout, CGROUP_PIDS);
	if (!h && layout->n > 0)
		h = &layout->hierarchies[0];
	return h ? str_printf("%s/%s", h->root, name) : NULL;
}

/* ---- figures ---- */

int cgroup_read_oom_kills(const struct cgroup_layout *layout, const char *name, uint64_t *ret)
{
	cleanup_free char *dir = cgroup_dir(layout, CGROUP_MEMORY, name);
	cleanup_str struct str text = STR_INIT;
	const char *file = is_v2(layout) ? "memory.events" : "memory.oom_control";
	int rc = dir ? read_file(dir, file, &text) : -ENOENT;

	/* "oom_kill" is in v1's file since Linux 4.13 */
	return rc < 0 ? rc : cgroup_stats_find(str_get(&text), "oom_kill", ret);
}

/* ---- walking a group and those below it ---- */

/* Called for each directory, the innermost first. */
typedef int visit_fn(int parent_fd, const char *name, void *arg);

/* A control group has no entries but files and groups, and no links: names are safe to open. */
static int visit_tree(int parent_fd, const char *name, unsigned depth, visit_fn *visit, void *arg)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (!dir || depth > MAX_DEPTH) {
		if (dir)
			closedir(dir);
		else
			close(fd);
		return depth > MAX_DEPTH ? -ELOOP : -ENOMEM;
	}
	while (rc >= 0 && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			rc = visit_tree(fd, entry->d_name, depth + 1, visit, arg);
	closedir(dir);
	/* a group may vanish while we look */
	return rc < 0 && rc != -ENOENT ? rc : visit(parent_fd, name, arg);
}

struct pid_list {
	pid_t *pids; /* owned */
	size_t n;
};

static void pid_list_done(struct pid_list *list)
{
	free(list->pids);
}

static void add_pids(struct pid_list *list, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		cleanup_free char *number = str_ndup(text, n);
		int pid = 0;

		/* 0 is a process of a pid namespace that is not ours to see */
		if (num_parse_int(number, &pid) == 0 && pid > 0) {
			if (list->n % 64 == 0)
				list->pids = mem_realloc_array(list->pids, list->n + 64,
							       sizeof(*list->pids));
			list->pids[list->n++] = pid;
		}
		text += n + (text[n] != '\0');
	}
}

static int visit_pids(int parent_fd, const char *name, void *arg)
{
	cleanup_free char *path = str_printf("%s/cgroup.procs", name);
	cleanup_close int fd = openat(parent_fd, path, O_RDONLY | O_CLOEXEC);
	cleanup_str struct str text = STR_INIT;
	int rc = fd < 0 ? -errno : fd_read_all(fd, FILE_LIMIT, &text);

	if (rc == 0)
		add_pids(arg, str_get(&text));
	/* gone, or a threaded group whose processes its parent lists */
	return rc == -ENOENT || rc == -ENODEV || rc == -EOPNOTSUPP ? 0 : rc;
}

static int list_pids(const struct cgroup_layout *layout, const char *name, struct pid_list *list)
{
	cleanup_free char *dir = cgroup_process_dir(layout, name);

	list->n = 0;
	return dir ? visit_tree(AT_FDCWD, dir, 0, visit_pids, list) : -ENOENT;
}

int cgroup_list_pids(const struct cgroup_layout *layout, const char *name, pid_t **ret,
		     size_t *ret_n)
{
	cleanup_with(pid_list_done) struct pid_list list = {};
	int rc = list_pids(layout, name, &list);

	if (rc < 0)
		return rc;
	*ret = take_ptr(list.pids);
	*ret_n = list.n;
	return 0;
}

/* ---- freezing ---- */

int cgroup_is_frozen(const struct cgroup_layout *layout, const char *name)
{
	cleanup_free char *dir = cgroup_process_dir(layout, name);
	cleanup_str struct str text = STR_INIT;
	uint64_t frozen = 0;
	int rc = 0;

	if (!dir)
		return -ENOENT;
	if (!is_v2(layout)) {
		rc = read_file(dir, "freezer.state", &text);
		return rc < 0 ? rc : strcmp(str_get(&text), "FROZEN\n") == 0;
	}
	rc = read_file(dir, "cgroup.events", &text);
	if (rc >= 0)
		rc = cgroup_stats_find(str_get(&text), "frozen", &frozen);
	return rc < 0 ? rc : frozen != 0;
}

static int write_frozen(const struct cgroup_layout *layout, const char *dir, bool frozen)
{
	if (is_v2(layout))
		return write_file(dir, "cgroup.freeze", frozen ? "1" : "0");
	return write_file(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

int cgroup_freeze(const struct cgroup_layout *layout, const char *name, bool frozen,
		  uint64_t timeout_ns)
{
	cleanup_free char *dir = cgroup_process_dir(layout, name);
	struct wait wait = wait_begin(timeout_ns);
	int rc = 0, now = 0;

	if (!is_v2(layout) && !cgroup_find(layout, CGROUP_FREEZER))
		return -EOPNOTSUPP;
	do {
		/* again each time: v1 gives up in FREEZING when a process forks meanwhile */
		rc = write_frozen(layout, dir, frozen);
		now = rc < 0 ? rc : cgroup_is_frozen(layout, name);
		if (now < 0)
			return now;
		if ((now > 0) == frozen)
			return 0;
	} while (wait_again(&wait));
	if (frozen)
		write_frozen(layout, dir, false);
	return -ETIMEDOUT;
}

/* ---- killing ---- */

static bool has_pid(const struct pid_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

/* Opens up to KILL_BATCH pidfds of LIST, looks again who is in the group, signals those. */
static void kill_batch(const struct cgroup_layout *layout, const char *name,
		       const struct pid_list *list)
{
	cleanup_with(pid_list_done) struct pid_list again = {};
	int fds[KILL_BATCH];
	size_t n = list->n < KILL_BATCH ? list->n : KILL_BATCH;

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, list->pids[i], 0);
	list_pids(layout, name, &again);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0 && has_pid(&again, list->pids[i]))
			syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		fd_cleanup_close(&fds[i]);
	}
}

int cgroup_kill(const struct cgroup_layout *layout, const char *name, uint64_t timeout_ns)
{
	cleanup_free char *dir = cgroup_process_dir(layout, name);
	cleanup_with(pid_list_done) struct pid_list list = {};
	struct wait wait = wait_begin(timeout_ns);
	bool by_kernel = dir && is_v2(layout) && write_file(dir, "cgroup.kill", "1") == 0;

	if (!dir)
		return 0;
	do {
		int rc = list_pids(layout, name, &list);

		if (rc == -ENOENT || (rc == 0 && list.n == 0))
			return 0;
		if (rc < 0)
			return rc;
		if (by_kernel)
			continue;
		cgroup_freeze(layout, name, true, FREEZE_FOR_NS);
		list_pids(layout, name, &list);
		kill_batch(layout, name, &list);
		write_frozen(layout, dir, false);
	} while (wait_again(&wait));
	return -ETIMEDOUT;
}

/* ---- removing ---- */

static int visit_remove(int parent_fd, const char *name, void *arg)
{
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* rmdir alone in the usual case; groups below, and processes still leaving, in the unusual. */
static int remove_dir(const char *dir, struct wait *wait)
{
	int rc = rmdir(dir) < 0 ? -errno : 0;

	while (rc == -EBUSY || rc == -ENOTEMPTY) {
		rc = visit_tree(AT_FDCWD, dir, 0, visit_remove, NULL);
		if (rc != -EBUSY || !wait_again(wait))
			break;
	}
	return rc == -ENOENT ? 0 : rc;
}

int cgroup_remove(const struct cgroup_layout *layout, const char *name, uint64_t timeout_ns)
{
	struct wait wait = wait_begin(timeout_ns);
	int first = 0;

	if (!cgroup_name_is_valid(name))
		return -EINVAL;
	for (size_t i = 0; i < layout->n; i++) {
		cleanup_free char *dir = str_printf("%s/%s", layout->hierarchies[i].root, name);
		int rc = remove_dir(dir, &wait);

		if (rc < 0 && first == 0)
			first = rc;
	}
	return first;
}
