/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of `ps --filter`: a table of keys, each with the check of its values and the test of a
 * container. The stored JSON is parsed only for keys that cannot be answered from the row.
 */
#include "engine/list_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "engine/network_plan.h"
#include "engine/port_text.h"
#include "network/live.h"
#include "storage/container.h"
#include "json/pattern.h"
#include "json/value.h"

#define MAX_STORED ((size_t)8 << 20)

/* What a test may look at; the trees are parsed when the first test wants them. */
struct subject {
	const struct container_row *row;
	const struct container_state *state;
	json_t *labels, *config, *host, *extra; /* owned */
	const struct engine *engine;
	struct live_network live; /* owned */
	bool is_live_read;
};

struct filter_key {
	const char *name;
	int (*check)(const char *value, struct err *err); /* NULL: anything goes */
	bool (*test)(struct subject *s,
		     const char *value); /* NULL: not a matter of one container */
	/* Instead of `test` where values are expressions. */
	bool (*test_patterns)(struct subject *s, struct pattern_set *patterns);
	bool needs_json;
	bool match_every; /* all values must hold, not one of them */
};

/* ---- checks ---- */

static int check_status(const char *value, struct err *err)
{
	static const char *const states[] = {"paused", "restarting", "removing", "running",
					     "dead",   "created",    "exited"};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], value) == 0)
			return 0;
	return err_set(err, ERR_INVALID, "invalid filter 'status=%s'", value);
}

static int check_health(const char *value, struct err *err)
{
	static const char *const states[] = {"none", "starting", "healthy", "unhealthy"};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], value) == 0)
			return 0;
	return err_set(err, ERR_INVALID, "invalid filter 'health=%s'", value);
}

static int check_exited(const char *value, struct err *err)
{
	int code = 0;

	if (num_parse_int(*value == '+' ? value + 1 : value, &code) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "strconv.Atoi: parsing \"%s\": invalid syntax", value);
}

static int check_bool(const char *value, struct err *err)
{
	bool on = false;

	if (num_parse_bool(value, &on) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "invalid filter 'is-task=[%s]'", value);
}

/* "80", "80/udp" or "80-90/tcp" of the filter NAME. */
static int parse_ports(const char *name, const char *value, struct port_range *ret,
		       const char **ret_proto, struct err *err)
{
	cleanup_free char *ports = port_split_proto(value, ret_proto);

	if (port_range_parse(ports, ret, err) < 0)
		return err_wrap(err, "error while looking up for %s %s", name, value);
	return 0;
}

static int check_publish(const char *value, struct err *err)
{
	struct port_range range;
	const char *proto = NULL;

	return parse_ports("publish", value, &range, &proto, err);
}

static int check_expose(const char *value, struct err *err)
{
	struct port_range range;
	const char *proto = NULL;

	return parse_ports("expose", value, &range, &proto, err);
}

/* ---- tests ---- */

static json_t *parsed(json_t **tree, const char *text)
{
	struct err ignored = ERR_INIT;

	if (!*tree && text)
		json_parse(text, strlen(text), MAX_STORED, "container", tree, &ignored);
	return *tree;
}

/* No expression, and not "": `rm -f $(ps -aq -f id=$UNSET)` must not mean everybody. */
static bool test_id(struct subject *s, const char *value)
{
	return *value && str_has_prefix(s->row->id, value);
}

static bool test_name(struct subject *s, struct pattern_set *patterns)
{
	cleanup_free char *slashed = NULL;

	if (pattern_set_matches(patterns, s->row->name))
		return true;
	slashed = str_printf("/%s", s->row->name);
	return pattern_set_matches(patterns, slashed);
}

static bool test_label(struct subject *s, const char *value)
{
	size_t len = strcspn(value, "=");
	cleanup_free char *key = str_ndup(value, len);
	const char *label = NULL;

	/* Most containers have none of the labels that are asked for. */
	if (!strstr(s->row->labels, key) && !strpbrk(key, "\"\\/"))
		return false;
	label = json_string_value(json_object_get(parsed(&s->labels, s->row->labels), key));
	return label && (!value[len] || strcmp(label, value + len + 1) == 0);
}

static bool test_exited(struct subject *s, const char *value)
{
	int code = 0;

	num_parse_int(*value == '+' ? value + 1 : value, &code);
	return !container_is_running(s->state) && s->state->started_ns &&
	       s->state->exit_code == code;
}

