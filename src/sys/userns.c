/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child goes into the new namespaces and stays just long enough: only from outside can the whole
 * range of users be mapped (user_namespaces(7)), and only from inside can the root be emptied. Then
 * its namespaces are opened through /proc, and it ends. The two talk over a socket: each sends one
 * number when its part is done.
 */
#include "sys/userns.h"

#include "base/mem.h"
#include "base/str.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_MAX 65536 /* bytes of a map: at most 340 lines */

static int tell(int fd, int32_t rc)
{
	return fd_write_full(fd, &rc, sizeof(rc));
}

/* What the other side has sent; -EPIPE when it is gone. */
static int hear(int fd)
{
	int32_t rc = 0;
	ssize_t n = fd_read_full(fd, &rc, sizeof(rc));

	if (n < 0)
		return (int)n;
	return n == sizeof(rc) ? rc : -EPIPE;
}

/* In the child: the root becomes an empty directory that nobody can write to. */
static int empty_root(void)
{
	static char mode[] = "mode=0555";
	static char *const options[] = {mode, NULL};
	const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			       MOUNT_ATTR_NOEXEC;
	cleanup_close int fs = mount_new("tmpfs", "none", options, attrs);
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = fs < 0 ? fs : root < 0 ? -errno : mount_attach(fs, root);

	if (rc < 0)
		return rc;
	rc = mount_pivot(fs);
	/* An initial RAM file system cannot be exchanged; it can be covered, and who enters the
	 * namespace finds himself in what lies on top. */
	return rc == -EINVAL ? 0 : rc;
}

/* The most that can be had. -errno of the last try. */
static int leave(void)
{
	static const int sets[] = {CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET,
				   CLONE_NEWUSER | CLONE_NEWNS, CLONE_NEWUSER};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		if (unshare(sets[i]) == 0)
			return sets[i];
		rc = -errno;
	}
	return rc;
}

static _Noreturn void run_child(int fd)
{
	int flags = leave();

	if (tell(fd, flags) < 0 || flags < 0 || hear(fd) < 0)
		_exit(1);
	if (tell(fd, flags & CLONE_NEWNS ? empty_root() : -ENOSYS) < 0)
		_exit(1);
	hear(fd); /* its end */
	_exit(0);
}

/* The users that we have ourselves, each under its own number. */
static int copy_map(pid_t pid, const char *name)
{
	cleanup_free char *ours = str_printf("/proc/self/%s", name);
	cleanup_free char *theirs = str_printf("/proc/%d/%s", (int)pid, name);
	cleanup_str struct str text = STR_INIT, map = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_close int fd = -1;
	int rc = fd_read_kernel_file(ours, MAP_MAX, &text);

	if (rc < 0)
		return rc;
	strv_split(&lines, str_get(&text), '\n');
	strv_foreach (i, &lines) {
		unsigned first = 0, outside = 0, n = 0;

		if (sscanf(lines.items[i], "%u %u %u", &first, &outside, &n) == 3)
			str_addf(&map, "%u %u %u\n", first, first, n);
	}
	fd = open(theirs, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_full(fd, str_get(&map), map.len);
}

static int open_ns(pid_t pid, const char *name)
{
	cleanup_free char *path = str_printf("/proc/%d/ns/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int direct_child(pid_t pid, int fd, struct userns *ret)
{
	int flags = hear(fd);
	int rc = flags < 0 ? flags : copy_map(pid, "uid_map");

	if (rc >= 0)
		rc = copy_map(pid, "gid_map");
	if (rc >= 0)
		rc = tell(fd, 0);
	if (rc < 0)
		return rc;
	rc = hear(fd);
	if (rc >= 0)
		ret->mount_fd = open_ns(pid, "mnt");
	if (flags & CLONE_NEWNET)
		ret->net_fd = open_ns(pid, "net");
	ret->user_fd = open_ns(pid, "user");
	return ret->user_fd < 0 ? ret->user_fd : 0;
}

/* The child that a namespace needs to be made, and our end of the line to it. */
struct helper {
	pid_t pid;
	int fd;
};

static int helper_start(struct helper *h, void (*run)(int fd))
{
	cleanup_close int ours = -1, theirs = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	h->pid = fork();
	if (h->pid < 0)
		return -errno;
	if (h->pid == 0) {
		fd_cleanup_close(&ours);
		run(theirs);
	}
	h->fd = take_fd(ours);
	return 0;
}

/* Hanging up ends it. */
static void helper_end(struct helper *h)
{
	fd_cleanup_close(&h->fd);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int userns_create(struct userns *ret)
{
	cleanup_userns struct userns ns = USERNS_INIT;
	struct helper helper = {.fd = -1};
	int rc = helper_start(&helper, run_child);

	if (rc < 0)
		return rc;
	rc = direct_child(helper.pid, helper.fd, &ns);
	helper_end(&helper);
	if (rc < 0)
		return rc;
	*ret = ns;
	ns = (struct userns)USERNS_INIT;
	return 0;
}

static _Noreturn void run_holder(int fd)
{
	int rc = unshare(CLONE_NEWUSER) < 0 ? -errno : 0;

	if (tell(fd, rc) == 0 && rc == 0)
		hear(fd); /* its end */
	_exit(0);
}

static int write_map(pid_t pid, const char *name, const char *text)
{
	cleanup_free char *path = str_printf("/proc/%d/%s", (int)pid, name);
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
}

static int map_holder(pid_t pid, int fd, const char *uid_map, const char *gid_map)
{
	int rc = hear(fd);

	if (rc == 0)
		rc = write_map(pid, "uid_map", uid_map);
	if (rc == 0)
		rc = write_map(pid, "gid_map", gid_map);
	return rc < 0 ? rc : open_ns(pid, "user");
}

static void add_extent(struct str *map, uint64_t inside, uint64_t outside, uint64_t n)
{
	if (n > 0)
		str_addf(map, "%llu %llu %llu\n", (unsigned long long)inside,
			 (unsigned long long)outside, (unsigned long long)n);
}

void userns_add_swap(uint32_t disk, uint32_t shown, struct str *map)
{
	uint64_t low = disk < shown ? disk : shown;
	uint64_t high = disk < shown ? shown : disk;

	add_extent(map, 0, 0, low);
	add_extent(map, low, high, 1);
	if (high > low) {
		add_extent(map, low + 1, low + 1, high - low - 1);
		add_extent(map, high, low, 1);
	}
	add_extent(map, high + 1, high + 1, UINT32_MAX - (high + 1));
}

int userns_create_map(const char *uid_map, const char *gid_map)
{
	struct helper helper = {.fd = -1};
	int rc = helper_start(&helper, run_holder);

	if (rc < 0)
		return rc;
	rc = map_holder(helper.pid, helper.fd, uid_map, gid_map);
	helper_end(&helper);
	return rc;
}

int userns_enter(const struct userns *ns)
{
	/* The user namespace comes first: it is what allows the others. */
	const struct {
		int fd, type;
	} rows[] = {
		{ns->user_fd, CLONE_NEWUSER},
		{ns->mount_fd, CLONE_NEWNS},
		{ns->net_fd, CLONE_NEWNET},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].fd >= 0 && setns(rows[i].fd, rows[i].type) < 0)
			return -errno;
	return 0;
}

void userns_done(struct userns *ns)
{
	fd_cleanup_close(&ns->user_fd);
	fd_cleanup_close(&ns->mount_fd);
	fd_cleanup_close(&ns->net_fd);
}
