/* SPDX-License-Identifier: Apache-2.0 */
/* Places in a log: the head of a compressed part, and how little is read of a plain one. */
#include "../unit.h"

#include "fixture.h"

#include "base/clock.h"
#include "base/str.h"
#include "monitor/log_seek.h"

#include <errno.h>
#include <sys/stat.h>

#define SECOND 1000000000LL

static int write_part(struct fixture *f, const char *name, const void *p, size_t len)
{
	cleanup_free char *path = str_printf(LOG_DIR_NAME "/%s", name);

	mkdirat(f->fd, LOG_DIR_NAME, 0700);
	return fd_write_file_at(f->fd, path, p, len, 0600);
}

static void heads_come_back(void **state)
{
	struct fixture *f = *state;
	const struct log_gz_info info = {.first_ns = 1, .last_ns = -5, .n_lines = 1ULL << 60};
	struct log_gz_info got;
	uint8_t head[LOG_GZ_HEAD_LEN];
	cleanup_close int fd = -1;

	log_gz_format_head(&info, head);
	assert_int_equal(write_part(f, "json.log.1.gz", head, sizeof(head)), 0);
	fd = openat(f->fd, LOG_DIR_NAME "/json.log.1.gz", O_RDWR | O_CLOEXEC);
	assert_int_equal(log_gz_read_head(fd, &got), 0);
	assert_memory_equal(&got, &info, sizeof(info));
	assert_int_equal(ftruncate(fd, LOG_GZ_HEAD_LEN - 1), 0);
	assert_int_equal(log_gz_read_head(fd, &got), -EINVAL);
	head[12] ^= 1;
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(log_gz_read_head(fd, &got), -EINVAL);
}

static void counts_lines_and_times(void **state)
{
	static const char text[] =
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:02Z\"}\n"
		"{\"log\":\"piece\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:03Z\"}\n"
		"{\"log\":\"no\\\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:03Z\"}\n"
		"{\"log\":\"b\\n\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:04Z\"}\n";
	struct log_gz_info info = {};

	log_gz_count(&info, (const uint8_t *)text, sizeof(text) - 1);
	assert_int_equal(info.n_lines, 2);
	assert_int_equal(info.first_ns, 2 * SECOND);
	assert_int_equal(info.last_ns, 4 * SECOND);
}

static void knows_names_of_parts(void **state)
{
	static const struct {
		const char *name;
		uint64_t number;
		bool is_gz;
	} cases[] = {
		{"json.log", 0, false},	      {"json.log.1", 1, false},
		{"json.log.17.gz", 17, true}, {"json.log.", 0, false},
		{"json.log.1x", 0, false},    {"json.log.1.gzx", 0, false},
		{"json.log.-1", 0, false},    {"json.log.99999999999999999999999999", 0, false},
		{"other.log.1", 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is_gz = false;
		char name[LOG_PART_NAME_LEN];

		assert_int_equal(log_part_parse(cases[i].name, &is_gz), cases[i].number);
		if (cases[i].number == 0)
			continue;
		assert_int_equal(is_gz, cases[i].is_gz);
		assert_string_equal(log_part_name(name, cases[i].number, is_gz), cases[i].name);
	}
}

/* What comes after a compressed part that is older, one that is damaged, and a plain one. */
static void passes_over_compressed_parts(void **state)
{
	struct fixture *f = *state;
	static const char plain[] =
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:09Z\"}\n"
		"{\"log\":\"b\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:10Z\"}\n";
	cleanup_log_parts struct log_parts parts = LOG_PARTS_INIT;
	struct log_position at;
	uint8_t head[LOG_GZ_HEAD_LEN];

	for (int i = 1; i <= 2; i++) {
		const struct log_gz_info info = {i, i * 4 * SECOND, 100};
		cleanup_free char *name = str_printf("json.log.%d.gz", i);

		log_gz_format_head(&info, head);
		assert_int_equal(write_part(f, name, head, sizeof(head)), 0);
	}
	assert_int_equal(write_part(f, "json.log", plain, sizeof(plain) - 1), 0);
	assert_int_equal(log_parts_open(&parts, f->fd, false), 0);
	assert_int_equal(parts.n, 3);
	assert_int_equal(parts.items[2].number, 3);
	assert_int_equal(log_seek_since(&parts, 3 * SECOND, &at), 0);
	assert_int_equal(at.index, 0);
	assert_int_equal(log_seek_since(&parts, 8 * SECOND, &at), 0);
	assert_int_equal(at.index, 1);
	assert_int_equal(log_seek_since(&parts, 8 * SECOND + 1, &at), 0);
	assert_int_equal(at.index, 2);
	assert_int_equal(log_seek_tail(&parts, 1, &at), 0);
	assert_int_equal(at.index, 2);
	assert_int_equal(at.offset, (sizeof(plain) - 1) / 2);
	assert_int_equal(log_seek_tail(&parts, 30, &at), 0);
	assert_int_equal(at.index, 1);
	assert_int_equal(at.skip_lines, 100 - 28);
	assert_int_equal(log_seek_tail(&parts, 102 + 99, &at), 0);
	assert_int_equal(at.index, 0);
	assert_int_equal(at.skip_lines, 1);
	assert_int_equal(log_seek_tail(&parts, 5000, &at), 0);
	assert_int_equal(at.index, 0);
	assert_int_equal(at.skip_lines, 0);
	assert_int_equal(log_seek_tail(&parts, 0, &at), 0);
	assert_int_equal(at.index, 2);
	assert_int_equal(at.offset, sizeof(plain) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(heads_come_back, set_up, tear_down),
		cmocka_unit_test(counts_lines_and_times),
		cmocka_unit_test(knows_names_of_parts),
		cmocka_unit_test_setup_teardown(passes_over_compressed_parts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
