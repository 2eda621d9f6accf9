/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer of Go's text/template, pulled token by token. Outside an action everything up to the
 * next "{{" is text; inside, runs of blanks are tokens of their own because the grammar needs them.
 * A trim marker ("{{- " and " -}}") cuts the white space of the neighbouring text. Messages are
 * Go's.
 */
#include "json/template_lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"

#define END_OF_INPUT UINT32_MAX
#define DELIM_LEN    2
#define TRIM_LEN     2 /* marker and blank */

static const struct {
	const char *word;
	enum token_type type;
} keywords[] = {
	{"block", TOKEN_BLOCK},	      {"break", TOKEN_BREAK}, {"continue", TOKEN_CONTINUE},
	{"define", TOKEN_DEFINE},     {"else", TOKEN_ELSE},   {"end", TOKEN_END},
	{"false", TOKEN_BOOL},	      {"if", TOKEN_IF},	      {"nil", TOKEN_NIL},
	{"range", TOKEN_RANGE},	      {"true", TOKEN_BOOL},   {"with", TOKEN_WITH},
	{"template", TOKEN_TEMPLATE},
};

void lexer_init(struct lexer *l, const char *input, size_t len)
{
	*l = (struct lexer){.input = input, .len = len, .line = 1, .start_line = 1};
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool has_at(const struct lexer *l, size_t pos, const char *text)
{
	size_t n = strlen(text);

	return pos <= l->len && l->len - pos >= n && memcmp(l->input + pos, text, n) == 0;
}

static bool has_left_trim(const struct lexer *l, size_t pos)
{
	return pos + 1 < l->len && l->input[pos] == '-' && is_space(l->input[pos + 1]);
}

static bool has_right_trim(const struct lexer *l, size_t pos)
{
	return pos < l->len && is_space(l->input[pos]) && has_at(l, pos + 1, "-}}");
}

static uint32_t lex_peek(const struct lexer *l)
{
	uint32_t r = END_OF_INPUT;

	if (l->pos < l->len)
		rune_decode(l->input + l->pos, l->len - l->pos, &r);
	return r;
}

static uint32_t lex_take(struct lexer *l)
{
	uint32_t r = END_OF_INPUT;

	if (l->pos >= l->len)
		return r;
	l->pos += rune_decode(l->input + l->pos, l->len - l->pos, &r);
	if (r == '\n')
		l->line++;
	return r;
}

static struct token lex_emit(struct lexer *l, enum token_type type)
{
	struct token t = {type, l->input + l->start, l->pos - l->start, l->start, l->start_line};

	l->start = l->pos;
	l->start_line = l->line;
	return t;
}

/* Drops what lies between start and pos. */
static void lex_ignore(struct lexer *l)
{
	for (size_t i = l->start; i < l->pos; i++)
		l->line += l->input[i] == '\n';
	l->start = l->pos;
	l->start_line = l->line;
}

__attribute__((format(printf, 2, 3))) static struct token lex_error(struct lexer *l,
								    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->message, sizeof(l->message), fmt, ap);
	va_end(ap);
	return (struct token){TOKEN_ERROR, l->message, strlen(l->message), l->start, l->start_line};
}

static struct token lex_error_rune(struct lexer *l, const char *what, uint32_t r)
{
	cleanup_str struct str s = STR_INIT;

	str_add_code_point(&s, r == END_OF_INPUT ? 0xFFFFFFFFu : r, true);
	return lex_error(l, "%s %s", what, str_get(&s));
}

/* After a right delimiter or comment with a trim marker. */
static void lex_skip_space(struct lexer *l)
{
	while (l->pos < l->len && is_space(l->input[l->pos]))
		l->pos++;
	lex_ignore(l);
}

/* False with *RET_ERROR set when the comment at pos is broken. */
static bool lex_comment(struct lexer *l, struct token *ret_error)
{
	const char *end = memmem(l->input + l->pos + 2, l->len - l->pos - 2, "*/", 2);

	if (!end) {
		*ret_error = lex_error(l, "unclosed comment");
		return false;
	}
	l->pos = (size_t)(end - l->input) + 2;
	bool trim = has_right_trim(l, l->pos);

	if (!trim && !has_at(l, l->pos, "}}")) {
		*ret_error = lex_error(l, "comment ends before closing delimiter");
		return false;
	}
	l->pos += DELIM_LEN + (trim ? TRIM_LEN : 0);
	lex_ignore(l);
	if (trim)
		lex_skip_space(l);
	return true;
}

