/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: any split of a stream gives the same frames, and garbage is refused. */
#include "../unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/protocol.h"
#include "sys/pty.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void add_frame(struct str *s, enum frame_type type, const void *payload, size_t len)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, type, len);
	str_add_bytes(s, header, sizeof(header));
	str_add_bytes(s, payload, len);
}

/* "6:bytes" for output, "10!len" for others, joined pieces merged. */
static void describe(struct frame_parser *p, const uint8_t *data, size_t len, struct str *out,
		     int *last)
{
	struct frame_span span;

	while (frame_parser_next(p, &data, &len, &span) == 1) {
		bool is_output = span.type == FRAME_STDOUT || span.type == FRAME_STDERR;

		if (!is_output || *last != (int)span.type)
			str_addf(out, "[%d]", span.type);
		if (is_output)
			str_add_bytes(out, span.data, span.len);
		else
			str_addf(out, "%zu", span.len);
		*last = is_output ? (int)span.type : 0;
	}
	assert_int_equal(len, 0);
}

static void every_split_gives_the_same(void **state)
{
	cleanup_str struct str in = STR_INIT;
	cleanup_str struct str want = STR_INIT;
	uint8_t control[64];
	uint8_t word[4];

	frame_put_u32(word, 0xfffefdfc);
	assert_int_equal(frame_get_u32(word), 0xfffefdfc);
	add_frame(&in, FRAME_STARTED, word, 4);
	add_frame(&in, FRAME_STDOUT, "hello", 5);
	add_frame(&in, FRAME_STDERR, "oops", 4);
	add_frame(&in, FRAME_STDOUT, "", 0);
	add_frame(&in, FRAME_STDIN_EOF, "", 0);
	add_frame(&in, FRAME_EXIT, "\1\0\0\0\0", 5);
	str_addf(&want, "[%d]4[%d]hello[%d]oops[%d][%d]0[%d]5", FRAME_STARTED, FRAME_STDOUT,
		 FRAME_STDERR, FRAME_STDOUT, FRAME_STDIN_EOF, FRAME_EXIT);
	for (size_t step = 1; step <= in.len; step++) {
		cleanup_str struct str got = STR_INIT;
		struct frame_parser p;
		int last = 0;

		frame_parser_init(&p, control, sizeof(control));
		for (size_t at = 0; at < in.len; at += step) {
			size_t n = in.len - at < step ? in.len - at : step;

			describe(&p, (uint8_t *)in.buf + at, n, &got, &last);
		}
		assert_string_equal(str_get(&got), str_get(&want));
	}
}

static void garbage_is_refused(void **state)
{
	static const struct {
		uint8_t bytes[FRAME_HEADER_LEN];
	} cases[] = {
		{{0, 0, 0, 0, 0}},			  /* no such type */
		{{N_FRAME_TYPES, 0, 0, 0, 0}},		  /* nor this */
		{{'G', 'E', 'T', ' ', '/'}},		  /* another protocol */
		{{FRAME_STDOUT, 1, 0, 1, 0}},		  /* longer than allowed */
		{{FRAME_STDOUT, 0xff, 0xff, 0xff, 0xff}}, /* much longer */
		{{FRAME_SIGNAL, 3, 0, 0, 0}},		  /* wrong length */
		{{FRAME_EXIT, 6, 0, 0, 0}},
		{{FRAME_ERROR, 0x10, 8, 0, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct frame_parser p;
		struct frame_span span;
		uint8_t control[8];
		const uint8_t *data = cases[i].bytes;
		size_t len = FRAME_HEADER_LEN;

		frame_parser_init(&p, control, sizeof(control));
		assert_int_equal(frame_parser_next(&p, &data, &len, &span), -EPROTO);
	}
}

static void a_frame_carries_a_descriptor(void **state)
{
	int s[2];
	int pipe_fds[2];
	int got[PTY_FDS_MAX];
	uint8_t buf[64];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(frame_send(s[0], FRAME_STARTED, "\1\2\3\4", 4, pipe_fds[1]), 0);
	assert_int_equal(pty_recv_fds(s[1], buf, sizeof(buf), got, 0), 9);
	assert_true(got[0] >= 0);
	assert_int_equal(got[1], -1);
	assert_int_equal(write(got[0], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], buf, 1), 1);
	close(s[1]);
	assert_int_equal(frame_send(s[0], FRAME_DONE, NULL, 0, -1), -EPIPE);
	close(s[0]);
	close(got[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_frame_carries_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
