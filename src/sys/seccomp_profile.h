/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SECCOMP_PROFILE_H
#define SYS_SECCOMP_PROFILE_H
/*
 * The default seccomp profile as data: which system call a container may make, and under which
 * capability. This is the one place where it is written down. tools/seccomp-gen turns names into
 * numbers when the program is built; sys/seccomp.c turns those and a container's capabilities into
 * a filter when it starts; the tests build a second filter from the same rows with libseccomp and
 * compare the two.
 *
 * It allows what docker's default allows, by capability as docker does, and differs where that is
 * better for somebody: whatever stands in no row (calls newer than this table, calls that Linux has
 * dropped) gets ENOSYS, the one answer that makes a C library fall back to an older call, and EPERM
 * is kept for calls that exist and are refused; ioctl, socket and personality are looked at closer.
 *
 * Include it only in the generator, sys/seccomp.c and their tests.
 */
#include <linux/capability.h>
#include <stdint.h>

/* What happens to a call. Those after EPERM look at arguments; see sys/seccomp.c. */
enum seccomp_rule {
	SECCOMP_RULE_ALLOW,
	SECCOMP_RULE_ENOSYS,
	SECCOMP_RULE_EPERM,
	SECCOMP_RULE_SOCKET,
	SECCOMP_RULE_CLONE,
	SECCOMP_RULE_IOCTL,
	SECCOMP_RULE_PERSONALITY,
	N_SECCOMP_RULES,
};

/* A row of the profile: the calls in NAMES (words) fall under RULE, or are allowed when the
 * container has one of the capabilities of GRANT (bits). */
struct seccomp_profile_row {
	enum seccomp_rule rule;
	uint64_t grant;
	const char *names;
};

/* Consecutive call numbers that share one rule: from FIRST up to the next row's FIRST. The last row
 * reaches to the end of all numbers. */
struct seccomp_range {
	uint32_t first;
	enum seccomp_rule rule;
	uint64_t grant;
};

struct seccomp_table {
	uint32_t audit_arch; /* AUDIT_ARCH_* */
	uint32_t n_ranges;
	const struct seccomp_range *ranges;
};

/* Arguments the rules know; the numbers are kernel interface. */
#define SECCOMP_AF_NETLINK    16
#define SECCOMP_AF_ALG	      38
#define SECCOMP_AF_VSOCK      40
#define SECCOMP_NETLINK_AUDIT 9
/* CLONE_NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET. CLONE_NEWTIME shares its bit with the
 * exit signal and cannot be given to clone(2). */
#define SECCOMP_CLONE_NEW 0x7e020000u
#define SECCOMP_TIOCSTI	  0x5412u
#define SECCOMP_TIOCLINUX 0x541cu
#define SECCOMP_PERSONALITIES                                                     \
	{                                                                         \
		0u /* PER_LINUX */, 8u /* PER_LINUX32 */, 0x20000u /* UNAME26 */, \
			0x20008u /* both */, 0xffffffffu /* which one is it? */   \
	}

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* Linux 5.8; not in the headers of every build host. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define SECCOMP_ALWAYS 0

