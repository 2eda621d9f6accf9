/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipelines of a template: declarations, commands, operands and constants.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "json/rune.h"
#include "json/template_func.h"
#include "json/template_parse.h"

static bool has_any(const char *s, const char *set)
{
	return s[strcspn(s, set)] != '\0';
}

/* Whether every underscore of the number stands between digits, a base prefix counting as one. */
static bool underscores_fit(const char *text, size_t len)
{
	const char *digits = "0123456789";
	size_t i = len && (*text == '-' || *text == '+');
	char before = '^';

	if (i + 1 < len && text[i] == '0' && strchr("xXoObB", text[i + 1])) {
		digits = strchr("xX", text[i + 1]) ? "0123456789abcdefABCDEF" : digits;
		before = '0';
		i += 2;
	}
	for (; i < len; i++) {
		bool is_digit = strchr(digits, text[i]);

		if ((text[i] == '_' && before != '0') || (!is_digit && before == '_'))
			return false;
		before = is_digit ? '0' : text[i];
	}
	return before != '_';
}

/* The integer TEXT (no underscores) in Go's syntax; -EINVAL, -ERANGE, or -EOVERFLOW when only an
 * unsigned one can hold it. */
static int parse_integer(const char *text, int64_t *ret)
{
	bool negative = text[0] == '-';
	bool has_sign = negative || text[0] == '+';
	unsigned base = 10;
	uint64_t u = 0;
	int rc = 0;

	text += has_sign;
	if (text[0] == '0' && text[1]) {
		const char *prefix = strchr("xXoObB", text[1]);

		base = !prefix ? 8 : strchr("xX", text[1]) ? 16 : strchr("oO", text[1]) ? 8 : 2;
		text += prefix ? 2 : 1;
	}
	rc = num_parse_base(text, base, &u);
	if (rc < 0)
		return rc;
	if (u > (uint64_t)INT64_MAX + negative)
		return has_sign ? -ERANGE : -EOVERFLOW;
	*ret = negative ? (int64_t)(0 - u) : (int64_t)u;
	return 0;
}

/* Constant of the integer TEXT, whose token is QUOTED; null when it is one that no int holds. */
static json_t *make_integer(struct parser *p, const char *text, const char *quoted)
{
	int64_t i = 0;
	int rc = parse_integer(text, &i);

	if (rc == 0)
		return json_integer(i);
	if (rc == -EOVERFLOW)
		return json_null();
	/* "09" is no octal number, but Go's second try, as a float, takes it. */
	if (text[0] && text[1] && text[strspn(text, "+-0123456789")] == '\0')
		rc = -ERANGE;
	parser_fail(p, rc == -ERANGE ? "integer overflow: %s" : "illegal number syntax: %s",
		    quoted);
	return NULL;
}

/* Constant of a number token; NULL (and failed) when it is none. */
static json_t *parse_number(struct parser *p, struct token t)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_str struct str quoted = STR_INIT;
	bool fits = underscores_fit(t.text, t.len);
	bool is_hex = false;
	char *end = NULL;
	double d = 0;

	for (size_t k = 0; k < t.len; k++) {
		if (t.text[k] != '_')
			str_add_char(&s, t.text[k]);
	}
	str_add_quoted(&quoted, t.text, t.len);
	is_hex = has_any(str_get(&s), "xX");
	if (fits && !has_any(str_get(&s), is_hex ? ".pP" : ".eE"))
		return make_integer(p, str_get(&s), str_get(&quoted));
	d = strtod(str_get(&s), &end);
	if (!fits || *end || end == s.buf || !isfinite(d)) {
		parser_fail(p, "illegal number syntax: %s", str_get(&quoted));
		return NULL;
	}
	return json_real(d);
}

static json_t *parse_char(struct parser *p, struct token t)
{
	cleanup_str struct str s = STR_INIT;
	uint32_t r = 0;

	if (t.len == 2) {
		parser_fail(p, "invalid syntax");
		return NULL;
	}
	if (token_unquote(t.text, t.len, &s) < 0) {
		parser_fail(p, "malformed character constant: %.*s", (int)t.len, t.text);
		return NULL;
	}
	rune_decode(s.buf, s.len, &r);
	return json_integer(r);
}

static json_t *parse_string(struct parser *p, struct token t)
{
	cleanup_str struct str s = STR_INIT;

	if (token_unquote(t.text, t.len, &s) < 0) {
		parser_fail(p, "invalid syntax");
		return NULL;
	}
	return json_stringn_nocheck(str_get(&s), s.len);
}

