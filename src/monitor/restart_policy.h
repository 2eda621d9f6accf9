/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_RESTART_POLICY_H
#define MONITOR_RESTART_POLICY_H
/*
 * Whether a container that has ended is started again, and when. Plain arithmetic: no clock is read
 * here.
 */
#include <stdbool.h>
#include <stdint.h>

#define RESTART_DELAY_MIN_NS 100000000ULL
#define RESTART_DELAY_MAX_NS 60000000000ULL
/* After a run of this length the delay begins anew. */
#define RESTART_LONG_RUN_NS 10000000000ULL

enum restart_policy {
	RESTART_NO,
	RESTART_ALWAYS,
	RESTART_ON_FAILURE,
	RESTART_UNLESS_STOPPED,
	N_RESTART_POLICIES,
};

struct restart_rule {
	enum restart_policy policy;
	uint32_t max; /* on-failure: how often; 0: without limit */
};

/* What came before, since the last start by a person: kept on disk between runs. */
struct restart_history {
	uint32_t count;	   /* docker's RestartCount */
	uint64_t delay_ns; /* the last delay; 0: none yet */
};

/* What a person has said about a container that runs. */
enum restart_mark {
	RESTART_MARK_STOPPED = 1 << 0,	/* stopped by hand: unless-stopped counts it, at boot too */
	RESTART_MARK_CANCELED = 1 << 1, /* this run is the last, whatever the policy */
	RESTART_MARK_KEPT = 1 << 2,	/* --rm: not removed at this end, it is started again */
	RESTART_MARKS_ALL = (1 << 3) - 1,
};

/* Whether a run that ended with EXIT_CODE is followed by another. MARKS of enum restart_mark. */
bool restart_rule_wants(const struct restart_rule *rule, const struct restart_history *history,
			int exit_code, unsigned marks);
/* The same for a container found ended when the machine comes up: nothing said about its last run
 * counts but that it was stopped by hand, and restarts are counted from 0 again only afterwards. */
bool restart_rule_wants_at_boot(const struct restart_rule *rule,
				const struct restart_history *history, int exit_code,
				unsigned marks);
/* Counts one more restart after a run of RAN_NS and sets the delay before it. */
void restart_history_add(struct restart_history *history, uint64_t ran_ns);

#endif
