/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that docker 28 draws: DISK USAGE is what is unpacked together with what is kept packed,
 * CONTENT SIZE the latter alone. A platform that the index of a name lists and that is not here is
 * there with zeros. The layout, the order (newest first, the nameless last) and the width of the
 * columns are docker's.
 */
#include "cli/images_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/list_common.h"
#include "engine/engine.h"
#include "oci/manifest.h"
#include "storage/blob.h"
#include "storage/container.h"
#include "storage/image.h"
#include "json/rune.h"

#define DEFAULT_COLUMNS 80
#define LEAST_COLUMNS	20
#define SPACING		3
#define LEAST_NAME	12
#define LEGEND_COLUMNS	21 /* on a terminal; three less elsewhere, where there is no badge */
#define SHORT_ID_LEN	12
#define BRANCH_COLUMNS	3

static const struct {
	const char *title;
	size_t width;
	bool right;
} columns[] = {
	{"ID", SHORT_ID_LEN, false},
	{"DISK USAGE", 10, true},
	{"CONTENT SIZE", 12, true},
	{"EXTRA", 5, false},
};

/* Select graphic rendition, ECMA-48. */
static const char bold[] = "\033[1m", blue_bold[] = "\033[34m\033[1m", faint[] = "\033[2m",
		  chip[] = "\033[38;5;0m\033[48;5;14m", reset[] = "\033[0m";

struct tree_line {
	struct strv names; /* the last one is in the line itself */
	char id[DIGEST_HEX_LEN + 1];
	int64_t usage, content;
	bool is_used, is_missing;
	struct tree_line *children; /* owned */
	size_t n_children;
};

struct tree {
	struct engine *engine;
	struct strv used; /* ids of images that containers were made from */
	struct tree_line *images;
	size_t n;
	size_t width, n_columns; /* of the names; how many of the columns there is room for */
	size_t terminal;	 /* its columns */
	bool colors;
	struct str out;
};

static void line_done(struct tree_line *line)
{
	for (size_t i = 0; i < line->n_children; i++)
		line_done(&line->children[i]);
	free(line->children);
	strv_done(&line->names);
}

static void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		line_done(&t->images[i]);
	free(t->images);
	strv_done(&t->used);
	str_done(&t->out);
}

/* ---- what there is ---- */

static int add_used(const struct container_row *row, void *data, struct err *err)
{
	struct tree *t = data;

	if (!strv_has(&t->used, row->image_id))
		strv_add(&t->used, row->image_id);
	return 0;
}

/* Adds what is kept packed of the image ID (its layers, its configuration) and what is unpacked: 1,
 * or 0 when it is not here. */
static int measure_image(struct tree *t, const char *id, struct tree_line *line, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free struct layer_info *layers = NULL;
	size_t n = 0;
	int rc = image_lookup(t->engine->store, id, &image, err);

	if (rc <= 0)
		return rc;
	if (layer_info_list(t->engine->store, image.id, &layers, &n, err) < 0)
		return -err->code;
	line->content += (int64_t)strlen(image.config);
	for (size_t i = 0; i < n; i++)
		line->content += layers[i].blob_size;
	line->usage = image.size + line->content;
	return 1;
}

/* Bytes of a blob that is here. */
static int64_t blob_bytes(const struct tree *t, const char *hex)
{
	struct err ignored = ERR_INIT;
	int64_t size = 0;
	int fd = blob_open(t->engine->store, hex, &size, &ignored);

	if (fd < 0)
		return 0;
	close(fd);
	return size;
}

/* Whether a manifest is here; M is filled only then. */
static bool read_manifest(const struct tree *t, const char *hex, struct manifest *m)
{
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;

	return blob_read(t->engine->store, hex, &text, &ignored) >= 0 &&
	       manifest_parse(str_get(&text), text.len, NULL, "manifest", m, &ignored) >= 0;
}

/* One platform of an index. One that is not here may have left some of its blobs. */
static int measure_platform(struct tree *t, const struct descriptor *entry, struct tree_line *line,
			    struct err *err)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	char platform[PLATFORM_LEN];
	int rc = 0;

	strv_add(&line->names, platform_format(&entry->platform, platform));
	snprintf(line->id, sizeof(line->id), "%s", entry->hex);
	line->is_missing = true;
	if (!read_manifest(t, entry->hex, &m) || m.is_index)
		return 0;
	line->content = blob_bytes(t, entry->hex);
	rc = measure_image(t, m.config.hex, line, err);
	if (rc > 0) {
		line->is_missing = false;
		line->is_used = strv_has(&t->used, m.config.hex);
	}
	if (rc != 0)
		return rc < 0 ? rc : 0;
	line->content += blob_bytes(t, m.config.hex);
	for (size_t i = 0; i < m.n_entries; i++)
		line->content += blob_bytes(t, m.entries[i].hex);
	line->usage = line->content;
	return 0;
}

