/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the text. What stands in ${...} is expanded by the same functions up to its "}",
 * whether it will be used or not, as BuildKit does: so `${a:-${b:?no b}}` fails without b even when
 * a is set. Nesting is bounded, and so is the length of a result: a few lines of ENV a=$a$a would
 * otherwise fill any memory.
 */
#include "dockerfile/expand.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/expand_pattern.h"
#include "dockerfile/lexer.h"
#include "json/rune.h"
#include "json/template_lex.h"

#define MAX_DEPTH      64
#define MAX_NAMES      200 /* of variables that are reported */
#define MAX_SHOWN      400 /* bytes of a word in a message */
#define MISSING_BRACE  "syntax error: missing '}'"
#define SPECIAL_PARAMS "@*#?-$!0"

struct expansion {
	const char *p; /* the text that is left */
	const struct expand_scope *scope;
	bool keeps_escapes;
	unsigned depth;
	size_t limit; /* bytes of any result */
	struct err *err;
};

/* What comes out: the text, and the words that it is split into, when somebody wants them. */
struct result {
	struct str text;
	struct str word;
	bool is_in_word;
	struct strv *words; /* NULL: nobody does */
};

static void result_done(struct result *r)
{
	str_done(&r->text);
	str_done(&r->word);
}
#define cleanup_result __attribute__((cleanup(result_done)))

static void end_word(struct result *r)
{
	if (!r->word.len)
		return;
	strv_add(r->words, r->word.buf);
	str_truncate(&r->word, 0);
	r->is_in_word = false;
}

/* Text that white space does not split. */
static void add_whole(struct result *r, const char *s, size_t len)
{
	str_add_bytes(&r->text, s, len);
	if (!r->words)
		return;
	str_add_bytes(&r->word, s, len);
	r->is_in_word = true;
}

/* One character of LEN bytes that splits words when it is white space. */
static void add_char(struct result *r, const char *s, size_t len)
{
	if (r->words && lexer_space(s)) {
		str_add_bytes(&r->text, s, len);
		if (r->is_in_word)
			end_word(r);
		return;
	}
	add_whole(r, s, len);
}

static void add_split(struct result *r, const char *s)
{
	if (!r->words) {
		str_add(&r->text, s);
		return;
	}
	for (size_t n = 0; *s; s += n) {
		n = lexer_char_len(s);
		add_char(r, s, n);
	}
}

static int check_length(const struct expansion *e, const struct str *s)
{
	if (s->len <= e->limit)
		return 0;
	return err_set(e->err, ERR_INVALID, "result is longer than %zu bytes", e->limit);
}

static int expand_dollar(struct expansion *e, struct str *out);

/* The text between single quotes at e->p. */
static int expand_single_quoted(struct expansion *e, struct str *out)
{
	bool keeps = e->scope->keeps_quotes;
	const char *end = strchr(e->p + 1, '\'');

	if (!end) {
		e->p += strlen(e->p);
		return err_set(e->err, ERR_INVALID,
			       "unexpected end of statement while looking for matching "
			       "single-quote");
	}
	str_add_bytes(out, e->p + !keeps, (size_t)(end - e->p) - !keeps + keeps);
	e->p = end + 1;
	return 0;
}

/* An escape between double quotes: it is one only before a quote, a dollar and itself. */
static void add_quoted_escape(struct expansion *e, struct str *out)
{
	char c = *e->p++;

	if (e->keeps_escapes)
		str_add_char(out, c);
	if (!*e->p)
		return;
	if (*e->p == '"' || *e->p == '$' || *e->p == e->scope->escape)
		c = *e->p++;
	str_add_char(out, c);
}

/* The text between double quotes at e->p. */
static int expand_double_quoted(struct expansion *e, struct str *out)
{
	if (e->scope->keeps_quotes)
		str_add_char(out, '"');
	for (e->p++; *e->p && *e->p != '"';) {
		if (*e->p == '$') {
			if (expand_dollar(e, out) < 0)
				return -e->err->code;
		} else if (*e->p == e->scope->escape) {
			add_quoted_escape(e, out);
		} else {
			str_add_char(out, *e->p++);
		}
	}
	if (!*e->p)
		return err_set(e->err, ERR_INVALID,
			       "unexpected end of statement while looking for matching "
			       "double-quote");
	e->p++;
	if (e->scope->keeps_quotes)
		str_add_char(out, '"');
	return 0;
}

/* What begins with a quote or a dollar. */
static int expand_special(struct expansion *e, struct result *r)
{
	cleanup_str struct str part = STR_INIT;
	char c = *e->p;
	int rc = c == '$'    ? expand_dollar(e, &part)
		 : c == '\'' ? expand_single_quoted(e, &part)
			     : expand_double_quoted(e, &part);

	if (rc < 0)
		return rc;
	if (c == '$')
		add_split(r, str_get(&part));
	else
		add_whole(r, str_get(&part), part.len);
	return check_length(e, &r->text);
}

