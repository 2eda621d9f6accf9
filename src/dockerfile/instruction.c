/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One parser for each keyword, found in a table. Counts of arguments are checked before flags
 * where BuildKit does so: of two mistakes the same one is named.
 */
#include "dockerfile/instruction.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/instruction_private.h"

void text_to_lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

void text_to_upper(char *text)
{
	for (; *text; text++)
		*text = (char)toupper((unsigned char)*text);
}

const struct strv *instruction_args(const struct dockerfile_instruction *syntax)
{
	return syntax->is_json ? &syntax->json : &syntax->words;
}

static const char *rest_of(const struct dockerfile_instruction *syntax)
{
	return syntax->rest ? syntax->rest : "";
}

static const char *keyword_of(const struct dockerfile_instruction *syntax)
{
	return dockerfile_keyword_name(syntax->keyword);
}

static int refuse_no_argument(const struct dockerfile_instruction *syntax, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s requires at least one argument", keyword_of(syntax));
}

/* ---- FROM ---- */

static bool is_stage_name(const char *name)
{
	return islower((unsigned char)*name) &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")];
}

static int set_stage_name(const char *typed, struct from_instruction *from, struct err *err)
{
	from->name = str_dup(typed);
	from->name_typed = str_dup(typed);
	text_to_lower(from->name);
	if (!is_stage_name(from->name))
		return err_set(err, ERR_INVALID,
			       "invalid name for build stage: \"%s\", name can't start with a "
			       "number or contain symbols",
			       typed);
	return 0;
}

static int parse_from(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err)
{
	struct from_instruction *from = &ret->from;
	const struct strv *args = instruction_args(syntax);
	const struct flag_spec specs[] = {{"platform", FLAG_TEXT, &from->platform}};

	if (args->n == 3 && strcasecmp(args->items[1], "as") == 0) {
		if (set_stage_name(args->items[2], from, err) < 0)
			return -err->code;
	} else if (args->n != 1) {
		return err_set(err, ERR_INVALID, "FROM requires either one or three arguments");
	}
	if (flags_parse(syntax, specs, ARRAY_LEN(specs), err) < 0)
		return -err->code;
	if (from->platform && !*from->platform)
		str_replace(&from->platform, NULL);
	from->image = str_dup(args->items[0]);
	return 0;
}

/* ---- ARG ---- */

/* What the comment above says about NAME: the rest of its line that begins with it. Owned. */
static char *dup_doc(const char *doc, const char *name)
{
	cleanup_strv struct strv lines = STRV_INIT;
	size_t len = strlen(name);

	if (!doc)
		return NULL;
	strv_split(&lines, doc, '\n');
	strv_foreach (i, &lines)
		if (strncmp(lines.items[i], name, len) == 0 && lines.items[i][len] == ' ')
			return str_dup(lines.items[i] + len + 1);
	return NULL;
}

static int parse_arg(const struct dockerfile_instruction *syntax, struct instruction *ret,
		     struct err *err)
{
	struct arg_instruction *arg = &ret->arg;
	const struct strv *args = instruction_args(syntax);

	if (!args->n)
		return refuse_no_argument(syntax, err);
	arg->items = mem_zalloc(args->n * sizeof(*arg->items));
	strv_foreach (i, args) {
		const char *word = args->items[i];
		const char *equals = strchr(word, '=');
		struct arg_item *item = &arg->items[arg->n++];

		item->name = equals ? str_ndup(word, (size_t)(equals - word)) : str_dup(word);
		item->value = equals ? str_dup(equals + 1) : NULL;
		item->doc = dup_doc(syntax->doc, item->name);
		if (!*item->name)
			return err_set(err, ERR_INVALID, "ARG names can not be blank");
	}
	return 0;
}

/* ---- ENV and LABEL ---- */

static int parse_pairs(const struct dockerfile_instruction *syntax, struct instruction *ret,
		       struct err *err)
{
	struct pairs_instruction *pairs = &ret->pairs;
	const struct strv *words = &syntax->words;

