/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only program of the hello-world image: it says what tare did to get it running, and ends.
 *
 * It has no C library and no start-up code, so that the image is one file of a few kilobytes and
 * nothing but the kernel interface can be at fault when it does not run. Two system calls,
 * write(2) and exit(2), are all it makes; it exits 0 when the whole message was written, else 1.
 */

/* What the build names as the entry point of the program; never returns. */
__attribute__((noreturn)) void hello_start(void);

#if defined(__x86_64__)
enum { NR_WRITE = 1, NR_EXIT = 60 };

static long syscall3(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
enum { NR_WRITE = 64, NR_EXIT = 93 };

static long syscall3(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#else
#error "hello-world: write syscall3() for this architecture"
#endif

/* clang-format off */
static const char message[] =
	"\n"
	"Hello from tare!\n"
	"This message shows that your machine can run containers. To print it, tare\n"
	"\n"
	"  1. found the image hello-world beside the program itself: it was built with\n"
	"     tare, so that the first run needs no registry and no network;\n"
	"  2. unpacked its one layer, once; every container of this image shares it;\n"
	"  3. laid a fresh layer over it with OverlayFS, for what a container writes;\n"
	"  4. made new namespaces (mounts, processes, host name, System V IPC, network,\n"
	"     control groups) and a control group that limits and counts this process;\n"
	"  5. made the overlay the root directory, with a small /dev, /proc and /sys;\n"
	"  6. gave up all but a few capabilities and loaded a seccomp filter that\n"
	"     refuses the system calls a container has no business with;\n"
	"  7. executed /hello as process 1 of all that. It wrote this text, and the\n"
	"     monitor, the one small process that watched it, recorded how it ended.\n"
	"\n"
	"There is no daemon: when you see your prompt again, nothing is left running.\n"
	"\n"
	"To try next:\n"
	"  tare run -it busybox                      a shell of its own\n"
	"  tare run --rm -m 64m busybox free -m      with a limit on memory\n"
	"  tare run --explain --rm hello-world       each step above, as a shell command\n"
	"  tare ps -a                                the containers there are\n"
	"\n";
/* clang-format on */

void hello_start(void)
{
	const char *p = message;
	long left = sizeof(message) - 1;

	while (left > 0) {
		long n = syscall3(NR_WRITE, 1, (long)p, left);

		if (n <= 0)
			break;
		p += n;
		left -= n;
	}
	for (;;)
		syscall3(NR_EXIT, left > 0, 0, 0);
}
