/* SPDX-License-Identifier: Apache-2.0 */
/* Files in stages. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/instruction.h"

struct parsed {
	struct dockerfile file;
	struct dockerfile_stages stages;
	struct dockerfile_lines where;
};

static int parse(const char *text, struct parsed *ret, struct err *err)
{
	*ret = (struct parsed){};
	if (dockerfile_parse("Dockerfile", text, strlen(text), &ret->file, &ret->where, err) < 0)
		return -err->code;
	return dockerfile_get_stages(&ret->file, &ret->stages, &ret->where, err);
}

static void parsed_done(struct parsed *p)
{
	dockerfile_stages_done(&p->stages);
	dockerfile_done(&p->file);
}

static void divides(void **state)
{
	struct parsed p;
	struct err err = ERR_INIT;

	assert_int_equal(parse("ARG A\nARG B=1\nFROM a AS One\nRUN x\nARG C\nFROM b\nfrom One\n"
			       "CMD y\n",
			       &p, &err),
			 0);
	assert_int_equal(p.stages.n_globals, 2);
	assert_int_equal(p.stages.n, 3);
	assert_int_equal(p.stages.items[0].n, 2);
	assert_int_equal(p.stages.items[1].n, 0);
	assert_int_equal(p.stages.items[2].n, 1);
	assert_string_equal(p.stages.items[0].from->from.name, "one");
	assert_int_equal(p.stages.items[0].items[1].keyword, KEYWORD_ARG);
	assert_int_equal(p.stages.items[2].from->syntax->lines.first, 7);
	parsed_done(&p);
}

static void finds(void **state)
{
	static const struct {
		const char *name;
		size_t before;
		int found;
	} cases[] = {
		{"a", 9, 3},   {"A", 9, 3},   {"a", 3, 0}, {"a", 0, -1}, {"B", 9, 1},
		{"b", 1, -1},  {"0", 9, 0},   {"2", 9, 2}, {"3", 3, -1}, {"4", 9, -1},
		{"-1", 9, -1}, {"+1", 9, -1}, {"", 9, -1}, {"c", 9, -1},
	};
	struct parsed p;
	struct err err = ERR_INIT;

	assert_int_equal(parse("FROM x AS A\nFROM x AS b\nFROM x\nFROM x AS a\n", &p, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(dockerfile_find_stage(&p.stages, cases[i].name, cases[i].before),
				 cases[i].found);
	parsed_done(&p);
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *message;
		unsigned first, last;
	} cases[] = {
		{"RUN x\nFROM a\n", "no build stage in current context", 1, 1},
		{"ARG A\nENV a=b\nFROM a\n", "no build stage in current context", 2, 2},
		{"ARG A\n", "dockerfile contains no stages to build", 0, 0},
		{"FROM a\n\nCOPY --frm=x \\\n  a b\n",
		 "dockerfile parse error on line 3: unknown flag: --frm (did you mean from?)", 3,
		 4},
		{"FROM a b\n",
		 "dockerfile parse error on line 1: FROM requires either one or three arguments", 1,
		 1},
		{"FROM a\nRUN x\nONBUILD FROM b\n",
		 "dockerfile parse error on line 3: FROM isn't allowed as an ONBUILD trigger", 3,
		 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p;
		struct err err = ERR_INIT;

		assert_int_equal(parse(cases[i].text, &p, &err), -ERR_INVALID);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(p.where.first, cases[i].first);
		assert_int_equal(p.where.last, cases[i].last);
		parsed_done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(divides),
		cmocka_unit_test(finds),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
