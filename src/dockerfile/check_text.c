/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that look at the text alone: casing, names of stages, comments, what is deprecated. */
#include "dockerfile/check_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/instruction_private.h"

static bool has_upper(const char *s)
{
	while (*s && !isupper((unsigned char)*s))
		s++;
	return *s;
}

static bool has_lower(const char *s)
{
	while (*s && !islower((unsigned char)*s))
		s++;
	return *s;
}

/* ---- stages ---- */

static void check_name_casing(struct check *c, const struct instruction *from)
{
	if (from->from.name_typed && has_upper(from->from.name_typed))
		dockerfile_report(c, RULE_STAGE_NAME_CASING, from->syntax,
				  "Stage name '%s' should be lowercase", from->from.name_typed);
}

/* A FROM in mixed case is another rule's. */
static void check_as_casing(struct check *c, const struct instruction *from)
{
	const struct strv *args = instruction_args(from->syntax);
	const char *word = from->syntax->word;

	if (args->n < 3 || (has_upper(word) && has_lower(word)))
		return;
	if (has_upper(word) ? has_lower(args->items[1]) : has_upper(args->items[1]))
		dockerfile_report(c, RULE_FROM_AS_CASING, from->syntax,
				  "'%s' and '%s' keywords' casing do not match", args->items[1],
				  word);
}

static void check_name_reserved(struct check *c, const struct instruction *from)
{
	const char *name = from->from.name;

	if (name && (strcmp(name, "scratch") == 0 || strcmp(name, "context") == 0))
		dockerfile_report(
			c, RULE_RESERVED_STAGE_NAME, from->syntax,
			"Stage name should not use the same name as reserved stage \"%s\"", name);
}

static void check_name_unique(struct check *c, size_t stage)
{
	const struct dockerfile_stages *stages = c->in->stages;
	const struct instruction *from = stages->items[stage].from;

	for (size_t i = 0; from->from.name && i < stage; i++) {
		if (!str_is_equal(stages->items[i].from->from.name, from->from.name))
			continue;
		dockerfile_report(c, RULE_DUPLICATE_STAGE_NAME, from->syntax,
				  "Duplicate stage name \"%s\", stage names should be unique",
				  from->from.name);
		return;
	}
}

/* ---- casing of keywords ---- */

struct casing {
	size_t n_lower, n_upper;
};

static void count_casing(const struct instruction *i, struct casing *counts)
{
	if (!has_upper(i->syntax->word))
		counts->n_lower++;
	else if (!has_lower(i->syntax->word))
		counts->n_upper++;
}

static void check_keyword(struct check *c, const struct instruction *i, bool is_lower)
{
	const char *word = i->syntax->word;

	if (is_lower ? has_upper(word) : has_lower(word))
		dockerfile_report(c, RULE_CONSISTENT_INSTRUCTION_CASING, i->syntax,
				  "Command '%s' should match the case of the command majority (%s)",
				  word, is_lower ? "lowercase" : "uppercase");
}

/* The majority of what is in stages decides. */
static void check_keywords(struct check *c)
{
	const struct dockerfile_stages *stages = c->in->stages;
	struct casing counts = {};
	bool is_lower = false;

	for (size_t s = 0; s < stages->n; s++) {
		count_casing(stages->items[s].from, &counts);
		for (size_t i = 0; i < stages->items[s].n; i++)
			count_casing(&stages->items[s].items[i], &counts);
	}
	is_lower = counts.n_lower > counts.n_upper;
	for (size_t s = 0; s < stages->n; s++) {
		check_keyword(c, stages->items[s].from, is_lower);
		for (size_t i = 0; i < stages->items[s].n; i++)
			check_keyword(c, &stages->items[s].items[i], is_lower);
	}
}

/* ---- comments that describe ---- */

/* The last line of the comment above begins with one of NAMES, or describes nothing. */
static void check_description(struct check *c, const struct dockerfile_instruction *syntax,
			      const struct strv *names)
{
	const char *line = syntax->doc;
	const char *newline = line ? strrchr(line, '\n') : NULL;
	cleanup_free char *word = NULL;

	if (!line || !names->n)
		return;
	if (newline)
		line = newline + 1;
	word = str_ndup(line, strcspn(line, " "));
	if (!strv_has(names, word))
		dockerfile_report(c, RULE_INVALID_DEFINITION_DESCRIPTION, syntax,
				  "Comment for %s should follow the format: `# %s <description>`",
				  dockerfile_keyword_name(syntax->keyword),
				  names->n > 1 ? "<arg_key>" : names->items[0]);
}

static void check_arg_description(struct check *c, const struct instruction *arg)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < arg->arg.n; i++)
		strv_add(&names, arg->arg.items[i].name);
	check_description(c, arg->syntax, &names);
}

static void check_stage_description(struct check *c, const struct instruction *from)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (from->from.name)
		strv_add(&names, from->from.name);
	check_description(c, from->syntax, &names);
}

/* ---- all of them ---- */

static void check_item(struct check *c, const struct instruction *i)
{
	if (i->keyword == KEYWORD_ARG)
		check_arg_description(c, i);
	if (i->keyword == KEYWORD_MAINTAINER)
		dockerfile_report(c, RULE_MAINTAINER_DEPRECATED, i->syntax,
				  "Maintainer instruction is deprecated in favor of using label");
}

static void check_stage_text(struct check *c, size_t stage)
{
	const struct dockerfile_stage *s = &c->in->stages->items[stage];

	check_name_casing(c, s->from);
	check_as_casing(c, s->from);
	check_name_reserved(c, s->from);
	check_name_unique(c, stage);
	check_stage_description(c, s->from);
	for (size_t i = 0; i < s->n; i++)
		check_item(c, &s->items[i]);
}

void check_text(struct check *c)
{
	const struct dockerfile *file = c->in->file;
	const struct dockerfile_stages *stages = c->in->stages;

	for (size_t i = 0; i < file->n_empty_continuations; i++)
		check_report_lines(c, RULE_NO_EMPTY_CONTINUATION, file->empty_continuations[i],
				   "Empty continuation line");
	for (size_t i = 0; i < stages->n_globals; i++)
		check_item(c, &stages->globals[i]);
	for (size_t i = 0; i < stages->n; i++)
		check_stage_text(c, i);
	check_keywords(c);
}
