/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's rule (its documentation of --restart, and how it behaves): 100 ms, doubled each time, at
 * most a minute, from the start again after a run of ten seconds.
 */
#include "monitor/restart_policy.h"

bool restart_rule_wants_at_boot(const struct restart_rule *rule,
				const struct restart_history *history, int exit_code,
				unsigned marks)
{
	switch (rule->policy) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_UNLESS_STOPPED:
		return !(marks & RESTART_MARK_STOPPED);
	case RESTART_ON_FAILURE:
		return exit_code != 0 && (rule->max == 0 || history->count < rule->max);
	default:
		return false;
	}
}

bool restart_rule_wants(const struct restart_rule *rule, const struct restart_history *history,
			int exit_code, unsigned marks)
{
	return !(marks & RESTART_MARK_CANCELED) &&
	       restart_rule_wants_at_boot(rule, history, exit_code, marks);
}

void restart_history_add(struct restart_history *history, uint64_t ran_ns)
{
	uint64_t delay = history->delay_ns * 2;

	if (delay == 0 || ran_ns >= RESTART_LONG_RUN_NS)
		delay = RESTART_DELAY_MIN_NS;
	history->delay_ns = delay < RESTART_DELAY_MAX_NS ? delay : RESTART_DELAY_MAX_NS;
	if (history->count < UINT32_MAX)
		history->count++;
}