static bool test_status(struct subject *s, const char *value)
{
	return strcmp(container_status_name(s->state->status), value) == 0;
}

static bool test_network(struct subject *s, const char *value)
{
	cleanup_strv struct strv names = STRV_INIT;

	network_names_read(s->row->network_mode, s->row->networks ? s->row->networks : "", &names);
	/* Ids match by their beginning, which the empty value is, too. */
	return *value ? strv_has(&names, value) : names.n > 0;
}

/* A volume's name, a mount's source or its target. */
static bool test_volume(struct subject *s, const char *value)
{
	json_t *mounts = json_object_get(parsed(&s->extra, s->row->extra), "Mounts");
	json_t *host = mounts ? NULL : parsed(&s->host, s->row->host);
	json_t *item = NULL;
	size_t i = 0;

	json_array_foreach (mounts, i, item)
		if (strcmp(json_get_string(item, "Name", ""), value) == 0 ||
		    strcmp(json_get_string(item, "Source", ""), value) == 0 ||
		    strcmp(json_get_string(item, "Destination", ""), value) == 0)
			return true;
	/* Of a container that was made before its mounts were kept: */
	json_array_foreach (json_object_get(host, "Binds"), i, item) {
		cleanup_strv struct strv parts = STRV_INIT;

		strv_split(&parts, json_string_value(item) ? json_string_value(item) : "", ':');
		if (strcmp(parts.items[0], value) == 0 ||
		    (parts.n > 1 && strcmp(parts.items[1], value) == 0))
			return true;
	}
	json_array_foreach (json_object_get(host, "Mounts"), i, item)
		if (strcmp(json_get_string(item, "Source", ""), value) == 0 ||
		    strcmp(json_get_string(item, "Target", ""), value) == 0)
			return true;
	return false;
}

/* What the container has of networks; nothing unless it runs. */
static const struct live_network *live_of(struct subject *s)
{
	cleanup_close int dir = -1;
	struct err ignored = ERR_INIT;

	if (s->is_live_read || !container_is_running(s->state))
		return &s->live;
	s->is_live_read = true;
	dir = engine_open_run_dir(s->engine, s->row->id, false);
	if (dir >= 0)
		live_network_read(dir, &s->live, &ignored);
	return &s->live;
}

/* Published ports are exposed, too. */
static bool test_expose(struct subject *s, const char *value)
{
	const struct live_network *live = live_of(s);
	json_t *exposed = NULL;
	struct err ignored = ERR_INIT;
	struct port_range range = {};
	const char *proto = NULL;

	if (parse_ports("expose", value, &range, &proto, &ignored) < 0 || !live->n_endpoints)
		return false;
	exposed = json_object_get(parsed(&s->config, s->row->config), "ExposedPorts");
	for (uint32_t port = range.first; port <= range.last; port++) {
		char key[32];

		snprintf(key, sizeof(key), "%u/%s", (unsigned)port, proto);
		if (json_object_get(exposed, key))
			return true;
	}
	for (size_t i = 0; i < live->n_ports; i++)
		if (live->ports[i].container_port >= range.first &&
		    live->ports[i].container_port <= range.last &&
		    strcmp(live->ports[i].proto, proto) == 0)
			return true;
	return false;
}

static bool test_publish(struct subject *s, const char *value)
{
	const struct live_network *live = live_of(s);
	struct err ignored = ERR_INIT;
	struct port_range range = {};
	const char *proto = NULL;

	if (parse_ports("publish", value, &range, &proto, &ignored) < 0)
		return false;
	for (size_t i = 0; i < live->n_ports; i++)
		if (live->ports[i].host_port && live->ports[i].host_port >= range.first &&
		    live->ports[i].host_port <= range.last &&
		    strcmp(live->ports[i].proto, proto) == 0)
			return true;
	return false;
}

static bool test_health(struct subject *s, const char *value)
{
	return strcmp(health_status_name(s->state->health), value) == 0;
}

/* Tasks belong to swarms. */
static bool test_task(struct subject *s, const char *value)
{
	bool on = false;

	num_parse_bool(value, &on);
	return !on;
}

/* Of Windows; on Linux docker takes it for true. */
static bool test_isolation(struct subject *s, const char *value)
{
	return true;
}

