/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a container is started again, under a clock that only the test moves: what a daemon would do
 * for hours takes no time here.
 */
#include "../unit.h"

#include "base/mem.h"
#include "monitor/restart_policy.h"

#define MS 1000000ULL
#define S  1000000000ULL

/* A container that ends with CODE after each run, and a clock. */
struct world {
	struct restart_rule rule;
	struct restart_history history;
	uint64_t now_ns;
};

/* One run of RAN_NS that ends with CODE: the time at which the next begins, 0 when there is none.
 */
static uint64_t run(struct world *w, uint64_t ran_ns, int code, unsigned marks)
{
	w->now_ns += ran_ns;
	if (!restart_rule_wants(&w->rule, &w->history, code, marks))
		return 0;
	restart_history_add(&w->history, ran_ns);
	w->now_ns += w->history.delay_ns;
	return w->now_ns;
}

static void delays_double_to_a_minute(void **state)
{
	static const uint64_t want_ms[] = {100,	  200,	 400,	800,   1600,  3200, 6400,
					   12800, 25600, 51200, 60000, 60000, 60000};
	struct world w = {.rule.policy = RESTART_ALWAYS};
	uint64_t now = 0;

	for (size_t i = 0; i < ARRAY_LEN(want_ms); i++) {
		now += want_ms[i] * MS;
		assert_int_equal(run(&w, 0, 1, 0), now);
		assert_int_equal(w.history.count, i + 1);
	}
}

static void a_run_of_ten_seconds_begins_anew(void **state)
{
	struct world w = {.rule.policy = RESTART_UNLESS_STOPPED};

	for (int i = 0; i < 9; i++)
		run(&w, 10 * S - 1, 0, 0);
	assert_int_equal(w.history.delay_ns, 25600 * MS);
	run(&w, 10 * S, 0, 0);
	assert_int_equal(w.history.delay_ns, 100 * MS);
	run(&w, 3600 * S, 0, 0);
	assert_int_equal(w.history.delay_ns, 100 * MS);
	run(&w, 0, 0, 0);
	assert_int_equal(w.history.delay_ns, 200 * MS);
	assert_int_equal(w.history.count, 12);
}

/* A year of a container that fails at once: once a minute, and neither number runs over. */
static void a_year_of_failures(void **state)
{
	const uint64_t year = 365ULL * 24 * 3600 * S;
	struct world w = {.rule.policy = RESTART_ON_FAILURE};

	while (w.now_ns < year)
		assert_int_not_equal(run(&w, 30 * MS, 137, 0), 0);
	assert_int_equal(w.history.delay_ns, 60 * S);
	/* 102.3 s for the ten that are shorter, then one each 60.03 s. */
	assert_in_range(w.history.count, 10 + (year - 103 * S) / (60030 * MS),
			11 + (year - 102 * S) / (60030 * MS));
	w.history.count = UINT32_MAX;
	run(&w, 0, 1, 0);
	assert_int_equal(w.history.count, UINT32_MAX);
}

static void on_failure_counts(void **state)
{
	struct world w = {.rule = {.policy = RESTART_ON_FAILURE, .max = 3}};

	for (int i = 0; i < 3; i++)
		assert_int_not_equal(run(&w, 20 * S, 1, 0), 0);
	assert_int_equal(run(&w, 20 * S, 1, 0), 0);
	assert_int_equal(w.history.count, 3);
	w.history.count = 0;
	assert_int_equal(run(&w, 0, 0, 0), 0);
}

static void rules(void **state)
{
	static const struct {
		enum restart_policy policy;
		int code;
		unsigned marks;
		bool again, at_boot;
	} cases[] = {
		{RESTART_NO, 1, 0, false, false},
		{RESTART_ALWAYS, 0, 0, true, true},
		{RESTART_ALWAYS, 0, RESTART_MARK_STOPPED, true, true},
		{RESTART_ALWAYS, 137, RESTART_MARK_STOPPED | RESTART_MARK_CANCELED, false, true},
		{RESTART_UNLESS_STOPPED, 0, 0, true, true},
		{RESTART_UNLESS_STOPPED, 1, RESTART_MARK_STOPPED, false, false},
		{RESTART_UNLESS_STOPPED, 1, RESTART_MARK_CANCELED, false, true},
		{RESTART_ON_FAILURE, 0, 0, false, false},
		{RESTART_ON_FAILURE, 255, 0, true, true},
		{RESTART_ON_FAILURE, 143, RESTART_MARK_STOPPED | RESTART_MARK_CANCELED, false,
		 true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct restart_rule rule = {.policy = cases[i].policy};
		const struct restart_history none = {};

		if (restart_rule_wants(&rule, &none, cases[i].code, cases[i].marks) !=
			    cases[i].again ||
		    restart_rule_wants_at_boot(&rule, &none, cases[i].code, cases[i].marks) !=
			    cases[i].at_boot)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_to_a_minute),
		cmocka_unit_test(a_run_of_ten_seconds_begins_anew),
		cmocka_unit_test(a_year_of_failures),
		cmocka_unit_test(on_failure_counts),
		cmocka_unit_test(rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
