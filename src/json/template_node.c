/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of a template: allocation, release, and the text that error messages show. Every node hangs
 * on its template, so that a parse that failed half-way is released like a whole one.
 */
#include "json/template_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/rune.h"
#include "json/template.h"

void node_vec_add(struct node_vec *v, struct node *n)
{
	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 4;
		v->items = mem_realloc_array(v->items, v->cap, sizeof(*v->items));
	}
	v->items[v->n++] = n;
}

struct node *template_add_node(struct template *t, enum node_type type, size_t pos, int line)
{
	struct node *n = mem_zalloc(sizeof(*n));

	n->type = type;
	n->pos = pos;
	n->line = line;
	node_vec_add(&t->nodes, n);
	return n;
}

static void node_free(struct node *n)
{
	free(n->text);
	json_decref(n->constant);
	strv_done(&n->names);
	free(n->kids.items);
	free(n->decl.items);
	free(n);
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nodes.n; i++)
		node_free(t->nodes.items[i]);
	for (size_t i = 0; i < t->n_bodies; i++)
		free(t->bodies[i].name);
	free(t->nodes.items);
	free(t->bodies);
	free(t->text);
	free(t);
}

void template_cleanup_free(struct template **t)
{
	template_free(*t);
	*t = NULL;
}

const struct node *template_lookup(const struct template *t, const char *name)
{
	for (size_t i = 0; i < t->n_bodies; i++) {
		if (strcmp(t->bodies[i].name, name) == 0)
			return t->bodies[i].root;
	}
	return NULL;
}

bool node_is_blank(const struct node *list)
{
	for (size_t i = 0; list && i < list->kids.n; i++) {
		const struct node *n = list->kids.items[i];

		if (n->type != NODE_TEXT || strspn(n->text, " \t\r\n\v\f") != n->text_len)
			return false;
	}
	return true;
}

static void format_vec(const struct node_vec *v, const char *separator, struct str *out)
{
	for (size_t i = 0; i < v->n; i++) {
		bool is_paren = v->items[i]->type == NODE_PIPE;

		str_add(out, i > 0 ? separator : "");
		str_add(out, is_paren ? "(" : "");
		node_format(v->items[i], out);
		str_add(out, is_paren ? ")" : "");
	}
}

static void format_names(const struct strv *names, const char *first, struct str *out)
{
	strv_foreach (i, names)
		str_addf(out, "%s%s", i > 0 ? "." : first, names->items[i]);
}

static void format_pipe(const struct node *n, struct str *out)
{
	format_vec(&n->decl, ", ", out);
	if (n->decl.n > 0)
		str_add(out, n->is_assign ? " = " : " := ");
	format_vec(&n->kids, " | ", out);
}

static void format_chain(const struct node *n, struct str *out)
{
	bool is_paren = n->pipe->type == NODE_PIPE;

	str_add(out, is_paren ? "(" : "");
	node_format(n->pipe, out);
	str_add(out, is_paren ? ")" : "");
	format_names(&n->names, ".", out);
}

static void format_branch(const struct node *n, const char *keyword, struct str *out)
{
	str_addf(out, "{{%s ", keyword);
	format_pipe(n->pipe, out);
	str_add(out, "}}");
	format_vec(&n->list->kids, "", out);
	if (n->else_list) {
		str_add(out, "{{else}}");
		format_vec(&n->else_list->kids, "", out);
	}
	str_add(out, "{{end}}");
}

static void format_template(const struct node *n, struct str *out)
{
	str_addf(out, "{{template \"%s\"", n->text);
	if (n->pipe) {
		str_add_char(out, ' ');
		format_pipe(n->pipe, out);
	}
	str_add(out, "}}");
}

static void format_action(const struct node *n, struct str *out)
{
	str_add(out, "{{");
	format_pipe(n->pipe, out);
	str_add(out, "}}");
}

void node_format(const struct node *n, struct str *out)
{
	static const char *const fixed[] = {
		[NODE_BREAK] = "{{break}}", [NODE_CONTINUE] = "{{continue}}",
		[NODE_DOT] = ".",	    [NODE_NIL] = "nil",
		[NODE_ELSE] = "{{else}}",   [NODE_END] = "{{end}}",
	};

	switch (n->type) {
	case NODE_ACTION:
		format_action(n, out);
		return;
	case NODE_IF:
	case NODE_RANGE:
	case NODE_WITH:
		format_branch(n,
			      n->type == NODE_IF     ? "if"
			      : n->type == NODE_WITH ? "with"
						     : "range",
			      out);
		return;
	case NODE_TEMPLATE:
		format_template(n, out);
		return;
	case NODE_LIST:
		format_vec(&n->kids, "", out);
		return;
	case NODE_PIPE:
		format_pipe(n, out);
		return;
	case NODE_COMMAND:
		format_vec(&n->kids, " ", out);
		return;
	case NODE_FIELD:
		format_names(&n->names, ".", out);
		return;
	case NODE_VARIABLE:
		format_names(&n->names, "", out);
		return;
	case NODE_CHAIN:
		format_chain(n, out);
		return;
	default:
		str_add(out, n->text ? n->text : fixed[n->type]);
		return;
	}
}
