/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone3(2) with a stack of the child's own. glibc has a wrapper for clone(2) only, which cannot
 * put a child into a control group (CLONE_INTO_CGROUP, since Linux 5.7), and moving it afterwards
 * stops every fork of the machine for a moment. So the call itself is a few lines of assembly: the
 * child returns from the system call on a new stack, where there is no frame of ours to return to,
 * so it must call its function at once.
 */
#include "sys/clone.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE (256 * 1024)

#if defined(__x86_64__)
static long clone3_call(struct clone_args *args, int (*fn)(void *), void *arg)
{
	register long rax __asm__("rax") = SYS_clone3;
	register struct clone_args *rdi __asm__("rdi") = args;
	register long rsi __asm__("rsi") = sizeof(*args);
	register int (*r12)(void *) __asm__("r12") = fn;
	register void *r13 __asm__("r13") = arg;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t" /* the outermost frame, for whoever unwinds */
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n" /* FN does not return */
			 "1:"
			 : "+r"(rax)
			 : "r"(rdi), "r"(rsi), "r"(r12), "r"(r13)
			 : "rcx", "r11", "memory");
	return rax;
}
#elif defined(__aarch64__)
static long clone3_call(struct clone_args *args, int (*fn)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register void *x0 __asm__("x0") = args;
	register long x1 __asm__("x1") = sizeof(*args);
	register int (*x19)(void *) __asm__("x19") = fn;
	register void *x20 __asm__("x20") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "mov x0, x20\n\t"
			 "blr x19\n\t"
			 "brk #0\n" /* FN does not return */
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
			 : "memory");
	return (long)x0;
}
#else
#error "clone3_call: write it for this architecture"
#endif

pid_t clone_vfork(int (*fn)(void *), void *arg, uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	struct clone_args args = {
		.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = STACK_SIZE,
	};
	sigset_t all;
	sigset_t saved;
	long pid = 0;

	if (stack == MAP_FAILED)
		return -errno;
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	/* No handler of the parent's may run on the child's stack. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &saved);
	pid = clone3_call(&args, fn, arg);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	munmap(stack, STACK_SIZE);
	return (pid_t)pid;
}
