/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, ls, rm, prune, rename. */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "engine/volume_content.h"
#include "transport/new_file.h"
#include "json/format.h"
#include "json/pattern.h"
#include "json/value.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE_DIGITS 4

/* ---- create ---- */

int cmd_volume_create(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct volume_create_options *o = &options->volume_create;
	cleanup_engine struct engine engine = {};
	cleanup_free char *name = NULL;
	const char *argument = cli->args.n ? cli->args.items[0] : NULL;
	const struct volume_request request = {
		.name = argument ? argument : o->name,
		.driver = o->driver,
		.options = &o->options,
		.labels = &o->labels,
	};

	if (argument && o->name) {
		cli->exit_status = 1;
		return err_set(err, ERR_INVALID,
			       "conflicting options: cannot specify a volume-name through both "
			       "--name and as a positional arg");
	}
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	volume_sweep(engine.store);
	if (engine_create_volume(&engine, &request, &name, err) < 0)
		return -err->code;
	puts(name);
	return 0;
}

/* ---- ls ---- */

static const struct format_field fields[] = {
	{"Name", "VOLUME NAME"},
	{"Driver", "DRIVER"},
	{"Scope", "SCOPE"},
	{"Mountpoint", "MOUNTPOINT"},
	{"Labels", "LABELS"},
	{"Links", "LINKS"},
	{"Size", "SIZE"},
	{"Availability", "AVAILABILITY"},
	{"Group", "GROUP"},
	{"Status", "STATUS"},
	{NULL, NULL},
};
static const char *const columns[] = {"Driver", "Name", NULL};

struct listing {
	struct engine *engine;
	const struct strv *filters;
	json_t *rows;	/* owned array */
	json_t *labels; /* owned: volume to its labels */
};

static void listing_done(struct listing *l)
{
	json_decref(l->rows);
	json_decref(l->labels);
}

static int check_filter(const char *filter, struct err *err)
{
	static const char *const known[] = {"dangling", "driver", "label", "name"};
	size_t len = strcspn(filter, "=");
	bool on = false;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i]) != len || strncmp(known[i], filter, len) != 0)
			continue;
		if (i == 0 && num_parse_bool(filter + len + 1, &on) < 0)
			return err_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'",
				       filter + len + 1);
		return 0;
	}
	return err_set(err, ERR_INVALID, "invalid filter '%.*s'", (int)len, filter);
}

static bool passes(const struct volume *volume, const char *filter)
{
	const char *value = strchr(filter, '=') + 1;
	bool on = false;

	if (str_has_prefix(filter, "dangling="))
		return num_parse_bool(value, &on) == 0 && on == (volume->n_users == 0);
	if (str_has_prefix(filter, "driver="))
		return strcmp(value, VOLUME_DRIVER) == 0;
	if (str_has_prefix(filter, "label="))
		return volume_has_label(volume, value);
	return pattern_matches(value, volume->name);
}

/* Values of one key are alternatives, different keys must all hold; labels must all hold. */
static bool passes_all(const struct volume *volume, const struct strv *filters)
{
	static const char *const keys[] = {"dangling=", "driver=", "name="};

	strv_foreach (i, filters)
		if (str_has_prefix(filters->items[i], "label=") &&
		    !passes(volume, filters->items[i]))
			return false;
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		bool asked = false;
		bool found = false;

		strv_foreach (i, filters) {
			if (!str_has_prefix(filters->items[i], keys[k]))
				continue;
			asked = true;
			found |= passes(volume, filters->items[i]);
		}
		if (asked && !found)
			return false;
	}
	return true;
}

static int add_row(const struct volume *volume, void *data, struct err *err)
{
	static const char *const unknown[] = {"Availability", "Group", "Links", "Size", "Status"};
	struct listing *l = data;
	json_t *row = NULL;
	json_t *labels = NULL;
	cleanup_free char *text = NULL;

	if (!passes_all(volume, l->filters))
		return 0;
	row = engine_describe_volume(l->engine, volume);
	labels = json_object_get(row, "Labels");
	text = volume_labels_text(volume);
	json_object_set(l->labels, volume->name, labels);
	json_set_text(row, "Labels", text);
	json_object_del(row, "CreatedAt");
	json_object_del(row, "Options");
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		json_set_text(row, unknown[i], "N/A");
	json_array_append_new(l->rows, row);
	return 0;
}

