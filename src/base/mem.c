/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small allocations that never fail: exhausted memory ends the process, because nothing useful can
 * be done about a few missing bytes and code that pretends otherwise is never tested.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* More than any command has used of its stack when it becomes a monitor. */
#define STACK_TRIM_LEN ((uintptr_t)256 * 1024)

static void *check(void *p)
{
	if (!p) {
		fputs("tare: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *mem_alloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
	return check(calloc(1, size ? size : 1));
}

void *mem_realloc_array(void *p, size_t n, size_t size)
{
	size_t bytes = 0;

	if (__builtin_mul_overflow(n, size, &bytes))
		check(NULL);
	return check(realloc(p, bytes ? bytes : 1));
}

void *mem_dup(const void *p, size_t len)
{
	void *copy = mem_alloc(len);

	if (len)
		memcpy(copy, p, len);
	return copy;
}

char *str_dup(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *str_ndup(const char *s, size_t len)
{
	size_t n = strnlen(s, len);
	char *copy = mem_alloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *str_printf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		out = NULL;
	va_end(ap);
	return check(out);
}

void str_replace(char **p, const char *s)
{
	char *copy = str_dup(s);

	free(*p);
	*p = copy;
}

/* Deeper calls than ours have been there and are over. Whatever lies further below than the stack
 * reaches is not mapped, by stack_guard_gap (1 MiB), and the kernel passes it over with ENOMEM. */
static void trim_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	/* This function's own frame, and that of the call, are far smaller than a page. */
	uintptr_t end = (frame & ~(page - 1)) - page;

	(void)madvise((void *)(end - STACK_TRIM_LEN), STACK_TRIM_LEN, MADV_DONTNEED);
}

void mem_trim(void)
{
	malloc_trim(0);
	trim_stack();
}