/* The text from start to END; pos is moved to RESUME. */
static struct token lex_text_token(struct lexer *l, size_t end, size_t resume)
{
	struct token t = {TOKEN_TEXT, l->input + l->start, end - l->start, l->start, l->start_line};

	l->pos = resume;
	lex_ignore(l);
	return t;
}

static struct token lex_text(struct lexer *l)
{
	struct token error;

	for (;;) {
		const char *open = memmem(l->input + l->pos, l->len - l->pos, "{{", DELIM_LEN);
		size_t at = open ? (size_t)(open - l->input) : l->len;
		bool trim = has_left_trim(l, at + DELIM_LEN);
		size_t end = at;

		while (trim && end > l->start && is_space(l->input[end - 1]))
			end--;
		if (end > l->start)
			return lex_text_token(l, end, at);
		l->pos = at;
		lex_ignore(l);
		if (!open)
			return lex_emit(l, TOKEN_EOF);
		l->pos += DELIM_LEN;
		if (has_at(l, l->pos + (trim ? TRIM_LEN : 0), "/*")) {
			l->pos += trim ? TRIM_LEN : 0;
			lex_ignore(l);
			if (!lex_comment(l, &error))
				return error;
			continue;
		}
		struct token t = lex_emit(l, TOKEN_LEFT_DELIM);

		l->pos += trim ? TRIM_LEN : 0;
		lex_ignore(l);
		l->in_action = true;
		l->paren_depth = 0;
		return t;
	}
}

static struct token lex_right_delim(struct lexer *l)
{
	bool trim = has_right_trim(l, l->pos);

	if (trim) {
		l->pos += TRIM_LEN;
		lex_ignore(l);
	}
	l->pos += DELIM_LEN;
	struct token t = lex_emit(l, TOKEN_RIGHT_DELIM);

	if (trim)
		lex_skip_space(l);
	l->in_action = false;
	return t;
}

static struct token lex_space(struct lexer *l)
{
	while (l->pos < l->len && is_space(l->input[l->pos])) {
		if (has_right_trim(l, l->pos))
			break;
		lex_take(l);
	}
	if (l->pos == l->start)
		return lex_right_delim(l);
	return lex_emit(l, TOKEN_SPACE);
}

/* A string or character constant up to QUOTE, whose first one is taken already. */
static struct token lex_quoted(struct lexer *l, uint32_t quote, enum token_type type,
			       const char *what)
{
	for (;;) {
		uint32_t r = lex_take(l);

		if (r == '\\')
			r = lex_take(l) == END_OF_INPUT || l->input[l->pos - 1] == '\n' ? '\n' : 0;
		if (r == END_OF_INPUT || r == '\n')
			return lex_error(l, "unterminated %s", what);
		if (r == quote)
			return lex_emit(l, type);
	}
}

static struct token lex_raw(struct lexer *l)
{
	for (;;) {
		uint32_t r = lex_take(l);

		if (r == END_OF_INPUT)
			return lex_error(l, "unterminated raw quoted string");
		if (r == '`')
			return lex_emit(l, TOKEN_RAW_STRING);
	}
}

/* Whether a field, variable or word may end here. */
static bool at_terminator(const struct lexer *l)
{
	uint32_t r = lex_peek(l);

	if (r == END_OF_INPUT || has_at(l, l->pos, "}}"))
		return true;
	return r < 0x80 && strchr(" \t\r\n.,|:()", (int)r) && r != 0;
}

static struct token lex_name(struct lexer *l, enum token_type type)
{
	bool is_bare = l->pos - l->start == 1 && at_terminator(l);

	if (is_bare)
		return lex_emit(l, type == TOKEN_FIELD ? TOKEN_DOT : type);
	while (rune_is_word(lex_peek(l)))
		lex_take(l);
	if (!at_terminator(l))
		return lex_error_rune(l, "bad character", lex_peek(l));
	if (type != TOKEN_IDENTIFIER)
		return lex_emit(l, type);
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (strlen(keywords[i].word) == l->pos - l->start &&
		    has_at(l, l->start, keywords[i].word))
			return lex_emit(l, keywords[i].type);
	}
	return lex_emit(l, type);
}