/* The platforms below an image, when TARGET is an index. Attestations are no platform. */
static int add_platforms(struct tree *t, const char *target, struct tree_line *line,
			 struct err *err)
{
	cleanup_manifest struct manifest index = MANIFEST_INIT;

	if (!read_manifest(t, target, &index) || !index.is_index)
		return 0;
	line->content = blob_bytes(t, target);
	line->children = mem_zalloc((index.n_entries + 1) * sizeof(*line->children));
	for (size_t i = 0; i < index.n_entries; i++) {
		const struct descriptor *entry = &index.entries[i];
		struct tree_line *child = &line->children[line->n_children];

		if (!entry->has_platform || strcmp(entry->platform.os, "unknown") == 0)
			continue;
		line->n_children++;
		if (measure_platform(t, entry, child, err) < 0)
			return -err->code;
		line->content += child->content;
	}
	return 0;
}

static struct tree_line *find_line(struct tree *t, const char *id)
{
	for (size_t i = t->n; i > 0; i--)
		if (strcmp(t->images[i - 1].id, id) == 0)
			return &t->images[i - 1];
	t->images = mem_realloc_array(t->images, t->n + 1, sizeof(*t->images));
	t->images[t->n] = (struct tree_line){.is_used = strv_has(&t->used, id)};
	snprintf(t->images[t->n].id, sizeof(t->images->id), "%s", id);
	return &t->images[t->n++];
}

static int add_row(const struct image_row *row, void *data, struct err *err)
{
	struct tree *t = data;
	struct tree_line *line = find_line(t, row->id);
	int64_t unpacked = row->size;

	strv_addf(&line->names, "%s:%s", row->repository, row->tag);
	if (line->names.n == 1 && measure_image(t, row->id, line, err) < 0)
		return -err->code;
	if (!row->target || line->n_children > 0)
		return 0;
	if (add_platforms(t, row->target, line, err) < 0)
		return -err->code;
	if (line->n_children > 0)
		line->usage = unpacked + line->content;
	return 0;
}

/* Longer names first, so that the shortest stands beside the numbers. */
static int compare_names(const void *a, const void *b)
{
	size_t x = strlen(*(char *const *)a);
	size_t y = strlen(*(char *const *)b);
	int by_name = strcmp(*(char *const *)a, *(char *const *)b);

	return x == y ? by_name : x < y ? 1 : -1;
}

static int load(struct tree *t, const struct image_filter *filter, struct err *err)
{
	if (container_list(t->engine->store, false, add_used, t, err) < 0 ||
	    image_list(t->engine->store, filter, add_row, t, err) < 0)
		return -err->code;
	for (size_t i = 0; i < t->n; i++)
		qsort(t->images[i].names.items, t->images[i].names.n, sizeof(char *),
		      compare_names);
	return 0;
}

/* ---- drawing ---- */

static size_t text_width(const char *text)
{
	return rune_text_width(text, strlen(text));
}

static void add_blanks(struct str *out, size_t n)
{
	while (n-- > 0)
		str_add_char(out, ' ');
}

/* TEXT in WIDTH columns, cut or filled. */
static void add_cell(struct tree *t, const char *color, const char *text, size_t width, bool right)
{
	cleanup_str struct str shown = STR_INIT;
	size_t used = 0;

	str_add_ellipsis(&shown, text, width);
	used = text_width(str_get(&shown));
	if (right)
		add_blanks(&t->out, width - used);
	if (t->colors && *color)
		str_addf(&t->out, "%s%s%s", color, str_get(&shown), reset);
	else
		str_add(&t->out, str_get(&shown));
	if (!right)
		add_blanks(&t->out, width - used);
}

static void add_badge(struct tree *t, bool is_used)
{
	size_t width = columns[3].width;

	if (is_used && t->colors)
		str_addf(&t->out, "%s U %s", chip, reset);
	else if (is_used)
		str_add_char(&t->out, 'U');
	add_blanks(&t->out, width - (is_used ? t->colors ? 3 : 1 : 0));
}

