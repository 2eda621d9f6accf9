/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfiles that nobody would write in good faith: 2,000 generated ones and some as large as they
 * may be. Each is parsed or refused with a reason, in bounded time and memory, and says nothing
 * about lines that are not there.
 */
#include "../unit.h"

#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dockerfile/expand.h"
#include "dockerfile/syntax.h"

#define N_GENERATED 2000
/* A quarter of what a file may have, so that sanitizers come to an end, too. The slowest takes a
 * third of a second and all of them at most 210 MB; the margins are for sanitizers. */
#define LARGE	    (DOCKERFILE_MAX_SIZE / 4)
#define MAX_SECONDS 20
#define MAX_KIB	    (1 << 20)

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static const char *const parts[] = {
	"FROM ",
	"RUN ",
	"COPY ",
	"ADD ",
	"ENV ",
	"LABEL ",
	"ARG ",
	"CMD ",
	"ONBUILD ",
	"EXPOSE ",
	"HEALTHCHECK ",
	"SHELL ",
	"VOLUME ",
	"USER ",
	"FORM ",
	"# escape=`\n",
	"# syntax=x\n",
	"#",
	"\n",
	"\n\n",
	"\r\n",
	"\\\n",
	"\\ \n",
	"`\n",
	"\\",
	"`",
	" ",
	"\t",
	"\v",
	"<<E",
	"<<-E",
	"<<\"E\"",
	"3<<'E",
	"<<",
	"E\n",
	"\tE\n",
	"[\"a\"",
	",1]",
	"]",
	"[",
	"{",
	"}",
	"\"",
	"'",
	"$",
	"${",
	"${a:-",
	"${a#",
	"${a//",
	"/",
	"a=b",
	"=",
	"--x=",
	"--",
	"\xEF\xBB\xBF",
	"\xC2",
	"\xA0",
	"\xFF",
	"\x01",
	"\x1b[2J",
	"a",
	"é",
	"AS b",
};

static void add_hostile(uint32_t *state, struct str *out)
{
	size_t n = 1 + next_random(state) % 60;

	for (size_t i = 0; i < n; i++) {
		const char *part = parts[next_random(state) % ARRAY_LEN(parts)];
		size_t times = next_random(state) % 50 ? 1 : next_random(state) % 2000;

		for (size_t k = 0; k < times; k++)
			str_add(out, part);
		if (next_random(state) % 200 == 0)
			str_add_bytes(out, "", 1);
	}
}

static const char *get_value(void *ctx, const char *name)
{
	return *name == 'a' ? "value of a/with*stars" : NULL;
}

/* Expands all that may be expanded in I. */
static void expand_all(const struct dockerfile_instruction *i, char escape)
{
	struct expand_scope scope = {.get = get_value, .escape = escape};

	strv_foreach (k, &i->words) {
		cleanup_strv struct strv words = STRV_INIT;
		cleanup_free char *word = NULL;
		struct err err = ERR_INIT;
		int rc = expand_word(i->words.items[k], &scope, &word, &err);

		if (rc == 0)
			rc = expand_words(word, &scope, &words, &err);
		assert_int_equal(rc, -err.code);
		assert_true(rc == 0 || (rc == -ERR_INVALID && err.msg[0]));
	}
}

static void check_instruction(const struct dockerfile *file, const struct dockerfile_instruction *i)
{
	assert_true(i->keyword < KEYWORD_COUNT && i->word && i->original && i->rest);
	assert_true(i->lines.first >= 1 && i->lines.last >= i->lines.first);
	assert_true(i->lines.last <= file->source.n);
	assert_true(!i->is_json || !i->words.n);
	for (size_t k = 0; k < i->n_heredocs; k++)
		assert_true(i->heredocs[k].name && i->heredocs[k].content && i->heredocs[k].raw);
	expand_all(i, file->escape);
	if (i->trigger)
		check_instruction(file, i->trigger);
}