static bool lex_accept(struct lexer *l, const char *set)
{
	if (l->pos >= l->len || !l->input[l->pos] || !strchr(set, l->input[l->pos]))
		return false;
	l->pos++;
	return true;
}

static void lex_accept_run(struct lexer *l, const char *set)
{
	while (lex_accept(l, set))
		;
}

/* Takes one number; false when a letter or digit follows that it cannot hold. */
static bool scan_number(struct lexer *l)
{
	const char *digits = "0123456789_";
	const char *exponent = "eE";

	lex_accept(l, "+-");
	if (lex_accept(l, "0")) {
		if (lex_accept(l, "xX")) {
			digits = "0123456789abcdefABCDEF_";
			exponent = "pP";
		} else if (lex_accept(l, "oO")) {
			digits = "01234567_";
		} else if (lex_accept(l, "bB")) {
			digits = "01_";
		}
	}
	lex_accept_run(l, digits);
	if (lex_accept(l, "."))
		lex_accept_run(l, digits);
	if (lex_accept(l, exponent)) {
		lex_accept(l, "+-");
		lex_accept_run(l, "0123456789_");
	}
	lex_accept(l, "i"); /* complex numbers are read as Go reads them and refused later */
	if (!rune_is_word(lex_peek(l)))
		return true;
	lex_take(l);
	return false;
}

static struct token lex_number(struct lexer *l)
{
	cleanup_str struct str s = STR_INIT;
	bool is_good = scan_number(l);
	uint32_t r = lex_peek(l);

	if (is_good && (r == '+' || r == '-'))
		is_good = scan_number(l) && l->input[l->pos - 1] == 'i';
	if (is_good)
		return lex_emit(l, TOKEN_NUMBER);
	str_add_quoted(&s, l->input + l->start, l->pos - l->start);
	return lex_error(l, "bad number syntax: %s", str_get(&s));
}

static bool begins_number(const struct lexer *l, uint32_t r)
{
	if (r == '.')
		return l->pos >= l->len || (l->input[l->pos] >= '0' && l->input[l->pos] <= '9');
	return r == '+' || r == '-' || (r >= '0' && r <= '9');
}

static struct token lex_paren(struct lexer *l, uint32_t r)
{
	l->paren_depth += r == '(' ? 1 : -1;
	if (l->paren_depth < 0)
		return lex_error(l, "unexpected right paren");
	return lex_emit(l, r == '(' ? TOKEN_LEFT_PAREN : TOKEN_RIGHT_PAREN);
}

static struct token lex_other(struct lexer *l, uint32_t r)
{
	if (r == END_OF_INPUT)
		return lex_error(l, "unclosed action");
	if (begins_number(l, r)) {
		l->pos--;
		return lex_number(l);
	}
	if (rune_is_word(r)) {
		return lex_name(l, TOKEN_IDENTIFIER);
	}
	if (r < 0x80 && rune_is_print(r))
		return lex_emit(l, TOKEN_CHAR);
	return lex_error_rune(l, "unrecognized character in action:", r);
}

static struct token lex_action(struct lexer *l)
{
	if (has_at(l, l->pos, "}}") || has_right_trim(l, l->pos)) {
		if (l->paren_depth > 0)
			return lex_error(l, "unclosed left paren");
		return lex_right_delim(l);
	}
	if (l->pos < l->len && is_space(l->input[l->pos]))
		return lex_space(l);

	uint32_t r = lex_take(l);

	switch (r) {
	case '=':
		return lex_emit(l, TOKEN_ASSIGN);
	case ':':
		if (lex_take(l) != '=')
			return lex_error(l, "expected :=");
		return lex_emit(l, TOKEN_DECLARE);
	case '|':
		return lex_emit(l, TOKEN_PIPE);
	case '"':
		return lex_quoted(l, r, TOKEN_STRING, "quoted string");
	case '\'':
		return lex_quoted(l, r, TOKEN_CHAR_CONSTANT, "character constant");
	case '`':
		return lex_raw(l);
	case '$':
		return lex_name(l, TOKEN_VARIABLE);
	case '(':
	case ')':
		return lex_paren(l, r);
	default:
		return r == '.' && !begins_number(l, r) ? lex_name(l, TOKEN_FIELD)
							: lex_other(l, r);
	}
}

struct token lexer_next(struct lexer *l)
{
	return l->in_action ? lex_action(l) : lex_text(l);
}
