/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call once, from a child process. All arguments are -1: no descriptor, no address, no
 * size, no flag is valid, so that the kernel refuses with an error of its own and what a filter
 * answers is told apart from it. A few calls accept -1 or mean everything by it; those have
 * arguments of their own here, or are not made.
 */
#include "probe.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(a)	 (sizeof(a) / sizeof((a)[0]))
#define HANG_SEC 5
#define INT80	 (-1L) /* not a number: getpid through the 32-bit gate */

static const struct {
	const char *name;
	long nr;
} calls[] = {
#define X(name, nr) {#name, nr},
#include "syscall_names.h"
#undef X
};

/* These end or stop the child by themselves, or share its memory with the parent. */
static const char *const unsafe[] = {"exit", "exit_group", "pause", "rt_sigreturn", "vfork"};

static long futex_word;

static const struct {
	const char *name;
	long args[4];
} special[] = {
	{"kill", {0x7ffffff0, 0}},  /* -1 is everybody */
	{"clone", {CLONE_SIGHAND}}, /* EINVAL without CLONE_VM */
	{"msgget", {-1, 0}},	    /* -1 as flags creates a queue */
	{"modify_ldt", {0, 0, 0}},  /* ENOSYS is its word for "no such function" */
	{"futex", {(long)(uintptr_t)&futex_word, FUTEX_WAKE, 0}}, /* the same */
	{"setsid", {0}},
};

/* What a child found, in memory shared with it. */
struct result {
	volatile int done;
	volatile int errnum;
};

static struct result *result;

static const char *const *find_unsafe(const char *name)
{
	for (size_t i = 0; i < N(unsafe); i++)
		if (strcmp(unsafe[i], name) == 0)
			return &unsafe[i];
	return NULL;
}

static long call_int80(void)
{
#ifdef __x86_64__
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r;
#else
	raise(SIGSYS);
	return 0;
#endif
}

static void child(long nr, const long a[6])
{
	long r = 0;

	alarm(HANG_SEC);
	errno = 0;
	r = nr == INT80 ? call_int80() : syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	result->errnum = r == -1 ? errno : 0;
	result->done = 1;
	_exit(0);
}

static const char *make_call(long nr, const long args[6])
{
	pid_t pid = 0;
	int status = 0;

	*result = (struct result){};
	pid = fork();
	if (pid < 0)
		return "no-fork";
	if (pid == 0)
		child(nr, args);
	if (waitpid(pid, &status, 0) < 0)
		return "lost";
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS    ? "SIGSYS"
		       : WTERMSIG(status) == SIGALRM ? "hangs"
		       : WTERMSIG(status) == SIGILL  ? "SIGILL"
						     : "killed";
	return result->done ? probe_errno(result->errnum) : "exited";
}

static const char *make_named(size_t i)
{
	long args[6] = {-1, -1, -1, -1, -1, -1};

	if (find_unsafe(calls[i].name))
		return "skipped";
	for (size_t s = 0; s < N(special); s++)
		if (strcmp(special[s].name, calls[i].name) == 0)
			memcpy(args, special[s].args, sizeof(special[s].args));
	return make_call(calls[i].nr, args);
}

static int is_wanted(const char *name, char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return n == 0;
}

static int share_result(void)
{
	if (!result)
		result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return result == MAP_FAILED ? -errno : 0;
}

void probe_calls(char *const *names, size_t n)
{
	if (share_result() < 0)
		return;
	prctl(PR_SET_DUMPABLE, 0); /* no core files of children that are killed */
	for (size_t i = 0; i < N(calls); i++)
		if (is_wanted(calls[i].name, names, n)) {
			printf("call.%s %s\n", calls[i].name, make_named(i));
			fflush(stdout);
		}
}

#define HIGH (1L << 32) /* above what the kernel takes of the argument */

static const struct {
	const char *name;
	long nr;
	long args[3];
} cases[] = {
	{"socket.AF_UNIX", SYS_socket, {1, 1, 0}},
	{"socket.NETLINK_ROUTE", SYS_socket, {16, 3, 0}},
	{"socket.NETLINK_AUDIT", SYS_socket, {16, 3, 9}},
	{"socket.AF_ALG", SYS_socket, {38, 5, 0}},
	{"socket.AF_ALG.high", SYS_socket, {38 + HIGH, 5, 0}},
	{"socket.AF_VSOCK", SYS_socket, {40, 1, 0}},
	{"socketpair.AF_ALG", SYS_socketpair, {38, 5, 0}},
	/* CLONE_SIGHAND without CLONE_VM: EINVAL where the filter lets it pass */
	{"clone.NEWNS", SYS_clone, {CLONE_SIGHAND | CLONE_NEWNS}},
	{"clone.NEWCGROUP", SYS_clone, {CLONE_SIGHAND | CLONE_NEWCGROUP}},
	{"clone.NEWUTS", SYS_clone, {CLONE_SIGHAND | CLONE_NEWUTS}},
	{"clone.NEWIPC", SYS_clone, {CLONE_SIGHAND | CLONE_NEWIPC}},
	{"clone.NEWUSER", SYS_clone, {CLONE_SIGHAND | CLONE_NEWUSER}},
	{"clone.NEWPID", SYS_clone, {CLONE_SIGHAND | CLONE_NEWPID}},
	{"clone.NEWNET", SYS_clone, {CLONE_SIGHAND | CLONE_NEWNET}},
	{"ioctl.TCGETS", SYS_ioctl, {-1, 0x5401, 0}},
	{"ioctl.TIOCSTI", SYS_ioctl, {-1, 0x5412, 0}},
	{"ioctl.TIOCSTI.high", SYS_ioctl, {-1, 0x5412 + HIGH, 0}},
	{"ioctl.TIOCLINUX", SYS_ioctl, {-1, 0x541c, 0}},
	{"personality.0", SYS_personality, {0}},
	{"personality.8", SYS_personality, {8}},
	{"personality.20000", SYS_personality, {0x20000}},
	{"personality.20008", SYS_personality, {0x20008}},
	{"personality.ffffffff", SYS_personality, {0xffffffff}},
	{"personality.40000", SYS_personality, {0x40000}}, /* ADDR_NO_RANDOMIZE */
	{"number.1000", 1000, {0}},
#ifdef __x86_64__
	{"x32.getpid", 0x40000000 + SYS_getpid, {0}},
	{"int80.getpid", INT80, {0}},
#endif
};

void probe_cases(void)
{
	if (share_result() < 0)
		return;
	for (size_t i = 0; i < N(cases); i++) {
		long args[6] = {cases[i].args[0], cases[i].args[1], cases[i].args[2]};

		printf("case.%s %s\n", cases[i].name, make_call(cases[i].nr, args));
		fflush(stdout);
	}
}
