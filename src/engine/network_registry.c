/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which engine of this host has which subnets. Bridges tell it of the networks that are up; this
 * file tells it of those that are not, so that two state directories never choose the same. What it
 * says of a state directory that is gone does not count.
 */
/* lint file: a path of the engine's own, and those of other engines that only root writes there */
#include "engine/network_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define REGISTRY     "/run/tare.networks"
#define MAX_REGISTRY (4 << 20)

static int lock_registry(int operation, struct err *err)
{
	cleanup_close int fd = open(REGISTRY, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open " REGISTRY);
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "lock " REGISTRY);
	return take_fd(fd);
}

int engine_lock_pools(struct err *err)
{
	return lock_registry(LOCK_EX, err);
}

int registry_try_lock(struct err *err)
{
	return lock_registry(LOCK_EX | LOCK_NB, err);
}

/* What tells this network namespace from all others of this boot. Inode numbers come again. */
static uint64_t this_namespace(void)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;
	struct stat st;

	/* Since Linux 5.14. */
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0)
		return cookie;
	return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

/* One line: false when it is none, or of an engine that is gone. */
static bool parse_line(char *line, uint64_t *ret_namespace, struct ip_prefix *ret_subnet,
		       const char **ret_root)
{
	char *rest = line;
	const char *namespace = strsep(&rest, " ");
	const char *subnet = strsep(&rest, " ");
	cleanup_free char *index = rest ? str_printf("%s/tare.db", rest) : NULL;

	*ret_root = rest;
	return index && num_parse_u64(namespace, ret_namespace) == 0 &&
	       ip_prefix_parse(subnet, ret_subnet) == 0 && access(index, F_OK) == 0;
}

static int read_all(int lock_fd, struct str *ret)
{
	return fd_read_back(lock_fd, MAX_REGISTRY, ret);
}

void registry_read(int lock_fd, const char *root, registry_fn fn, void *data)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t here = this_namespace();
	char *rest = read_all(lock_fd, &text) < 0 || !text.len ? NULL : text.buf;

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		struct ip_prefix subnet = {};
		const char *owner = NULL;
		uint64_t namespace = 0;

		if (parse_line(line, &namespace, &subnet, &owner) && namespace == here &&
		    strcmp(owner, root) != 0)
			fn(&subnet, data);
	}
}

/* The lines of other engines, as they are. */
static void keep_others(const struct str *text, const char *root, struct str *out)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, str_get(text), '\n');
	strv_foreach (i, &lines) {
		cleanup_free char *line = str_dup(lines.items[i]);
		struct ip_prefix subnet = {};
		const char *owner = NULL;
		uint64_t namespace = 0;

		if (parse_line(line, &namespace, &subnet, &owner) && strcmp(owner, root) != 0)
			str_addf(out, "%s\n", lines.items[i]);
	}
}

int registry_write(int lock_fd, const char *root, const struct ip_prefix *subnets, size_t n)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_str struct str out = STR_INIT;
	int rc = read_all(lock_fd, &text);

	if (rc < 0)
		return rc;
	keep_others(&text, root, &out);
	for (size_t i = 0; i < n; i++) {
		char subnet[IP_PREFIX_TEXT_LEN];

		str_addf(&out, "%" PRIu64 " %s %s\n", this_namespace(),
			 ip_prefix_format(&subnets[i], subnet), root);
	}
	/* Not atomic: a death in between loses lines, which bridges that are up make good. */
	if (ftruncate(lock_fd, 0) < 0)
		return -errno;
	return fd_pwrite_full(lock_fd, str_get(&out), out.len, 0);
}
