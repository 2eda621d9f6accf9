/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build takes (--call=outline) and what it can make (--call=targets), as tables like
 * buildx's. Notes are taken while stages are looked at, so that only what the target needs is
 * listed; descriptions are the comments above instructions.
 */
#include "build/graph_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define MAX_COLUMNS  3
#define LIST_GAP     3 /* blanks between columns */
#define TARGETS_GAP  1
#define DEFAULT_NAME "(default)"

struct graph_note *graph_note_add(struct graph_make *m, enum graph_note_kind kind, const char *name,
				  struct dockerfile_lines lines)
{
	m->notes = mem_realloc_array(m->notes, m->n_notes + 1, sizeof(*m->notes));
	m->notes[m->n_notes] = (struct graph_note){
		.kind = kind, .name = str_dup(name), .lines = lines};
	return &m->notes[m->n_notes++];
}

void graph_note_use(struct graph_make *m, const char *name)
{
	/* A default uses what stands above it only, so this ends. */
	for (size_t i = 0; i < m->n_notes; i++) {
		struct graph_note *note = &m->notes[i];

		if (!note->is_global || note->is_used || strcmp(note->name, name) != 0)
			continue;
		note->is_used = true;
		strv_foreach (k, &note->deps)
			graph_note_use(m, note->deps.items[k]);
	}
}

void graph_notes_done(struct graph_make *m)
{
	for (size_t i = 0; i < m->n_notes; i++) {
		free(m->notes[i].name);
		free(m->notes[i].value);
		free(m->notes[i].doc);
		strv_done(&m->notes[i].deps);
	}
	free(m->notes);
	m->notes = NULL;
	m->n_notes = 0;
}

/* ---- tables ---- */

/* CELLS has N columns for each row. All but the last of a row are as wide as the widest. */
static void add_table(struct str *ret, const struct strv *cells, size_t n, size_t gap)
{
	size_t widths[MAX_COLUMNS] = {};

	strv_foreach (i, cells) {
		size_t len = strlen(cells->items[i]);

		if (len > widths[i % n])
			widths[i % n] = len;
	}
	strv_foreach (i, cells) {
		bool is_last = i % n == n - 1;
		int width = is_last ? 0 : (int)(widths[i % n] + gap);

		str_addf(ret, "%-*s%s", width, cells->items[i], is_last ? "\n" : "");
	}
}

/* The comment above an instruction says "NAME what it is": what it is. Owned; NULL. */
static char *dup_description(const char *doc, const char *name)
{
	cleanup_strv struct strv lines = STRV_INIT;
	size_t len = name ? strlen(name) : 0;

	if (!doc || !len)
		return NULL;
	strv_split(&lines, doc, '\n');
	strv_foreach (i, &lines)
		if (strncasecmp(lines.items[i], name, len) == 0 && lines.items[i][len] == ' ')
			return str_dup(lines.items[i] + len + 1);
	return NULL;
}

/* ---- the outline ---- */

static bool is_listed(const struct graph_note *note, enum graph_note_kind kind)
{
	return note->kind == kind && (!note->is_global || note->is_used);
}

/* Of several notes of one name the last counts for an argument, as its value does; the first for
 * the others. */
static bool is_repeated(const struct graph_make *m, size_t i, enum graph_note_kind kind)
{
	size_t first = kind == NOTE_ARG ? i + 1 : 0;
	size_t end = kind == NOTE_ARG ? m->n_notes : i;

	for (size_t k = first; k < end; k++)
		if (is_listed(&m->notes[k], kind) &&
		    strcmp(m->notes[k].name, m->notes[i].name) == 0)
			return true;
	return false;
}

