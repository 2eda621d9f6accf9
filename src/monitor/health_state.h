/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_HEALTH_STATE_H
#define MONITOR_HEALTH_STATE_H
/*
 * What results of health checks make of a container, and when the next one is due. Plain
 * arithmetic: no clock is read here.
 */
#include <stdbool.h>
#include <stdint.h>

enum health_status {
	HEALTH_NONE, /* no checks */
	HEALTH_STARTING,
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY,
	N_HEALTH_STATUSES,
};

/* What is done to a container that became unhealthy. */
enum health_action {
	HEALTH_ACTION_NONE,
	HEALTH_ACTION_KILL,
	HEALTH_ACTION_STOP,
	HEALTH_ACTION_RESTART,
	N_HEALTH_ACTIONS,
};

/* Zero in any of the first five means docker's default: 30 s, 30 s, none, 5 s, 3. */
struct health_rule {
	uint64_t interval_ns;	    /* from the end of one check to the next */
	uint64_t timeout_ns;	    /* of one check */
	uint64_t start_period_ns;   /* of the container's life, in which failures do not count */
	uint64_t start_interval_ns; /* instead of the interval while it is starting */
	uint32_t retries;	    /* failures in a row that make it unhealthy */
	enum health_action action;
};

struct health_state {
	enum health_status status;
	uint32_t streak; /* failures in a row that counted */
};

/* "starting", "healthy", "unhealthy"; "none". */
const char *health_status_name(enum health_status status);
/* The status of that name; HEALTH_NONE for any other text. */
enum health_status health_status_parse(const char *name);
/* "none", "kill", "stop", "restart". */
const char *health_action_name(enum health_action action);
/* The action of that name; -1 for any other text. */
int health_action_parse(const char *name);

/* Puts the defaults in, and brings what an image may have set too low up to a millisecond. */
void health_rule_complete(struct health_rule *rule);
/* How long to wait for the next check of a container that has run for RAN_NS. */
uint64_t health_next_ns(const struct health_rule *rule, const struct health_state *state,
			uint64_t ran_ns);
/* Takes in the result of a check that began RAN_NS after the container; whether the status is
 * another now. */
bool health_add_result(const struct health_rule *rule, struct health_state *state, uint64_t ran_ns,
		       bool is_healthy);

#endif
