/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of a running template: variables, pipelines, commands, fields, methods and calls.
 *
 * Values are borrowed references; what a function or method makes goes into a pool that is cut back
 * when the statement that made it ends, and variables hold references of their own. So an
 * assignment in a loop never frees what an outer statement still looks at.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/template_exec.h"
#include "json/template_lex.h"
#include "json/template_node.h"
#include "json/value.h"

static const struct value no_value;

int exec_fail(struct exec *x, const char *fmt, ...)
{
	cleanup_str struct str at = STR_INIT, name = STR_INIT;
	unsigned line = 1, column = 0;
	char message[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < x->at->pos; i++, column++) {
		if (x->t->text[i] == '\n') {
			line++;
			column = UINT32_MAX;
		}
	}
	str_add_quoted(&name, x->name, strlen(x->name));
	node_format(x->at, &at);
	return err_set(x->err, ERR_INVALID, "template: %s:%u:%u: executing %s at <%.300s>: %s",
		       x->t->name, line, column, str_get(&name), str_get(&at), message);
}

int exec_charge(struct exec *x, size_t n)
{
	x->steps += n;
	return x->steps > TEMPLATE_MAX_STEPS ? exec_fail(x, "too many steps") : 0;
}

json_t *pool_add(struct exec *x, json_t *v)
{
	if (!v)
		return NULL;
	if (x->n_pool == x->pool_cap) {
		x->pool_cap = x->pool_cap ? x->pool_cap * 2 : 16;
		x->pool = mem_realloc_array(x->pool, x->pool_cap, sizeof(json_t *));
	}
	x->pool[x->n_pool++] = v;
	return v;
}

void pool_cut(struct exec *x, size_t n)
{
	while (x->n_pool > n)
		json_decref(x->pool[--x->n_pool]);
}

void var_push(struct exec *x, const char *name, struct value v)
{
	if (x->n_vars == x->vars_cap) {
		x->vars_cap = x->vars_cap ? x->vars_cap * 2 : 8;
		x->vars = mem_realloc_array(x->vars, x->vars_cap, sizeof(*x->vars));
	}
	json_incref(v.json);
	x->vars[x->n_vars++] = (struct variable){name, v};
}

void var_cut(struct exec *x, size_t n)
{
	while (x->n_vars > n)
		json_decref(x->vars[--x->n_vars].value.json);
}

void var_replace(struct variable *var, struct value v)
{
	json_incref(v.json);
	json_decref(var->value.json);
	var->value = v;
}

static struct variable *var_lookup(struct exec *x, const char *name)
{
	for (size_t i = x->n_vars; i > x->vars_floor; i--) {
		if (strcmp(x->vars[i - 1].name, name) == 0)
			return &x->vars[i - 1];
	}
	return NULL;
}

int var_assign(struct exec *x, const char *name, struct value v)
{
	struct variable *var = var_lookup(x, name);

	if (!var)
		return exec_fail(x, "undefined variable: %s", name);
	var_replace(var, v);
	return 0;
}

static int eval_arg(struct exec *x, struct value dot, const struct node *n, char type,
		    struct value *ret);

/* Operands of a command (the first is what is called) and the value piped into it. */
struct operands {
	struct node *const *items;
	size_t n;
	const struct value *final; /* NULL when nothing was piped */
};

static const struct operands no_operands;

static bool has_args(const struct operands *o)
{
	return o->n > 1 || o->final;
}

/* A method's error gets Go's prefix and keeps its code. */
static int method_fail(struct exec *x, const struct node *at)
{
	cleanup_free char *message = str_dup(x->err->msg);
	enum err_code code = x->err->code;

	x->at = at;
	exec_fail(x, "%s", message);
	x->err->code = code;
	return -code;
}

/* Asks the caller's methods; 1 when one answered. */
static int eval_method(struct exec *x, struct value dot, struct value receiver, const char *name,
		       const struct operands *o, struct value *ret)
{
	cleanup_json json_t *args = json_array();
	json_t *result = NULL;
	const struct node *at = x->at;
	int rc = 0;

	for (size_t i = 1; i < o->n; i++) {
		struct value v;

		rc = eval_arg(x, dot, o->items[i], 'v', &v);
		if (rc < 0)
			return rc;
		json_array_append_new(args, v.json ? json_incref(v.json) : json_null());
	}
	if (o->final)
		json_array_append_new(args,
				      o->final->json ? json_incref(o->final->json) : json_null());
	rc = x->env->call(x->env->call_data, receiver.json, name, args, &result, x->err);
	if (rc < 0)
		return method_fail(x, at);
	if (rc == 1)
		*ret = (struct value){pool_add(x, result), receiver.shape->kind == SHAPE_ANY
								   ? &json_shape_any
								   : &json_shape_struct};
	return rc;
}

