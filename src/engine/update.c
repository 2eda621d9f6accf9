/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: merge what was said into the limits that the container has, check the whole as a start
 * would, then put it where it counts.
 */
#include "engine/update.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/configure.h"
#include "engine/create.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/pending.h"
#include "engine/publish_live.h"
#include "monitor/client.h"
#include "sys/cgroup_live.h"
#include "sys/process.h"
#include "json/value.h"

#include <fcntl.h>
#include <unistd.h>

#define CONFIG_NAME  "config.json"
#define TELL_NS	     5000000000ULL
#define TELL_POLL_US 2000

/* Which limits were said, by the files they share: one of a group is never written without the
 * others. */
struct changes {
	bool memory, cpu, cpuset, pids, block_io;
};

struct update {
	struct engine *engine;
	const struct container_spec *spec;
	struct container_record record;
	struct container_state state;
	struct container_made made; /* its config becomes the new one */
	struct changes changes;
	const struct port_list *unpublish;
	struct plan *plan;
	struct port_outcome ports;
};

/* ---- before any container ---- */

static bool is_said(const char *text)
{
	return text && *text;
}

/* The limits of SPEC as a start takes them; RET needs oci_config_done. */
static int read_limits(const struct container_spec *spec, struct oci_runtime_config *ret,
		       struct err *err)
{
	struct container_spec view = *spec; /* a view: nothing inside is freed */
	int rc = 0;

	/* The limit of memory may be one that the container has. */
	if (view.memory == 0)
		view.memory_swap = 0;
	rc = spec_validate(&view, err);
	if (rc == 0)
		rc = configure_limits(&view, ret, err);
	if (rc < 0)
		return rc;
	if (spec->memory_swap)
		ret->limits.memory_swap = (struct cgroup_limit){spec->memory_swap, LIMIT_USER};
	/* 0 is none asked for; without any is -1. */
	if (!spec->has_pids_limit || spec->pids_limit == 0)
		ret->limits.pids = (struct cgroup_limit){};
	return 0;
}

int engine_update_check(const struct container_spec *spec, struct err *err)
{
	cleanup_oci_config struct oci_runtime_config asked = {};

	return read_limits(spec, &asked, err);
}

/* ---- merging ---- */

static int conflict(const char *what, const char *with, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "Conflicting options: %s cannot be updated as %s has already been set", what,
		       with);
}

static int check_cpu(const struct cgroup_limits *now, const struct cgroup_limits *asked,
		     struct err *err)
{
	if (asked->nano_cpus.value > 0 && now->cpu_period.value > 0)
		return conflict("Nano CPUs", "CPU Period", err);
	if (asked->nano_cpus.value > 0 && now->cpu_quota.value > 0)
		return conflict("Nano CPUs", "CPU Quota", err);
	if (asked->cpu_period.value > 0 && now->nano_cpus.value > 0)
		return conflict("CPU Period", "NanoCPUs", err);
	if (asked->cpu_quota.value > 0 && now->nano_cpus.value > 0)
		return conflict("CPU Quota", "NanoCPUs", err);
	return 0;
}

/* What -m alone had implied becomes a limit of its own, which a later -m does not move. */
static void settle_swap(struct cgroup_limits *now)
{
	if (now->memory.value > 0 && now->memory_swap.value == 0)
		now->memory_swap = (struct cgroup_limit){2 * now->memory.value, LIMIT_IMPLIED};
}

static int check_memory(const struct cgroup_limits *now, const struct cgroup_limits *asked,
			struct err *err)
{
	if (asked->memory.value > 0 && asked->memory.value > now->memory_swap.value &&
	    asked->memory_swap.value == 0)
		return err_set(err, ERR_CONFLICT,
			       "Memory limit should be smaller than already set memoryswap limit, "
			       "update the memoryswap at the same time");
	return 0;
}

