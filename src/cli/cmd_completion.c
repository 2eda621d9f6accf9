/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tare completion SHELL` and `tare man [COMMAND]`: generated from the same tables as the help, so
 * they cannot be out of date.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/verbs.h"

#include <stdio.h>

/* Words that can follow GROUP (NULL: the program), each with SUMMARY when a format wants it. */
static void add_names(struct str *out, const char *group)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		const char *name = group ? c->name : c->group ? c->top : c->name;

		if (name && (!group || str_is_equal(c->group, group)))
			str_addf(out, "%s ", name);
	}
	for (size_t i = 0; !group && i < n_command_groups; i++)
		str_addf(out, "%s ", command_groups[i].name);
}

static void add_flags(struct str *out, const struct command *c)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && c->tables[t]; t++)
		for (const struct option *o = c->tables[t]; o->name; o++)
			if (!o->hidden)
				str_addf(out, "--%s ", o->name);
	str_add(out, "--help");
}

/* What stands in a command's usage where a name is to be typed, and the command that lists such
 * names. The first word that fits counts. */
static const struct name_kind {
	const char *word, *kind, *list;
} name_kinds[] = {
	{"CONTAINER:", "copies", PROGRAM " ps -a --format '{{.Names}}:' 2>/dev/null"},
	{"CONTAINER", "containers", PROGRAM " ps -a --format '{{.Names}}' 2>/dev/null"},
	{"IMAGE", "images",
	 PROGRAM " images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>'"},
	{"VOLUME", "volumes", PROGRAM " volume ls -q 2>/dev/null"},
};

/* The kind of C's arguments; NULL for none of these. */
static const struct name_kind *lookup_names(const struct command *c)
{
	for (size_t i = 0; i < ARRAY_LEN(name_kinds); i++)
		if (strstr(c->usage, name_kinds[i].word))
			return &name_kinds[i];
	return NULL;
}

/* One line of a case statement for each way to say each command. */
static void add_bash_cases(struct str *out)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		const char *top = c->group ? c->top : c->name;
		const struct name_kind *names = lookup_names(c);

		str_add(out, "\t");
		if (c->group)
			str_addf(out, "'%s %s'%s", c->group, c->name, top ? "|" : "");
		if (top)
			str_addf(out, "'%s'", top);
		str_add(out, ") flags='");
		add_flags(out, c);
		str_addf(out, "'%s%s ;;\n", names ? " names=" : "", names ? names->kind : "");
	}
}

/* The names that begin with the word before the cursor. bash has split that word at its colons, and
 * takes only what follows the last one. */
static void add_bash_names(struct str *out)
{
	str_add(out, "_" PROGRAM "_list() {\n\tcase $1 in\n");
	for (size_t i = 0; i < ARRAY_LEN(name_kinds); i++)
		str_addf(out, "\t%s) %s ;;\n", name_kinds[i].kind, name_kinds[i].list);
	str_add(out, "\tesac\n}\n"
		     "_" PROGRAM "_names() {\n"
		     "\tlocal line=${COMP_LINE:0:COMP_POINT} name\n"
		     "\tlocal typed=${line##*[[:space:]]}\n"
		     "\tlocal before=${typed%\"${typed##*:}\"}\n"
		     "\tCOMPREPLY=()\n"
		     "\twhile read -r name; do\n"
		     "\t\tcase $name in \"$typed\"*) COMPREPLY+=(\"${name#\"$before\"}\") ;; esac\n"
		     "\tdone < <(_" PROGRAM "_list \"$1\")\n"
		     "}\n");
}

static void add_bash(struct str *out)
{
	str_add(out, "# bash completion of " PROGRAM "\n");
	add_bash_names(out);
	str_add(out, "_" PROGRAM "() {\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} path= flags= names= word\n"
		     "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		     "\t\tcase $word in -*) continue ;; esac\n"
		     "\t\tcase $path in");
	for (size_t i = 0; i < n_command_groups; i++)
		str_addf(out, "%s%s", i ? "|" : " ''|", command_groups[i].name);
	str_add(out, ") path=\"${path:+$path }$word\" ;; esac\n"
		     "\tdone\n"
		     "\tcase $path in\n"
		     "\t'') flags='");
	add_names(out, NULL);
	str_add(out, "' ;;\n");
	for (size_t i = 0; i < n_command_groups; i++) {
		str_addf(out, "\t'%s') flags='", command_groups[i].name);
		add_names(out, command_groups[i].name);
		str_add(out, "' ;;\n");
	}
	add_bash_cases(out);
	str_add(out,
		"\tesac\n"
		"\tcase $path,$cur in\n"
		"\t?*\\ ?*,-*|?*,-*|,*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n");
	for (size_t i = 0; i < n_command_groups; i++)
		str_addf(out, "\t%s,*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n",
			 command_groups[i].name);
	str_add(out, "\t?*,*) [ -n \"$names\" ] && _" PROGRAM "_names \"$names\" ;;\n"
		     "\tesac\n}\ncomplete -o default -F _" PROGRAM " " PROGRAM "\n");
}

/* zsh runs the bash form through its own emulation. */
static void add_zsh(struct str *out)
{
	str_add(out, "#compdef " PROGRAM "\n"
		     "autoload -U +X bashcompinit && bashcompinit\n");
	add_bash(out);
}

/* TEXT as one word of fish's single quotes, its first line only. */
static void add_fish_text(struct str *out, const char *text)
{
	str_add_char(out, '\'');
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'' || *text == '\\')
			str_add_char(out, '\\');
		str_add_char(out, *text);
	}
	str_add_char(out, '\'');
}

static void add_fish_command(struct str *out, const struct command *c)
{
	const char *name = c->group ? c->top : c->name;
	const struct name_kind *names = lookup_names(c);

	if (!name || (c->flags & COMMAND_HIDDEN))
		return;
	str_addf(out, "complete -c " PROGRAM " -n __fish_use_subcommand -a %s -d ", name);
	add_fish_text(out, c->summary);
	str_add_char(out, '\n');
	if (names)
		str_addf(out,
			 "complete -c " PROGRAM
			 " -n '__fish_seen_subcommand_from %s' -a \"(%s)\"\n",
			 name, names->list);
	for (size_t t = 0; t < OPTION_TABLES_MAX && c->tables[t]; t++) {
		for (const struct option *o = c->tables[t]; o->name; o++) {
			if (o->hidden)
				continue;
			str_addf(out,
				 "complete -c " PROGRAM
				 " -n '__fish_seen_subcommand_from %s' -l %s",
				 name, o->name);
			if (o->short_name)
				str_addf(out, " -s %c", o->short_name);
			str_addf(out, "%s -d ", option_is_flag(o) ? "" : " -r");
			add_fish_text(out, o->help);
			str_add_char(out, '\n');
		}
	}
}

static void add_fish(struct str *out)
{
	str_add(out, "# fish completion of " PROGRAM "\n");
	for (size_t i = 0; i < n_commands; i++)
		add_fish_command(out, &commands[i]);
}

int cmd_completion(struct cli *cli, union verb_options *o, struct err *err)
{
	static const struct {
		const char *shell;
		void (*add)(struct str *out);
	} shells[] = {
		{"bash", add_bash},
		{"zsh", add_zsh},
		{"fish", add_fish},
	};

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		cleanup_str struct str out = STR_INIT;

		if (strcmp(cli->args.items[0], shells[i].shell) != 0)
			continue;
		shells[i].add(&out);
		fputs(str_get(&out), stdout);
		return 0;
	}
	return err_set(err, ERR_INVALID, "no completion for \"%s\", only for bash, zsh and fish",
		       cli->args.items[0]);
}

/* ---- manual pages ---- */

/* Escapes what roff would act on: backslashes, and a dot or quote that begins a line. */
static void add_roff(struct str *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
			str_add(out, "\\&");
		if (*p == '\\')
			str_add(out, "\\e");
		else if (*p == '-')
			str_add(out, "\\-");
		else
			str_add_char(out, *p);
	}
}

static void add_man_options(struct str *out, const struct option *const *tables)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++) {
		for (const struct option *o = tables[t]; o->name; o++) {
			if (o->hidden)
				continue;
			str_add(out, ".TP\n.B ");
			if (o->short_name)
				str_addf(out, "\\-%c, ", o->short_name);
			add_roff(out, "--");
			add_roff(out, o->name);
			if (o->type)
				str_addf(out, " \\fI%s\\fR", o->type);
			str_add_char(out, '\n');
			add_roff(out, o->help);
			if (o->def)
				str_addf(out, " (default %s)", o->def);
			str_add_char(out, '\n');
		}
	}
}

static void add_man_command(struct str *out, const struct command *c, const char *path)
{
	cleanup_free char *page = str_dup(path);
	cleanup_strv struct strv forms = STRV_INIT;

	strv_split(&forms, c->usage, '\n');
	for (char *p = page; *p; p++)
		*p = *p == ' ' ? '-' : *p;
	str_addf(out, ".TH " PROGRAM "-%s 1\n.SH NAME\n" PROGRAM " %s \\- ", page, path);
	add_roff(out, c->summary);
	str_add(out, "\n.SH SYNOPSIS\n");
	strv_foreach (i, &forms) {
		str_addf(out, "%s.B " PROGRAM " %s\n", i ? ".br\n" : "", path);
		add_roff(out, forms.items[i]);
		str_add_char(out, '\n');
	}
	if (c->details) {
		str_add(out, ".SH DESCRIPTION\n");
		add_roff(out, c->details);
		str_add_char(out, '\n');
	}
	if (c->tables[0])
		str_add(out, ".SH OPTIONS\n");
	add_man_options(out, c->tables);
	if (c->notes) {
		str_add(out, ".SH NOTES\n");
		add_roff(out, c->notes);
		str_add_char(out, '\n');
	}
}

static void add_man_program(struct str *out)
{
	const struct option *tables[OPTION_TABLES_MAX] = {global_options};

	str_add(out, ".TH " PROGRAM " 1\n.SH NAME\n" PROGRAM " \\- containers without a daemon\n"
		     ".SH SYNOPSIS\n.B " PROGRAM "\n[OPTIONS] COMMAND\n.SH COMMANDS\n");
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		if (c->flags & COMMAND_HIDDEN)
			continue;
		str_addf(out, ".TP\n.B %s%s%s\n", c->group ? c->group : "", c->group ? " " : "",
			 c->name);
		add_roff(out, c->summary);
		str_add_char(out, '\n');
	}
	str_add(out, ".SH OPTIONS\n");
	add_man_options(out, tables);
}

int cmd_man(struct cli *cli, union verb_options *o, struct err *err)
{
	const struct strv *args = &cli->args;
	const char *group = args->n == 2 ? args->items[0] : NULL;
	const struct command *c = args->n ? command_lookup(group, args->items[args->n - 1]) : NULL;
	cleanup_str struct str out = STR_INIT;

	if (args->n && !c)
		return err_set(err, ERR_NOT_FOUND, "no manual page for %s%s%s", args->items[0],
			       group ? " " : "", group ? args->items[1] : "");
	if (c) {
		cleanup_free char *path = command_path(c, group);

		add_man_command(&out, c, path);
	} else {
		add_man_program(&out);
	}
	fputs(str_get(&out), stdout);
	return 0;
}
