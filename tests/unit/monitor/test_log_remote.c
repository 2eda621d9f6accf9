/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and addresses of log receivers. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/log_address.h"
#include "monitor/log_remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static struct log_line line_of(enum log_stream stream, const char *text)
{
	return (struct log_line){.stream = stream,
				 .text = (const uint8_t *)text,
				 .len = strlen(text),
				 .time_ns = 1772323205 * SECOND + 123456789};
}

static void formats_syslog(void **state)
{
	static const struct {
		enum log_syslog_format format;
		enum log_stream stream;
		const char *zone, *text, *want; /* %d: our pid */
	} cases[] = {
		{LOG_FORMAT_UNIX, LOG_STDOUT, "UTC0", "hi\n", "<30>Mar  1 00:00:05 t[%d]: hi\n"},
		{LOG_FORMAT_3164, LOG_STDERR, "UTC0", "hi", "<27>Mar  1 00:00:05 h t[%d]: hi\n"},
		{LOG_FORMAT_5424, LOG_STDOUT, "UTC0", "a\r\n",
		 "<30>1 2026-03-01T00:00:05Z h t %d t - a\r\n"},
		{LOG_FORMAT_5424, LOG_STDOUT, "XXX-5:30", "a\n",
		 "<30>1 2026-03-01T05:30:05+05:30 h t %d t - a\n"},
		{LOG_FORMAT_5424_MICRO, LOG_STDOUT, "XXX3", "a\n",
		 "<30>1 2026-02-28T21:00:05.123456-03:00 h t %d t - a\n"},
		{LOG_FORMAT_UNIX, LOG_STDOUT, "UTC0", "\n", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct log_driver_config config = {
			.format = cases[i].format, .facility = 3 << 3, .tag = "t"};
		struct log_line line = line_of(cases[i].stream, cases[i].text);
		cleanup_str struct str got = STR_INIT;
		cleanup_str struct str want = STR_INIT;
		const char *pid = strstr(cases[i].want, "%d");

		setenv("TZ", cases[i].zone, 1);
		tzset();
		log_syslog_format(&config, &line, "h", &got);
		if (pid) {
			str_add_bytes(&want, cases[i].want, (size_t)(pid - cases[i].want));
			str_addf(&want, "%d%s", getpid(), pid + 2);
		}
		assert_string_equal(str_get(&got), str_get(&want));
	}
}

static void a_tag_stays_in_its_line(void **state)
{
	const struct log_driver_config config = {.tag = "a\nb\x7f"};
	struct log_line line = line_of(LOG_STDOUT, "x\n");
	cleanup_str struct str got = STR_INIT;

	log_syslog_format(&config, &line, "h", &got);
	assert_non_null(strstr(str_get(&got), " a b ["));
}

static void formats_journal_entries(void **state)
{
	static const char fields[] = "A=1\n";
	const struct log_driver_config config = {.fields = fields,
						 .fields_len = sizeof(fields) - 1};
	struct log_journal_partial partial = {};
	struct log_line line = line_of(LOG_STDERR, "x\n");
	struct log_line piece = line_of(LOG_STDERR, "p");
	cleanup_str struct str got = STR_INIT;
	char id[33];

	log_journald_format(&config, &line, &partial, &got);
	assert_string_equal(str_get(&got), "PRIORITY=3\nMESSAGE=x\nSYSLOG_TIMESTAMP="
					   "2026-03-01T00:00:05.123456789Z\nA=1\n");
	log_journald_format(&config, &piece, &partial, &got);
	memcpy(id, partial.id, sizeof(id));
	assert_int_equal(strlen(id), 32);
	assert_non_null(strstr(str_get(&got), "ORDINAL=1\nCONTAINER_PARTIAL_LAST=false\n"));
	log_journald_format(&config, &piece, &partial, &got);
	assert_string_equal(partial.id, id);
	log_journald_format(&config, &line, &partial, &got);
	assert_non_null(strstr(str_get(&got), "ORDINAL=3\nCONTAINER_PARTIAL_LAST=true\n"));
	assert_string_equal(partial.id, "");
}

static void parses_addresses(void **state)
{
	static const struct {
		const char *text, *want; /* the address, or the error */
		int type;		 /* 0: an error */
	} cases[] = {
		{"udp://127.0.0.1", "127.0.0.1:514", SOCK_DGRAM},
		{"udp://", "127.0.0.1:514", SOCK_DGRAM},
		{"tcp://localhost:99", "127.0.0.1:99", SOCK_STREAM},
		{"tcp://[::1]:7", "[::1]:7", SOCK_STREAM},
		{"tcp://[::1]", "[::1]:514", SOCK_STREAM},
		{"unix:///", "/", SOCK_STREAM},
		{"unixgram:///", "/", SOCK_DGRAM},
		{"foo", "syslog-address should be in form proto://address, got foo", 0},
		{"http://x", "syslog-address should be in form proto://address, got http://x", 0},
		{"unix:///no/such", "stat /no/such: no such file or directory", 0},
		{"tcp://[::1:7", "address [::1:7: invalid port", 0},
		{"tcp://1.2.3.4:70000", "address 1.2.3.4:70000: invalid port", 0},
		{"udp://logs.example", "dial udp: lookup logs.example: no such host", 0},
		{"tcp+tls://1.2.3.4", "syslog over TLS is not supported, use tcp:// to a relay", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct log_address address;
		struct err err = ERR_INIT;
		int rc = log_address_parse(cases[i].text, &address, &err);

		assert_int_equal(rc == 0, cases[i].type != 0);
		assert_string_equal(rc == 0 ? address.text : err.msg, cases[i].want);
		if (rc == 0)
			assert_int_equal(address.type, cases[i].type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_syslog),
		cmocka_unit_test(a_tag_stays_in_its_line),
		cmocka_unit_test(formats_journal_entries),
		cmocka_unit_test(parses_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
