/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that sleeps for long gives back. */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define DEEP (64 * 1024)

/* Uses DEEP bytes of the stack below its caller; RET is where they were. */
static __attribute__((noinline)) void go_deep(uintptr_t *ret)
{
	volatile char room[DEEP];

	for (size_t i = 0; i < sizeof(room); i += 512)
		room[i] = 1;
	*ret = (uintptr_t)room;
}

static bool is_resident(uintptr_t address)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char mark = 0;

	assert_int_equal(mincore((void *)(address & ~(page - 1)), 1, &mark), 0);
	return mark & 1;
}

static void test_trim(void **state)
{
	uintptr_t deep = 0;
	char *kept = str_dup("kept");

	go_deep(&deep);
	assert_true(is_resident(deep));
	mem_trim();
	assert_false(is_resident(deep));
	assert_string_equal(kept, "kept");
	free(kept);
	/* What was given back can be used again. */
	go_deep(&deep);
	assert_true(is_resident(deep));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
