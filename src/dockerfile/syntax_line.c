/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction: its keyword, its flags, and the rest in the form that the keyword has. */
#include "dockerfile/syntax_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/heredoc.h"
#include "dockerfile/lexer.h"
#include "dockerfile/suggest.h"
#include "json/template_lex.h"
#include "json/value.h"

#define BLANKS "\t\v\f\r "

enum form {
	FORM_TEXT,	   /* all of it */
	FORM_JSON_OR_TEXT, /* a list, or all of it */
	FORM_JSON_OR_WORDS,
	FORM_BLANKS, /* words between blanks */
	FORM_QUOTED, /* words with quotes */
	FORM_PAIRS,
	FORM_HEALTH,
	FORM_TRIGGER,
};

static const enum form forms[KEYWORD_COUNT] = {
	[KEYWORD_ADD] = FORM_JSON_OR_WORDS,	  [KEYWORD_ARG] = FORM_QUOTED,
	[KEYWORD_CMD] = FORM_JSON_OR_TEXT,	  [KEYWORD_COPY] = FORM_JSON_OR_WORDS,
	[KEYWORD_ENTRYPOINT] = FORM_JSON_OR_TEXT, [KEYWORD_ENV] = FORM_PAIRS,
	[KEYWORD_EXPOSE] = FORM_BLANKS,		  [KEYWORD_FROM] = FORM_BLANKS,
	[KEYWORD_HEALTHCHECK] = FORM_HEALTH,	  [KEYWORD_LABEL] = FORM_PAIRS,
	[KEYWORD_MAINTAINER] = FORM_TEXT,	  [KEYWORD_ONBUILD] = FORM_TRIGGER,
	[KEYWORD_RUN] = FORM_JSON_OR_TEXT,	  [KEYWORD_SHELL] = FORM_JSON_OR_TEXT,
	[KEYWORD_STOPSIGNAL] = FORM_TEXT,	  [KEYWORD_USER] = FORM_TEXT,
	[KEYWORD_VOLUME] = FORM_JSON_OR_WORDS,	  [KEYWORD_WORKDIR] = FORM_TEXT,
};

static bool find_keyword(const char *word, enum dockerfile_keyword *ret)
{
	for (int k = 0; k < KEYWORD_COUNT; k++) {
		if (strcasecmp(word, dockerfile_keyword_name((enum dockerfile_keyword)k)) != 0)
			continue;
		*ret = (enum dockerfile_keyword)k;
		return true;
	}
	return false;
}