	if (flags_parse(syntax, NULL, 0, err) < 0)
		return -err->code;
	if (!words->n)
		return refuse_no_argument(syntax, err);
	if (words->n % 2)
		return err_set(err, ERR_INVALID, "Bad input to %s, too many arguments",
			       keyword_of(syntax));
	pairs->is_legacy = syntax->is_legacy;
	for (size_t i = 0; i < words->n; i += 2) {
		if (!*words->items[i])
			return err_set(err, ERR_INVALID, "%s names can not be blank",
				       keyword_of(syntax));
		strv_add(&pairs->keys, words->items[i]);
		strv_add(&pairs->values, words->items[i + 1]);
	}
	return 0;
}

/* ---- commands ---- */

static void set_command(const struct dockerfile_instruction *syntax, struct command_line *command)
{
	command->is_shell = !syntax->is_json;
	if (syntax->is_json)
		strv_add_all(&command->words, &syntax->json);
	else if (*rest_of(syntax))
		strv_add(&command->words, rest_of(syntax));
}

static int parse_command(const struct dockerfile_instruction *syntax, struct instruction *ret,
			 struct err *err)
{
	set_command(syntax, &ret->command);
	return flags_parse(syntax, NULL, 0, err);
}

static int check_word(const char *value, const char *const *allowed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(value, allowed[i]) == 0)
			return 0;
	return -1;
}

/* What RUN's flags say must be one of few words; mounts are looked at once they are expanded. */
static int check_run(const struct run_instruction *run, struct err *err)
{
	static const char *const networks[] = {"default", "none", "host"};
	static const char *const securities[] = {"sandbox", "insecure"};

	if (run->network && check_word(run->network, networks, ARRAY_LEN(networks)) < 0)
		return err_set(err, ERR_INVALID, "invalid network mode \"%s\"", run->network);
	if (run->security && check_word(run->security, securities, ARRAY_LEN(securities)) < 0)
		return err_set(err, ERR_INVALID, "security \"%s\" is not valid", run->security);
	return 0;
}

static int parse_run(const struct dockerfile_instruction *syntax, struct instruction *ret,
		     struct err *err)
{
	struct run_instruction *run = &ret->run;
	const struct flag_spec specs[] = {
		{"device", FLAG_LIST, &run->devices},
		{"mount", FLAG_LIST, &run->mounts},
		{"network", FLAG_TEXT, &run->network},
		{"security", FLAG_TEXT, &run->security},
	};

	if (flags_parse(syntax, specs, ARRAY_LEN(specs), err) < 0)
		return -err->code;
	if (!*rest_of(syntax))
		return refuse_no_argument(syntax, err);
	/* "RUN <<EOF": the text is the command, there is none beside it. */
	if (syntax->is_json || !instruction_find_heredoc(syntax, rest_of(syntax)))
		set_command(syntax, &run->command);
	else
		run->command.is_shell = true;
	return check_run(run, err);
}

/* ---- one text, lists ---- */

