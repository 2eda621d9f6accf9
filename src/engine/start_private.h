/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_START_PRIVATE_H
#define ENGINE_START_PRIVATE_H
/*
 * What the first start of a container (start.c) and each later one by its own monitor (resume.c)
 * have in common. For these two files only.
 */
#include "engine/event.h"
#include "engine/joins.h"
#include "engine/log_setup.h"
#include "engine/network_plan.h"
#include "engine/start.h"
#include "engine/volume_shared.h"
#include "journal/journal.h"
#include "monitor/health.h"
#include "monitor/monitor.h"
#include "storage/container.h"

#define START_ARGV_MAX 12

/* What a monitor needs of its starter; of the first start it lives in both after the fork. */
struct start_ctx {
	struct engine *engine;
	const struct container_made *made;
	struct container_start *start;
	struct joins joins;
	struct shared_volumes shared;
	struct start_networks *networks; /* the plan's */
	struct port_list ports;		 /* of one that was read back */
	struct strv exposed;
	bool has_changed_ports; /* since its start */
	char *dir;		/* owned */
	char *layers;		/* owned; where layers are */
	char *init;		/* owned; NULL without --init */
	/* Commands that the monitor executes; their strings are the engine's, and the two owned
	 * ones below. */
	char *settle[START_ARGV_MAX], *resume[START_ARGV_MAX], *guard[START_ARGV_MAX];
	char *id, *guard_path;
	/* Filled for a container with health checks. */
	char *check[START_ARGV_MAX], *stop[START_ARGV_MAX], *restart[START_ARGV_MAX];
	struct health_config health;
	bool has_health;
	struct log_setup log;
	/* What events say of the container. */
	struct container_record record; /* of one that was read back */
	struct journal_container subject;
	struct monitor_volume *volumes; /* owned */
	size_t n_volumes;
	struct journal journal;
	char journal_dir[EVENT_DIR_MAX];
};

/* Opens what the container joins and makes the plan; in the order given. 0 or -code; end with
 * start_ctx_done in any case. */
int start_ctx_prepare(struct start_ctx *c, int state_dir, int container_dir, struct err *err);
int start_ctx_plan(struct start_ctx *c, const struct start_request *request, struct err *err);
/* Fills in the commands, for container ID. */
void start_ctx_fill_commands(struct start_ctx *c, const char *id);
/* The monitor's configuration for C. */
struct monitor_config start_ctx_config(struct start_ctx *c, const struct start_request *request,
				       int state_dir, int container_dir);
void start_ctx_done(struct start_ctx *c);

/* From here on the container has been started, whatever happens to whoever knows more about it: a
 * power cut, or a monitor that is killed, leaves "nobody knows how it ended". */
int start_write_record(int container_dir, const struct restart_history *history, unsigned marks,
		       struct err *err);

#endif