/* An owned copy of GUESS in the case of what was typed; a mixture of both gets lower case. */
static char *adapt_case(const char *guess, const char *typed)
{
	char *text = str_dup(guess);
	bool has_upper = false, has_lower = false;

	for (; *typed; typed++) {
		has_upper |= isupper((unsigned char)*typed) != 0;
		has_lower |= islower((unsigned char)*typed) != 0;
	}
	for (char *c = text; *c && (has_lower || !has_upper); c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

int instruction_set_unknown(const char *word, struct err *err)
{
	const char *names[KEYWORD_COUNT];
	cleanup_free char *guess = NULL;
	const char *found = NULL;

	for (int k = 0; k < KEYWORD_COUNT; k++)
		names[k] = dockerfile_keyword_name((enum dockerfile_keyword)k);
	found = suggest_find(word, names, KEYWORD_COUNT, true);
	if (!found)
		return err_set(err, ERR_INVALID, "unknown instruction: %s", word);
	guess = adapt_case(found, word);
	return err_set(err, ERR_INVALID, "unknown instruction: %s (did you mean %s?)", word, guess);
}

/* Appends the strings of TEXT, a JSON list. Returns 1 for one, 0 when it is not JSON at all. A list
 * of anything else cannot be meant for a shell. */
static int parse_list(const char *text, struct strv *ret, struct err *err)
{
	cleanup_json json_t *list = NULL;
	struct err ignored = ERR_INIT;
	const json_t *item = NULL;
	size_t i = 0;

	if (*text != '[' ||
	    json_parse(text, strlen(text), DOCKERFILE_MAX_SIZE, "list", &list, &ignored) < 0)
		return 0;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return err_set(err, ERR_INVALID,
				       "when using JSON array syntax, arrays must be comprised of "
				       "strings only");
	}
	json_array_foreach (list, i, item)
		strv_add(ret, json_string_value(item));
	return 1;
}

/* "key value": the first of WORDS has no "=". */
static int parse_legacy_pair(struct dockerfile_instruction *i, struct err *err)
{
	size_t key_len = strcspn(i->rest, BLANKS);
	const char *value = i->rest + key_len + strspn(i->rest + key_len, BLANKS);

	if (!i->rest[key_len])
		return err_set(err, ERR_INVALID, "%s must have two arguments",
			       dockerfile_keyword_name(i->keyword));
	i->is_legacy = true;
	strv_add_take(&i->words, str_ndup(i->rest, key_len));
	strv_add(&i->words, value);
	return 0;
}

static int set_no_equals(const char *word, struct err *err)
{
	cleanup_str struct str shown = STR_INIT;

	str_add_quoted(&shown, word, strlen(word));
	return err_set(err, ERR_INVALID,
		       "Syntax error - can't find = in %s. Must be of the form: name=value",
		       shown.buf);
}

static int parse_pairs(struct dockerfile_instruction *i, char escape, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;

	lexer_split_words(i->rest, escape, &words);
	if (words.n && !strchr(words.items[0], '='))
		return parse_legacy_pair(i, err);
	strv_foreach (k, &words) {
		const char *word = words.items[k];
		const char *equals = strchr(word, '=');

		if (!equals)
			return set_no_equals(word, err);
		strv_add_take(&i->words, str_ndup(word, (size_t)(equals - word)));
		strv_add(&i->words, equals + 1);
	}
	return 0;
}

/* The first word; what it does with the rest is only looked at for lists that are wrong. */
static int parse_health(struct dockerfile_instruction *i, struct err *err)
{
	cleanup_strv struct strv list = STRV_INIT;
	const char *p = i->rest;

	while (*p && !lexer_space(p))
		p++;
	if (p > i->rest)
		strv_add_take(&i->words, str_ndup(i->rest, (size_t)(p - i->rest)));
	return parse_list(lexer_skip_space(p), &list, err) < 0 ? -err->code : 0;
}

static int parse_json_form(struct dockerfile_instruction *i, bool in_words, struct err *err)
{
	int rc = parse_list(i->rest, &i->json, err);

	if (rc < 0)
		return rc;
	i->is_json = rc > 0;
	if (!i->is_json && in_words)
		lexer_split_blanks(i->rest, &i->words);
	return 0;
}

static int parse_trigger(struct dockerfile_instruction *i, char escape, bool *ret_unknown,
			 struct err *err);

static int parse_rest(struct dockerfile_instruction *i, char escape, bool *ret_unknown,
		      struct err *err)
{
	switch (forms[i->keyword]) {
	case FORM_JSON_OR_TEXT:
	case FORM_JSON_OR_WORDS:
		return parse_json_form(i, forms[i->keyword] == FORM_JSON_OR_WORDS, err);
	case FORM_BLANKS:
		lexer_split_blanks(i->rest, &i->words);
		return 0;
	case FORM_QUOTED:
		lexer_split_words(i->rest, escape, &i->words);
		return 0;
	case FORM_PAIRS:
		return parse_pairs(i, escape, err);
	case FORM_HEALTH:
		return parse_health(i, err);
	case FORM_TRIGGER:
		return parse_trigger(i, escape, ret_unknown, err);
	case FORM_TEXT:
		break;
	}
	return 0;
}

/* Keyword and flags of LINE. Returns whether the keyword is one. */
static bool split_line(const char *line, struct dockerfile_instruction *ret)
{
	cleanup_free char *text = lexer_trim(line, strlen(line));
	size_t word_len = strcspn(text, BLANKS);
	const char *rest = text + word_len;

	ret->original = str_dup(line);
	ret->word = str_ndup(text, word_len);
	if (!find_keyword(ret->word, &ret->keyword))
		return false;
	lexer_take_flags(&rest, &ret->flags);
	ret->rest = lexer_trim(rest, strlen(rest));
	return true;
}

/* The trigger of a trigger is not parsed, so that nesting has an end. */
static int parse_trigger(struct dockerfile_instruction *i, char escape, bool *ret_unknown,
			 struct err *err)
{
	struct dockerfile_instruction *trigger = NULL;

	if (!*i->rest)
		return 0;
	trigger = i->trigger = mem_zalloc(sizeof(*trigger));
	*ret_unknown = !split_line(i->rest, trigger);
	if (*ret_unknown || trigger->keyword == KEYWORD_ONBUILD)
		return 0;
	return parse_rest(trigger, escape, ret_unknown, err);
}

int instruction_split(const char *line, char escape, struct dockerfile_instruction *ret,
		      bool *ret_unknown, struct err *err)
{
	*ret_unknown = !split_line(line, ret);
	return *ret_unknown ? 0 : parse_rest(ret, escape, ret_unknown, err);
}

struct dockerfile_instruction *instruction_with_heredocs(struct dockerfile_instruction *i)
{
	if (i->keyword == KEYWORD_ONBUILD && i->trigger)
		i = i->trigger;
	if (i->is_json)
		return NULL;
	return i->keyword == KEYWORD_RUN || i->keyword == KEYWORD_COPY || i->keyword == KEYWORD_ADD
		       ? i
		       : NULL;
}

void dockerfile_instruction_done(struct dockerfile_instruction *i)
{
	free(i->word);
	free(i->original);
	free(i->rest);
	free(i->doc);
	strv_done(&i->flags);
	strv_done(&i->json);
	strv_done(&i->words);
	for (size_t k = 0; k < i->n_heredocs; k++)
		heredoc_done(&i->heredocs[k]);
	free(i->heredocs);
	if (i->trigger)
		dockerfile_instruction_done(i->trigger);
	free(i->trigger);
	*i = (struct dockerfile_instruction){};
}