static struct node *constant_node(struct parser *p, struct token t, enum node_type type,
				  json_t *constant)
{
	struct node *n = template_add_node(p->t, type, t.pos, t.line);

	n->text = str_ndup(t.text, t.len);
	n->constant = constant;
	return p->failed ? NULL : n;
}

static struct node *variable_use(struct parser *p, struct token t)
{
	struct node *n = template_add_node(p->t, NODE_VARIABLE, t.pos, t.line);

	strv_add_take(&n->names, str_ndup(t.text, t.len));
	if (strv_has(&p->vars, n->names.items[0]))
		return n;
	parser_fail(p, "undefined variable \"%s\"", n->names.items[0]);
	return NULL;
}

static struct node *identifier(struct parser *p, struct token t)
{
	struct node *n = template_add_node(p->t, NODE_IDENTIFIER, t.pos, t.line);

	n->text = str_ndup(t.text, t.len);
	if (template_find_function(n->text))
		return n;
	parser_fail(p, "function \"%s\" not defined", n->text);
	return NULL;
}

static struct node *field(struct parser *p, struct token t)
{
	struct node *n = template_add_node(p->t, NODE_FIELD, t.pos, t.line);

	strv_add_take(&n->names, str_ndup(t.text + 1, t.len - 1));
	return n;
}

/* A simple expression; NULL without failure when the next token begins none. */
static struct node *parse_term(struct parser *p)
{
	struct token t = parser_next_non_space(p);

	switch (t.type) {
	case TOKEN_IDENTIFIER:
		return identifier(p, t);
	case TOKEN_DOT:
		return template_add_node(p->t, NODE_DOT, t.pos, t.line);
	case TOKEN_NIL:
		return template_add_node(p->t, NODE_NIL, t.pos, t.line);
	case TOKEN_VARIABLE:
		return variable_use(p, t);
	case TOKEN_FIELD:
		return field(p, t);
	case TOKEN_BOOL:
		return constant_node(p, t, NODE_BOOL, json_boolean(t.text[0] == 't'));
	case TOKEN_CHAR_CONSTANT:
		return constant_node(p, t, NODE_NUMBER, parse_char(p, t));
	case TOKEN_NUMBER:
		return constant_node(p, t, NODE_NUMBER, parse_number(p, t));
	case TOKEN_LEFT_PAREN:
		return parser_pipeline(p, "parenthesized pipeline", TOKEN_RIGHT_PAREN);
	case TOKEN_STRING:
	case TOKEN_RAW_STRING:
		return constant_node(p, t, NODE_STRING, parse_string(p, t));
	default:
		parser_back(p);
		return NULL;
	}
}

static bool is_literal(const struct node *n)
{
	return n->type == NODE_BOOL || n->type == NODE_STRING || n->type == NODE_NUMBER ||
	       n->type == NODE_NIL || n->type == NODE_DOT;
}

/* A term and the fields after it. NULL as for parse_term. */
static struct node *parse_operand(struct parser *p)
{
	struct node *term = parse_term(p), *n = term;
	struct token t;

	if (!term || p->failed)
		return NULL;
	t = parser_peek(p);
	if (t.type != TOKEN_FIELD)
		return term;
	if (is_literal(term)) {
		cleanup_str struct str s = STR_INIT, quoted = STR_INIT;

		while (parser_peek(p).type == TOKEN_FIELD)
			parser_next(p);
		node_format(term, &s);
		str_add_quoted(&quoted, str_get(&s), s.len);
		parser_fail(p, "unexpected . after term %s", str_get(&quoted));
		return NULL;
	}
	if (term->type != NODE_FIELD && term->type != NODE_VARIABLE) {
		n = template_add_node(p->t, NODE_CHAIN, t.pos, t.line);
		n->pipe = term;
	}
	n->pos = t.pos;
	while (parser_peek(p).type == TOKEN_FIELD) {
		t = parser_next(p);
		strv_add_take(&n->names, str_ndup(t.text + 1, t.len - 1));
	}
	return n;
}

/* Operands up to "|" (which is taken) or the end of the pipeline (which is not). */
static struct node *parse_command(struct parser *p)
{
	struct token t = parser_peek_non_space(p);
	struct node *cmd = template_add_node(p->t, NODE_COMMAND, t.pos, t.line);