static void add_details(struct tree *t, const struct tree_line *line)
{
	cleanup_free char *id = str_ndup(line->id, SHORT_ID_LEN);
	cleanup_free char *usage = list_size(line->usage);
	cleanup_free char *content = list_size(line->content);
	const char *texts[] = {id, usage, content};

	for (size_t i = 0; i < t->n_columns; i++) {
		add_blanks(&t->out, SPACING);
		if (i < ARRAY_LEN(texts))
			add_cell(t, line->is_missing ? faint : "", texts[i], columns[i].width,
				 columns[i].right);
		else
			add_badge(t, line->is_used);
	}
	str_add_char(&t->out, '\n');
}

static void add_image(struct tree *t, const struct tree_line *line)
{
	size_t last = line->names.n - 1;

	for (size_t i = 0; i < last; i++) {
		cleanup_str struct str name = STR_INIT;

		str_add_ellipsis(&name, line->names.items[i], t->terminal);
		add_cell(t, blue_bold, str_get(&name), text_width(str_get(&name)), false);
		str_add_char(&t->out, '\n');
	}
	add_cell(t, blue_bold, line->names.items[last], t->width, false);
	add_details(t, line);
	for (size_t i = 0; i < line->n_children; i++) {
		const struct tree_line *child = &line->children[i];
		cleanup_free char *name = str_printf(
			"%s %s", i + 1 < line->n_children ? "├─" : "└─", child->names.items[0]);

		add_cell(t, child->is_missing ? faint : "", name, t->width, false);
		add_details(t, child);
	}
}

static void add_header(struct tree *t)
{
	add_blanks(&t->out, t->terminal - LEGEND_COLUMNS + (t->colors ? 0 : 3));
	if (t->colors)
		str_addf(&t->out, "%s\033[106m\033[30mi%s \033[96mInfo → %s %s U %s In Use \n\n",
			 bold, reset, reset, chip, reset);
	else
		str_add(&t->out, "Info ->  U In Use \n\n");
	add_cell(t, bold, "IMAGE", t->width, false);
	for (size_t i = 0; i < t->n_columns; i++) {
		add_blanks(&t->out, SPACING);
		add_cell(t, bold, columns[i].title, columns[i].width, columns[i].right);
	}
	str_add_char(&t->out, '\n');
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* As many columns as leave the names LEAST_NAME; these are no wider than they need. */
static void lay_out(struct tree *t)
{
	struct winsize size = {};
	size_t widest = strlen("IMAGE");
	bool is_terminal = isatty(STDOUT_FILENO);

	if (!is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		size.ws_col = DEFAULT_COLUMNS;
	t->terminal = size.ws_col < LEAST_COLUMNS ? LEAST_COLUMNS : size.ws_col;
	t->colors = is_terminal && !getenv("NO_COLOR");
	t->width = t->terminal;
	while (t->n_columns < ARRAY_LEN(columns) &&
	       t->width >= columns[t->n_columns].width + SPACING + LEAST_NAME)
		t->width -= columns[t->n_columns++].width + SPACING;
	for (size_t i = 0; i < t->n; i++) {
		const struct tree_line *line = &t->images[i];

		strv_foreach (k, &line->names)
			widest = larger(widest, text_width(line->names.items[k]));
		for (size_t k = 0; k < line->n_children; k++)
			widest = larger(widest,
					BRANCH_COLUMNS + strlen(line->children[k].names.items[0]));
	}
	t->width = t->width < widest ? t->width : widest;
}

static bool is_nameless(const struct tree_line *line)
{
	return strcmp(line->names.items[0], "<none>:<none>") == 0;
}

int images_tree_print(struct engine *engine, const struct image_filter *filter, struct err *err)
{
	cleanup_with(tree_done) struct tree t = {.engine = engine};
	bool is_first = true;

	if (load(&t, filter, err) < 0)
		return -err->code;
	lay_out(&t);
	add_header(&t);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t.n; i++) {
			if (is_nameless(&t.images[i]) != (pass == 1))
				continue;
			if (!is_first)
				str_add_char(&t.out, '\n');
			is_first = false;
			add_image(&t, &t.images[i]);
		}
	fputs(str_get(&t.out), stdout);
	return 0;
}