static const struct filter_key keys[] = {
	[FILTER_ID] = {"id", NULL, test_id},
	[FILTER_NAME] = {"name", .test_patterns = test_name},
	[FILTER_LABEL] = {"label", NULL, test_label, .match_every = true},
	[FILTER_EXITED] = {"exited", check_exited, test_exited},
	[FILTER_STATUS] = {"status", check_status, test_status},
	[FILTER_ANCESTOR] = {"ancestor"},
	[FILTER_BEFORE] = {"before"},
	[FILTER_SINCE] = {"since"},
	[FILTER_VOLUME] = {"volume", NULL, test_volume, .needs_json = true},
	[FILTER_NETWORK] = {"network", NULL, test_network},
	[FILTER_PUBLISH] = {"publish", check_publish},
	[FILTER_EXPOSE] = {"expose", check_expose, .needs_json = true},
	[FILTER_HEALTH] = {"health", check_health, test_health},
	[FILTER_IS_TASK] = {"is-task", check_bool, test_task},
	[FILTER_ISOLATION] = {"isolation", NULL, test_isolation},
};
_Static_assert(ARRAY_LEN(keys) == N_FILTERS, "one row for each key");

/* ---- the filter ---- */

struct list_filter *list_filter_new(void)
{
	return mem_zalloc(sizeof(struct list_filter));
}

void list_filter_free(struct list_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < N_FILTERS; i++) {
		strv_done(&filter->values[i]);
		pattern_set_free(filter->patterns[i]);
	}
	free(filter);
}

void list_filter_cleanup(struct list_filter **filter)
{
	list_filter_free(*filter);
	*filter = NULL;
}

int list_filter_add(struct list_filter *filter, const char *condition, struct err *err)
{
	size_t len = strcspn(condition, "=");
	const char *value = condition[len] ? condition + len + 1 : "";

	for (size_t i = 0; i < N_FILTERS; i++) {
		if (strlen(keys[i].name) != len || strncmp(keys[i].name, condition, len) != 0)
			continue;
		if (keys[i].check && keys[i].check(value, err) < 0)
			return -err->code;
		strv_add(&filter->values[i], value);
		if (keys[i].test_patterns && !filter->patterns[i])
			filter->patterns[i] = pattern_set_new();
		if (keys[i].test_patterns)
			pattern_set_add(filter->patterns[i], value);
		return 0;
	}
	return err_set(err, ERR_INVALID, "invalid filter '%.*s'", (int)len, condition);
}

void list_filter_find_networks(struct list_filter *filter, struct engine *engine)
{
	struct strv *values = &filter->values[FILTER_NETWORK];
	/* Names that are added are not looked at again. */
	size_t n = values->n;

	for (size_t i = 0; i < n; i++) {
		cleanup_network struct network network = {};
		struct err ignored = ERR_INIT;

		if (*values->items[i] &&
		    engine_find_network(engine, values->items[i], &network, &ignored) == 0)
			strv_add(values, network.name);
	}
}

bool list_filter_needs_json(const struct list_filter *filter)
{
	for (size_t i = 0; i < N_FILTERS; i++)
		if (keys[i].needs_json && filter->values[i].n)
			return true;
	return false;
}

static bool key_matches(const struct filter_key *key, const struct strv *values, struct subject *s)
{
	strv_foreach (i, values)
		if (key->test(s, values->items[i]) != key->match_every)
			return !key->match_every;
	return key->match_every || values->n == 0;
}

/* One port of either filter is enough. */
static bool ports_match(const struct list_filter *filter, struct subject *s)
{
	const struct strv *published = &filter->values[FILTER_PUBLISH];
	const struct strv *exposed = &filter->values[FILTER_EXPOSE];

	strv_foreach (i, published)
		if (test_publish(s, published->items[i]))
			return true;
	strv_foreach (i, exposed)
		if (test_expose(s, exposed->items[i]))
			return true;
	return published->n == 0 && exposed->n == 0;
}

bool list_filter_matches(const struct list_filter *filter, const struct engine *engine,
			 const struct container_row *row, const struct container_state *state)
{
	struct subject s = {.row = row, .state = state, .engine = engine};
	bool ok = true;

	for (size_t i = 0; ok && i < N_FILTERS; i++)
		if (filter->patterns[i])
			ok = keys[i].test_patterns(&s, filter->patterns[i]);
		else if (keys[i].test && filter->values[i].n)
			ok = key_matches(&keys[i], &filter->values[i], &s);
	ok = ok && ports_match(filter, &s);
	json_decref(s.labels);
	json_decref(s.extra);
	json_decref(s.config);
	json_decref(s.host);
	live_network_done(&s.live);
	return ok;
}