/* An escape outside quotes takes the meaning of whatever follows. */
static void expand_escape(struct expansion *e, struct result *r)
{
	size_t n = 0;

	if (e->keeps_escapes)
		add_whole(r, e->p, 1);
	e->p++;
	if (!*e->p)
		return;
	n = lexer_char_len(e->p);
	add_whole(r, e->p, n);
	e->p += n;
}

/* Expands up to STOP, which is passed, or to the end for '\0'. */
static int expand_until(struct expansion *e, char stop, struct result *r)
{
	const char *special = e->scope->ignores_quotes ? "$" : "$'\"";

	while (*e->p && *e->p != stop) {
		if (strchr(special, *e->p)) {
			if (expand_special(e, r) < 0)
				return -e->err->code;
		} else if (*e->p == e->scope->escape) {
			expand_escape(e, r);
		} else {
			size_t n = lexer_char_len(e->p);

			add_char(r, e->p, n);
			e->p += n;
		}
	}
	if (stop && !*e->p)
		return err_set(e->err, ERR_INVALID,
			       "unexpected end of statement while looking for matching %c", stop);
	e->p += stop != '\0';
	return 0;
}

/* The operand of a substitution up to STOP. When the text ends before it, MISSING says what was
 * looked for. */
static int expand_operand(struct expansion *e, char stop, bool keeps_escapes, const char *missing,
			  struct str *ret)
{
	cleanup_result struct result r = {};
	bool kept = e->keeps_escapes;
	int rc = 0;

	if (e->depth >= MAX_DEPTH)
		return err_set(e->err, ERR_INVALID, "syntax error: more than %d nested ${}",
			       MAX_DEPTH);
	e->depth++;
	e->keeps_escapes = keeps_escapes;
	rc = expand_until(e, stop, &r);
	e->keeps_escapes = kept;
	e->depth--;
	if (rc < 0)
		return *e->p ? rc : err_set(e->err, ERR_INVALID, "%s", missing);
	*ret = r.text;
	r.text = (struct str)STR_INIT;
	return 0;
}

static void report(struct strv *names, const char *name)
{
	if (names && *name && names->n < MAX_NAMES && !strv_has(names, name))
		strv_add(names, name);
}

/* The borrowed value of NAME, NULL when it is not set. */
static const char *get_value(const struct expansion *e, const char *name)
{
	const char *value = e->scope->get ? e->scope->get(e->scope->ctx, name) : NULL;

	report(value ? e->scope->ret_used : e->scope->ret_unset, name);
	return value;
}

/* The owned name at e->p: digits, one special parameter, or a word; "" when there is none. */
static char *read_name(struct expansion *e)
{
	const char *start = e->p;
	size_t digits = strspn(start, "0123456789");

	if (digits) {
		e->p += digits;
	} else if (*start && strchr(SPECIAL_PARAMS, *start)) {
		e->p++;
	} else {
		uint32_t r = 0;
		size_t n = 0;

		/* A character has at most four bytes, and the end of the text is none. */
		while (*e->p && (n = rune_decode(e->p, strnlen(e->p, 4), &r)) && rune_is_word(r))
			e->p += n;
	}
	return str_ndup(start, (size_t)(e->p - start));
}

/* ${name op operand}: `op` is preceded by ":" with null_is_unset. */
struct substitution {
	const char *name;
	const char *value; /* NULL: not set */
	const char *op;	   /* as typed: ":-" */
	const char *operand;
	bool is_unset; /* or empty, where that is as good as not set */
};

static int require_value(const struct expansion *e, const struct substitution *s, struct str *out)
{
	const char *message = *s->operand ? s->operand
			      : s->value  ? "is not allowed to be empty"
					  : "is not allowed to be unset";

	if (s->is_unset)
		return err_set(e->err, ERR_INVALID, "%s: %s", s->name, message);
	str_add(out, s->value);
	return 0;
}

/* ${v#p} and the like; a doubled operator asks for the longest match. */
static int trim_value(const struct expansion *e, const struct substitution *s, char op,
		      struct str *out)
{
	bool longest = s->operand[0] == op;

	return expand_trim(s->value ? s->value : "", s->operand + longest, op == '%', longest, out,
			   e->err);
}

static int substitute(const struct expansion *e, const struct substitution *s, struct str *out)
{
	char op = s->op[strlen(s->op) - 1];

	switch (op) {
	case '-':
		str_add(out, s->is_unset ? s->operand : s->value);
		return 0;
	case '+':
		str_add(out, s->is_unset ? "" : s->operand);
		return 0;
	case '?':
		return require_value(e, s, out);
	case '#':
	case '%':
		return trim_value(e, s, op, out);
	default:
		return err_set(e->err, ERR_INVALID, "unsupported modifier (%s) in substitution",
			       s->op);
	}
}

