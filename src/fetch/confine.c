/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library may load modules that look names up, as the host's nsswitch.conf has it, so memory
 * may be made executable from files that can be read; nothing can be written that could then be
 * loaded, and nothing be executed.
 */
/* lint file: where the host says what names and authorities are */
#include "fetch/confine.h"

#include "base/mem.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp.h"
#include "sys/seccomp_list.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_FDS = 256 };

#define ALLOW SECCOMP_RET_ALLOW, 0, 0, 0
#define KILL  SECCOMP_RET_KILL_PROCESS, 0, 0, 0
/* Threads, no processes and no namespaces. */
#define THREAD_BITS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)
#define ONLY_THREAD SECCOMP_RET_ALLOW, 0, THREAD_BITS | CLONE_NEWUSER | CLONE_NEWNS, THREAD_BITS

static const struct seccomp_call calls[] = {
	/* the connection, the file */
	{SYS_poll, ALLOW},
	{SYS_ppoll, ALLOW},
	{SYS_recvfrom, ALLOW},
	{SYS_sendto, ALLOW},
	{SYS_read, ALLOW},
	{SYS_write, ALLOW},
	{SYS_readv, ALLOW},
	{SYS_writev, ALLOW},
	{SYS_recvmsg, ALLOW},
	{SYS_sendmsg, ALLOW},
	{SYS_sendmmsg, ALLOW},
	{SYS_socket, ALLOW},
	{SYS_socketpair, ALLOW},
	{SYS_connect, ALLOW},
	{SYS_bind, ALLOW},
	{SYS_shutdown, ALLOW},
	{SYS_getsockname, ALLOW},
	{SYS_getpeername, ALLOW},
	{SYS_getsockopt, ALLOW},
	{SYS_setsockopt, ALLOW},
	{SYS_ioctl, ALLOW},
	{SYS_fcntl, ALLOW},
	{SYS_close, ALLOW},
	{SYS_dup, ALLOW},
	{SYS_pipe2, ALLOW},
	{SYS_eventfd2, ALLOW},
	{SYS_epoll_create1, ALLOW},
	{SYS_epoll_ctl, ALLOW},
	{SYS_epoll_pwait, ALLOW},
	/* names and authorities; opening for writing is Landlock's to refuse */
	{SYS_openat, ALLOW},
	{SYS_pread64, ALLOW},
	{SYS_fstat, ALLOW},
	{SYS_newfstatat, ALLOW},
	{SYS_statx, ALLOW},
	{SYS_fstatfs, ALLOW},
	{SYS_lseek, ALLOW},
	{SYS_getdents64, ALLOW},
	{SYS_readlinkat, ALLOW},
	{SYS_faccessat, ALLOW},
	{SYS_faccessat2, ALLOW},
#ifdef SYS_open /* older architectures have these as calls of their own */
	{SYS_open, ALLOW},
	{SYS_stat, ALLOW},
	{SYS_lstat, ALLOW},
	{SYS_access, ALLOW},
	{SYS_readlink, ALLOW},
	{SYS_epoll_wait, ALLOW},
	{SYS_pipe, ALLOW},
	{SYS_time, ALLOW},
#endif
	{SYS_uname, ALLOW},
	{SYS_sysinfo, ALLOW},
	{SYS_getuid, ALLOW},
	{SYS_geteuid, ALLOW},
	{SYS_getgid, ALLOW},
	{SYS_getegid, ALLOW},
	/* memory, threads, time */
	{SYS_futex, ALLOW},
	{SYS_mmap, ALLOW},
	{SYS_mprotect, ALLOW},
	{SYS_munmap, ALLOW},
	{SYS_mremap, ALLOW},
	{SYS_madvise, ALLOW},
	{SYS_brk, ALLOW},
	{SYS_clone, ONLY_THREAD},
	{SYS_set_robust_list, ALLOW},
	{SYS_rseq, ALLOW},
	{SYS_rt_sigprocmask, ALLOW},
	{SYS_rt_sigaction, ALLOW},
	{SYS_rt_sigreturn, ALLOW},
	{SYS_sigaltstack, ALLOW},
	{SYS_restart_syscall, ALLOW},
	{SYS_sched_getaffinity, ALLOW},
	{SYS_sched_yield, ALLOW},
	{SYS_clock_gettime, ALLOW},
	{SYS_clock_nanosleep, ALLOW},
	{SYS_nanosleep, ALLOW},
	{SYS_gettimeofday, ALLOW},
	{SYS_getrandom, ALLOW},
	{SYS_gettid, ALLOW},
	{SYS_getpid, ALLOW},
	{SYS_prctl, ALLOW},
	{SYS_exit, ALLOW},
	{SYS_exit_group, ALLOW},
	/* what has no business here; all others do not exist */
	{SYS_execve, KILL},
	{SYS_execveat, KILL},
	{SYS_ptrace, KILL},
	{SYS_setns, KILL},
	{SYS_unshare, KILL},
	{SYS_mount, KILL},
	{SYS_bpf, KILL},
	{SYS_io_uring_setup, KILL},
	{SYS_userfaultfd, KILL},
	{SYS_keyctl, KILL},
	{SYS_setresuid, KILL},
	{SYS_capset, KILL},
};

static const char *const places[] = {"/etc",
				     "/usr",
				     "/lib",
				     "/lib64",
				     "/nix",
				     "/run/systemd/resolve",
				     "/run/resolvconf",
				     "/run/NetworkManager",
				     "/var/lib/ca-certificates",
				     "/dev/urandom"};

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

static int limit_resources(void)
{
	static const struct rlimit none = {0, 0};
	static const struct rlimit few = {MAX_FDS, MAX_FDS};

	return setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &few) < 0 ? -errno : 0;
}

static int confine_files(void)
{
	struct landlock_place open_places[ARRAY_LEN(places)];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		open_places[i] = (struct landlock_place){open(places[i], O_PATH | O_CLOEXEC),
							 LANDLOCK_USE_READ};
	rc = landlock_confine_program(open_places, ARRAY_LEN(places));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (open_places[i].fd >= 0)
			close(open_places[i].fd);
	/* Without it nobody still reads little and writes nothing. */
	return rc == -ENOSYS || rc == -EOPNOTSUPP ? 0 : rc;
}

static int filter_calls(void)
{
	cleanup_seccomp struct sock_fprog prog = {};
	int rc = IS_SANITIZED ? 0
			      : seccomp_build_list(calls, ARRAY_LEN(calls),
						   SECCOMP_RET_ERRNO | ENOSYS, &prog);

	return rc < 0 || IS_SANITIZED ? rc : seccomp_install(&prog);
}

int confine(pid_t parent, struct err *err)
{
	int rc = limit_resources();

	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = confine_files();
	if (rc == 0)
		rc = caps_become_nobody();
	/* After the change of user, at which the kernel takes both back. */
	if (rc == 0 && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0))
		rc = -errno;
	if (rc == 0 && parent && getppid() != parent)
		rc = -ESRCH;
	if (rc == 0)
		rc = filter_calls();
	return rc < 0 ? err_sys(err, -rc, "shut the downloader in") : 0;
}
