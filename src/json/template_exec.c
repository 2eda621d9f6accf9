/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a parsed template: its statements. Pipelines are in template_eval.c.
 *
 * Bounds: nesting, steps (also charged for the bytes that functions produce) and output, so that a
 * short template cannot keep the machine busy or fill its memory.
 */
#include "json/template_exec.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/template_node.h"
#include "json/value.h"

enum { WALK_ON, WALK_BREAK, WALK_CONTINUE };

static int check_output(struct exec *x)
{
	if (x->out->len - x->out_start > TEMPLATE_MAX_OUTPUT)
		return exec_fail(x, "output larger than %u bytes", TEMPLATE_MAX_OUTPUT);
	return 0;
}

static int walk(struct exec *x, struct value dot, const struct node *n);

static int walk_list(struct exec *x, struct value dot, const struct node *list)
{
	int rc = WALK_ON;

	if (x->depth >= TEMPLATE_MAX_DEPTH)
		return exec_fail(x, "exceeded maximum template depth (%d)", TEMPLATE_MAX_DEPTH);
	x->depth++;
	for (size_t i = 0; i < list->kids.n && rc == WALK_ON; i++)
		rc = walk(x, dot, list->kids.items[i]);
	x->depth--;
	return rc;
}

static int walk_action(struct exec *x, struct value dot, const struct node *n)
{
	struct value v;
	size_t before = x->out->len;
	int rc = eval_pipe(x, dot, n->pipe, &v);

	if (rc < 0 || n->pipe->decl.n > 0)
		return rc;
	x->at = n;
	if (v.json)
		value_print_followed(x->out, &v);
	else
		str_add(x->out, "<no value>");
	rc = exec_charge(x, (x->out->len - before) / 16);
	return rc < 0 ? rc : check_output(x);
}

static int walk_if_with(struct exec *x, struct value dot, const struct node *n)
{
	size_t n_vars = x->n_vars;
	struct value v;
	int rc = eval_pipe(x, dot, n->pipe, &v);

	if (rc == 0 && value_truth(&v))
		rc = walk_list(x, n->type == NODE_WITH ? v : dot, n->list);
	else if (rc == 0 && n->else_list)
		rc = walk_list(x, dot, n->else_list);
	var_cut(x, n_vars);
	return rc;
}

/* One turn of a range; MARK is the number of variables before the body's own. */
static int walk_turn(struct exec *x, const struct node *n, size_t mark, struct value index,
		     struct value elem)
{
	const struct node_vec *decl = &n->pipe->decl;
	size_t n_pool = x->n_pool;
	int rc = exec_charge(x, 1);

	if (rc == 0 && n->pipe->is_assign && decl->n > 0) {
		rc = var_assign(x, decl->items[0]->names.items[0], decl->n > 1 ? index : elem);
		if (rc == 0 && decl->n > 1)
			rc = var_assign(x, decl->items[1]->names.items[0], elem);
	} else if (rc == 0 && decl->n > 0) {
		var_replace(&x->vars[mark - 1], elem);
		if (decl->n > 1)
			var_replace(&x->vars[mark - 2], index);
	}
	if (rc == 0)
		rc = walk_list(x, elem, n->list);
	var_cut(x, mark);
	pool_cut(x, n_pool);
	return rc == WALK_CONTINUE ? WALK_ON : rc;
}

static struct value pool_value(struct exec *x, json_t *v)
{
	return (struct value){pool_add(x, v), &json_shape_struct};
}

static int walk_array(struct exec *x, const struct node *n, size_t mark, const struct value *v)
{
	int rc = WALK_ON;

	for (size_t i = 0; i < json_array_size(v->json) && rc == WALK_ON; i++) {
		size_t n_pool = x->n_pool;
		struct value index = pool_value(x, json_integer((json_int_t)i));

		rc = walk_turn(x, n, mark, index, value_child(v, json_array_get(v->json, i), NULL));
		pool_cut(x, n_pool);
	}
	return rc;
}

static int walk_map(struct exec *x, const struct node *n, size_t mark, const struct value *v)
{
	size_t n_keys = 0, n_pool = x->n_pool;
	cleanup_free const char **keys = json_sorted_keys(v->json, &n_keys);
	int rc = WALK_ON;

	for (size_t i = 0; i < n_keys && rc == WALK_ON; i++) {
		struct value key = pool_value(x, json_string_nocheck(keys[i]));

		rc = walk_turn(x, n, mark, key,
			       value_child(v, json_object_get(v->json, keys[i]), keys[i]));
		pool_cut(x, n_pool);
	}
	return rc;
}