/* The operator at e->p, passed and copied: ":" and a character, or one character. */
static char *read_operator(struct expansion *e)
{
	const char *start = e->p;

	if (*e->p == ':')
		e->p++;
	if (*e->p)
		e->p += lexer_char_len(e->p);
	return str_ndup(start, (size_t)(e->p - start));
}

static int expand_modified(struct expansion *e, const char *name, struct str *out)
{
	cleanup_str struct str operand = STR_INIT;
	cleanup_free char *op = read_operator(e);
	struct substitution s = {.name = name, .op = op};
	bool is_pattern = strpbrk(op, "#%") != NULL;

	if (op[0] != ':' && !strpbrk(op, "+-?#%"))
		return err_set(e->err, ERR_INVALID, "unsupported modifier (%s) in substitution",
			       op);
	if (expand_operand(e, '}', is_pattern, MISSING_BRACE, &operand) < 0)
		return -e->err->code;
	s.operand = str_get(&operand);
	s.value = get_value(e, name);
	s.is_unset = !s.value || (op[0] == ':' && !*s.value);
	if (!s.value && e->scope->keeps_unset) {
		str_addf(out, "${%s%s%s}", name, op, s.operand);
		return 0;
	}
	return substitute(e, &s, out);
}

/* ${v/p/r} and ${v//p/r}, behind the first slash. */
static int expand_replacement(struct expansion *e, const char *name, struct str *out)
{
	cleanup_str struct str pattern = STR_INIT;
	cleanup_str struct str replacement = STR_INIT;
	const char *value = NULL;
	bool all = *e->p == '/';

	e->p += all;
	if (expand_operand(e, '/', true, "syntax error: missing '/' in ${}", &pattern) < 0 ||
	    expand_operand(e, '}', true, MISSING_BRACE, &replacement) < 0)
		return -e->err->code;
	value = get_value(e, name);
	if (!value && e->scope->keeps_unset) {
		str_addf(out, "${%s/%s/%s}", name, str_get(&pattern), str_get(&replacement));
		return 0;
	}
	return expand_replace(value ? value : "", str_get(&pattern), str_get(&replacement), all,
			      e->limit, out, e->err);
}

/* Behind "${". */
static int expand_braces(struct expansion *e, struct str *out)
{
	cleanup_free char *name = NULL;
	const char *value = NULL;

	if (!*e->p)
		return err_set(e->err, ERR_INVALID, MISSING_BRACE);
	if (strchr("{}:", *e->p))
		return err_set(e->err, ERR_INVALID, "syntax error: bad substitution");
	name = read_name(e);
	if (!*e->p)
		return err_set(e->err, ERR_INVALID, MISSING_BRACE);
	if (*e->p == '/') {
		e->p++;
		return expand_replacement(e, name, out);
	}
	if (*e->p != '}')
		return expand_modified(e, name, out);
	e->p++;
	value = get_value(e, name);
	if (value || !e->scope->keeps_unset)
		str_add(out, value ? value : "");
	else
		str_addf(out, "${%s}", name);
	return 0;
}

/* What the dollar at e->p stands for. */
static int expand_dollar(struct expansion *e, struct str *out)
{
	cleanup_free char *name = NULL;
	const char *value = NULL;

	e->p++;
	if (*e->p == '{') {
		e->p++;
		return expand_braces(e, out) < 0 ? -e->err->code : check_length(e, out);
	}
	name = read_name(e);
	value = *name ? get_value(e, name) : NULL;
	if (value)
		str_add(out, value);
	else if (!*name || e->scope->keeps_unset)
		str_addf(out, "$%s", name);
	return check_length(e, out);
}

/* Puts before the message which word it is about. */
static int wrap_word(const char *text, struct err *err)
{
	cleanup_str struct str shown = STR_INIT;
	size_t len = strnlen(text, MAX_SHOWN + 1);

	str_add_quoted(&shown, text, len > MAX_SHOWN ? MAX_SHOWN : len);
	return err_wrap(err, "failed to process %s%s", shown.buf, len > MAX_SHOWN ? "..." : "");
}

static int expand(const char *text, const struct expand_scope *scope, struct result *r,
		  struct err *err)
{
	struct expansion e = {
		.p = text,
		.scope = scope,
		.keeps_escapes = scope->keeps_escapes,
		.limit = EXPAND_MAX + 2 * strlen(text),
		.err = err,
	};

	if (expand_until(&e, '\0', r) < 0)
		return wrap_word(text, err);
	if (r->words)
		end_word(r);
	return 0;
}

int expand_word(const char *text, const struct expand_scope *scope, char **ret, struct err *err)
{
	cleanup_result struct result r = {};

	if (expand(text, scope, &r, err) < 0)
		return -err->code;
	*ret = str_take(&r.text);
	return 0;
}

int expand_words(const char *text, const struct expand_scope *scope, struct strv *ret,
		 struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_result struct result r = {.words = &words};

	if (expand(text, scope, &r, err) < 0)
		return -err->code;
	strv_add_all(ret, &words);
	return 0;
}
