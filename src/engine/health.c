/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container without checks has no annotation, and costs neither its start nor a list anything.
 */
#include "engine/health.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "monitor/health_log.h"
#include "json/value.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE_MAX      (1 << 20)
#define DURATION_MIN  1000000
#define DEFAULT_SHELL "/bin/sh"

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

/* ---- what was asked for ---- */

struct duration {
	const char *option, *name;
	int64_t ns;
};

enum { N_DURATIONS = 4 };

static void get_durations(const struct health_spec *h, struct duration ret[static N_DURATIONS])
{
	const struct duration durations[N_DURATIONS] = {
		{"--health-interval", "Interval", h->interval_ns},
		{"--health-timeout", "Timeout", h->timeout_ns},
		{"--health-start-period", "StartPeriod", h->start_period_ns},
		{"--health-start-interval", "StartInterval", h->start_interval_ns},
	};

	memcpy(ret, durations, sizeof(durations));
}

static bool is_said(const struct health_spec *h)
{
	return (h->command && *h->command) || h->interval_ns || h->timeout_ns ||
	       h->start_period_ns || h->start_interval_ns || h->retries;
}

int health_validate_usage(const struct container_spec *spec, struct err *err)
{
	const struct health_spec *h = &spec->health;
	struct duration durations[N_DURATIONS];

	if (h->on_failure && health_action_parse(h->on_failure) < 0)
		return fail("invalid --health-on-failure '%s'; use one of 'none', 'kill', 'stop', "
			    "or 'restart'",
			    h->on_failure);
	if (h->disabled && is_said(h))
		return fail("--no-healthcheck conflicts with --health-* options");
	get_durations(h, durations);
	for (size_t i = 0; i < N_DURATIONS; i++)
		if (durations[i].ns < 0)
			return fail("%s cannot be negative", durations[i].option);
	return h->retries < 0 ? fail("--health-retries cannot be negative") : 0;
}

int health_validate(const struct container_spec *spec, struct err *err)
{
	struct duration durations[N_DURATIONS];

	get_durations(&spec->health, durations);
	for (size_t i = 0; i < N_DURATIONS; i++)
		if (durations[i].ns && durations[i].ns < DURATION_MIN)
			return fail("%s in Healthcheck cannot be less than 1ms", durations[i].name);
	return 0;
}

static enum health_action action_of(const struct health_spec *h)
{
	int action = health_action_parse(h->on_failure ? h->on_failure : "none");

	return action > 0 ? (enum health_action)action : HEALTH_ACTION_NONE;
}

static int64_t first_set(int64_t typed, int64_t inherited)
{
	return typed ? typed : inherited;
}

int health_merge(const struct container_spec *spec, const struct image_healthcheck *image,
		 struct image_healthcheck *ret, struct err *err)
{
	const struct health_spec *h = &spec->health;

	ret->is_set = image->is_set || h->disabled || is_said(h);
	if (h->disabled) {
		strv_add(&ret->test, "NONE");
	} else if (h->command && *h->command) {
		strv_add(&ret->test, "CMD-SHELL");
		strv_add(&ret->test, h->command);
	} else {
		strv_add_all(&ret->test, &image->test);
	}
	ret->interval_ns = first_set(h->interval_ns, image->interval_ns);
	ret->timeout_ns = first_set(h->timeout_ns, image->timeout_ns);
	ret->start_period_ns = first_set(h->start_period_ns, image->start_period_ns);
	ret->start_interval_ns = first_set(h->start_interval_ns, image->start_interval_ns);
	ret->retries = first_set(h->retries, image->retries);
	if (action_of(h) == HEALTH_ACTION_NONE || health_is_on(ret))
		return 0;
	fail("--health-on-failure %s: the container has no health check", h->on_failure);
	return err_hint(err, "add --health-cmd, or use an image with a HEALTHCHECK");
}

bool health_is_on(const struct image_healthcheck *check)
{
	return check->test.n > 1 && (strcmp(check->test.items[0], "CMD") == 0 ||
				     strcmp(check->test.items[0], "CMD-SHELL") == 0);
}

/* ---- in the container's configuration ---- */

