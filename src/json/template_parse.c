/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of a template: text, actions, if, range, with, template, define and block.
 * Pipelines are in template_pipe.c. Recursive descent with a window of three tokens, as Go's parser
 * has it, because which line a message names depends on the newest token read.
 *
 * Failure is sticky: the first message is kept, functions return NULL, loops look at `failed`.
 */
#include "json/template_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "json/template.h"

#define MAX_NODES (1u << 18)

static struct token parser_lex(struct parser *p)
{
	struct token t = p->window[0];

	if (p->lex_ended)
		return t;
	t = lexer_next(&p->lex);
	p->lex_ended = t.type == TOKEN_ERROR || t.type == TOKEN_EOF;
	return t;
}

struct token parser_next(struct parser *p)
{
	if (p->n_back > 0)
		p->n_back--;
	else
		p->window[0] = parser_lex(p);
	return p->window[p->n_back];
}

void parser_back(struct parser *p)
{
	p->n_back++;
}

void parser_back2(struct parser *p, struct token a)
{
	p->window[1] = a;
	p->n_back = 2;
}

void parser_back3(struct parser *p, struct token a, struct token b)
{
	p->window[1] = b;
	p->window[2] = a;
	p->n_back = 3;
}

struct token parser_peek(struct parser *p)
{
	if (p->n_back > 0)
		return p->window[p->n_back - 1];
	p->n_back = 1;
	p->window[0] = parser_lex(p);
	return p->window[0];
}

struct token parser_next_non_space(struct parser *p)
{
	struct token t = parser_next(p);

	while (t.type == TOKEN_SPACE)
		t = parser_next(p);
	return t;
}

struct token parser_peek_non_space(struct parser *p)
{
	struct token t = parser_next_non_space(p);

	parser_back(p);
	return t;
}

void parser_fail(struct parser *p, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	err_set(p->err, ERR_INVALID, "template: %s:%d: %s", p->t->name, p->window[0].line, message);
}

void parser_fail_unexpected(struct parser *p, struct token t, const char *context)
{
	cleanup_str struct str s = STR_INIT;

	token_format(&t, &s);
	if (t.type != TOKEN_ERROR)
		parser_fail(p, "unexpected %s in %s", str_get(&s), context);
	else if (p->action_line && p->action_line != t.line)
		parser_fail(p, "%s%s started at :%d", str_get(&s),
			    str_has_suffix(str_get(&s), " action") ? "" : " in action",
			    p->action_line);
	else
		parser_fail(p, "%s", str_get(&s));
}

bool parser_enter(struct parser *p)
{
	if (p->nest >= TEMPLATE_MAX_NEST || p->t->nodes.n >= MAX_NODES)
		parser_fail(p, p->nest >= TEMPLATE_MAX_NEST ? "nested too deeply" : "too large");
	p->nest++;
	return !p->failed;
}

void parser_leave(struct parser *p)
{
	p->nest--;
}

char *parser_name(struct parser *p, const char *context)
{
	struct token t = parser_next_non_space(p);
	struct str name = STR_INIT;

	if (t.type != TOKEN_STRING && t.type != TOKEN_RAW_STRING)
		parser_fail_unexpected(p, t, context);
	else if (token_unquote(t.text, t.len, &name) < 0)
		parser_fail(p, "invalid syntax");
	if (p->failed) {
		str_done(&name);
		return NULL;
	}
	return str_take(&name);
}

static struct node *parse_item(struct parser *p);

/* Items up to {{end}} or {{else}}, which goes to *RET_END. NULL when it failed. */
static struct node *parse_list(struct parser *p, struct node **ret_end)
{
	struct node *list = template_add_node(p->t, NODE_LIST, parser_peek_non_space(p).pos,
					      p->window[0].line);

	while (parser_peek_non_space(p).type != TOKEN_EOF) {
		struct node *n = parse_item(p);

		if (!n)
			return NULL;
		if (n->type == NODE_END || n->type == NODE_ELSE) {
			*ret_end = n;
			return list;
		}
		node_vec_add(&list->kids, n);
	}
	parser_fail(p, "unexpected EOF");
	return NULL;
}

static void pop_vars(struct parser *p, size_t n)
{
	while (p->vars.n > n) {
		free(p->vars.items[--p->vars.n]);
		p->vars.items[p->vars.n] = NULL;
	}
}

static struct node *parse_control(struct parser *p, enum node_type type, struct token at,
				  const char *context);

/* What follows {{else}}: a list up to {{end}}, or for {{else if}} one nested control, which takes
 * the {{end}} with it. */