/* Returns what parsing does. */
static int check(const char *text, size_t len)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_str struct str excerpt = STR_INIT;
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;
	int rc = dockerfile_parse("Dockerfile", text, len, &file, &where, &err);

	if (rc < 0) {
		assert_int_equal(rc, -ERR_INVALID);
		assert_true(err.msg[0]);
		assert_true(where.first <= where.last && where.last <= file.source.n);
		dockerfile_excerpt(&file, where, &excerpt);
		return rc;
	}
	assert_true(file.n > 0);
	for (size_t i = 0; i < file.n; i++) {
		check_instruction(&file, &file.items[i]);
		assert_true(i == 0 || file.items[i].lines.first > file.items[i - 1].lines.last);
	}
	return rc;
}

static void bounds_memory(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_true(usage.ru_maxrss < MAX_KIB);
}

static void survives_generated_files(void **state)
{
	uint64_t start = clock_mono_ns();
	uint32_t random = 7;
	size_t n_parsed = 0;

	for (size_t i = 0; i < N_GENERATED; i++) {
		cleanup_str struct str text = STR_INIT;

		add_hostile(&random, &text);
		n_parsed += check(str_get(&text), text.len) == 0;
	}
	/* Some of both, or the files are not what they are meant to be. */
	assert_true(n_parsed > 20 && n_parsed < N_GENERATED - 20);
	assert_true(clock_mono_ns() - start < MAX_SECONDS * CLOCK_NS_PER_S);
	bounds_memory();
}

/* BEGIN, as many PARTS as fit in the limit of a file and, where lines are limited, in a line, END.
 */
static void add_large(struct str *out, const char *begin, const char *part, const char *end)
{
	size_t limit = strchr(part, '\n') ? LARGE : DOCKERFILE_MAX_LINE;

	str_add(out, begin);
	while (out->len + strlen(part) + strlen(end) < limit)
		str_add(out, part);
	str_add(out, end);
}

static void survives_large_files(void **state)
{
	static const char *const cases[][3] = {
		{"FROM a", "\n", ""},
		{"", "#\n", "FROM a"},
		{"RUN ", "\\\n", "x"},
		{"RUN \\\n", "# c\n", "x"},
		{"RUN \\\n", "\n", "x"},
		{"RUN ", "ONBUILD \\\n", ""},
		{"", "ONBUILD \\\n", "RUN x"},
		{"", "ONBUILD RUN x\n", ""},
		{"", "RUN x\n", ""},
		{"", "FROMM\n", ""},
		{"ENV ", "a=b \\\n", "\n"},
		{"ENV a=", "\\\n$b", "\n"},
		{"ENV a=", "${b:-\\\n", "\n"},
		{"LABEL a=\"", "x\\\n", "\""},
		{"LABEL a=\"", "x\\\n", "\n"},
		{"ARG ", "a\\\n ", "\n"},
		{"EXPOSE ", "80\\\n ", "\n"},
		{"COPY ", "--a \\\n", "b c\n"},
		{"CMD [", "\"a\",\\\n", "\"b\"]\n"},
		{"CMD ", "[\\\n", "\n"},
		{"RUN ", "<<E \\\n", "\n"},
		{"RUN <<E\n", "a\n", "E\n"},
		{"RUN <<-E\n", "\t\n", "E\n"},
		{"RUN <<E\n", "a\n", ""},
		{"", "RUN <<E\nE\n", ""},
		{"RUN ", "<<E ", "\n"},
		{"ENV a=", "${b:-", "\n"},
		{"ENV a=", "${b#", "\n"},
		{"ENV a=", "${a//a/", "}\n"},
		{"ENV a=", "'\"", "\n"},
		{"RUN ", "\"$", "<<E\n"},
		{"CMD ", "[", "\n"},
		{"{\"syntax\": ", "[", "\n"},
		{"{\"syntax\": \"", "\\\\n\n", "\"}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_str struct str text = STR_INIT;
		uint64_t start = clock_mono_ns();

		add_large(&text, cases[i][0], cases[i][1], cases[i][2]);
		check(str_get(&text), text.len);
		if (clock_mono_ns() - start >= MAX_SECONDS * CLOCK_NS_PER_S)
			fail_msg("case %zu takes too long", i);
	}
	bounds_memory();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_generated_files),
		cmocka_unit_test(survives_large_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