static int call_label(void *data, const json_t *receiver, const char *name, const json_t *args,
		      json_t **ret, struct err *err)
{
	const struct listing *l = data;
	const char *label = json_string_value(json_array_get(args, 0));
	json_t *value = NULL;

	if (strcmp(name, "Label") != 0)
		return 0;
	if (!label || json_array_size(args) != 1)
		return err_set(err, ERR_INVALID, "wrong number of args for Label: want 1 got %zu",
			       json_array_size(args));
	value = json_object_get(json_object_get(l->labels, json_get_string(receiver, "Name", "")),
				label);
	*ret = value ? json_incref(value) : json_string("");
	return 1;
}

int cmd_volume_ls(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct volume_ls_options *o = &options->volume_ls;
	cleanup_engine struct engine engine = {};
	cleanup_free char *format = list_format_choose(cli, o->format, "volumesFormat", o->quiet);
	cleanup_json json_t *sorted = NULL;
	cleanup_with(listing_done) struct listing l = {.engine = &engine,
						       .filters = &o->filters,
						       .rows = json_array(),
						       .labels = json_object()};
	const struct format_spec spec = {.fields = fields,
					 .columns = columns,
					 .quiet = "Name",
					 .raw = "name: {{.Name}}\ndriver: {{.Driver}}\n",
					 .raw_quiet = "name: {{.Name}}",
					 .go_type = "*formatter.volumeContext",
					 .call = call_label,
					 .call_data = &l};

	strv_foreach (i, &o->filters)
		if (check_filter(o->filters.items[i], err) < 0)
			return -err->code;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    volume_list(engine.store, add_row, &l, err) < 0)
		return -err->code;
	sorted = list_sort_by_name(l.rows);
	return list_print(&spec, format, o->quiet && list_format_heeds_quiet(format), sorted, err);
}

/* ---- rm, rename, prune ---- */

int cmd_volume_rm(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	int status = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	volume_sweep(engine.store);
	strv_foreach (i, &cli->args) {
		struct err one = ERR_INIT;
		int rc = engine_remove_volume(&engine, cli->args.items[i], &one);

		/* By force, what is not there is as good as removed. */
		if (rc >= 0 || (rc == -ERR_NOT_FOUND && options->volume_rm.force)) {
			puts(cli->args.items[i]);
			continue;
		}
		fflush(stdout);
		cli_print_error(&one);
		status = 1;
	}
	return status;
}

int cmd_volume_rename(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	volume_sweep(engine.store);
	return volume_rename(engine.store, cli->args.items[0], cli->args.items[1], err);
}

int cmd_volume_prune(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct volume_prune_options *o = &options->volume_prune;
	cleanup_engine struct engine engine = {};
	cleanup_strv struct strv removed = STRV_INIT;
	int64_t freed = 0;
	char size[32];

	strv_foreach (i, &o->filters)
		if (o->all && str_has_prefix(o->filters.items[i], "all="))
			return err_set(err, ERR_INVALID,
				       "conflicting options: cannot specify both --all and "
				       "--filter all=1");
	if (!o->force &&
	    !prompt_confirm(o->all ? "WARNING! This will remove all local volumes not used by at "
				     "least one container.\nAre you sure you want to continue?"
				   : "WARNING! This will remove anonymous local volumes not used "
				     "by at least one container.\nAre you sure you want to "
				     "continue?"))
		return 0;
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_prune_volumes(&engine, &o->filters, o->all, &removed, &freed, err) < 0)
		return -err->code;
	if (removed.n) {
		puts("Deleted Volumes:");
		strv_foreach (i, &removed)
			puts(removed.items[i]);
		puts("");
	}
	num_format_size((double)freed, SIZE_DIGITS, size, sizeof(size));
	printf("Total reclaimed space: %s\n", size);
	return 0;
}

/* ---- the content ---- */

int cmd_volume_clone(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	volume_sweep(engine.store);
	if (engine_clone_volume(&engine, cli->args.items[0], cli->args.items[1], err) < 0)
		return -err->code;
	puts(cli->args.items[1]);
	return 0;
}

int cmd_volume_export(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	const char *output = options->volume_export.output;
	bool to_file = output && *output;

	if (!to_file && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect");
	if ((to_file && new_file_open(output, 0600, &file, err) < 0) ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	/* A reader that went away is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	if (engine_export_volume(&engine, cli->args.items[0], to_file ? file.fd : STDOUT_FILENO,
				 err) < 0)
		return -err->code;
	return to_file ? new_file_commit(&file, true, err) : 0;
}

int cmd_volume_import(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_close int in_fd = cli_open_archive(cli->args.n > 1 ? cli->args.items[1] : "-",
						   "tare volume import VOLUME <FILE.tar", err);

	if (in_fd < 0 || engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	return engine_import_volume(&engine, cli->args.items[0], in_fd, err);
}
