/* SPDX-License-Identifier: Apache-2.0 */
/* Log entries: escaping, and the way back. */
#include "../unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "monitor/log_entry.h"

#include <errno.h>
#include <string.h>

static void escapes_as_docker_does(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"plain\n", 6, "plain\\n"},
		{"\"\\\r\t\b", 5, "\\\"\\\\\\r\\t\\u0008"},
		{"<a&b>", 5, "\\u003ca\\u0026b\\u003e"},
		{"\0\x1f\x7f", 3, "\\u0000\\u001f\x7f"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3"},
		{"\xe2\x80\xa8\xe2\x80\xa9", 6, "\\u2028\\u2029"},
		{"\xff"
		 "a\xc3",
		 3, "\\ufffda\\ufffd"},
		{"\xc0\x80", 2, "\\ufffd\\ufffd"},			 /* overlong */
		{"\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd"},		 /* surrogate */
		{"\xf4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond U+10FFFF */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[128] = {};
		size_t n = log_entry_escape((const uint8_t *)cases[i].in, cases[i].len, out);

		assert_int_equal(n, strlen(cases[i].out));
		assert_memory_equal(out, cases[i].out, n);
	}
}

static void sees_incomplete_sequences(void **state)
{
	static const struct {
		const char *in;
		size_t want;
	} cases[] = {
		{"", 0},
		{"abc", 0},
		{"a\xc3", 1},
		{"a\xc3\xa4", 0},
		{"\xe2\x82", 2},
		{"\xe2\x82\xac", 0},
		{"\xf0", 1},
		{"\xf0\x9f\x90", 3},
		{"\x80\x80", 0},
		{"\x80\x80\x80\x80", 0},
		{"\xf0\x9f\x90\xb3", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			log_entry_incomplete((const uint8_t *)cases[i].in, strlen(cases[i].in)),
			cases[i].want);
}

static void parses(void **state)
{
	static const struct {
		const char *line, *text; /* text NULL: refused */
		enum log_stream stream;
		int64_t ns;
	} cases[] = {
		{"{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:01.5Z\"}",
		 "hi\n", LOG_STDOUT, 1500000000},
		{"{\"time\":\"1970-01-01T00:00:00Z\", \"stream\":\"stderr\" "
		 ",\"log\":\"\\\"\\u00e4\\/\"}",
		 "\"\xc3\xa4/", LOG_STDERR, 0},
		{"{\"log\":\"x\",\"attrs\":{\"a\":\"}\",\"b\":[1,\"]\"]},\"stream\":\"stdout\"}",
		 "x", LOG_STDOUT, 0},
		{"{\"log\":\"\\ud83d\\udc33\\ud83d!\"}", "\xf0\x9f\x90\xb3\xef\xbf\xbd!",
		 LOG_STDOUT, 0},
		{"{\"log\":\"a\"", NULL, 0, 0},
		{"{\"log\":\"a", NULL, 0, 0},
		{"{\"log\":\"a\\", NULL, 0, 0},
		{"{\"log\":\"a\\u12\"}", NULL, 0, 0},
		{"{\"log\":\"a\\x\"}", NULL, 0, 0},
		{"{\"stream\":\"stdout\"}", NULL, 0, 0},
		{"{\"log\":\"a\"} trailing", NULL, 0, 0},
		{"", NULL, 0, 0},
		{"hello", NULL, 0, 0},
		{"{", NULL, 0, 0},
		{"{\"log\":1", NULL, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].line);
		/* Exactly as long as the line, so that a sanitizer sees any step past it. */
		cleanup_free uint8_t *line = mem_dup(cases[i].line, len ? len : 1);
		struct log_entry e;
		int64_t ns = -1;
		int rc = log_entry_parse(line, len, &e);

		assert_int_equal(rc, cases[i].text ? 0 : -EINVAL);
		if (!cases[i].text)
			continue;
		assert_int_equal(e.len, strlen(cases[i].text));
		assert_memory_equal(e.text, cases[i].text, e.len);
		assert_int_equal(e.stream, cases[i].stream);
		assert_int_equal(log_entry_time(&e, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

/* Times of the form that writers write, against the general parser, and what is none. */
static void reads_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.000000001Z", 1},
		{"1970-01-01T00:00:00.1Z", 100000000},
		{"2000-02-29T12:34:56.123456789Z", 951827696123456789},
		{"2026-03-01T00:00:00Z", 1772323200000000000},
		{"2038-01-19T03:14:08.5Z", 2147483648500000000},
		{"2100-03-01T00:00:00Z", 4107542400000000000},
		{"2026-03-01T01:00:00+01:00", 1772323200000000000},
		{"yesterday", -1},
		{"2026-13-01T00:00:00Z", -1},
		{"2026-03-01T00:00:0xZ", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct log_entry e = {.time = (const uint8_t *)cases[i].text,
					    .time_len = strlen(cases[i].text)};
		int64_t ns = 0;
		int rc = log_entry_time(&e, &ns);

		assert_int_equal(rc, cases[i].ns < 0 ? -EINVAL : 0);
		if (cases[i].ns >= 0)
			assert_int_equal(ns, cases[i].ns);
	}
}

static void shows_details(void **state)
{
	static const struct {
		const char *attrs, *text; /* NULL: refused */
	} cases[] = {
		{"{\"a\":\"b\"}", "a=b"},
		{"{\"E\":\"1 2\",\"F\":\"\xc3\xa9\",\"x,y\":\" z%20%\"}",
		 "E=1+2,F=%C3%A9,x%2Cy=+z%2520%25"},
		{"{\"a\":\"x\\ny\\u0000\"}", "a=x%0Ay%00"},
		{"{\"a\":1}", NULL},
		{"{\"a\":\"b\"", NULL},
		{"[]", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_str struct str out = STR_INIT;
		int rc = log_entry_details((const uint8_t *)cases[i].attrs, strlen(cases[i].attrs),
					   &out);

		assert_int_equal(rc, cases[i].text ? 0 : -EINVAL);
		if (cases[i].text)
			assert_string_equal(str_get(&out), cases[i].text);
	}
}

/* Every code point comes back as it went. */
static void round_trip(void **state)
{
	for (uint32_t rune = 0; rune < 0x110000; rune += rune < 0x3000 ? 1 : 977) {
		uint8_t in[4];
		uint8_t line[64] = "{\"log\":\"";
		struct log_entry e;
		size_t n = 0;
		size_t len = 8;

		if (rune >= 0xD800 && rune < 0xE000)
			continue;
		if (rune < 0x80) {
			in[n++] = (uint8_t)rune;
		} else if (rune < 0x800) {
			in[n++] = (uint8_t)(0xC0 | rune >> 6);
			in[n++] = (uint8_t)(0x80 | (rune & 63));
		} else if (rune < 0x10000) {
			in[n++] = (uint8_t)(0xE0 | rune >> 12);
			in[n++] = (uint8_t)(0x80 | (rune >> 6 & 63));
			in[n++] = (uint8_t)(0x80 | (rune & 63));
		} else {
			in[n++] = (uint8_t)(0xF0 | rune >> 18);
			in[n++] = (uint8_t)(0x80 | (rune >> 12 & 63));
			in[n++] = (uint8_t)(0x80 | (rune >> 6 & 63));
			in[n++] = (uint8_t)(0x80 | (rune & 63));
		}
		len += log_entry_escape(in, n, line + len);
		line[len++] = '"';
		line[len++] = '}';
		assert_int_equal(log_entry_parse(line, len, &e), 0);
		assert_int_equal(e.len, n);
		assert_memory_equal(e.text, in, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_as_docker_does),
		cmocka_unit_test(sees_incomplete_sequences),
		cmocka_unit_test(parses),
		cmocka_unit_test(reads_times),
		cmocka_unit_test(shows_details),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