	for (;;) {
		struct node *operand = NULL;

		parser_peek_non_space(p);
		operand = parse_operand(p);
		if (p->failed)
			return NULL;
		if (operand)
			node_vec_add(&cmd->kids, operand);
		t = parser_next(p);
		if (t.type == TOKEN_SPACE)
			continue;
		if (t.type == TOKEN_RIGHT_DELIM || t.type == TOKEN_RIGHT_PAREN)
			parser_back(p);
		else if (t.type != TOKEN_PIPE)
			parser_fail_unexpected(p, t, "operand");
		break;
	}
	if (cmd->kids.n == 0)
		parser_fail(p, "empty command");
	return p->failed ? NULL : cmd;
}

static void declare(struct parser *p, struct node *pipe, struct token v)
{
	struct node *n = template_add_node(p->t, NODE_VARIABLE, v.pos, v.line);

	strv_add_take(&n->names, str_ndup(v.text, v.len));
	strv_add(&p->vars, n->names.items[0]);
	node_vec_add(&pipe->decl, n);
}

/* "$x :=", "$x =", and for range "$i, $x :=" at the head of a pipeline. */
static void parse_declarations(struct parser *p, struct node *pipe, const char *context)
{
	while (parser_peek_non_space(p).type == TOKEN_VARIABLE) {
		struct token v = parser_next(p), after = parser_peek(p);
		struct token next = parser_peek_non_space(p);

		if (next.type == TOKEN_ASSIGN || next.type == TOKEN_DECLARE) {
			pipe->is_assign = next.type == TOKEN_ASSIGN;
			parser_next_non_space(p);
			declare(p, pipe, v);
			return;
		}
		if (next.type != TOKEN_CHAR || next.text[0] != ',') {
			if (after.type == TOKEN_SPACE)
				parser_back3(p, v, after);
			else
				parser_back2(p, v);
			return;
		}
		parser_next_non_space(p);
		declare(p, pipe, v);
		if (strcmp(context, "range") != 0 || pipe->decl.n >= 2) {
			parser_fail(p, "too many declarations in %s", context);
			return;
		}
		next = parser_peek_non_space(p);
		if (next.type != TOKEN_VARIABLE && next.type != TOKEN_RIGHT_DELIM &&
		    next.type != TOKEN_RIGHT_PAREN) {
			parser_fail(p, "range can only initialize variables");
			return;
		}
	}
}

static void check_pipeline(struct parser *p, const struct node *pipe, const char *context)
{
	if (pipe->kids.n == 0)
		parser_fail(p, "missing value for %s", context);
	for (size_t i = 1; i < pipe->kids.n; i++) {
		if (is_literal(pipe->kids.items[i]->kids.items[0]))
			parser_fail(p, "non executable command in pipeline stage %zu", i + 1);
	}
}

static bool begins_operand(enum token_type type)
{
	switch (type) {
	case TOKEN_BOOL:
	case TOKEN_CHAR_CONSTANT:
	case TOKEN_DOT:
	case TOKEN_FIELD:
	case TOKEN_IDENTIFIER:
	case TOKEN_NUMBER:
	case TOKEN_NIL:
	case TOKEN_RAW_STRING:
	case TOKEN_STRING:
	case TOKEN_VARIABLE:
	case TOKEN_LEFT_PAREN:
		return true;
	default:
		return false;
	}
}

static void parse_commands(struct parser *p, struct node *pipe, const char *context,
			   enum token_type end)
{
	while (!p->failed) {
		struct token t = parser_next_non_space(p);
		struct node *cmd = NULL;

		if (t.type == end) {
			check_pipeline(p, pipe, context);
			return;
		}
		if (!begins_operand(t.type)) {
			parser_fail_unexpected(p, t, context);
			return;
		}
		parser_back(p);
		cmd = parse_command(p);
		if (cmd)
			node_vec_add(&pipe->kids, cmd);
	}
}

struct node *parser_pipeline(struct parser *p, const char *context, enum token_type end)
{
	struct token t = parser_peek_non_space(p);
	struct node *pipe = template_add_node(p->t, NODE_PIPE, t.pos, t.line);

	if (parser_enter(p)) {
		parse_declarations(p, pipe, context);
		parse_commands(p, pipe, context, end);
	}
	parser_leave(p);
	return p->failed ? NULL : pipe;
}