static bool take_limit(const struct cgroup_limit *from, struct cgroup_limit *to)
{
	if (from->source == LIMIT_UNSET)
		return false;
	*to = *from;
	return true;
}

static bool take_text(const char *from, char **to)
{
	if (!is_said(from))
		return false;
	str_replace(to, from);
	return true;
}

static void merge(const struct cgroup_limits *asked, struct cgroup_limits *now, struct changes *ret)
{
	ret->memory = take_limit(&asked->memory, &now->memory);
	ret->memory |= take_limit(&asked->memory_swap, &now->memory_swap);
	ret->memory |= take_limit(&asked->reservation, &now->reservation);
	ret->cpu = take_limit(&asked->nano_cpus, &now->nano_cpus);
	ret->cpu |= take_limit(&asked->cpu_shares, &now->cpu_shares);
	ret->cpu |= take_limit(&asked->cpu_quota, &now->cpu_quota);
	ret->cpu |= take_limit(&asked->cpu_period, &now->cpu_period);
	ret->pids = take_limit(&asked->pids, &now->pids);
	ret->block_io = take_limit(&asked->blkio_weight, &now->blkio_weight);
	ret->cpuset = take_text(asked->cpuset_cpus, &now->cpuset_cpus);
	ret->cpuset |= take_text(asked->cpuset_mems, &now->cpuset_mems);
}

static int merge_limits(struct update *u, struct err *err)
{
	cleanup_oci_config struct oci_runtime_config asked = {};
	struct cgroup_limits *now = &u->made.config.limits;
	int rc = read_limits(u->spec, &asked, err);

	if (rc == 0)
		rc = check_cpu(now, &asked.limits, err);
	settle_swap(now);
	if (rc == 0)
		rc = check_memory(now, &asked.limits, err);
	if (rc < 0)
		return rc;
	merge(&asked.limits, now, &u->changes);
	return cgroup_limits_check(now, err);
}

static int check_restart(const struct update *u, struct err *err)
{
	if (!is_said(u->spec->restart_name) || u->spec->restart == RESTART_NO ||
	    !u->record.row.auto_remove)
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "Restart policy cannot be updated because AutoRemove is enabled for the "
		       "container");
}

/* ---- while it runs ---- */

/* The part of ALL that CHANGES are about; borrowed from it. */
static struct cgroup_limits select_limits(const struct cgroup_limits *all, struct changes changes)
{
	struct cgroup_limits some = {};

	if (changes.memory) {
		some.memory = all->memory;
		some.memory_swap = all->memory_swap;
		some.reservation = all->reservation;
	}
	if (changes.cpu) {
		some.nano_cpus = all->nano_cpus;
		some.cpu_shares = all->cpu_shares;
		some.cpu_quota = all->cpu_quota;
		some.cpu_period = all->cpu_period;
	}
	if (changes.cpuset) {
		some.cpuset_cpus = all->cpuset_cpus;
		some.cpuset_mems = all->cpuset_mems;
	}
	if (changes.pids)
		some.pids = all->pids;
	if (changes.block_io)
		some.blkio_weight = all->blkio_weight;
	return some;
}

static int apply(struct engine *engine, const struct container_state *state,
		 const struct oci_runtime_config *config, struct changes changes,
		 struct strv *warnings, struct err *err)
{
	const struct cgroup_layout *layout = engine_get_cgroups(engine);
	struct cgroup_limits some = select_limits(&config->limits, changes);
	int rc = 0;

	if (!container_has_process(state))
		return 0;
	rc = cgroup_update(layout, config->cgroup, &some, warnings, err);
	if (process_is_alive(state->pid, state->start_time))
		return rc;
	/* It has just ended, and may have left us a directory that was made for it. */
	cgroup_remove(layout, config->cgroup, 0);
	err_clear(err);
	return 0;
}

/* ---- on record ---- */

