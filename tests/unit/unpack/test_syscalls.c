/* SPDX-License-Identifier: Apache-2.0 */
/* The helper's filter against its intent, call by call. */
#include "../unit.h"

#include "../sys/bpf_eval.h"
#include "base/mem.h"
#include "sys/seccomp.h"
#include "unpack/syscalls.h"

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH	   AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#else
#define ARCH	   AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#endif

#define ALLOW	 SECCOMP_RET_ALLOW
#define KILL	 SECCOMP_RET_KILL_PROCESS
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define THREAD                                                                              \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static const struct {
	int nr;
	uint64_t args[3];
	uint32_t with_tree, without;
} rows[] = {
	{SYS_read, {}, ALLOW, ALLOW},
	{SYS_openat, {}, ALLOW, ERRNO(ENOSYS)},
	{SYS_mknodat, {}, ALLOW, ERRNO(ENOSYS)},
	{SYS_sendmsg, {}, ALLOW, ERRNO(ENOSYS)},
	{SYS_recvmsg, {}, KILL, KILL},
	{SYS_socket, {}, KILL, KILL},
	{SYS_execve, {}, KILL, KILL},
	{SYS_ptrace, {}, KILL, KILL},
	{SYS_setns, {}, KILL, KILL},
	{SYS_mount, {}, KILL, KILL},
	{SYS_io_uring_setup, {}, KILL, KILL},
	{SYS_clone3, {}, ERRNO(ENOSYS), ERRNO(ENOSYS)},
	{SYS_kill, {}, ERRNO(ENOSYS), ERRNO(ENOSYS)},
	{SYS_memfd_create, {}, ERRNO(ENOSYS), ERRNO(ENOSYS)},
	{9999, {}, ERRNO(ENOSYS), ERRNO(ENOSYS)},
	{SYS_clone, {THREAD}, ALLOW, ALLOW},
	{SYS_clone, {17 /* SIGCHLD: fork */}, ERRNO(EPERM), ERRNO(EPERM)},
	{SYS_clone, {CLONE_VM | CLONE_VFORK | 17}, ERRNO(EPERM), ERRNO(EPERM)},
	{SYS_clone, {THREAD | CLONE_NEWUSER}, ERRNO(EPERM), ERRNO(EPERM)},
	{SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}, ALLOW, ALLOW},
	{SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, ERRNO(EPERM), ERRNO(EPERM)},
	{SYS_mprotect, {0, 4096, PROT_EXEC}, ERRNO(EPERM), ERRNO(EPERM)},
	{SYS_mprotect, {0, 4096, PROT_NONE}, ALLOW, ALLOW},
};

static void answers(void **state)
{
	for (int with_tree = 0; with_tree < 2; with_tree++) {
		cleanup_seccomp struct sock_fprog prog = {};

		assert_int_equal(unpack_syscalls_build(with_tree, &prog), 0);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct seccomp_data data = {.nr = rows[i].nr, .arch = ARCH};

			memcpy(data.args, rows[i].args, sizeof(rows[i].args));
			assert_int_equal(bpf_eval(&prog, &data),
					 with_tree ? rows[i].with_tree : rows[i].without);
			data.arch = OTHER_ARCH;
			assert_int_equal(bpf_eval(&prog, &data), KILL);
			data.arch = ARCH;
			data.nr |= 0x40000000;
			assert_int_equal(bpf_eval(&prog, &data), KILL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