static struct node *parse_else(struct parser *p, enum node_type type, const char *context)
{
	enum token_type again = type == NODE_IF	    ? TOKEN_IF
				: type == NODE_WITH ? TOKEN_WITH
						    : TOKEN_ERROR;
	struct node *end = NULL, *list = NULL, *inner = NULL;
	struct token t = parser_peek(p);

	if (t.type != again || p->failed) {
		list = parse_list(p, &end);
		if (list && end->type != NODE_END)
			parser_fail(p, "expected end; found {{else}}");
		return p->failed ? NULL : list;
	}
	parser_next(p);
	list = template_add_node(p->t, NODE_LIST, t.pos, t.line);
	inner = parse_control(p, type, t, context);
	if (!inner)
		return NULL;
	node_vec_add(&list->kids, inner);
	return list;
}

static void parse_branches(struct parser *p, struct node *n, const char *context)
{
	struct node *end = NULL;

	n->pipe = parser_pipeline(p, context, TOKEN_RIGHT_DELIM);
	if (!n->pipe)
		return;
	p->range_depth += n->type == NODE_RANGE;
	n->list = parse_list(p, &end);
	p->range_depth -= n->type == NODE_RANGE;
	if (n->list && end->type == NODE_ELSE)
		n->else_list = parse_else(p, n->type, context);
}

static struct node *parse_control(struct parser *p, enum node_type type, struct token at,
				  const char *context)
{
	struct node *n = template_add_node(p->t, type, at.pos, at.line);
	size_t n_vars = p->vars.n;

	if (parser_enter(p))
		parse_branches(p, n, context);
	parser_leave(p);
	pop_vars(p, n_vars);
	return p->failed ? NULL : n;
}

/* The right delimiter of an action without a pipeline. */
static struct node *parse_plain(struct parser *p, enum node_type type, struct token at,
				const char *context)
{
	struct token t = parser_next_non_space(p);

	if (t.type != TOKEN_RIGHT_DELIM)
		parser_fail_unexpected(p, t, context);
	else if ((type == NODE_BREAK || type == NODE_CONTINUE) && p->range_depth == 0)
		parser_fail(p, "%s outside {{range}}", context);
	return p->failed ? NULL : template_add_node(p->t, type, at.pos, at.line);
}

static struct node *parse_else_mark(struct parser *p, struct token at)
{
	struct token t = parser_peek_non_space(p);

	if (t.type == TOKEN_IF || t.type == TOKEN_WITH)
		return template_add_node(p->t, NODE_ELSE, t.pos, t.line);
	return parse_plain(p, NODE_ELSE, at, "else");
}

static void add_body(struct parser *p, char *name, struct node *root)
{
	struct template *t = p->t;
	struct template_body *body = NULL;

	for (size_t i = 0; i < t->n_bodies; i++) {
		if (strcmp(t->bodies[i].name, name) == 0)
			body = &t->bodies[i];
	}
	if (body) {
		if (!node_is_blank(body->root) && !node_is_blank(root))
			parser_fail(p, "template: multiple definition of template \"%s\"", name);
		else if (node_is_blank(body->root))
			body->root = root;
		free(name);
		return;
	}
	t->bodies = mem_realloc_array(t->bodies, t->n_bodies + 1, sizeof(*t->bodies));
	t->bodies[t->n_bodies++] = (struct template_body){name, root};
}

/* The body of {{define}} or {{block}}: a template of its own, with variables of its own. */
static void parse_body(struct parser *p, char *name, const char *context)
{
	struct strv outer = p->vars;
	unsigned range_depth = p->range_depth;
	struct node *root = NULL, *end = NULL;

	p->vars = (struct strv)STRV_INIT;
	p->range_depth = 0;
	strv_add(&p->vars, "$");
	if (parser_enter(p))
		root = parse_list(p, &end);
	parser_leave(p);
	strv_done(&p->vars);
	p->vars = outer;
	p->range_depth = range_depth;
	if (root && end->type != NODE_END)
		parser_fail(p, "unexpected {{else}} in %s", context);
	if (p->failed)
		free(name);
	else
		add_body(p, name, root);
}

static void parse_define(struct parser *p)
{
	static const char context[] = "define clause";
	char *name = parser_name(p, context);
	struct token t;

	if (!name)
		return;
	t = parser_next_non_space(p);
	if (t.type != TOKEN_RIGHT_DELIM) {
		parser_fail_unexpected(p, t, context);
		free(name);
		return;
	}
	parse_body(p, name, context);
}

static struct node *parse_block(struct parser *p)
{
	static const char context[] = "block clause";
	struct token at = parser_peek_non_space(p);
	struct node *n = NULL;
	char *name = parser_name(p, context);

