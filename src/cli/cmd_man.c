/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tare man [COMMAND]`: manual pages from the tables of commands and options and the prose of
 * manual.c. --list names all pages, --write DIR writes them, which is how they are installed.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>

#define SECTION	     "1"
#define PAGE_DATE    "2026-11-26" /* of the prose; the build has no date in it */
#define FILL_COLUMNS 66

/* ---- text ---- */

/* Escapes what roff would act on: backslashes, and a dot or quote that begins a line. */
static void add_roff(struct str *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
			str_add(out, "\\&");
		if (text[i] == '\\')
			str_add(out, "\\e");
		else if (text[i] == '-')
			str_add(out, "\\-");
		else if (text[i] == '`')
			str_add(out, "\\(ga");
		else if (text[i] == '\'')
			str_add(out, "\\(aq");
		else
			str_add_char(out, text[i]);
	}
}

static void add_line(struct str *out, const char *text)
{
	add_roff(out, text, strlen(text));
	str_add_char(out, '\n');
}

/* Breaks TEXT at blanks, so that no line of the source is long; readers fill lines themselves. */
static void add_filled(struct str *out, const char *text)
{
	cleanup_free char *copy = str_dup(text);
	char *blank = NULL;
	char *line = copy;

	for (char *p = copy; *p; p++) {
		if (*p == '\n') {
			line = p + 1;
			blank = NULL;
		} else if (*p == ' ') {
			blank = p;
		}
		if (p - line < FILL_COLUMNS || !blank)
			continue;
		*blank = '\n';
		line = blank + 1;
		blank = NULL;
	}
	add_line(out, copy);
}

/* The lines of TEXT: paragraphs, and what stands behind a tab as it is. */
static void add_text(struct str *out, const char *text)
{
	cleanup_strv struct strv lines = STRV_INIT;
	bool verbatim = false;
	bool first = true;

	strv_split(&lines, text, '\n');
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];
		bool is_code = *line == '\t';

		if (is_code != verbatim)
			str_add(out, is_code ? (first ? ".RS 4\n.nf\n" : ".PP\n.RS 4\n.nf\n")
					     : ".fi\n.RE\n.PP\n");
		else if (!*line)
			str_add(out, ".PP\n");
		verbatim = is_code;
		first = false;
		if (is_code)
			add_line(out, line + 1);
		else if (*line)
			add_filled(out, line);
	}
	if (verbatim)
		str_add(out, ".fi\n.RE\n");
}

/* Lines in pairs: what is explained, and behind a tab what is said of it. */
static void add_pairs(struct str *out, const char *text)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	strv_foreach (i, &lines) {
		if (*lines.items[i] == '\t') {
			add_filled(out, lines.items[i] + 1);
			continue;
		}
		str_add(out, ".TP\n.B ");
		add_line(out, lines.items[i]);
	}
}

/* "tare-container-inspect" of "container inspect", owned. */
static char *page_name(const char *path)
{
	char *name = path ? str_printf(PROGRAM "-%s", path) : str_dup(PROGRAM);

	for (char *p = name; *p; p++)
		*p = *p == ' ' ? '-' : *p;
	return name;
}

static void add_header(struct str *out, const char *path, const char *summary)
{
	cleanup_free char *name = page_name(path);
	cleanup_free char *upper = str_dup(name);
	cleanup_free char *line = NULL;

	for (char *p = upper; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	str_addf(out, ".TH %s " SECTION " \"" PAGE_DATE "\" \"" PROGRAM " %s\" \"User Commands\"\n",
		 upper, version_text());
	str_add(out, ".SH NAME\n");
	line = str_printf("%s - %s", name, summary);
	add_filled(out, line);
}

/* ---- options ---- */

static void add_option(struct str *out, const struct option *o)
{
	cleanup_str struct str text = STR_INIT;

	str_add(out, ".TP\n.BR ");
	if (o->short_name)
		str_addf(out, "\\-%c \", \" ", o->short_name);
	str_add(out, "\\-\\-");
	add_roff(out, o->name, strlen(o->name));
	if (o->type)
		str_addf(out, " \" \\fI%s\\fR\"", o->type);
	str_add_char(out, '\n');
	str_add(&text, o->help);
	if (o->def)
		str_addf(&text, " (default %s)", o->def);
	if (o->missing)
		str_addf(&text, "\nNot available: %s.", o->missing);
	add_filled(out, str_get(&text));
}

static void add_options(struct str *out, const struct option *const *tables)
{
	bool any = false;

	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++) {
		for (const struct option *o = tables[t]; o->name; o++) {
			if (o->hidden)
				continue;
			str_add(out, any ? "" : ".SH OPTIONS\n");
			any = true;
			add_option(out, o);
		}
	}
}

/* ---- a command's page ---- */

static void add_synopsis(struct str *out, const struct command *c, const char *path)
{
	cleanup_strv struct strv forms = STRV_INIT;

	strv_split(&forms, c->usage, '\n');
	str_add(out, ".SH SYNOPSIS\n");
	strv_foreach (i, &forms) {
		str_addf(out, "%s.B " PROGRAM " %s\n", i ? ".br\n" : "", path);
		if (*forms.items[i])
			add_line(out, forms.items[i]);
	}
	if (c->group && c->top)
		str_addf(out, ".br\n.B " PROGRAM " %s %s\n\\&...\n", c->group, c->name);
}

