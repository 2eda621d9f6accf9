/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_ARRAY_H
#define DOCKERFILE_ARRAY_H
/* Arrays that grow by one, and may grow to many. Of this module only. */
#include "base/mem.h"

/* The array ITEMS of N elements of SIZE bytes with room for one more. It is moved only when N is a
 * power of two, so that it must never have grown otherwise. */
static inline void *array_grow(void *items, size_t n, size_t size)
{
	if (n & (n - 1))
		return items;
	return mem_realloc_array(items, n ? 2 * n : 1, size);
}

#endif
