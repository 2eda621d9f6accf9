/* SPDX-License-Identifier: Apache-2.0 */
/* network create, ls, rm and prune; inspect is in cmd_inspect.c. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "plan/plan.h"
#include "json/format.h"
#include "json/pattern.h"
#include "json/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ID 12

/* ---- create ---- */

int cmd_network_create(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_create_options *o = &options->network_create;
	const struct network_request request = {
		.name = cli->args.items[0],
		.driver = o->driver,
		.ipam_driver = o->ipam_driver,
		.scope = o->scope,
		.is_internal = o->internal,
		.is_attachable = o->attachable,
		.is_ipv4 = o->ipv4,
		.is_ipv6 = o->ipv6,
		.subnets = &o->subnets,
		.ranges = &o->ip_ranges,
		.gateways = &o->gateways,
		.aux = &o->aux_addresses,
		.options = &o->options,
		.labels = &o->labels,
		.ipam_options = &o->ipam_options,
	};
	cleanup_engine struct engine engine = {};
	cleanup_with(plan_done) struct plan plan = {};
	char id[ID_LEN + 1];

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 || plan_init(&plan, err) < 0 ||
	    engine_create_network(&engine, &request, &plan, id, err) < 0)
		return -err->code;
	cli_explain(&plan, o->explain, 1U << STEP_HOST);
	puts(id);
	return 0;
}

/* ---- ls ---- */

static const struct format_field fields[] = {
	{"ID", "NETWORK ID"},
	{"Name", "NAME"},
	{"Driver", "DRIVER"},
	{"Scope", "SCOPE"},
	{"IPv4", "IPV4"},
	{"IPv6", "IPV6"},
	{"Internal", "INTERNAL"},
	{"Labels", "LABELS"},
	{"CreatedAt", "CREATED AT"},
	{NULL, NULL},
};
static const char *const columns[] = {"ID", "Name", "Driver", "Scope", NULL};

struct listing {
	struct engine *engine;
	const struct strv *filters;
	bool no_trunc;
	json_t *rows;	/* owned array */
	json_t *labels; /* owned: id to labels */
};

static void listing_done(struct listing *l)
{
	json_decref(l->rows);
	json_decref(l->labels);
}

/* 1 or 0: whether a running container is in it. */
static int note_user(const struct network_user *user, void *data, struct err *err)
{
	*(bool *)data = true;
	return 0;
}

static int passes_dangling(struct listing *l, const struct network *network, const char *value,
			   struct err *err)
{
	bool is_used = network->is_predefined;

	if (!is_used &&
	    engine_list_network_users(l->engine, network->id, note_user, &is_used, err) < 0)
		return -err->code;
	return (strcmp(value, "true") == 0 || strcmp(value, "1") == 0) != is_used;
}

static int passes_driver(struct listing *l, const struct network *network, const char *value,
			 struct err *err)
{
	return strcmp(value, network->driver_name) == 0;
}

static int passes_id(struct listing *l, const struct network *network, const char *value,
		     struct err *err)
{
	return pattern_matches(value, network->id);
}

static int passes_label(struct listing *l, const struct network *network, const char *value,
			struct err *err)
{
	return network_has_label(network, value);
}

static int passes_name(struct listing *l, const struct network *network, const char *value,
		       struct err *err)
{
	return pattern_matches(value, network->name);
}

static int passes_scope(struct listing *l, const struct network *network, const char *value,
			struct err *err)
{
	return strcmp(value, "local") == 0;
}

static int passes_type(struct listing *l, const struct network *network, const char *value,
		       struct err *err)
{
	return (strcmp(value, "builtin") == 0) == network->is_predefined;
}

/* Values of one key are alternatives, labels must all hold. */
static const struct filter_key {
	const char *name;
	int (*passes)(struct listing *l, const struct network *network, const char *value,
		      struct err *err);
	bool wants_all;
} filter_keys[] = {
	{"dangling", passes_dangling}, {"driver", passes_driver}, {"id", passes_id},
	{"label", passes_label, true}, {"name", passes_name},	  {"scope", passes_scope},
	{"type", passes_type},
};

static bool is_key(const struct filter_key *key, const char *filter)
{
	size_t len = strlen(key->name);

	return strncmp(filter, key->name, len) == 0 && filter[len] == '=';
}

static int check_filter(const char *filter, struct err *err)
{
	static const char *const booleans[] = {"true", "1", "false", "0"};
	size_t len = strcspn(filter, "=");
	const char *value = filter + len + (filter[len] == '=');
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(filter_keys); i++)
		found |= is_key(&filter_keys[i], filter);
	if (!found)
		return err_set(err, ERR_INVALID, "Invalid filter '%.*s'", (int)len, filter);
	if (str_has_prefix(filter, "type=") && strcmp(value, "custom") != 0 &&
	    strcmp(value, "builtin") != 0)
		return err_set(err, ERR_INVALID, "invalid filter: 'type'='%s'", value);
	if (!str_has_prefix(filter, "dangling="))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(booleans); i++)
		if (strcmp(booleans[i], value) == 0)
			return 0;
	return err_set(err, ERR_INVALID,
		       "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or "
		       "\"false\" (or \"0\")");
}

static int check_filters(const struct strv *filters, struct err *err)
{
	const char *dangling = NULL;

	strv_foreach (i, filters) {
		const char *filter = filters->items[i];

		if (check_filter(filter, err) < 0)
			return -err->code;
		if (!str_has_prefix(filter, "dangling="))
			continue;
		if (dangling && strcmp(dangling, filter) != 0)
			return err_set(err, ERR_INVALID,
				       "got more than one value for filter key \"dangling\"");
		dangling = filter;
	}
	return 0;
}