static int compare_lines(const void *a, const void *b)
{
	const struct graph_note *const *x = a;
	const struct graph_note *const *y = b;

	if ((*x)->lines.first != (*y)->lines.first)
		return (*x)->lines.first < (*y)->lines.first ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* The notes of KIND that are listed, in the order of the file. Owned array of borrowed. */
static const struct graph_note **select_notes(const struct graph_make *m, enum graph_note_kind kind,
					      size_t *ret_n)
{
	const struct graph_note **list = mem_alloc(m->n_notes * sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < m->n_notes; i++)
		if (is_listed(&m->notes[i], kind) && !is_repeated(m, i, kind))
			list[n++] = &m->notes[i];
	qsort(list, n, sizeof(*list), compare_lines);
	*ret_n = n;
	return list;
}

static void add_arguments(const struct graph_make *m, struct str *ret)
{
	cleanup_strv struct strv cells = STRV_INIT;
	size_t n = 0;
	cleanup_free const struct graph_note **notes = select_notes(m, NOTE_ARG, &n);

	if (!n)
		return;
	strv_add(&cells, "BUILD ARG");
	strv_add(&cells, "VALUE");
	strv_add(&cells, "DESCRIPTION");
	for (size_t i = 0; i < n; i++) {
		strv_add(&cells, notes[i]->name);
		strv_add(&cells, notes[i]->value ? notes[i]->value : "");
		strv_add(&cells, notes[i]->doc ? notes[i]->doc : "");
	}
	add_table(ret, &cells, 3, LIST_GAP);
	str_add_char(ret, '\n');
}

static void add_needs(const struct graph_make *m, enum graph_note_kind kind, const char *title,
		      struct str *ret)
{
	cleanup_strv struct strv cells = STRV_INIT;
	size_t n = 0;
	cleanup_free const struct graph_note **notes = select_notes(m, kind, &n);

	if (!n)
		return;
	strv_add(&cells, title);
	strv_add(&cells, "REQUIRED");
	for (size_t i = 0; i < n; i++) {
		strv_add(&cells, notes[i]->name);
		strv_add(&cells, notes[i]->is_required ? "true" : "");
	}
	add_table(ret, &cells, 2, LIST_GAP);
	str_add_char(ret, '\n');
}

static void add_target(const struct graph_make *m, struct str *ret)
{
	const struct instruction *from = m->stages[m->wanted].parsed->from;
	cleanup_free char *doc = dup_description(from->syntax->doc, from->from.name);
	cleanup_strv struct strv cells = STRV_INIT;

	strv_add(&cells, "TARGET:");
	strv_add(&cells, from->from.name ? from->from.name : DEFAULT_NAME);
	if (doc) {
		strv_add(&cells, "DESCRIPTION:");
		strv_add(&cells, doc);
	}
	add_table(ret, &cells, 2, TARGETS_GAP);
	str_add_char(ret, '\n');
}

char *graph_outline_format(struct graph_make *m)
{
	struct str ret = STR_INIT;

	for (size_t i = 0; i < m->n_stages; i++) {
		const struct graph_stage *s = &m->stages[i];

		for (size_t k = 0; s->is_planned && k < s->used.n; k++)
			graph_note_use(m, s->used.items[k]);
	}
	add_target(m, &ret);
	add_arguments(m, &ret);
	add_needs(m, NOTE_SECRET, "SECRET", &ret);
	add_needs(m, NOTE_SSH, "SSH", &ret);
	return str_take(&ret);
}

/* ---- targets ---- */

char *graph_targets_format(const struct graph_make *m)
{
	cleanup_strv struct strv cells = STRV_INIT;
	struct str ret = STR_INIT;

	strv_add(&cells, "TARGET");
	strv_add(&cells, "DESCRIPTION");
	for (size_t i = 0; i < m->parsed.n; i++) {
		const struct instruction *from = m->parsed.items[i].from;
		cleanup_free char *doc = dup_description(from->syntax->doc, from->from.name);
		const char *name = from->from.name;

		/* A stage without a name cannot be asked for, but for the last. */
		if (!name && i + 1 < m->parsed.n)
			continue;
		strv_add(&cells, name ? name : DEFAULT_NAME);
		strv_add(&cells, doc ? doc : "");
	}
	add_table(&ret, &cells, 2, TARGETS_GAP);
	return str_take(&ret);
}
