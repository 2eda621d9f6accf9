/* SPDX-License-Identifier: Apache-2.0 */
/* builder prune and builder du: what the steps of builds left. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "storage/snapshot.h"
#include "storage/store.h"
#include "json/format.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

/* "until=24h" becomes a point in time; the others go on as they are. */
static int read_filters(const struct strv *typed, int64_t *ret_until_ns, struct strv *ret_rest,
			struct err *err)
{
	strv_foreach (i, typed) {
		const char *item = typed->items[i];
		int64_t age = 0;

		if (!str_has_prefix(item, "until=")) {
			strv_add(ret_rest, item);
			continue;
		}
		if (num_parse_duration(item + strlen("until="), &age) < 0)
			return err_set(err, ERR_INVALID, "invalid filter '%s'", item);
		*ret_until_ns = clock_real_ns() - age;
	}
	return 0;
}

/* ---- prune ---- */

#define WARNING_DANGLING \
	"WARNING! This will remove all dangling build cache. Are you sure you want to continue?"
#define WARNING_ALL "WARNING! This will remove all build cache. Are you sure you want to continue?"

static int read_keep(const struct builder_prune_options *o, struct snapshot_prune *how,
		     struct err *err)
{
	const struct {
		const char *text;
		int64_t *bytes;
	} rows[] = {
		{o->keep_storage, &how->reserved_bytes}, /* its older name */
		{o->reserved, &how->reserved_bytes},
		{o->max_used, &how->max_bytes},
		{o->min_free, &how->min_free_bytes},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].text && num_parse_size(rows[i].text, rows[i].bytes) < 0)
			return err_set(err, ERR_INVALID, "invalid size: '%s'", rows[i].text);
	return 0;
}

int cmd_builder_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct builder_prune_options *o = &options->builder_prune;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv rest = STRV_INIT, lines = STRV_INIT;
	struct snapshot_prune how = {
		.all = o->all, .until_ns = INT64_MAX, .filters = &rest, .is_verbose = o->verbose};
	int64_t freed = 0;
	cleanup_free char *size = NULL;

	if (read_filters(&o->filters, &how.until_ns, &rest, err) < 0 || read_keep(o, &how, err) < 0)
		return -err->code;
	if (!o->force && !prompt_confirm(o->all ? WARNING_ALL : WARNING_DANGLING))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    snapshot_prune_run(engine.store, &how, &lines, &freed, err) < 0)
		return -err->code;
	if (lines.n)
		puts("Deleted build cache objects:");
	strv_foreach (i, &lines)
		puts(lines.items[i]);
	if (lines.n)
		puts("");
	size = list_size(freed);
	printf("Total reclaimed space: %s\n", size);
	return 0;
}

/* ---- du ---- */

static const struct format_field du_fields[] = {{"ID", "ID"},
						{"Parents", "PARENTS"},
						{"CreatedAt", "CREATED AT"},
						{"CreatedSince", "CREATED"},
						{"Mutable", "MUTABLE"},
						{"Reclaimable", "RECLAIMABLE"},
						{"Shared", "SHARED"},
						{"Size", "SIZE"},
						{"Description", "DESCRIPTION"},
						{"UsageCount", "USAGE"},
						{"LastUsedAt", "LAST USED AT"},
						{"LastUsedSince", "LAST ACCESSED"},
						{"Type", "TYPE"},
						{NULL, NULL}};
static const char *const du_columns[] = {"ID", "Reclaimable", "Size", "LastUsedSince", NULL};

struct du {
	int64_t total, reclaimable, shared;
	int64_t now_ns, until_ns;
	json_t *rows; /* owned: what --format is for; NULL without it */
	void (*show)(const struct du *du, const struct snapshot_info *s, bool in_use, bool shared);
};

static void du_done(struct du *du)
{
	json_decref(du->rows);
}

static const char *const kind_names[] = {
	[SNAPSHOT_RUN] = "regular",
	[SNAPSHOT_COPY] = "regular",
	[SNAPSHOT_OTHER] = "regular",
	[SNAPSHOT_CACHE_MOUNT] = "exec.cachemount",
};