/* Whether one key lets NETWORK through. */
static int passes_key(struct listing *l, const struct filter_key *key,
		      const struct network *network, struct err *err)
{
	bool was_asked = false;

	strv_foreach (i, l->filters) {
		const char *filter = l->filters->items[i];
		int rc = 0;

		if (!is_key(key, filter))
			continue;
		was_asked = true;
		rc = key->passes(l, network, filter + strlen(key->name) + 1, err);
		if (rc < 0 || (rc > 0) != key->wants_all)
			return rc;
	}
	return !was_asked || key->wants_all;
}

static json_t *labels_of(const struct network *network)
{
	json_t *labels = json_object();

	strv_foreach (i, &network->labels) {
		const char *pair = network->labels.items[i];
		size_t len = strcspn(pair, "=");
		cleanup_free char *key = str_ndup(pair, len);

		json_set_text(labels, key, pair[len] ? pair + len + 1 : "");
	}
	return labels;
}

/* Owned "2006-01-02 15:04:05.999999999 +0000 UTC". */
static char *created_text(int64_t ns)
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ns, text);
	text[strlen("2006-01-02")] = ' ';
	return str_printf("%.*s +0000 UTC", (int)strcspn(text, "Z"), text);
}

static void set_bool(json_t *row, const char *key, bool value)
{
	json_set_text(row, key, value ? "true" : "false");
}

static void add_row(struct listing *l, const struct network *network)
{
	json_t *row = json_object();
	char *id = str_ndup(network->id, l->no_trunc ? ID_LEN : SHORT_ID);

	json_object_set_new(l->labels, id, labels_of(network));
	json_set_text_take(row, "CreatedAt", created_text(network->created_ns));
	json_set_text(row, "Driver", network->driver_name);
	json_set_text_take(row, "ID", id);
	set_bool(row, "IPv4", network->is_ipv4);
	set_bool(row, "IPv6", network->is_ipv6);
	set_bool(row, "Internal", network->is_internal);
	json_set_text_take(row, "Labels", strv_join(&network->labels, ","));
	json_set_text(row, "Name", network->name);
	json_set_text(row, "Scope", "local");
	json_array_append_new(l->rows, row);
}

static int list_network(const struct network *network, void *data, struct err *err)
{
	struct listing *l = data;

	for (size_t i = 0; i < ARRAY_LEN(filter_keys); i++) {
		int rc = passes_key(l, &filter_keys[i], network, err);

		if (rc <= 0)
			return rc;
	}
	add_row(l, network);
	return 0;
}

static int call_label(void *data, const json_t *receiver, const char *name, const json_t *args,
		      json_t **ret, struct err *err)
{
	const struct listing *l = data;

	return list_call_label(json_object_get(l->labels, json_get_string(receiver, "ID", "")),
			       name, args, ret, err);
}

int cmd_network_ls(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_ls_options *o = &options->network_ls;
	cleanup_engine struct engine engine = {};
	cleanup_free char *format = list_format_choose(cli, o->format, "networksFormat", o->quiet);
	cleanup_json json_t *sorted = NULL;
	cleanup_with(listing_done) struct listing l = {.engine = &engine,
						       .filters = &o->filters,
						       .no_trunc = o->no_trunc,
						       .rows = json_array(),
						       .labels = json_object()};
	const struct format_spec spec = {.fields = fields,
					 .columns = columns,
					 .quiet = "ID",
					 .raw = "network_id: {{.ID}}\nname: {{.Name}}\n"
						"driver: {{.Driver}}\nscope: {{.Scope}}\n",
					 .raw_quiet = "network_id: {{.ID}}",
					 .go_type = "*network.networkContext",
					 .call = call_label,
					 .call_data = &l};

	if (check_filters(&o->filters, err) < 0)
		return -err->code;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_list_networks(&engine, list_network, &l, err) < 0)
		return -err->code;
	engine_check_rules(&engine);
	sorted = list_sort_by_name(l.rows);
	return list_print(&spec, format, o->quiet && list_format_heeds_quiet(format), sorted, err);
}

/* ---- rm, prune ---- */

int cmd_network_rm(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_rm_options *o = &options->network_rm;
	cleanup_engine struct engine engine = {};
	int status = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	engine_check_rules(&engine);
	strv_foreach (i, &cli->args) {
		cleanup_with(plan_done) struct plan plan = {};
		struct err one = ERR_INIT;
		int rc = plan_init(&plan, &one);

		if (rc >= 0)
			rc = engine_remove_network(&engine, cli->args.items[i], &plan, &one);
		if (rc >= 0) {
			cli_explain(&plan, o->explain, 1U << STEP_TEARDOWN);
			puts(cli->args.items[i]);
			continue;
		}
		/* By force, what is not there is as good as removed. */
		if (rc == -ERR_NOT_FOUND && o->force)
			continue;
		fflush(stdout);
		cli_print_error(&one);
		status = 1;
	}
	fflush(stdout);
	if (status)
		fputs("exit status 1\n", stderr);
	return status;
}

int cmd_network_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_prune_options *o = &options->network_prune;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv removed = STRV_INIT;

	if (!o->force && !prompt_confirm("WARNING! This will remove all custom networks not used "
					 "by at least one container.\n"
					 "Are you sure you want to continue?"))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_prune_networks(&engine, &o->filters, &removed, err) < 0)
		return -err->code;
	engine_check_rules(&engine);
	if (!removed.n)
		return 0;
	puts("Deleted Networks:");
	strv_foreach (i, &removed)
		puts(removed.items[i]);
	puts("");
	return 0;
}
