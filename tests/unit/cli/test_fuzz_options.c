/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the fuzzer of option values over its seed corpus, and over each seed cut short. */
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>

#include "../unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replays_the_corpus(void **state)
{
	DIR *dir = opendir(FUZZ_CORPUS "/options");
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		cleanup_str struct str text = STR_INIT;

		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fd_read_file_at(dirfd(dir), e->d_name, 1 << 16, &text), 0);
		for (size_t len = 0; len <= text.len; len++)
			LLVMFuzzerTestOneInput((const uint8_t *)str_get(&text), len);
		n++;
	}
	closedir(dir);
	assert_true(n >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(replays_the_corpus)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