static json_t *new_args(const struct image_run *run)
{
	const struct strv *test = &run->healthcheck.test;
	cleanup_strv struct strv args = STRV_INIT;

	if (strcmp(test->items[0], "CMD-SHELL") == 0) {
		strv_add_all(&args, &run->shell);
		if (!args.n) {
			strv_add(&args, DEFAULT_SHELL);
			strv_add(&args, "-c");
		}
		strv_add(&args, test->items[1]);
	} else {
		for (size_t i = 1; i < test->n; i++)
			strv_add(&args, test->items[i]);
	}
	return json_new_strv(&args);
}

void health_annotate(const struct container_spec *spec, const struct image_run *run,
		     struct oci_runtime_config *config)
{
	const struct image_healthcheck *check = &run->healthcheck;
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{"interval", check->interval_ns},
		{"timeout", check->timeout_ns},
		{"startPeriod", check->start_period_ns},
		{"startInterval", check->start_interval_ns},
		{"retries", check->retries},
	};
	cleanup_json json_t *note = NULL;
	cleanup_free char *text = NULL;

	if (!health_is_on(check))
		return;
	note = json_object();
	json_object_set_new(note, "args", new_args(run));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		json_object_set_new(note, numbers[i].key, json_integer(numbers[i].value));
	json_object_set_new(note, "action",
			    json_string(health_action_name(action_of(&spec->health))));
	text = json_dumps(note, JSON_COMPACT);
	if (!text)
		abort();
	oci_annotate(config, OCI_NOTE_HEALTH, text);
}

int health_load(const struct oci_runtime_config *config, struct health_rule *ret,
		struct strv *ret_args, struct err *err)
{
	const char *text = oci_annotation(config, OCI_NOTE_HEALTH);
	cleanup_json json_t *note = NULL;
	int64_t retries = 0;
	int action = 0;

	if (!text)
		return 0;
	if (json_parse(text, strlen(text), NOTE_MAX, OCI_NOTE_HEALTH, &note, err) < 0)
		return -err->code;
	retries = json_get_int(note, "retries", 0);
	action = health_action_parse(json_get_string(note, "action", "none"));
	*ret = (struct health_rule){
		.interval_ns = (uint64_t)json_get_int(note, "interval", 0),
		.timeout_ns = (uint64_t)json_get_int(note, "timeout", 0),
		.start_period_ns = (uint64_t)json_get_int(note, "startPeriod", 0),
		.start_interval_ns = (uint64_t)json_get_int(note, "startInterval", 0),
		.retries = retries < UINT32_MAX ? (uint32_t)retries : UINT32_MAX,
		.action = action > 0 ? (enum health_action)action : HEALTH_ACTION_NONE,
	};
	health_rule_complete(ret);
	if (ret_args && (json_get_strv(note, "args", ret_args) < 0 || !ret_args->n))
		return fail(OCI_NOTE_HEALTH ": no command");
	return 1;
}

/* ---- what the monitor has written down ---- */

json_t *health_to_json(const struct engine *engine, const char *id,
		       const struct container_state *state)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	cleanup_str struct str text = STR_INIT;
	enum health_status status = state->health;
	json_t *health = NULL;

	/* Ours, of a bounded size; NUL bytes are the check's output. */
	if (dir >= 0 && fd_read_file_at(dir, HEALTH_FILE_NAME, HEALTH_FILE_MAX, &text) == 0)
		health = json_loadb(str_get(&text), text.len, JSON_ALLOW_NUL, NULL);
	if (!health && status == HEALTH_NONE)
		return NULL;
	if (!health) {
		health = json_object();
		json_object_set_new(health, "Status", json_null());
		json_object_set_new(health, "FailingStreak", json_integer(0));
		json_object_set_new(health, "Log", json_array());
	}
	if (status == HEALTH_NONE)
		status = HEALTH_UNHEALTHY;
	json_set_text(health, "Status", health_status_name(status));
	return health;
}

enum health_status health_read(const struct engine *engine, const char *id,
			       const struct container_state *state)
{
	cleanup_close int dir = -1;

	if (container_has_process(state))
		return state->health;
	dir = engine_open_container_dir(engine, id);
	return dir >= 0 && faccessat(dir, HEALTH_FILE_NAME, F_OK, 0) == 0 ? HEALTH_UNHEALTHY
									  : HEALTH_NONE;
}
