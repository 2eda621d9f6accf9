/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All rights that the kernel's version knows are handled, which means refused, and those that a
 * tree is unpacked with are given back below one directory. The structure and the newer bits are
 * written out here: headers of the build host may be older than the kernel.
 */
#include "sys/landlock.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACCESS_TRUNCATE	 (UINT64_C(1) << 14) /* since version 3 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP	 (UINT64_C(1) << 0)  /* 4 */
#define NET_CONNECT_TCP	 (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT	 (UINT64_C(1) << 0) /* 6 */
#define SCOPE_SIGNAL	 (UINT64_C(1) << 1)

/* struct landlock_ruleset_attr of version 6; older kernels take zeros for what they do not know. */
struct ruleset {
	uint64_t fs, net, scoped;
};

enum part { PART_FS, PART_NET, PART_SCOPED };

static const struct {
	int abi;
	enum part part;
	uint64_t bits;
} known[] = {
	{1, PART_FS, (UINT64_C(1) << 13) - 1}, /* LANDLOCK_ACCESS_FS_EXECUTE to _MAKE_SYM */
	{2, PART_FS, LANDLOCK_ACCESS_FS_REFER},		 {3, PART_FS, ACCESS_TRUNCATE},
	{4, PART_NET, NET_BIND_TCP | NET_CONNECT_TCP},	 {5, PART_FS, ACCESS_IOCTL_DEV},
	{6, PART_SCOPED, SCOPE_ABSTRACT | SCOPE_SIGNAL},
};

/* What unpacking does in a tree; whiteouts are character devices. */
#define TREE_ACCESS                                                       \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |    \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_FIFO |     \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

static struct ruleset handled(int abi)
{
	struct ruleset r = {};
	uint64_t *const parts[] = {
		[PART_FS] = &r.fs, [PART_NET] = &r.net, [PART_SCOPED] = &r.scoped};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].abi <= abi)
			*parts[known[i].part] |= known[i].bits;
	return r;
}

/* Lays RULES on the caller, but for ACCESS below DIR_FD. */
static int confine(const struct ruleset *rules, int dir_fd, uint64_t access)
{
	struct landlock_path_beneath_attr below = {.parent_fd = dir_fd,
						   .allowed_access = rules->fs & access};
	cleanup_close int fd = (int)syscall(SYS_landlock_create_ruleset, rules, sizeof(*rules), 0);

	if (fd < 0)
		return -errno;
	if (dir_fd >= 0 &&
	    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

int landlock_confine(int dir_fd, bool devices)
{
	struct ruleset rules;
	int abi = landlock_abi();

	if (abi < 2)
		return abi < 0 ? abi : -EOPNOTSUPP;
	rules = handled(abi);
	return confine(&rules, dir_fd, TREE_ACCESS | (devices ? LANDLOCK_ACCESS_FS_MAKE_BLOCK : 0));
}

int landlock_confine_reading(int dir_fd)
{
	struct ruleset rules;
	int abi = landlock_abi();

	if (abi < 1)
		return abi < 0 ? abi : -EOPNOTSUPP;
	rules = handled(abi);
	rules.net &= ~NET_CONNECT_TCP;
	return confine(&rules, dir_fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
}

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What files, other than directories, know. */
#define FILE_ACCESS                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV)

static const uint64_t use_access[] = {
	[LANDLOCK_USE_READ] = READ_ACCESS,
	[LANDLOCK_USE_EXECUTE] = READ_ACCESS | LANDLOCK_ACCESS_FS_EXECUTE,
	[LANDLOCK_USE_CHANGE] = READ_ACCESS | (TREE_ACCESS & ~LANDLOCK_ACCESS_FS_MAKE_CHAR),
};

static int add_place(int ruleset_fd, const struct ruleset *rules, const struct landlock_place *p)
{
	struct landlock_path_beneath_attr below = {.parent_fd = p->fd};
	struct stat st;

	if (p->fd < 0)
		return 0;
	if (fstat(p->fd, &st) < 0)
		return -errno;
	below.allowed_access = rules->fs & use_access[p->use];
	if (!S_ISDIR(st.st_mode))
		below.allowed_access &= FILE_ACCESS;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
		return -errno;
	return 0;
}

int landlock_confine_program(const struct landlock_place *places, size_t n)
{
	cleanup_close int fd = -1;
	struct ruleset rules;
	int abi = landlock_abi();
	int rc = 0;

	if (abi < 2)
		return abi < 0 ? abi : -EOPNOTSUPP;
	rules = handled(abi);
	rules.net &= ~NET_CONNECT_TCP;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_place(fd, &rules, &places[i]);
	if (rc < 0)
		return rc;
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}
