/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system check and system repair: what is wrong with the state directory as lines, one for each
 * problem, and at the end how much was looked at. Both exit 1 while something is wrong.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/pending.h"
#include "engine/state.h"
#include "storage/check.h"
#include "storage/repair.h"
#include "json/format.h"
#include "json/value.h"

#include <stdio.h>
#include <unistd.h>

static const struct format_field fields[] = {
	{"Kind", "KIND"},     {"ID", "ID"},	    {"Object", "OBJECT"}, {"Problem", "PROBLEM"},
	{"Images", "IMAGES"}, {"Remedy", "REMEDY"}, {NULL, NULL},
};
static const char *const columns[] = {"Object", "Problem", "Images", NULL};
static const struct format_spec problem_spec = {
	.fields = fields, .columns = columns, .go_type = "*formatter.problemContext"};

/* ---- containers, as the store sees them ---- */

static bool is_busy(const char *id, void *data)
{
	return pending_is_held(data, id);
}

/* Opens the engine; its store is NULL where there is nothing to look at. */
static int open_existing(struct engine *engine, const struct cli *cli, struct err *err)
{
	cleanup_free char *layers = NULL;
	int rc = engine_open_unchanged(engine, cli->root, cli->runroot, err);

	if (rc < 0 || engine->store)
		return rc;
	layers = str_printf("%s/layers", engine->root);
	/* lint: path of the state directory */
	if (access(layers, F_OK) < 0)
		return 0;
	engine_close(engine);
	return engine_open(engine, cli->root, cli->runroot, err);
}

/* ---- check ---- */

struct check_output {
	bool quiet;
	json_t *rows; /* borrowed; NULL: lines of text */
};

static void print_line(const struct check_problem *p)
{
	printf("%s: %s (%s%s%s%s)\n", p->object, p->text, *p->images ? "used by " : "", p->images,
	       *p->images ? "; " : "", p->remedy);
}

static void take_problem(const struct check_problem *p, void *data)
{
	struct check_output *out = data;
	json_t *row = NULL;

	if (out->quiet)
		return;
	if (!out->rows) {
		print_line(p);
		return;
	}
	row = json_object();
	json_set_text(row, "Kind", p->kind);
	json_set_text(row, "ID", p->id);
	json_set_text(row, "Object", p->object);
	json_set_text(row, "Problem", p->text);
	json_set_text(row, "Images", p->images);
	json_set_text(row, "Remedy", p->remedy);
	json_array_append_new(out->rows, row);
}

static void count(const char *name, size_t n, const char *after)
{
	printf("%zu %s%s%s", n, name, n == 1 ? "" : "s", after);
}

static void print_totals(const struct check_totals *t)
{
	printf("checked ");
	count("image", t->n_images, ", ");
	count("layer", t->n_layers, ", ");
	count("blob", t->n_blobs, ": ");
	count("problem", t->n_problems, "\n");
}

int cmd_system_check(struct cli *cli, union verb_options *o, struct err *err)
{
	const char *format = o->system_check.format;
	bool is_text = list_format_is_default(format);
	cleanup_engine struct engine engine = {};
	cleanup_json json_t *rows = is_text ? NULL : json_array();
	struct check_output out = {.quiet = o->system_check.quiet, .rows = rows};
	struct check_options options = {.full = o->system_check.full,
					.is_busy = is_busy,
					.is_running = pending_is_running,
					.data = &engine};
	struct check_totals totals = {};

	if (open_existing(&engine, cli, err) < 0)
		return -err->code;
	if (engine.store &&
	    storage_check(engine.store, &options, take_problem, &out, &totals, err) < 0)
		return -err->code;
	if (is_text && !out.quiet)
		print_totals(&totals);
	if (!is_text && !out.quiet && list_print(&problem_spec, format, false, rows, err) < 0)
		return -err->code;
	return totals.n_problems > 0;
}

/* ---- repair ---- */

static void print_repair(bool is_lost, const char *object, const char *text, void *data)
{
	const struct system_repair_options *o = data;

	if (is_lost || !o->quiet)
		printf("%s: %s%s\n", object,
		       is_lost	    ? "lost: "
		       : o->dry_run ? "would be: "
				    : "",
		       text);
}

int cmd_system_repair(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	const struct repair_options options = {.dry_run = o->system_repair.dry_run,
					       .is_busy = is_busy,
					       .is_running = pending_is_running,
					       .data = &engine,
					       .fn = print_repair,
					       .fn_data = &o->system_repair};
	struct repair_totals totals = {};

	if (open_existing(&engine, cli, err) < 0)
		return -err->code;
	if (engine.store && storage_repair(engine.store, &options, &totals, err) < 0)
		return -err->code;
	if (!o->system_repair.quiet) {
		count("problem", totals.n_problems, ": ");
		printf("%zu %s, %zu lost\n", totals.n_done, options.dry_run ? "to do" : "done",
		       totals.n_lost);
	}
	return totals.n_lost > 0;
}
