/* SPDX-License-Identifier: Apache-2.0 */
/* network graph: a picture of networks, containers, addresses and ports. */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/network_layout.h"
#include "cli/verbs.h"
#include "cli/view_term.h"
#include "engine/engine.h"
#include "engine/network_survey.h"
#include "transport/new_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80
#define FILE_MODE	0644

/* Marks the networks that were named: -ERR_NOT_FOUND for one that is not there. */
static int select_networks(const struct network_model *model, const struct strv *refs,
			   bool *selected, struct err *err)
{
	strv_foreach (i, refs) {
		const char *ref = refs->items[i];
		bool is_found = false;

		for (size_t k = 0; k < model->n_networks; k++) {
			const struct network *n = &model->networks[k].network;

			if (*ref && (strcmp(n->name, ref) == 0 || str_has_prefix(n->id, ref)))
				selected[k] = is_found = true;
		}
		if (!is_found)
			return err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
	}
	return 0;
}

static size_t terminal_columns(void)
{
	struct winsize size = {};

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return DEFAULT_COLUMNS;
	return size.ws_col ? size.ws_col : DEFAULT_COLUMNS;
}

static void draw(const struct network_model *model, struct layout_options *options)
{
	cleanup_network_layout struct network_layout layout = {};
	cleanup_str struct str out = STR_INIT;
	const char *no_colour = getenv("NO_COLOR");
	bool has_colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);

	options->width = terminal_columns();
	options->is_ascii = !view_term_is_utf8();
	network_layout_make(model, options, &layout);
	network_layout_draw(&layout, !options->is_ascii, has_colour, &out);
	fputs(str_get(&out), stdout);
}

static int write_svg(const struct network_model *model, struct layout_options *options,
		     const char *path, struct err *err)
{
	cleanup_network_layout struct network_layout layout = {};
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	cleanup_str struct str out = STR_INIT;
	int rc = 0;

	options->is_page = true;
	network_layout_make(model, options, &layout);
	network_layout_svg(&layout, &out);
	if (new_file_open_any(path, FILE_MODE, &file, err) < 0)
		return -err->code;
	rc = fd_write_full(file.fd, str_get(&out), out.len);
	if (rc < 0)
		return err_sys(err, -rc, "write %s", path);
	return new_file_commit(&file, false, err);
}

int cmd_network_graph(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_network_model struct network_model model = {};
	cleanup_free bool *selected = NULL;
	struct layout_options options = {};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_survey_networks(&engine, false, &model, err) < 0)
		return -err->code;
	selected = mem_zalloc(model.n_networks * sizeof *selected);
	if (select_networks(&model, &cli->args, selected, err) < 0)
		return -err->code;
	options.selected_networks = cli->args.n ? selected : NULL;
	if (o->network_graph.output)
		return write_svg(&model, &options, o->network_graph.output, err);
	draw(&model, &options);
	return 0;
}
