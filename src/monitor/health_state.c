/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's rules, as its documentation of HEALTHCHECK states them and as it behaves: a first
 * success ends the start period early, and whoever was healthy once is never "starting" again.
 */
#include "monitor/health_state.h"

#include "base/mem.h"

#include <string.h>

#define MS_NS	  1000000ULL
#define SECOND_NS (1000 * MS_NS)

#define INTERVAL_NS	  (30 * SECOND_NS)
#define TIMEOUT_NS	  (30 * SECOND_NS)
#define START_INTERVAL_NS (5 * SECOND_NS)
#define RETRIES		  3

static const char *const statuses[N_HEALTH_STATUSES] = {
	[HEALTH_NONE] = "none",
	[HEALTH_STARTING] = "starting",
	[HEALTH_HEALTHY] = "healthy",
	[HEALTH_UNHEALTHY] = "unhealthy",
};

static const char *const actions[N_HEALTH_ACTIONS] = {
	[HEALTH_ACTION_NONE] = "none",
	[HEALTH_ACTION_KILL] = "kill",
	[HEALTH_ACTION_STOP] = "stop",
	[HEALTH_ACTION_RESTART] = "restart",
};

const char *health_status_name(enum health_status status)
{
	return statuses[status];
}

enum health_status health_status_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (strcmp(statuses[i], name) == 0)
			return (enum health_status)i;
	return HEALTH_NONE;
}

const char *health_action_name(enum health_action action)
{
	return actions[action];
}

int health_action_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i], name) == 0)
			return (int)i;
	return -1;
}

static void complete(uint64_t *value, uint64_t standard)
{
	if (*value == 0)
		*value = standard;
	else if (*value < MS_NS)
		*value = MS_NS;
}

void health_rule_complete(struct health_rule *rule)
{
	complete(&rule->interval_ns, INTERVAL_NS);
	complete(&rule->timeout_ns, TIMEOUT_NS);
	complete(&rule->start_interval_ns, START_INTERVAL_NS);
	if (rule->retries == 0)
		rule->retries = RETRIES;
}

uint64_t health_next_ns(const struct health_rule *rule, const struct health_state *state,
			uint64_t ran_ns)
{
	bool is_early = state->status == HEALTH_STARTING && ran_ns < rule->start_period_ns;

	return is_early ? rule->start_interval_ns : rule->interval_ns;
}

bool health_add_result(const struct health_rule *rule, struct health_state *state, uint64_t ran_ns,
		       bool is_healthy)
{
	enum health_status before = state->status;

	if (is_healthy) {
		*state = (struct health_state){.status = HEALTH_HEALTHY};
		return before != HEALTH_HEALTHY;
	}
	if (before == HEALTH_STARTING && ran_ns < rule->start_period_ns)
		return false;
	if (state->streak < UINT32_MAX)
		state->streak++;
	if (state->streak >= rule->retries)
		state->status = HEALTH_UNHEALTHY;
	return state->status != before;
}
