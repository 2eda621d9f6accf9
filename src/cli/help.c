/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help pages. The layout of options is that of docker's flag library: a column of names as wide as
 * the widest, two blanks, the text wrapped at the terminal's width with a slop of five columns so
 * that a last word does not stand alone.
 */
#include "cli/help.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/option.h"

#include <sys/ioctl.h>

#define WRAP_SLOP  5
#define WRAP_LEAST 24 /* a narrower column of text starts on a line of its own */
#define WRAP_BLOCK 16 /* indented by that much */

size_t help_width(void)
{
	struct winsize ws = {};

	if (ioctl(0, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

static void add_blanks(struct str *out, size_t n)
{
	while (n-- > 0)
		str_add_char(out, ' ');
}

/* Adds TEXT[0..LEN-1]; its own line breaks are indented. */
static void add_indented(struct str *out, const char *text, size_t len, size_t indent)
{
	for (size_t i = 0; i < len; i++) {
		str_add_char(out, text[i]);
		if (text[i] == '\n')
			add_blanks(out, indent);
	}
}

/* How much of TEXT goes on a line of WRAP columns (the rest starts one character later), or all. */
static size_t line_break(const char *text, size_t wrap)
{
	size_t len = strlen(text);
	size_t blank = 0, newline = 0;

	if (wrap + WRAP_SLOP > len)
		return len;
	for (size_t i = 0; i < wrap; i++) {
		if (text[i] == ' ' || text[i] == '\t' || text[i] == '\n')
			blank = i;
		if (text[i] == '\n')
			newline = i;
	}
	if (blank == 0)
		return len;
	return newline > 0 ? newline : blank;
}

static void add_wrapped(struct str *out, const char *text, size_t indent, size_t width)
{
	if (width < indent + WRAP_LEAST) {
		indent = WRAP_BLOCK;
		str_add_char(out, '\n');
		add_blanks(out, indent);
	}
	if (width < indent + WRAP_LEAST) {
		add_indented(out, text, strlen(text), indent);
		return;
	}
	for (;;) {
		size_t n = line_break(text, width - indent - WRAP_SLOP);

		add_indented(out, text, n, indent);
		text += n;
		if (!*text)
			return;
		text++;
		str_add_char(out, '\n');
		add_blanks(out, indent);
	}
}

/* "  -a, --attach list" */
static void add_option_name(struct str *out, const struct option *o)
{
	if (o->short_name)
		str_addf(out, "  -%c, --%s", o->short_name, o->name);
	else
		str_addf(out, "      --%s", o->name);
	if (o->type)
		str_addf(out, " %s", o->type);
}

static int compare_options(const void *a, const void *b)
{
	const struct option *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Owned array of the visible rows of all tables, sorted; says how many. */
static const struct option **collect_options(const struct option *const *tables, size_t *ret_n)
{
	static const struct option help = {"help", 0, OPT_BOOL, 0, NULL, NULL, "Print usage"};
	const struct option **rows = NULL;
	size_t n = 0;

	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++) {
		for (const struct option *o = tables[t]; o->name; o++) {
			if (o->hidden)
				continue;
			rows = mem_realloc_array(rows, n + 1, sizeof(*rows));
			rows[n++] = o;
		}
	}
	/* Where -h means something else, help has to say how to ask for it. */
	if (option_lookup_short(tables, 'h')) {
		rows = mem_realloc_array(rows, n + 1, sizeof(*rows));
		rows[n++] = &help;
	}
	if (n)
		qsort(rows, n, sizeof(*rows), compare_options);
	*ret_n = n;
	return rows;
}

void help_options(struct str *out, const struct option *const *tables, size_t width)
{
	size_t n = 0, widest = 0;
	cleanup_free const struct option **rows = collect_options(tables, &n);

	for (size_t i = 0; i < n; i++) {
		cleanup_str struct str name = STR_INIT;

		add_option_name(&name, rows[i]);
		widest = name.len > widest ? name.len : widest;
	}
	for (size_t i = 0; i < n; i++) {
		cleanup_str struct str text = STR_INIT;
		size_t start = out->len;

		str_add(&text, rows[i]->help);
		if (rows[i]->def)
			str_addf(&text, " (default %s)", rows[i]->def);
		add_option_name(out, rows[i]);
		add_blanks(out, widest + 3 - (out->len - start));
		add_wrapped(out, str_get(&text), widest + 3, width - 1);
		str_add_char(out, '\n');
	}
}

void help_usage_line(struct str *out, const char *path, const char *usage)
{
	cleanup_strv struct strv forms = STRV_INIT;
	const char *last = path ? strrchr(path, ' ') : NULL;

	strv_split(&forms, usage ? usage : "", '\n');
	strv_foreach (i, &forms) {
		str_add(out, i ? "\t" PROGRAM : "Usage:  " PROGRAM);
		/* docker says every form but the first without its group. */
		if (i == 1 && last)
			path = last + 1;
		if (path)
			str_addf(out, " %s", path);
		if (*forms.items[i])
			str_addf(out, " %s", forms.items[i]);
		str_add_char(out, '\n');
	}
}

/* "tare container ls, tare container list, tare ps"; nothing when there is only one name. */
static void add_aliases(struct str *out, const struct command *c)
{
	cleanup_strv struct strv more = STRV_INIT;

	if (!c->group || !(c->top || c->aliases))
		return;
	str_addf(out, "\nAliases:\n  " PROGRAM " %s %s", c->group, c->name);
	if (c->aliases)
		strv_split(&more, c->aliases, ' ');
	strv_foreach (i, &more)
		str_addf(out, ", " PROGRAM " %s %s", c->group, more.items[i]);
	if (c->top)
		str_addf(out, ", " PROGRAM " %s", c->top);
	str_add_char(out, '\n');
}

static bool has_options(const struct option *const *tables)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++)
		for (const struct option *o = tables[t]; o->name; o++)
			if (!o->hidden)
				return true;
	return false;
}

void help_command(struct str *out, const struct command *c, const char *path, size_t width)
{
	help_usage_line(out, path, c->usage);
	str_addf(out, "\n%s\n", c->sentences ? c->sentences : c->summary);
	if (c->details)
		str_addf(out, "\n%s\n", c->details);
	add_aliases(out, c);
	if (has_options(c->tables)) {
		str_add(out, "\nOptions:\n");
		help_options(out, c->tables, width);
	}
	if (c->notes)
		str_addf(out, "\n%s\n", c->notes);
}

static void add_row(struct str *out, const char *name, const char *summary)
{
	str_addf(out, "  %-11s %s\n", name, summary);
}

struct row {
	const char *name, *summary;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The commands of GROUP (NULL: those of the top level that are not among the common ones). */
static void add_commands(struct str *out, const char *group)
{
	cleanup_free struct row *rows = mem_alloc(n_commands * sizeof(*rows));
	size_t n = 0;

	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		const char *name = group ? c->name : c->group ? c->top : c->name;

		if (!name || (c->flags & COMMAND_HIDDEN) || (!group && c->common) ||
		    (group && !str_is_equal(c->group, group)))
			continue;
		rows[n++] = (struct row){name, c->summary};
	}
	if (n)
		qsort(rows, n, sizeof(*rows), compare_rows);
	str_add(out, "\nCommands:\n");
	for (size_t i = 0; i < n; i++)
		add_row(out, rows[i].name, rows[i].summary);
}

void help_group(struct str *out, const struct command_group *g)
{
	help_usage_line(out, g->name, "COMMAND");
	str_addf(out, "\n%s\n", g->summary);
	add_commands(out, g->name);
	str_addf(out, "\nRun '" PROGRAM " %s COMMAND --help' for more information on a command.\n",
		 g->name);
}

static void add_common_commands(struct str *out)
{
	str_add(out, "\nCommon Commands:\n");
	for (int place = 1; place <= (int)n_commands; place++)
		for (size_t i = 0; i < n_commands; i++)
			if (commands[i].common == place)
				add_row(out, commands[i].group ? commands[i].top : commands[i].name,
					commands[i].summary);
}

void help_program(struct str *out, size_t width)
{
	const struct option *tables[OPTION_TABLES_MAX] = {global_options};

	help_usage_line(out, NULL, "[OPTIONS] COMMAND");
	str_add(out, "\nContainers without a daemon\n");
	add_common_commands(out);
	str_add(out, "\nManagement Commands:\n");
	for (size_t i = 0; i < n_command_groups; i++)
		add_row(out, command_groups[i].name, command_groups[i].summary);
	add_commands(out, NULL);
	str_add(out, "\nGlobal Options:\n");
	help_options(out, tables, width);
	str_add(out, "\nRun '" PROGRAM " COMMAND --help' for more information on a command.\n");
}
