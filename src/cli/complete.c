/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion: walks over the words as the dispatcher does, and asks the tables what can stand where
 * the cursor is. A line that is wrong already has no completion, and no error is ever printed.
 */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/option.h"

/* Where the walk is. `option` is one that waits for its value. */
struct walk {
	struct completion *c;
	char *const *words; /* the last one is unfinished */
	size_t n, at;
	const struct option *option;
	bool no_options; /* after "--", or after the first argument where that ends them */
};

void complete_add(struct completion *c, const char *word, const char *text)
{
	if (!str_has_prefix(word, c->prefix))
		return;
	str_add(&c->out, word);
	if (c->with_texts && text && *text) {
		str_add_char(&c->out, '\t');
		str_add_bytes(&c->out, text, strcspn(text, "\n"));
	}
	str_add_char(&c->out, '\n');
}

/* ---- options ---- */

/* Steps over the option WORD; remembers it when its value is the next word. */
static void walk_option(struct walk *w, const struct option *const *tables, const char *word)
{
	const struct option *o = NULL;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		o = option_lookup(tables, word + 2, len);
		if (o && !word[2 + len] && !option_is_flag(o))
			w->option = o;
		return;
	}
	for (const char *p = word + 1; *p; p++) {
		o = option_lookup_short(tables, *p);
		if (!o || !option_is_flag(o)) {
			w->option = o && !p[1] ? o : NULL;
			return;
		}
	}
}

static void add_options(struct completion *c, const struct option *const *tables)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++) {
		for (const struct option *o = tables[t]; o->name; o++) {
			cleanup_free char *name = str_printf("--%s", o->name);
			char letter[] = {'-', o->short_name, '\0'};

			if (o->hidden || o->missing)
				continue;
			complete_add(c, name, o->help);
			if (o->short_name)
				complete_add(c, letter, o->help);
		}
	}
	complete_add(c, "--help", "Print usage");
	c->directive = COMPLETE_NO_FILES;
}

/* The unfinished word is an option, or "--name=VALUE". */
static void complete_option(struct walk *w, const struct command *command,
			    const struct option *const *tables)
{
	const char *word = w->words[w->n - 1];
	size_t len = strcspn(word, "=");
	const struct option *o = NULL;

	if (!word[len]) {
		add_options(w->c, tables);
		return;
	}
	if (word[1] == '-')
		o = option_lookup(tables, word + 2, len - 2);
	w->c->prefix = word + len + 1;
	w->c->directive = COMPLETE_NO_FILES;
	if (o && option_is_flag(o)) {
		complete_add(w->c, "true", NULL);
		complete_add(w->c, "false", NULL);
	} else if (o) {
		complete_value(w->c, command, o);
	}
}

/* Where the line itself says where things are. */
static void take_value(struct walk *w, const char *value)
{
	if (strcmp(w->option->name, "root") == 0)
		w->c->cli->root = value;
	else if (strcmp(w->option->name, "runroot") == 0)
		w->c->cli->runroot = value;
	w->option = NULL;
}

/* Steps over the finished words, adding arguments to ARGS until STOP of them are there. */
static void walk_words(struct walk *w, const struct option *const *tables, struct strv *args,
		       size_t stop)
{
	while (w->at + 1 < w->n && args->n < stop) {
		const char *word = w->words[w->at++];

		if (w->option)
			take_value(w, word);
		else if (!w->no_options && strcmp(word, "--") == 0)
			w->no_options = true;
		else if (!w->no_options && word[0] == '-' && word[1])
			walk_option(w, tables, word);
		else
			strv_add(args, word);
	}
}

/* Completes an option or its value, if that is what is being typed. */
static bool try_option(struct walk *w, const struct command *command,
		       const struct option *const *tables)
{
	if (w->option) {
		complete_value(w->c, command, w->option);
		return true;
	}
	if (w->no_options || w->words[w->n - 1][0] != '-')
		return false;
	complete_option(w, command, tables);
	return true;
}

/* ---- commands ---- */

/* The commands of GROUP (NULL: what can stand first). */
static void add_commands(struct completion *c, const char *group)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *command = &commands[i];
		const char *name = group || !command->group ? command->name : command->top;

		if (name && !(command->flags & COMMAND_HIDDEN) &&
		    (!group || str_is_equal(command->group, group)))
			complete_add(c, name, command->summary);
	}
	for (size_t i = 0; !group && i < n_command_groups; i++)
		complete_add(c, command_groups[i].name, command_groups[i].summary);
	if (!group)
		complete_add(c, "help", "Help about the command");
	c->directive = COMPLETE_NO_FILES;
}

static void complete_command(struct walk *w, const struct command *command)
{
	struct strv *args = &w->c->args;
	bool stops = command->flags & COMMAND_STOP_AT_ARGUMENT;

	if (stops) {
		walk_words(w, command->tables, args, 1);
		w->no_options = w->no_options || args->n > 0;
	}
	walk_words(w, command->tables, args, SIZE_MAX);
	if (!try_option(w, command, command->tables))
		complete_argument(w->c, command);
}

/* `tare help ...`: as if the words stood there without it, but for their arguments. */
static void complete_help(struct walk *w)
{
	const char *group = NULL;

	w->c->directive = COMPLETE_NO_FILES;
	if (w->at + 2 == w->n && command_group_lookup(w->words[w->at]))
		group = w->words[w->at];
	else if (w->at + 1 != w->n)
		return;
	add_commands(w->c, group);
}

static void complete_group(struct walk *w, const char *group)
{
	static const struct option *const none[OPTION_TABLES_MAX] = {};
	cleanup_strv struct strv words = STRV_INIT;
	const struct command *command = NULL;

	walk_words(w, none, &words, 1);
	if (words.n == 0) {
		if (!try_option(w, NULL, none))
			add_commands(w->c, group);
		return;
	}
	command = command_lookup(group, words.items[0]);
	if (command)
		complete_command(w, command);
}

static void complete_program(struct walk *w)
{
	static const struct option *const globals[OPTION_TABLES_MAX] = {global_options};
	cleanup_strv struct strv words = STRV_INIT;
	const struct command *command = NULL;

	walk_words(w, globals, &words, 1);
	if (words.n == 0) {
		if (!try_option(w, NULL, globals))
			add_commands(w->c, NULL);
		return;
	}
	w->no_options = false;
	if (strcmp(words.items[0], "help") == 0) {
		complete_help(w);
	} else if (command_group_lookup(words.items[0])) {
		complete_group(w, words.items[0]);
	} else {
		command = command_lookup(NULL, words.items[0]);
		if (command)
			complete_command(w, command);
	}
}

int complete_main(struct cli *cli, char *const *words, size_t n, bool with_texts)
{
	static char empty[] = "";
	char *const nothing[] = {empty};
	struct completion c = {.cli = cli, .with_texts = with_texts};
	struct walk w = {.c = &c, .words = n ? words : nothing, .n = n ? n : 1};

	c.prefix = w.words[w.n - 1];
	complete_program(&w);
	fputs(str_get(&c.out), stdout);
	printf(":%u\n", c.directive);
	str_done(&c.out);
	strv_done(&c.args);
	return 0;
}