static int write_config(const struct update *u, struct err *err)
{
	cleanup_close int dir = engine_open_container_dir(u->engine, u->made.id);
	cleanup_free char *text = oci_config_format(&u->made.config);
	int rc = dir < 0 ? dir
			 : fd_replace_file_at(dir, CONFIG_NAME, text, strlen(text), 0600, true);

	return rc < 0 ? err_sys(err, -rc, "write the configuration") : 0;
}

static void set_number(json_t *host, const char *key, const struct cgroup_limit *limit)
{
	if (limit->source != LIMIT_UNSET)
		json_object_set_new(host, key, json_integer(limit->value));
}

/* LIMITS as members of docker's HostConfig; what is unset stays as it stands there. */
static void describe_limits(const struct cgroup_limits *limits, json_t *host)
{
	set_number(host, "CpuShares", &limits->cpu_shares);
	set_number(host, "Memory", &limits->memory);
	set_number(host, "NanoCpus", &limits->nano_cpus);
	set_number(host, "BlkioWeight", &limits->blkio_weight);
	set_number(host, "CpuPeriod", &limits->cpu_period);
	set_number(host, "CpuQuota", &limits->cpu_quota);
	set_number(host, "MemoryReservation", &limits->reservation);
	set_number(host, "MemorySwap", &limits->memory_swap);
	if (limits->pids.source == LIMIT_USER)
		json_object_set_new(host, "PidsLimit",
				    json_integer(limits->pids.value > 0 ? limits->pids.value : 0));
	if (limits->cpuset_cpus)
		json_set_text(host, "CpusetCpus", limits->cpuset_cpus);
	if (limits->cpuset_mems)
		json_set_text(host, "CpusetMems", limits->cpuset_mems);
}

static void describe_restart(const struct container_spec *spec, json_t *host)
{
	json_t *policy = json_object_get(host, "RestartPolicy");

	json_set_text(policy, "Name", spec->restart_name);
	json_object_set_new(policy, "MaximumRetryCount", json_integer(spec->restart_max));
}

/* The HostConfig of the index, made to say what CONFIG says, and U (or NULL) of restarts and ports.
 */
static int write_index(struct engine *engine, const struct container_record *record,
		       const struct oci_runtime_config *config, const struct update *u,
		       struct err *err)
{
	cleanup_json json_t *host = NULL;
	cleanup_json json_t *shown = NULL;
	cleanup_free char *text = NULL;
	cleanup_free char *shown_text = NULL;
	const struct container_row *row = &record->row;
	int rc = json_parse(row->host, strlen(row->host), SIZE_MAX, "host configuration", &host,
			    err);

	if (rc == 0 && u && u->ports.has_changed)
		rc = json_parse(row->config, strlen(row->config), SIZE_MAX, "configuration", &shown,
				err);
	if (rc < 0)
		return rc;
	describe_limits(&config->limits, host);
	if (u && is_said(u->spec->restart_name))
		describe_restart(u->spec, host);
	if (shown) {
		port_outcome_store(&u->ports, host, shown);
		shown_text = json_dumps(shown, JSON_COMPACT);
	}
	text = json_dumps(host, JSON_COMPACT);
	if (!text || (shown && !shown_text))
		return err_set(err, ERR_SYSTEM, "host configuration: not to be written as JSON");
	if (strcmp(text, row->host) == 0 && !shown_text)
		return 0;
	return container_update_json(engine->store, row->id, shown_text, text, NULL, err);
}

void engine_update_finish(struct engine *engine, const struct container_record *record)
{
	static const struct changes everything = {true, true, true, true, true};
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_strv struct strv warnings = STRV_INIT;
	struct container_state state;
	struct err err = ERR_INIT;
	int rc = engine_load(engine, record->row.id, &made, &err);

	container_state_read(engine, record->row.id, &state);
	if (rc == 0)
		rc = write_index(engine, record, &made.config, NULL, &err);
	if (rc == 0)
		rc = apply(engine, &state, &made.config, everything, &warnings, &err);
	if (container_has_process(&state))
		engine_settle_ports(engine, &record->row);
	if (rc < 0)
		log_debug("finish the update of %.12s: %s", record->row.id, err.msg);
}

