/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allowlist. A call that is in neither table answers ENOSYS, as on an older kernel, so that a
 * newer C library falls back to what it did before; what only an intruder would make ends the
 * process.
 *
 * Nothing receives a descriptor (recvmsg(2) is missing): the one that holds the staging directory's
 * lock travels in a socket's queue and is never taken out of it.
 */
#include "unpack/syscalls.h"

#include "base/mem.h"
#include "sys/seccomp_list.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ALLOW	     SECCOMP_RET_ALLOW, 0, 0, 0
#define KILL	     SECCOMP_RET_KILL_PROCESS, 0, 0, 0
#define NO_EXEC_PROT SECCOMP_RET_ALLOW, 2, PROT_EXEC, 0
/* Threads, no processes and no namespaces. */
#define THREAD_BITS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)
#define ONLY_THREAD SECCOMP_RET_ALLOW, 0, THREAD_BITS | CLONE_NEWUSER | CLONE_NEWNS, THREAD_BITS

/* For every job. */
static const struct seccomp_call common[] = {
	/* the archive, the outputs, the answer */
	{SYS_read, ALLOW},
	{SYS_pread64, ALLOW},
	{SYS_write, ALLOW},
	{SYS_close, ALLOW},
	{SYS_fstat, ALLOW},
	{SYS_newfstatat, ALLOW},
	{SYS_fstatfs, ALLOW},
	{SYS_lseek, ALLOW},
	/* memory and threads */
	{SYS_futex, ALLOW},
	{SYS_mmap, NO_EXEC_PROT},
	{SYS_mprotect, NO_EXEC_PROT},
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
	{SYS_restart_syscall, ALLOW},
	{SYS_sched_getaffinity, ALLOW},
	{SYS_sched_yield, ALLOW},
	{SYS_clock_gettime, ALLOW},
	{SYS_getrandom, ALLOW},
	{SYS_gettid, ALLOW},
	{SYS_getpid, ALLOW},
	{SYS_exit, ALLOW},
	{SYS_exit_group, ALLOW},
};

/* To fill a directory. */
static const struct seccomp_call tree[] = {
	{SYS_openat, ALLOW},	 {SYS_openat2, ALLOW},	 {SYS_pwrite64, ALLOW},
	{SYS_fchown, ALLOW},	 {SYS_fchmod, ALLOW},	 {SYS_utimensat, ALLOW},
	{SYS_mkdirat, ALLOW},	 {SYS_symlinkat, ALLOW}, {SYS_linkat, ALLOW},
	{SYS_mknodat, ALLOW},	 {SYS_unlinkat, ALLOW},	 {SYS_fchownat, ALLOW},
	{SYS_fchmodat, ALLOW},	 {SYS_fsetxattr, ALLOW}, {SYS_ftruncate, ALLOW},
	{SYS_getdents64, ALLOW}, {SYS_fcntl, ALLOW},	 {SYS_sendmsg, ALLOW},
};

/* What has no business here. */
static const struct seccomp_call forbidden[] = {
	{SYS_execve, KILL},
	{SYS_execveat, KILL},
	{SYS_ptrace, KILL},
	{SYS_process_vm_readv, KILL},
	{SYS_process_vm_writev, KILL},
	{SYS_socket, KILL},
	{SYS_connect, KILL},
	{SYS_bind, KILL},
	{SYS_recvmsg, KILL},
	{SYS_recvmmsg, KILL},
	{SYS_setns, KILL},
	{SYS_unshare, KILL},
	{SYS_mount, KILL},
	{SYS_umount2, KILL},
	{SYS_pivot_root, KILL},
	{SYS_chroot, KILL},
	{SYS_open_tree, KILL},
	{SYS_move_mount, KILL},
	{SYS_fsopen, KILL},
	{SYS_fsmount, KILL},
	{SYS_mount_setattr, KILL},
	{SYS_open_by_handle_at, KILL},
	{SYS_bpf, KILL},
	{SYS_perf_event_open, KILL},
	{SYS_userfaultfd, KILL},
	{SYS_io_uring_setup, KILL},
	{SYS_keyctl, KILL},
	{SYS_add_key, KILL},
	{SYS_request_key, KILL},
	{SYS_init_module, KILL},
	{SYS_finit_module, KILL},
	{SYS_delete_module, KILL},
	{SYS_kexec_load, KILL},
	{SYS_reboot, KILL},
	{SYS_swapon, KILL},
	{SYS_setuid, KILL},
	{SYS_setresuid, KILL},
	{SYS_setfsuid, KILL},
	{SYS_capset, KILL},
};

int unpack_syscalls_build(bool with_tree, struct sock_fprog *ret)
{
	struct seccomp_call calls[ARRAY_LEN(common) + ARRAY_LEN(tree) + ARRAY_LEN(forbidden)];
	size_t n = 0;

	memcpy(calls, common, sizeof(common));
	n += ARRAY_LEN(common);
	if (with_tree) {
		memcpy(calls + n, tree, sizeof(tree));
		n += ARRAY_LEN(tree);
	}
	memcpy(calls + n, forbidden, sizeof(forbidden));
	n += ARRAY_LEN(forbidden);
	return seccomp_build_list(calls, n, SECCOMP_RET_ERRNO | ENOSYS, ret);
}