static int field_missing(struct exec *x, const struct value *receiver, const char *name,
			 struct value *ret)
{
	const struct json_shape *shape = receiver->shape;
	bool is_map = json_is_object(receiver->json) || json_is_null(receiver->json);

	if (is_map && shape->kind == SHAPE_ANY && json_is_null(receiver->json))
		return exec_fail(x, "nil pointer evaluating interface {}.%s", name);
	if (is_map && (shape->kind == SHAPE_ANY || shape->kind == SHAPE_MAP)) {
		if (x->env->missing_key_error)
			return exec_fail(x, "map has no entry for key \"%s\"", name);
		*ret = no_value;
		return 0;
	}
	if (json_is_null(receiver->json) && shape->kind == SHAPE_STRUCT)
		return exec_fail(x, "nil pointer evaluating %s.%s",
				 shape->go_name ? shape->go_name : "*struct", name);
	return exec_fail(x, "can't evaluate field %s in type %s", name,
			 shape->kind == SHAPE_ANY ? "interface {}" : value_type(receiver));
}

static int eval_field(struct exec *x, struct value dot, struct value receiver, const char *name,
		      const struct operands *o, struct value *ret)
{
	json_t *member = NULL;

	if (!receiver.json) {
		if (x->env->missing_key_error)
			return exec_fail(x, "nil data; no entry for key \"%s\"", name);
		*ret = no_value;
		return 0;
	}
	if (x->env->call && json_is_object(receiver.json)) {
		int rc = eval_method(x, dot, receiver, name, o, ret);

		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	member = json_object_get(receiver.json, name);
	if (has_args(o) && json_is_object(receiver.json)) {
		if (receiver.shape->kind == SHAPE_MAP || receiver.shape->kind == SHAPE_ANY)
			return exec_fail(x, "%s is not a method but has arguments", name);
		if (member)
			return exec_fail(x, "%s has arguments but cannot be invoked as function",
					 name);
	}
	if (!member)
		return field_missing(x, &receiver, name, ret);
	*ret = value_child(&receiver, member, name);
	return 0;
}

/* Names FIRST.. of N, one after the other; the last one gets the arguments. */
static int eval_fields(struct exec *x, struct value dot, struct value receiver,
		       const struct node *n, size_t first, const struct operands *o,
		       struct value *ret)
{
	for (size_t i = first; i < n->names.n; i++) {
		bool is_last = i + 1 == n->names.n;
		int rc = eval_field(x, dot, receiver, n->names.items[i], is_last ? o : &no_operands,
				    &receiver);

		if (rc < 0)
			return rc;
	}
	*ret = receiver;
	return 0;
}

static int refuse_args(struct exec *x, const struct operands *o)
{
	cleanup_str struct str s = STR_INIT;

	if (!has_args(o))
		return 0;
	node_format(o->items[0], &s);
	return exec_fail(x, "can't give argument to non-function %s", str_get(&s));
}

static int eval_variable(struct exec *x, struct value dot, const struct node *n,
			 const struct operands *o, struct value *ret)
{
	struct variable *var = NULL;
	struct value v;

	x->at = n;
	var = var_lookup(x, n->names.items[0]);
	if (!var)
		return exec_fail(x, "undefined variable: %s", n->names.items[0]);
	/* The variable may be assigned while its value is in use. */
	v = var->value;
	pool_add(x, json_incref(v.json));
	if (n->names.n > 1)
		return eval_fields(x, dot, v, n, 1, o, ret);
	*ret = v;
	return refuse_args(x, o);
}

static int eval_chain(struct exec *x, struct value dot, const struct node *n,
		      const struct operands *o, struct value *ret)
{
	struct value v;
	int rc = 0;

	x->at = n;
	rc = eval_arg(x, dot, n->pipe, 'v', &v);
	return rc < 0 ? rc : eval_fields(x, dot, v, n, 0, o, ret);
}

static const char *param_type(char type)
{
	return type == 's'   ? "string"
	       : type == 'i' ? "int"
	       : type == 'a' ? "[]string"
			     : "interface {}";
}

/* Whether V is a []string, or may be one as far as its shape says; []interface{} is none. */
static bool is_string_list(const struct value *v)
{
	if (v->json && v->shape->kind == SHAPE_ANY)
		return false;
	for (size_t i = 0; i < json_array_size(v->json); i++) {
		if (!json_is_string(json_array_get(v->json, i)))
			return false;
	}
	return json_is_array(v->json) || !v->json || json_is_null(v->json);
}

/* Checks V, whose value is known only now, against a parameter. */
static int check_type(struct exec *x, struct value v, char type, struct value *ret)
{
	bool fits = type == 'v' || (type == 's' && json_is_string(v.json)) ||
		    (type == 'i' && json_is_integer(v.json)) ||
		    (type == 'a' && is_string_list(&v)) ||
		    /* Headers are texts, whatever their column holds. */
		    (type == 'a' && x->env->is_header && json_is_string(v.json));

	*ret = v;
	if (fits)
		return 0;
	if (!v.json)
		return exec_fail(x, "invalid value; expected %s", param_type(type));
	return exec_fail(x, "wrong type for value; expected %s; got %s", param_type(type),
			 value_type(&v));
}

/* Whether V is a real that an int can hold, as the 2.0 of {{truncate "x" 2.0}}. */
static bool is_whole_real(const json_t *v)
{
	double d = json_real_value(v);

	return json_is_real(v) && d > -4e18 && d < 4e18 && d == (double)(json_int_t)d;
}

/* Checks the constant N, which Go does by its syntax. */
static int check_constant(struct exec *x, const struct node *n, char type, struct value *ret)
{
	bool is_whole = n->type == NODE_NUMBER && is_whole_real(n->constant);

	*ret = (struct value){n->constant, &json_shape_struct};
	if (json_is_null(n->constant) && (type == 'v' || type == 'i'))
		return exec_fail(x, "%s overflows int", n->text);
	if (type == 'v' || (type == 's' && n->type == NODE_STRING) ||
	    (type == 'i' && json_is_integer(n->constant)))
		return 0;
	if (type == 'i' && is_whole) {
		ret->json = pool_add(x, json_integer((json_int_t)json_real_value(n->constant)));
		return 0;
	}
	if (type == 'a')
		return exec_fail(x, "can't handle %s for arg of type []string", n->text);
	return exec_fail(x, "expected %s; found %s", type == 's' ? "string" : "integer", n->text);
}

static int eval_args(struct exec *x, struct value dot, const struct template_function *f,
		     const struct operands *o, struct value *args)
{
	size_t n_fixed = strlen(f->params), n = 0;
	int rc = 0;

	for (size_t i = 1; i < o->n; i++, n++) {
		rc = eval_arg(x, dot, o->items[i], n < n_fixed ? f->params[n] : f->variadic,
			      &args[n]);
		if (rc < 0)
			return rc;
	}
	if (!o->final)
		return 0;
	return check_type(x, *o->final, n < n_fixed ? f->params[n] : f->variadic, &args[n]);
}

/* and, or: the first argument that decides, later ones are not evaluated. */
static int eval_short(struct exec *x, struct value dot, const struct operands *o, bool is_or,
		      struct value *ret)
{
	for (size_t i = 1; i < o->n; i++) {
		int rc = eval_arg(x, dot, o->items[i], 'v', ret);

		if (rc < 0)
			return rc;
		if (value_truth(ret) == is_or)
			return 0;
	}
	if (o->final)
		*ret = *o->final;
	return 0;
}

static int run_function(struct exec *x, const struct template_function *f, const struct node *n,
			const struct value *args, size_t n_args, struct value *ret)
{
	cleanup_str struct str message = STR_INIT, callee = STR_INIT;
	struct call c = {.args = args,
			 .n_args = n_args,
			 .root = &x->root,
			 .escape_root = x->env->escape_root,
			 .is_header = x->env->is_header,
			 /* Functions return Go's own types; what may be anything says so. */
			 .ret.shape = &json_shape_struct,
			 .message = &message};
	size_t cost = 1;

	if (n_args && n->type == NODE_COMMAND && n->kids.n > 1)
		node_format(n->kids.items[1], &callee);
	c.callee = str_get(&callee);

	if (f->run(&c) < 0) {
		x->at = n;
		return exec_fail(x, "error calling %s: %s", f->name, str_get(&message));
	}
	*ret = (struct value){pool_add(x, c.ret.json), c.ret.shape};
	if (json_is_string(ret->json))
		cost += json_string_length(ret->json) / 16;
	if (cost > TEMPLATE_MAX_OUTPUT / 16)
		return exec_fail(x, "result larger than %u bytes", TEMPLATE_MAX_OUTPUT);
	return exec_charge(x, cost + json_array_size(ret->json));
}

static int eval_function(struct exec *x, struct value dot, const struct node *name,
			 const struct node *cmd, const struct operands *o, struct value *ret)
{
	const struct template_function *f = template_find_function(name->text);
	size_t n_given = o->n ? o->n - 1 : 0, n = n_given + (o->final ? 1 : 0);
	cleanup_free struct value *args = NULL;
	int rc = 0;

	x->at = name;
	if (f->variadic && n < strlen(f->params))
		return exec_fail(x, "wrong number of args for %s: want at least %zu got %zu",
				 f->name, strlen(f->params), n_given);
	if (!f->variadic && n != strlen(f->params))
		return exec_fail(x, "wrong number of args for %s: want %zu got %zu", f->name,
				 strlen(f->params), n);
	if (!f->run)
		return eval_short(x, dot, o, f->name[0] == 'o', ret);
	args = mem_zalloc((n + 1) * sizeof(*args));
	rc = eval_args(x, dot, f, o, args);
	return rc < 0 ? rc : run_function(x, f, cmd, args, n, ret);
}

/* An operand that is not a constant. */
static int eval_operand(struct exec *x, struct value dot, const struct node *n, struct value *ret)
{
	switch (n->type) {
	case NODE_DOT:
		*ret = dot;
		return 0;
	case NODE_FIELD:
		return eval_fields(x, dot, dot, n, 0, &no_operands, ret);
	case NODE_VARIABLE:
		return eval_variable(x, dot, n, &no_operands, ret);
	case NODE_CHAIN:
		return eval_chain(x, dot, n, &no_operands, ret);
	case NODE_IDENTIFIER:
		return eval_function(x, dot, n, n, &no_operands, ret);
	default:
		return eval_pipe(x, dot, n, ret);
	}
}

static int eval_arg(struct exec *x, struct value dot, const struct node *n, char type,
		    struct value *ret)
{
	struct value v = no_value;
	int rc = 0;

	x->at = n;
	if (n->constant)
		return check_constant(x, n, type, ret);
	if (n->type == NODE_NIL) {
		*ret = no_value;
		return type == 'v' || type == 'a'
			       ? 0
			       : exec_fail(x, "cannot assign nil to %s", param_type(type));
	}
	rc = eval_operand(x, dot, n, &v);
	return rc < 0 ? rc : check_type(x, v, type, ret);
}

static int eval_command(struct exec *x, struct value dot, const struct node *cmd,
			const struct value *final, struct value *ret)
{
	const struct node *first = cmd->kids.items[0];
	const struct operands o = {cmd->kids.items, cmd->kids.n, final};
	int rc = 0;

	switch (first->type) {
	case NODE_FIELD:
		x->at = first;
		return eval_fields(x, dot, dot, first, 0, &o, ret);
	case NODE_CHAIN:
		if (first->pipe->type == NODE_NIL)
			return exec_fail(x, "indirection through explicit nil in nil");
		return eval_chain(x, dot, first, &o, ret);
	case NODE_VARIABLE:
		return eval_variable(x, dot, first, &o, ret);
	case NODE_IDENTIFIER:
		return eval_function(x, dot, first, cmd, &o, ret);
	case NODE_PIPE:
		rc = refuse_args(x, &o);
		return rc < 0 ? rc : eval_pipe(x, dot, first, ret);
	case NODE_NIL:
		x->at = first;
		rc = refuse_args(x, &o);
		return rc < 0 ? rc : exec_fail(x, "nil is not a command");
	default:
		x->at = first;
		if (json_is_null(first->constant))
			return exec_fail(x, "%s overflows int", first->text);
		*ret = first->constant ? (struct value){first->constant, &json_shape_struct} : dot;
		return refuse_args(x, &o);
	}
}

/* Pushes or assigns the variables that PIPE names. */
static int eval_declarations(struct exec *x, const struct node *pipe, struct value v)
{
	for (size_t i = 0; i < pipe->decl.n; i++) {
		const char *name = pipe->decl.items[i]->names.items[0];
		int rc = 0;

		if (!pipe->is_assign)
			var_push(x, name, v);
		else
			rc = var_assign(x, name, v);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int eval_pipe(struct exec *x, struct value dot, const struct node *pipe, struct value *ret)
{
	struct value v = no_value;
	int rc = 0;

	*ret = no_value;
	if (!pipe)
		return 0;
	x->at = pipe;
	if (x->depth >= TEMPLATE_MAX_DEPTH)
		return exec_fail(x, "exceeded maximum template depth (%d)", TEMPLATE_MAX_DEPTH);
	x->depth++;
	for (size_t i = 0; i < pipe->kids.n && rc == 0; i++) {
		struct value final = v;

		rc = exec_charge(x, 1);
		if (rc == 0)
			rc = eval_command(x, dot, pipe->kids.items[i], i > 0 ? &final : NULL, &v);
		/* A nil interface{} is no value at all. */
		if (rc == 0 && json_is_null(v.json) && v.shape->kind == SHAPE_ANY)
			v = no_value;
	}
	x->depth--;
	if (rc == 0)
		rc = eval_declarations(x, pipe, v);
	*ret = v;
	return rc;
}
