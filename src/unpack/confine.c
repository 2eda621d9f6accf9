/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is that of the permissions: the namespaces give the capabilities that the bounding set
 * and the user change need, and each later step takes something away that an earlier one used. The
 * filter comes last, because it forbids all of this.
 *
 * The user is nobody, but files are made as root's: the file system's own user (setfsuid(2)) stays
 * 0, which means root inside the namespace and outside, so that most files need no chown(2) at all.
 */
#include "unpack/confine.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp.h"
#include "unpack/syscalls.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizer makes calls of its own; its leak check would read /proc and trace the process. */
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
#define IS_SANITIZED false
#endif

enum { NOBODY = 65534, MAX_PROCESSES = 256, MAX_FDS = 1024 };

/* What unpacking needs where a directory is filled; and what the parent else does for us. */
#define TREE_CAPS                                                                  \
	(CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_FOWNER) | \
	 CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_SETFCAP))
#define NODE_CAPS (CAPS_BIT(CAP_MKNOD) | CAPS_BIT(CAP_SYS_ADMIN))

static uint64_t caps_to_keep(const struct confine_options *o)
{
	if (o->dir_fd < 0)
		return 0;
	return o->can_ask ? TREE_CAPS : TREE_CAPS | NODE_CAPS;
}

static int enter_namespaces(struct confine_options *o)
{
	int rc = o->ns.user_fd < 0 ? -ENOSYS : userns_enter(&o->ns);

	userns_done(&o->ns);
	return rc;
}

static int limit_resources(struct confine_options *o)
{
	static const struct {
		int resource;
		rlim_t max;
	} rows[] = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, MAX_PROCESSES}, {RLIMIT_NOFILE, MAX_FDS}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)rows[i].resource, &limit) < 0)
			return -errno;
		limit.rlim_max = limit.rlim_max < rows[i].max ? limit.rlim_max : rows[i].max;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit((__rlimit_resource_t)rows[i].resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int forbid_privileges(struct confine_options *o)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int confine_files(struct confine_options *o)
{
	return landlock_confine(o->dir_fd, !o->can_ask);
}

static int drop_bounding(struct confine_options *o)
{
	int rc = caps_drop_bounding(0);

	return rc < 0 ? rc : caps_clear_ambient();
}

/* Raw calls: there is one thread, and these do the same for it. */
static int become_nobody(struct confine_options *o)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return -errno;
	if (o->dir_fd < 0)
		return 0;
	/* They return what was before, whatever they did. */
	setfsgid(0);
	setfsuid(0);
	return setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0 ? 0 : -EPERM;
}

static int drop_capabilities(struct confine_options *o)
{
	uint64_t keep = caps_to_keep(o);

	return caps_set(keep, keep, 0);
}

/* Nobody looks into the process, not even one of the same user. */
static int hide(struct confine_options *o)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* Who is killed in the middle of an import must not leave one that goes on: it would hold the lock
 * of its staging directory. After the change of user, which the kernel takes this back at. */
static int end_with_parent(struct confine_options *o)
{
	if (!o->parent)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == o->parent ? 0 : -ESRCH;
}

static int filter_calls(struct confine_options *o)
{
	cleanup_seccomp struct sock_fprog prog = {};
	int rc = IS_SANITIZED ? -ENOSYS : unpack_syscalls_build(o->dir_fd >= 0, &prog);

	return rc < 0 ? rc : seccomp_install(&prog);
}

static const struct phase {
	const char *name;
	int (*run)(struct confine_options *o);
	unsigned part; /* what there may be none of; 0: always there */
} phases[] = {
	{"namespaces", enter_namespaces, CONFINE_NAMESPACES},
	{"resource limits", limit_resources, 0},
	{"no_new_privs", forbid_privileges, 0},
	{"Landlock", confine_files, CONFINE_LANDLOCK},
	{"bounding set", drop_bounding, 0},
	{"another user", become_nobody, CONFINE_USER},
	{"capabilities", drop_capabilities, 0},
	{"not dumpable", hide, 0},
	{"an end with its parent", end_with_parent, 0},
	{"system call filter", filter_calls, CONFINE_SECCOMP},
};

int confine(struct confine_options *o, struct strv *ret_lost, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		const struct phase *p = &phases[i];
		int rc = p->part & o->leave_out ? -ENOSYS : p->run(o);

		if (rc < 0 && !p->part)
			return err_sys(err, -rc, "shut the helper in: %s", p->name);
		if (rc < 0)
			strv_addf(ret_lost, "%s: %s", p->name, strerror(-rc));
	}
	return 0;
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* close_range(2), since Linux 5.9; before that there is nothing to be done in a reasonable time. */
static int close_between(int first, int last)
{
	if (first > last)
		return 0;
	return syscall(SYS_close_range, first, last, 0) < 0 && errno != ENOSYS ? -errno : 0;
}

int confine_close_others(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < n; i++) {
		int rc = keep[i] < next ? 0 : close_between(next, keep[i] - 1);

		if (rc < 0)
			return rc;
		next = keep[i] < next ? next : keep[i] + 1;
	}
	return close_between(next, INT32_MAX);
}