	if (!name)
		return NULL;
	n = template_add_node(p->t, NODE_TEMPLATE, at.pos, at.line);
	n->text = str_dup(name);
	n->pipe = parser_pipeline(p, context, TOKEN_RIGHT_DELIM);
	if (p->failed)
		free(name);
	else
		parse_body(p, name, context);
	return p->failed ? NULL : n;
}

static struct node *parse_template(struct parser *p)
{
	static const char context[] = "template clause";
	struct token at = parser_peek_non_space(p);
	struct node *n = template_add_node(p->t, NODE_TEMPLATE, at.pos, at.line);

	n->text = parser_name(p, context);
	if (!n->text)
		return NULL;
	if (parser_peek_non_space(p).type == TOKEN_RIGHT_DELIM)
		parser_next_non_space(p);
	else
		n->pipe = parser_pipeline(p, context, TOKEN_RIGHT_DELIM);
	return p->failed ? NULL : n;
}

static struct node *parse_action(struct parser *p)
{
	struct token t = parser_next_non_space(p);
	struct node *n = NULL;

	switch (t.type) {
	case TOKEN_BLOCK:
		return parse_block(p);
	case TOKEN_BREAK:
		return parse_plain(p, NODE_BREAK, t, "{{break}}");
	case TOKEN_CONTINUE:
		return parse_plain(p, NODE_CONTINUE, t, "{{continue}}");
	case TOKEN_ELSE:
		return parse_else_mark(p, t);
	case TOKEN_END:
		return parse_plain(p, NODE_END, t, "end");
	case TOKEN_IF:
		return parse_control(p, NODE_IF, t, "if");
	case TOKEN_RANGE:
		return parse_control(p, NODE_RANGE, t, "range");
	case TOKEN_TEMPLATE:
		return parse_template(p);
	case TOKEN_WITH:
		return parse_control(p, NODE_WITH, t, "with");
	default:
		parser_back(p);
		t = parser_peek(p);
		n = template_add_node(p->t, NODE_ACTION, t.pos, t.line);
		n->pipe = parser_pipeline(p, "command", TOKEN_RIGHT_DELIM);
		return p->failed ? NULL : n;
	}
}

static struct node *parse_item(struct parser *p)
{
	struct token t = parser_next_non_space(p);
	struct node *n = NULL;

	if (t.type == TOKEN_TEXT) {
		n = template_add_node(p->t, NODE_TEXT, t.pos, t.line);
		n->text = str_ndup(t.text, t.len);
		n->text_len = t.len;
		return n;
	}
	if (t.type != TOKEN_LEFT_DELIM) {
		parser_fail_unexpected(p, t, "input");
		return NULL;
	}
	p->action_line = t.line;
	n = parse_action(p);
	p->action_line = 0;
	return n;
}

/* Whether the next action is {{define}}; if so it is parsed. */
static bool parse_if_define(struct parser *p)
{
	struct token delim;

	if (parser_peek(p).type != TOKEN_LEFT_DELIM)
		return false;
	delim = parser_next(p);
	if (parser_next_non_space(p).type == TOKEN_DEFINE) {
		parse_define(p);
		return true;
	}
	parser_back2(p, delim);
	return false;
}

static void parse_all(struct parser *p)
{
	struct node *root = template_add_node(p->t, NODE_LIST, 0, 1);

	while (!p->failed && parser_peek(p).type != TOKEN_EOF) {
		struct node *n = NULL;

		if (parse_if_define(p))
			continue;
		n = parse_item(p);
		if (n && (n->type == NODE_END || n->type == NODE_ELSE))
			parser_fail(p, "unexpected %s",
				    n->type == NODE_END ? "{{end}}" : "{{else}}");
		else if (n)
			node_vec_add(&root->kids, n);
	}
	if (!p->failed)
		add_body(p, str_dup(""), root);
}

int template_parse(const char *text, struct template **ret, struct err *err)
{
	return template_parse_named("", text, ret, err);
}

int template_parse_named(const char *name, const char *text, struct template **ret, struct err *err)
{
	cleanup_template struct template *t = mem_zalloc(sizeof(*t));
	struct parser p = {.t = t, .err = err};

	t->name = name;
	t->len = strlen(text);
	if (t->len > TEMPLATE_MAX_TEXT)
		return err_set(err, ERR_INVALID, "template: larger than %u bytes",
			       TEMPLATE_MAX_TEXT);
	t->text = str_dup(text);
	lexer_init(&p.lex, t->text, t->len);
	strv_add(&p.vars, "$");
	parse_all(&p);
	strv_done(&p.vars);
	if (p.failed)
		return -err->code;
	*ret = take_ptr(t);
	return 0;
}