static void print_verbose(const struct du *du, const struct snapshot_info *s, bool in_use,
			  bool shared)
{
	cleanup_free char *size = list_size(s->size);
	cleanup_free char *created = list_ago(s->created_ns / CLOCK_NS_PER_S, du->now_ns);
	cleanup_free char *used = list_ago(s->used_ns / CLOCK_NS_PER_S, du->now_ns);

	printf("ID:\t\t%s\n", s->key);
	if (s->parent)
		printf("Parent:\t\t%s\n", s->parent);
	printf("Created at:\t%s\nMutable:\t%s\nReclaimable:\t%s\nShared:\t\t%s\nSize:\t\t%s\n",
	       created, s->kind == SNAPSHOT_CACHE_MOUNT ? "true" : "false",
	       in_use ? "false" : "true", shared ? "true" : "false", size);
	printf("Description:\t%s\nUsage count:\t%lld\nLast used:\t%s\nType:\t\t%s\n\n",
	       s->description ? s->description : "", (long long)s->n_uses, used,
	       kind_names[s->kind]);
}

static void print_row(const struct du *du, const struct snapshot_info *s, bool in_use, bool shared)
{
	cleanup_free char *size = list_size(s->size);
	cleanup_free char *used = list_ago(s->used_ns / CLOCK_NS_PER_S, du->now_ns);
	char text[64];

	snprintf(text, sizeof(text), "%s%s", size, shared ? "*" : "");
	printf("%-40.25s\t%-11s\t%-11s\t%s\n", s->key, in_use ? "false" : "true", text, used);
}

static void add_row(const struct du *du, const struct snapshot_info *s, bool in_use, bool shared)
{
	json_t *row = json_object();

	json_set_text(row, "ID", s->key);
	json_set_text(row, "Parents", s->parent ? s->parent : "");
	json_set_text_take(row, "CreatedAt", list_rfc3339(s->created_ns / CLOCK_NS_PER_S));
	json_set_text_take(row, "CreatedSince",
			   list_ago(s->created_ns / CLOCK_NS_PER_S, du->now_ns));
	json_object_set_new(row, "Mutable", json_boolean(s->kind == SNAPSHOT_CACHE_MOUNT));
	json_object_set_new(row, "Reclaimable", json_boolean(!in_use));
	json_object_set_new(row, "Shared", json_boolean(shared));
	json_set_text_take(row, "Size", list_size(s->size));
	json_set_text(row, "Description", s->description ? s->description : "");
	json_object_set_new(row, "UsageCount", json_integer(s->n_uses));
	json_set_text_take(row, "LastUsedAt", list_rfc3339(s->used_ns / CLOCK_NS_PER_S));
	json_set_text_take(row, "LastUsedSince", list_ago(s->used_ns / CLOCK_NS_PER_S, du->now_ns));
	json_set_text(row, "Type", kind_names[s->kind]);
	json_array_append_new(du->rows, row);
}

static int add_du(const struct snapshot_info *s, bool in_use, bool shared, void *data,
		  struct err *err)
{
	struct du *du = data;

	if (s->used_ns >= du->until_ns)
		return 0;
	du->total += s->size;
	if (!in_use)
		du->reclaimable += s->size;
	if (shared)
		du->shared += s->size;
	du->show(du, s, in_use, shared);
	return 0;
}

static void print_sum(const char *word, int64_t bytes)
{
	cleanup_free char *size = list_size(bytes);

	printf("%s\t%s\n", word, size);
}

static void print_sums(const struct du *du)
{
	if (du->shared) {
		print_sum("Shared:\t", du->shared);
		print_sum("Private:", du->total - du->shared);
	}
	print_sum("Reclaimable:", du->reclaimable);
	print_sum("Total:\t", du->total);
}

int cmd_builder_du(struct cli *cli, union verb_options *options, struct err *err)
{
	static const struct format_spec spec = {.fields = du_fields,
						.columns = du_columns,
						.go_type = "*formatter.diskUsageContext"};
	const struct builder_du_options *o = &options->builder_du;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv rest = STRV_INIT;
	cleanup_with(du_done) struct du du = {.now_ns = clock_real_ns(), .until_ns = INT64_MAX};

	if (read_filters(&o->filters, &du.until_ns, &rest, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	du.rows = o->format ? json_array() : NULL;
	du.show = du.rows ? add_row : o->verbose ? print_verbose : print_row;
	if (du.show == print_row)
		printf("%-40s\t%-11s\t%-11s\t%s\n", "ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED");
	if (snapshot_list(engine.store, &rest, add_du, &du, err) < 0)
		return -err->code;
	if (du.rows)
		return list_print(&spec, o->format, false, du.rows, err);
	print_sums(&du);
	return 0;
}