static int walk_count(struct exec *x, const struct node *n, size_t mark, json_int_t count)
{
	size_t n_pool = x->n_pool;
	int rc = WALK_ON;

	if (n->pipe->decl.n > 1)
		return exec_fail(x, "can't use %lld to iterate over more than one variable",
				 (long long)count);
	for (json_int_t i = 0; i < count && rc == WALK_ON; i++) {
		struct value v = pool_value(x, json_integer(i));

		rc = walk_turn(x, n, mark, v, v);
		pool_cut(x, n_pool);
	}
	return rc;
}

static int walk_range_value(struct exec *x, struct value dot, const struct node *n, size_t mark,
			    const struct value *v)
{
	cleanup_str struct str s = STR_INIT;

	if (json_array_size(v->json) > 0)
		return walk_array(x, n, mark, v);
	if (json_object_size(v->json) > 0 && v->shape->kind != SHAPE_STRUCT)
		return walk_map(x, n, mark, v);
	if (json_is_integer(v->json) && json_integer_value(v->json) > 0)
		return walk_count(x, n, mark, json_integer_value(v->json));
	if (!v->json || json_is_array(v->json) || json_is_integer(v->json) ||
	    json_is_null(v->json) || (json_is_object(v->json) && v->shape->kind != SHAPE_STRUCT))
		return n->else_list ? walk_list(x, dot, n->else_list) : WALK_ON;
	value_print_followed(&s, v);
	return exec_fail(x, "range can't iterate over %s", str_get(&s));
}

static int walk_range(struct exec *x, struct value dot, const struct node *n)
{
	size_t n_vars = x->n_vars;
	struct value v;
	int rc = eval_pipe(x, dot, n->pipe, &v);

	if (rc == 0)
		rc = walk_range_value(x, dot, n, x->n_vars, &v);
	var_cut(x, n_vars);
	return rc == WALK_BREAK ? WALK_ON : rc;
}

static int walk_template(struct exec *x, struct value dot, const struct node *n)
{
	const struct node *body = NULL;
	const char *outer = x->name;
	size_t floor = x->vars_floor, mark = 0;
	struct value v;
	int rc = 0;

	x->at = n;
	body = template_lookup(x->t, n->text);
	if (!body)
		return exec_fail(x, "template \"%s\" not defined", n->text);
	rc = eval_pipe(x, dot, n->pipe, &v);
	if (rc < 0)
		return rc;
	mark = x->n_vars;
	x->vars_floor = mark;
	x->name = n->text;
	var_push(x, "$", v);
	rc = walk_list(x, v, body);
	if (rc < 0)
		return rc;
	var_cut(x, mark);
	x->vars_floor = floor;
	x->name = outer;
	return rc;
}

static int walk(struct exec *x, struct value dot, const struct node *n)
{
	size_t n_pool = x->n_pool;
	int rc = exec_charge(x, 1);

	x->at = n;
	if (rc < 0)
		return rc;
	switch (n->type) {
	case NODE_TEXT:
		str_add_bytes(x->out, n->text, n->text_len);
		rc = check_output(x);
		break;
	case NODE_ACTION:
		rc = walk_action(x, dot, n);
		break;
	case NODE_BREAK:
	case NODE_CONTINUE:
		return n->type == NODE_BREAK ? WALK_BREAK : WALK_CONTINUE;
	case NODE_RANGE:
		rc = walk_range(x, dot, n);
		break;
	case NODE_TEMPLATE:
		rc = walk_template(x, dot, n);
		break;
	default:
		rc = walk_if_with(x, dot, n);
		break;
	}
	pool_cut(x, n_pool);
	return rc;
}

int template_execute(const struct template *t, const json_t *data, const struct template_env *env,
		     struct str *out, struct err *err)
{
	static const struct template_env plain;
	const struct node *root = template_lookup(t, "");
	struct exec x = {
		.t = t, .env = env ? env : &plain, .name = t->name, .at = root, .err = err};
	int rc = 0;

	/* The run takes references of its own and never changes the tree. */
	x.root = (struct value){(json_t *)(uintptr_t)data,
				x.env->shape ? x.env->shape : &json_shape_any};
	if (json_is_null(data) && x.root.shape->kind == SHAPE_ANY)
		x.root.json = NULL;
	x.out = out;
	x.out_start = out->len;
	var_push(&x, "$", x.root);
	rc = walk_list(&x, x.root, root);
	var_cut(&x, 0);
	pool_cut(&x, 0);
	free(x.vars);
	free(x.pool);
	return rc < 0 ? rc : 0;
}
