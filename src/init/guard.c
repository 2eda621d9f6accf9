/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-guard: sleeps until the process that started it is gone, then becomes COMMAND. A monitor
 * whose container has a restart policy has one, and kills it when its own work is done. It holds
 * nothing: no lock, no pipe, no terminal. There may be thousands, so it has no library in it, whose
 * start alone would touch half a megabyte: a page of code, a page of stack.
 *
 *     tare-guard PID COMMAND [ARGUMENT...]
 */
#include <asm/unistd.h>
#include <linux/poll.h>

#define NAME_OPTION 15 /* PR_SET_NAME of prctl(2) */

#if defined(__x86_64__)
/* The stack at the start is argc, argv, NULL, the environment. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n"
	"\tcall guard_main\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n"
	"\tbl guard_main\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}
#else
#error "tare-guard: how does this machine enter the kernel?"
#endif

/* Digits only; 0 for anything else. */
static long parse(const char *text)
{
	long n = 0;

	for (; *text >= '0' && *text <= '9' && n < 1L << 32; text++)
		n = n * 10 + (*text - '0');
	return *text ? 0 : n;
}

__attribute__((noreturn, used)) void guard_main(long *stack);

void guard_main(long *stack)
{
	const long argc = stack[0];
	char **argv = (char **)(stack + 1);
	const char name[] = "tare-guard";
	struct pollfd parent = {.events = POLLIN};
	long pid = argc > 2 ? parse(argv[1]) : 0;

	if (pid > 0) {
		call(__NR_prctl, NAME_OPTION, (long)name, 0, 0, 0);
		parent.fd = (int)call(__NR_pidfd_open, pid, 0, 0, 0, 0);
		/* While it is our parent its number cannot be another's. */
		if (parent.fd >= 0 && call(__NR_getppid, 0, 0, 0, 0, 0) == pid)
			while (call(__NR_ppoll, (long)&parent, 1, 0, 0, 0) <= 0)
				;
		call(__NR_close, parent.fd, 0, 0, 0, 0);
		call(__NR_execve, (long)argv[2], (long)(argv + 2), (long)(argv + argc + 1), 0, 0);
	}
	for (;;)
		call(__NR_exit_group, 1, 0, 0, 0, 0);
}