static int parse_text(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err)
{
	if (!*rest_of(syntax))
		return err_set(err, ERR_INVALID, "%s requires exactly one argument",
			       keyword_of(syntax));
	ret->text.text = str_dup(rest_of(syntax));
	return flags_parse(syntax, NULL, 0, err);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int parse_expose(const struct dockerfile_instruction *syntax, struct instruction *ret,
			struct err *err)
{
	struct strv *words = &ret->list.words;

	strv_add_all(words, &syntax->words);
	if (!words->n)
		return refuse_no_argument(syntax, err);
	qsort(words->items, words->n, sizeof(*words->items), compare_words);
	return flags_parse(syntax, NULL, 0, err);
}

static int parse_volume(const struct dockerfile_instruction *syntax, struct instruction *ret,
			struct err *err)
{
	const struct strv *args = instruction_args(syntax);

	if (!args->n)
		return refuse_no_argument(syntax, err);
	if (flags_parse(syntax, NULL, 0, err) < 0)
		return -err->code;
	ret->list.is_json = syntax->is_json;
	strv_foreach (i, args) {
		cleanup_free char *copy = str_dup(args->items[i]);
		const char *path = str_trim(copy);

		if (!*path)
			return err_set(err, ERR_INVALID,
				       "VOLUME specified can not be an empty string");
		strv_add(&ret->list.words, path);
	}
	return 0;
}

static int parse_shell(const struct dockerfile_instruction *syntax, struct instruction *ret,
		       struct err *err)
{
	if (flags_parse(syntax, NULL, 0, err) < 0)
		return -err->code;
	if (syntax->is_json ? !syntax->json.n : !*rest_of(syntax))
		return refuse_no_argument(syntax, err);
	if (!syntax->is_json)
		return err_set(err, ERR_INVALID, "SHELL requires the arguments to be in JSON form");
	ret->list.is_json = true;
	strv_add_all(&ret->list.words, &syntax->json);
	return 0;
}

/* ---- ONBUILD ---- */

static int parse_onbuild(const struct dockerfile_instruction *syntax, struct instruction *ret,
			 struct err *err)
{
	if (!*rest_of(syntax) || !syntax->trigger)
		return refuse_no_argument(syntax, err);
	if (flags_parse(syntax, NULL, 0, err) < 0)
		return -err->code;
	if (syntax->trigger->keyword == KEYWORD_ONBUILD)
		return err_set(err, ERR_INVALID,
			       "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (syntax->trigger->keyword == KEYWORD_FROM ||
	    syntax->trigger->keyword == KEYWORD_MAINTAINER)
		return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger",
			       keyword_of(syntax->trigger));
	ret->trigger = mem_zalloc(sizeof(*ret->trigger));
	return instruction_parse(syntax->trigger, ret->trigger, err);
}

char *instruction_format_trigger(const struct instruction *onbuild)
{
	const struct dockerfile_instruction *trigger = onbuild->syntax->trigger;
	struct str text = STR_INIT;

	str_add(&text, rest_of(onbuild->syntax));
	for (size_t i = 0; i < trigger->n_heredocs; i++)
		str_addf(&text, "\n%s%s", trigger->heredocs[i].raw, trigger->heredocs[i].name);
	return str_take(&text);
}

int instruction_parse(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err)
{
	static int (*const parsers[KEYWORD_COUNT])(const struct dockerfile_instruction *,
						   struct instruction *, struct err *) = {
		[KEYWORD_ADD] = parse_copy,
		[KEYWORD_ARG] = parse_arg,
		[KEYWORD_CMD] = parse_command,
		[KEYWORD_COPY] = parse_copy,
		[KEYWORD_ENTRYPOINT] = parse_command,
		[KEYWORD_ENV] = parse_pairs,
		[KEYWORD_EXPOSE] = parse_expose,
		[KEYWORD_FROM] = parse_from,
		[KEYWORD_HEALTHCHECK] = parse_healthcheck,
		[KEYWORD_LABEL] = parse_pairs,
		[KEYWORD_MAINTAINER] = parse_text,
		[KEYWORD_ONBUILD] = parse_onbuild,
		[KEYWORD_RUN] = parse_run,
		[KEYWORD_SHELL] = parse_shell,
		[KEYWORD_STOPSIGNAL] = parse_text,
		[KEYWORD_USER] = parse_text,
		[KEYWORD_VOLUME] = parse_volume,
		[KEYWORD_WORKDIR] = parse_text,
	};
	struct instruction parsed = {.keyword = syntax->keyword, .syntax = syntax};

	if (parsers[syntax->keyword](syntax, &parsed, err) < 0) {
		instruction_done(&parsed);
		return -err->code;
	}
	*ret = parsed;
	return 0;
}
