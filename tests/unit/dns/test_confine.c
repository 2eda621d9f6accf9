/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of system calls: what a name server does goes on, everything else fails. */
#include "dns/confine.h"

#include "base/mem.h"
#include "sys/seccomp.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 when the call went through, else its errno. */
static int try_call(long number, long a, long b, long c)
{
	return syscall(number, a, b, c, 0, 0, 0) < 0 ? errno : 0;
}

static const struct {
	const char *what;
	long number, a, b, c;
	bool is_allowed;
} calls[] = {
	{"a socket of the internet", SYS_socket, AF_INET, SOCK_DGRAM, 0, true},
	{"one of IPv6", SYS_socket, AF_INET6, SOCK_DGRAM, 0, true},
	{"one of this host", SYS_socket, AF_UNIX, SOCK_STREAM, 0, false},
	{"one of the kernel", SYS_socket, AF_NETLINK, SOCK_RAW, 0, false},
	{"reading a file", SYS_openat, AT_FDCWD, (long)"/", O_RDONLY, true},
	{"writing one", SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY, false},
	{"reading and writing one", SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR, false},
	{"making one", SYS_openat, AT_FDCWD, (long)"/tmp/x", O_RDONLY | O_CREAT, false},
	{"memory that can be executed", SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, false},
	{"making memory executable", SYS_mprotect, 0, 4096, PROT_EXEC, false},
	{"executing", SYS_execve, (long)"/bin/true", 0, 0, false},
	{"a process", SYS_clone, SIGCHLD, 0, 0, false},
	{"a signal", SYS_kill, 0, 0, 0, false},
	{"tracing", SYS_ptrace, 0, 0, 0, false},
	{"a namespace", SYS_unshare, 0, 0, 0, false},
	{"removing a file", SYS_unlinkat, AT_FDCWD, (long)"/tmp/x", 0, false},
	{"the time", SYS_clock_gettime, 0, 0, 0, true},
};

/* In a child under the filter: the index of a call that ended otherwise than it should, plus one.
 */
static int run_child(void)
{
	size_t n = 0;
	const struct sock_filter *filter = confine_filter(&n);
	struct sock_fprog program = {(unsigned short)n, (struct sock_filter *)(uintptr_t)filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&program) < 0)
		return 255;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		int error = try_call(calls[i].number, calls[i].a, calls[i].b, calls[i].c);

		if ((error == EPERM) == calls[i].is_allowed)
			return (int)i + 1;
	}
	return 0;
}

static void test_filter(void **state)
{
	pid_t pid = fork();
	int status = 0;

	/* Before an _exit a sanitizer would ask for its signal stack, which is refused. */
	if (pid == 0)
		syscall(SYS_exit_group, run_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) > 0 && WEXITSTATUS(status) <= (int)ARRAY_LEN(calls))
		fail_msg("%s", calls[WEXITSTATUS(status) - 1].what);
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_filter)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
