/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H
/*
 * Small allocations. Each of these aborts the process when memory is exhausted, so callers never
 * test the result. A size that comes from outside (an archive, an image, a peer) must be checked
 * against a named limit before it reaches them.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Uninitialised memory of SIZE bytes (1 for 0). Free with free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed memory of SIZE bytes. */
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Grows or shrinks P to N elements of SIZE bytes; aborts when N * SIZE overflows. */
void *mem_realloc_array(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
/* Owned copy of LEN bytes of P. */
void *mem_dup(const void *p, size_t len) __attribute__((returns_nonnull));
/* Owned copy of S; NULL gives NULL. */
char *str_dup(const char *s);
/* Owned copy of at most LEN bytes of S, NUL-terminated. */
char *str_ndup(const char *s, size_t len) __attribute__((returns_nonnull));
/* Owned printf result. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Gives the kernel back what the heap has free, and what the stack has below the caller: for a
 * process that is about to sleep for long. On the process's first stack only. */
void mem_trim(void);

/* Replaces the owned string *P by an owned copy of S (may be NULL). */
void str_replace(char **p, const char *s);

/* Frees the pointer that P points to; the function behind cleanup_free. */
static inline void mem_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Frees the owned pointer at the end of its scope: `cleanup_free char *s = NULL;`. */
#define cleanup_free __attribute__((cleanup(mem_cleanup_free)))
/* Runs FN(&var) at the end of the variable's scope. */
#define cleanup_with(fn) __attribute__((cleanup(fn)))

/* Hands an owned pointer over: yields P's value and leaves P NULL. */
#define take_ptr(p)                                \
	({                                         \
		__typeof__(&(p)) take_ptr_ = &(p); \
		__typeof__(p) taken_ = *take_ptr_; \
		*take_ptr_ = NULL;                 \
		taken_;                            \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