static const struct seccomp_profile_row seccomp_profile[] = {
	/* Files: names */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "open openat openat2 creat close close_range access faccessat faccessat2 chdir fchdir "
	 "getcwd mkdir mkdirat mknod mknodat rmdir link linkat symlink symlinkat readlink "
	 "readlinkat unlink unlinkat rename renameat renameat2 name_to_handle_at"},
	/* Files: what they are */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "stat fstat lstat newfstatat statx statfs fstatfs chmod fchmod fchmodat fchmodat2 chown "
	 "fchown lchown fchownat umask utime utimes futimesat utimensat setxattr lsetxattr "
	 "fsetxattr setxattrat getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr "
	 "flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat statmount "
	 "listmount"},
	/* Files: what is in them */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek "
	 "getdents getdents64 truncate ftruncate fallocate fadvise64 readahead copy_file_range "
	 "sendfile splice tee vmsplice sync syncfs fsync fdatasync sync_file_range cachestat "
	 "flock fcntl dup dup2 dup3 pipe pipe2 memfd_create memfd_secret"},
	/* Waiting for files; asynchronous I/O of the old kind */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait "
	 "epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime "
	 "timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
	 "fanotify_mark io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents"},
	/* Memory */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "brk mmap munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock "
	 "munlockall remap_file_pages mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect "
	 "membarrier process_mrelease"},
	/* Processes and threads */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid getpgid "
	 "setpgid getpgrp getsid setsid prctl arch_prctl modify_ldt set_thread_area "
	 "get_thread_area set_tid_address set_robust_list get_robust_list futex futex_waitv "
	 "futex_wait futex_wake futex_requeue rseq restart_syscall getcpu pidfd_open "
	 "pidfd_send_signal uretprobe uprobe"},
	/* Debuggers: since Linux 4.8 a tracer can no longer get past a filter */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS, "ptrace process_vm_readv process_vm_writev"},
	/* Scheduling and limits */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
	 "sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_setaffinity "
	 "sched_getaffinity sched_setattr sched_getattr getpriority setpriority ioprio_set "
	 "ioprio_get getrlimit setrlimit prlimit64 getrusage sysinfo times uname"},
	/* Users, groups, capabilities; laying further restrictions on oneself */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "getuid geteuid getgid getegid getresuid getresgid setuid setgid setreuid setregid "
	 "setresuid setresgid setfsuid setfsgid getgroups setgroups capget capset seccomp "
	 "landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
	/* Signals */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "kill tkill tgkill pause sigaltstack rt_sigaction rt_sigprocmask rt_sigpending "
	 "rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend rt_sigreturn"},
	/* Time: reading it, and adjtimex, which the kernel lets only CAP_SYS_TIME use to write */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "time gettimeofday clock_gettime clock_getres clock_nanosleep clock_adjtime adjtimex "
	 "nanosleep alarm getitimer setitimer timer_create timer_settime timer_gettime "
	 "timer_getoverrun timer_delete getrandom"},
	/* Sockets */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "bind listen accept accept4 connect shutdown getsockname getpeername getsockopt "
	 "setsockopt sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg"},
	/* System V and POSIX message passing */
	{SECCOMP_RULE_ALLOW, SECCOMP_ALWAYS,
	 "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl "
	 "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr"},

	/* Decided by their arguments. socketpair too: it loads the family's module before it fails
	 */
	{SECCOMP_RULE_SOCKET, SECCOMP_ALWAYS, "socket socketpair"},
	{SECCOMP_RULE_IOCTL, SECCOMP_ALWAYS, "ioctl"},
	{SECCOMP_RULE_PERSONALITY, SECCOMP_ALWAYS, "personality"},
	{SECCOMP_RULE_CLONE, CAP(SYS_ADMIN), "clone"},
	/* Its flags are behind a pointer, so nothing can be seen; the C library falls back to clone
	 */
	{SECCOMP_RULE_ENOSYS, CAP(SYS_ADMIN), "clone3"},

	/* Opened by a capability */
	{SECCOMP_RULE_EPERM, CAP(SYS_ADMIN),
	 "mount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fspick fsconfig "
	 "fsmount setns unshare sethostname setdomainname quotactl quotactl_fd fanotify_init "
	 "lookup_dcookie"},
	{SECCOMP_RULE_EPERM, CAP(SYS_ADMIN) | CAP(BPF), "bpf"},
	{SECCOMP_RULE_EPERM, CAP(SYS_ADMIN) | CAP(PERFMON), "perf_event_open"},
	{SECCOMP_RULE_EPERM, CAP(SYS_ADMIN) | CAP(SYSLOG), "syslog"},
	{SECCOMP_RULE_EPERM, CAP(DAC_READ_SEARCH), "open_by_handle_at"},
	{SECCOMP_RULE_EPERM, CAP(SYS_BOOT), "reboot"},
	{SECCOMP_RULE_EPERM, CAP(SYS_CHROOT), "chroot"},
	{SECCOMP_RULE_EPERM, CAP(SYS_MODULE), "init_module finit_module delete_module"},
	{SECCOMP_RULE_EPERM, CAP(SYS_PACCT), "acct"},
	{SECCOMP_RULE_EPERM, CAP(SYS_PTRACE), "kcmp pidfd_getfd process_madvise"},
	{SECCOMP_RULE_EPERM, CAP(SYS_RAWIO), "iopl ioperm"},
	{SECCOMP_RULE_EPERM, CAP(SYS_TIME), "settimeofday clock_settime"},
	{SECCOMP_RULE_EPERM, CAP(SYS_TTY_CONFIG), "vhangup"},
	{SECCOMP_RULE_EPERM, CAP(SYS_NICE),
	 "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},

	/* Never: keys are not in any namespace; io_uring passes filters by and, with userfaultfd,
	 * is where kernels were broken into; the rest is for the owner of the machine */
	{SECCOMP_RULE_EPERM, SECCOMP_ALWAYS,
	 "add_key request_key keyctl io_uring_setup io_uring_enter io_uring_register userfaultfd "
	 "kexec_load kexec_file_load swapon swapoff pivot_root migrate_pages move_pages"},

	/* Remains of other times, which Linux itself answers with ENOSYS or soon will */
	{SECCOMP_RULE_ENOSYS, SECCOMP_ALWAYS,
	 "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg "
	 "nfsservctl putpmsg query_module security sysfs tuxcall uselib ustat vserver"},
};

/* Numbers of calls that the libseccomp of a build host may not know; -1 where there is none. Above
 * 424 all architectures number alike. */
struct seccomp_number {
	const char *name;
	int x86_64;
	int aarch64;
};

static const struct seccomp_number seccomp_numbers[] = {
	{"uretprobe", 335, -1},
	{"uprobe", 336, -1},
	{"cachestat", 451, 451},
	{"fchmodat2", 452, 452},
	{"map_shadow_stack", 453, 453},
	{"futex_wake", 454, 454},
	{"futex_wait", 455, 455},
	{"futex_requeue", 456, 456},
	{"statmount", 457, 457},
	{"listmount", 458, 458},
	{"mseal", 462, 462},
	{"setxattrat", 463, 463},
	{"getxattrat", 464, 464},
	{"listxattrat", 465, 465},
	{"removexattrat", 466, 466},
	{"open_tree_attr", 467, 467},
};

#endif
