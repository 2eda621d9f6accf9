/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter is a list of the calls that are made, in the order of their frequency; since Linux
 * 5.11 the kernel remembers those that are allowed whatever their arguments, so it costs nothing.
 * A call that is not in it fails with EPERM.
 */
#include "dns/confine.h"

#include "base/mem.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* Jumps over N instructions when it is equal (or has one of the bits). */
#define SKIP_IF(value, n)      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, n, 0)
#define SKIP_UNLESS(value, n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define SKIP_IF_BITS(value, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, value, n, 0)
#define ALLOW		       RETURN(SECCOMP_RET_ALLOW)
#define REFUSE		       RETURN(SECCOMP_RET_ERRNO | EPERM)
#define CALL(name)	       SKIP_UNLESS(SYS_##name, 1), ALLOW
/* Argument I must have none of BITS. */
#define CALL_WITHOUT(name, i, bits) \
	SKIP_UNLESS(SYS_##name, 4), LOAD(args[i]), SKIP_IF_BITS(bits, 1), ALLOW, REFUSE

static const struct sock_filter filter[] = {
	LOAD(arch),
	SKIP_IF(ARCHITECTURE, 1),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
#ifdef SYS_epoll_wait
	CALL(epoll_wait),
#endif
	CALL(recvmmsg),
	CALL(sendmmsg),
	CALL(recvfrom),
	CALL(sendto),
	CALL(newfstatat),
	CALL(epoll_pwait),
	CALL(epoll_ctl),
	CALL(close),
	CALL(connect),
	CALL(getrandom),
	CALL(timerfd_settime),
	CALL(read),
	CALL(fstat),
	CALL(getdents64),
	CALL(accept4),
	CALL(recvmsg),
	CALL(getsockopt),
	CALL(fcntl),
	CALL(flock),
	CALL(clock_gettime),
	CALL(brk),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(restart_syscall),
	CALL(rt_sigreturn),
	CALL(exit_group),
	/* Sockets of the internet alone: with a Unix socket others could be talked into something.
	 */
	SKIP_UNLESS(SYS_socket, 5),
	LOAD(args[0]),
	SKIP_IF(AF_INET, 2),
	SKIP_IF(AF_INET6, 1),
	REFUSE,
	ALLOW,
	CALL_WITHOUT(openat, 2, O_WRONLY | O_RDWR | O_CREAT),
	CALL_WITHOUT(mmap, 2, PROT_EXEC),
	REFUSE,
};

const struct sock_filter *confine_filter(size_t *ret_len)
{
	*ret_len = ARRAY_LEN(filter);
	return filter;
}

/* Each container has four descriptors, each question that is asked elsewhere one. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

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

int confine(int networks_fd)
{
	struct sock_fprog program = {.len = ARRAY_LEN(filter),
				     .filter = (struct sock_filter *)(uintptr_t)filter};
	int rc = 0;

	raise_limit();
	rc = caps_become_nobody();
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	rc = landlock_confine_reading(networks_fd);
	/* A kernel without it: the filter lets nothing be written, and nobody may read little. */
	if (rc < 0 && rc != -ENOSYS && rc != -EOPNOTSUPP)
		return rc;
	return IS_SANITIZED ? 0 : seccomp_install(&program);
}