/* ---- the restart policy ---- */

/* The monitor has the policy that its run began with; the next run reads what is on record. */
static void tell_monitor(const struct update *u)
{
	const struct container_spec *spec = u->spec;
	uint64_t deadline = clock_mono_ns() + TELL_NS;
	struct container_state state;

	for (;;) {
		cleanup_close int dir = engine_open_run_dir(u->engine, u->made.id, false);
		struct err err = ERR_INIT;

		container_state_read(u->engine, u->made.id, &state);
		if (!container_is_running(&state) || state.monitor_lost)
			return;
		if (dir >= 0 && monitor_client_set_restart(dir, spec->restart,
							   (uint32_t)spec->restart_max, &err) == 0)
			return;
		if (clock_mono_ns() > deadline) {
			log_debug("tell the monitor of %.12s: %s", u->made.id, err.msg);
			return;
		}
		/* Its run ended just now: it may wait for the next. */
		usleep(TELL_POLL_US);
	}
}

/* ---- ports ---- */

static int change_ports(struct update *u, struct err *err)
{
	const struct container_spec *spec = u->spec;
	const struct port_changes changes = {
		.add = spec->ports, .n_add = spec->n_ports, .remove = u->unpublish};

	if (!spec->n_ports && !u->unpublish->n)
		return 0;
	return engine_change_ports(u->engine, &u->record.row, &u->state, &changes, u->plan,
				   &u->ports, err);
}

/* ---- all of it ---- */

static int update_held(struct update *u, struct strv *warnings, struct err *err)
{
	int rc = engine_load(u->engine, u->record.row.id, &u->made, err);

	if (rc == 0)
		rc = check_restart(u, err);
	if (rc == 0)
		rc = merge_limits(u, err);
	if (rc == 0)
		rc = change_ports(u, err);
	if (rc == 0)
		rc = apply(u->engine, &u->state, &u->made.config, u->changes, warnings, err);
	if (rc == 0)
		rc = write_config(u, err);
	if (rc == 0)
		rc = write_index(u->engine, &u->record, &u->made.config, u, err);
	if (rc == 0 && is_said(u->spec->restart_name))
		tell_monitor(u);
	/* On record is still what there was. */
	if (rc < 0 && u->ports.has_changed && container_has_process(&u->state))
		engine_settle_ports(u->engine, &u->record.row);
	return rc < 0 ? err_wrap(err, "Cannot update container %s", u->record.row.id) : 0;
}

static void update_done(struct update *u)
{
	container_record_done(&u->record);
	container_made_done(&u->made);
	port_outcome_done(&u->ports);
}

int engine_update(struct engine *engine, const char *ref, const struct container_spec *spec,
		  const struct port_list *unpublish, struct plan *plan, struct strv *warnings,
		  struct err *err)
{
	cleanup_with(update_done) struct update u = {.engine = engine,
						     .spec = spec,
						     .unpublish = unpublish,
						     .plan = plan,
						     .made = {.pending_fd = -1}};
	char id[ID_LEN + 1];
	int pending = -1;
	int rc = container_lookup_by_ref(engine->store, ref, &u.record, err);

	if (rc < 0)
		return rc;
	memcpy(id, u.record.row.id, sizeof(id));
	container_record_done(&u.record);
	u.record = (struct container_record){};
	pending = pending_wait(engine, id, err);
	if (pending < 0)
		return pending;
	/* What was true before the wait need not be. */
	rc = container_find(engine, id, &u.record, &u.state, err);
	if (rc >= 0)
		rc = update_held(&u, warnings, err);
	if (rc >= 0)
		event_container(engine, &u.record.row, "update", NULL);
	pending_close(engine, id, pending);
	return rc < 0 ? rc : 0;
}