static void add_exit_status(struct str *out, const struct command *c)
{
	static const char run[] =
		"0 to 255\n\tThat of the command in the container; 128 and the number of the "
		"signal "
		"that ended it.\n"
		"125\n\tThe container could not be made or started, or an option was wrong.\n"
		"126\n\tThe command cannot be executed.\n"
		"127\n\tThe command, or something it needs, was not found.";
	static const char exec[] =
		"0 to 255\n\tThat of the command; 128 and the number of the signal that ended it.\n"
		"1\n\tThe container does not exist or does not run.\n"
		"125\n\tAn option was wrong.\n"
		"126\n\tThe command cannot be executed.\n"
		"127\n\tThe command was not found.";
	static const char other[] = "0\n\tEverything was done.\n"
				    "1\n\tSomething was not; the rest was.\n"
				    "125\n\tAn option was wrong.";
	bool has_template = false;

	str_add(out, ".SH EXIT STATUS\n");
	add_pairs(out, c->flags & COMMAND_RUN_STATUS	? run
		       : c->flags & COMMAND_EXEC_STATUS ? exec
							: other);
	has_template = strstr(c->name, "inspect") || strcmp(c->name, "events") == 0;
	if (has_template)
		add_pairs(out, "64\n\tThe template of --format cannot be parsed.");
}

static void add_see_also(struct str *out, const char *names)
{
	cleanup_strv struct strv list = STRV_INIT;

	str_add(out, ".SH SEE ALSO\n.BR " PROGRAM " (" SECTION ")");
	strv_split(&list, names ? names : "", ' ');
	strv_foreach (i, &list) {
		if (!*list.items[i])
			continue;
		str_add(out, ",\n.BR " PROGRAM "\\-");
		add_roff(out, list.items[i], strlen(list.items[i]));
		str_add(out, " (" SECTION ")");
	}
	str_add_char(out, '\n');
}

static void add_command_page(struct str *out, const struct command *c, const char *path)
{
	const struct manual_page *page = manual_find(c);

	add_header(out, path, c->summary);
	add_synopsis(out, c, path);
	str_add(out, ".SH DESCRIPTION\n");
	add_text(out, page ? page->description : c->summary);
	add_options(out, c->tables);
	if (c->notes || (!page && c->details)) {
		str_add(out, ".SH NOTES\n");
		add_text(out, c->notes ? c->notes : c->details);
	}
	if (page && page->examples) {
		str_add(out, ".SH EXAMPLES\n");
		add_text(out, page->examples);
	}
	add_exit_status(out, c);
	add_see_also(out, page ? page->see_also : NULL);
}

/* ---- the program's page ---- */

static void add_program_page(struct str *out)
{
	const struct option *const tables[OPTION_TABLES_MAX] = {global_options};

	add_header(out, NULL, "containers without a daemon");
	str_add(out, ".SH SYNOPSIS\n.B " PROGRAM "\n[OPTIONS] COMMAND [ARG...]\n");
	str_add(out, ".SH DESCRIPTION\n");
	add_text(out, manual_program_description);
	add_options(out, tables);
	str_add(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		if (c->flags & COMMAND_HIDDEN)
			continue;
		str_addf(out, ".TP\n.B %s%s%s\n", c->group ? c->group : "", c->group ? " " : "",
			 c->name);
		add_filled(out, c->summary);
	}
	str_add(out, ".SH FILES\n");
	add_pairs(out, manual_program_files);
	str_add(out, ".SH ENVIRONMENT\n");
	add_pairs(out, manual_program_environment);
	str_add(out, ".SH SEE ALSO\n.BR docker (1),\n.BR namespaces (7),\n.BR cgroups (7)\n");
}

/* ---- all pages ---- */

/* The shortest way to say C, which is the name of its page; owned. */
static char *shortest_path(const struct command *c)
{
	return command_path(c, c->group && !c->top ? c->group : NULL);
}

static int write_page(const char *dir, const char *path, const struct str *page, struct err *err)
{
	cleanup_free char *name = page_name(path);
	cleanup_free char *file = str_printf("%s/%s." SECTION, dir, name);
	FILE *f = fopen(file, "we");

	if (!f)
		return err_sys(err, errno, "open %s", file);
	fputs(str_get(page), f);
	if (fclose(f) != 0)
		return err_sys(err, errno, "write %s", file);
	return 0;
}

static int write_pages(const char *dir, struct err *err)
{
	cleanup_str struct str program = STR_INIT;

	add_program_page(&program);
	if (write_page(dir, NULL, &program, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n_commands; i++) {
		cleanup_free char *path = shortest_path(&commands[i]);
		cleanup_str struct str page = STR_INIT;

		if (commands[i].flags & COMMAND_HIDDEN)
			continue;
		add_command_page(&page, &commands[i], path);
		if (write_page(dir, path, &page, err) < 0)
			return -err->code;
	}
	return 0;
}

static void list_pages(void)
{
	puts(PROGRAM "." SECTION);
	for (size_t i = 0; i < n_commands; i++) {
		cleanup_free char *path = shortest_path(&commands[i]);
		cleanup_free char *name = page_name(path);

		if (!(commands[i].flags & COMMAND_HIDDEN))
			printf("%s." SECTION "\n", name);
	}
}

int cmd_man(struct cli *cli, union verb_options *o, struct err *err)
{
	const struct strv *args = &cli->args;
	const char *group = args->n == 2 ? args->items[0] : NULL;
	const struct command *c = args->n ? command_lookup(group, args->items[args->n - 1]) : NULL;
	cleanup_str struct str out = STR_INIT;

	if (o->man.write)
		return write_pages(o->man.write, err);
	if (o->man.list) {
		list_pages();
		return 0;
	}
	if (args->n && !c)
		return err_set(err, ERR_NOT_FOUND, "no manual page for %s%s%s", args->items[0],
			       group ? " " : "", group ? args->items[1] : "");
	if (c) {
		cleanup_free char *path = command_path(c, group);

		add_command_page(&out, c, path);
	} else {
		add_program_page(&out);
	}
	fputs(str_get(&out), stdout);
	return 0;
}
