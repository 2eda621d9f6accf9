/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What results of checks make of a container, under a clock that only the test moves.
 */
#include "../unit.h"

#include "base/mem.h"
#include "monitor/health_state.h"

#include <string.h>

#define S 1000000000ULL

/* Results in order: "+" good, "-" bad; what they lead to after each: s(tarting), h(ealthy),
 * u(nhealthy), with the streak; "!" where the status has changed. The clock goes on by the delay of
 * the rule between them. */
static const struct {
	struct health_rule rule;
	const char *results, *want;
} lives[] = {
	{{}, "+", "h0!"},
	{{}, "---", "s1 s2 u3!"},
	{{}, "----+", "s1 s2 u3! u4 h0!"},
	{{}, "+--+---", "h0! h1 h2 h0 h1 h2 u3!"},
	{{.retries = 1}, "-+-", "u1! h0! u1!"},
	/* Three seconds: checks at 1, 2, 3. The one at 3 counts. */
	{{.retries = 1, .start_period_ns = 3 * S, .start_interval_ns = S}, "---", "s0 s0 u1!"},
	/* A success ends the period, and failures count from then. */
	{{.retries = 2, .start_period_ns = 3600 * S, .start_interval_ns = S},
	 "--+--",
	 "s0 s0 h0! h1 u2!"},
	/* The period is over before the first check. */
	{{.retries = 2, .start_period_ns = 1, .interval_ns = S}, "--", "s1 u2!"},
};

static void statuses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct health_rule rule = lives[i].rule;
		struct health_state now = {.status = HEALTH_STARTING};
		const char *want = lives[i].want;
		uint64_t clock = 0;

		health_rule_complete(&rule);
		for (const char *p = lives[i].results; *p; p++) {
			bool is_other = false;

			clock += health_next_ns(&rule, &now, clock);
			is_other = health_add_result(&rule, &now, clock, *p == '+');
			assert_int_equal(health_status_name(now.status)[0], want[0]);
			assert_int_equal(now.streak, want[1] - '0');
			assert_int_equal(is_other, want[2] == '!');
			want += strcspn(want, " ");
			want += *want == ' ';
		}
		assert_string_equal(want, "");
	}
}

static void defaults(void **state)
{
	struct health_rule rule = {};

	health_rule_complete(&rule);
	assert_int_equal(rule.interval_ns, 30 * S);
	assert_int_equal(rule.timeout_ns, 30 * S);
	assert_int_equal(rule.start_period_ns, 0);
	assert_int_equal(rule.start_interval_ns, 5 * S);
	assert_int_equal(rule.retries, 3);
}

/* An image may say anything: a container must not be checked without a pause. */
static void floors(void **state)
{
	struct health_rule rule = {.interval_ns = 1, .timeout_ns = 1, .start_interval_ns = 999999};

	health_rule_complete(&rule);
	assert_int_equal(rule.interval_ns, 1000000);
	assert_int_equal(rule.timeout_ns, 1000000);
	assert_int_equal(rule.start_interval_ns, 1000000);
}

static void intervals(void **state)
{
	const struct health_rule rule = {
		.interval_ns = 30 * S, .start_period_ns = 60 * S, .start_interval_ns = 2 * S};
	struct health_state now = {.status = HEALTH_STARTING};

	assert_int_equal(health_next_ns(&rule, &now, 0), 2 * S);
	assert_int_equal(health_next_ns(&rule, &now, 60 * S - 1), 2 * S);
	assert_int_equal(health_next_ns(&rule, &now, 60 * S), 30 * S);
	now.status = HEALTH_HEALTHY;
	assert_int_equal(health_next_ns(&rule, &now, 0), 30 * S);
}

static void streaks_end(void **state)
{
	const struct health_rule rule = {.retries = UINT32_MAX};
	struct health_state now = {.status = HEALTH_HEALTHY, .streak = UINT32_MAX - 1};

	assert_true(health_add_result(&rule, &now, 0, false));
	assert_false(health_add_result(&rule, &now, 0, false));
	assert_int_equal(now.streak, UINT32_MAX);
}

static void names(void **state)
{
	for (int i = 0; i < N_HEALTH_STATUSES; i++)
		assert_int_equal(health_status_parse(health_status_name((enum health_status)i)), i);
	for (int i = 0; i < N_HEALTH_ACTIONS; i++)
		assert_int_equal(health_action_parse(health_action_name((enum health_action)i)), i);
	assert_int_equal(health_status_parse(""), HEALTH_NONE);
	assert_int_equal(health_action_parse("reboot"), -1);
	assert_int_equal(health_action_parse(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),    cmocka_unit_test(defaults),
		cmocka_unit_test(floors),      cmocka_unit_test(intervals),
		cmocka_unit_test(streaks_end), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
