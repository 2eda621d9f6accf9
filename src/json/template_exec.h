/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_EXEC_H
#define JSON_TEMPLATE_EXEC_H
/*
 * Internal to json: a template while it runs. template_exec.c walks the statements, template_eval.c
 * computes pipelines. Functions return 0 or -code with the run's err filled.
 */
#include <stddef.h>
#include <stdint.h>

#include "json/template_func.h"

struct err;
struct node;
struct str;
struct template;
struct template_env;

struct variable {
	const char *name;
	struct value value; /* owns its reference */
};

struct exec {
	const struct template *t;
	const struct template_env *env;
	const char *name;      /* of the running template */
	const struct node *at; /* for messages */
	struct value root;
	struct str *out;
	size_t out_start;
	struct err *err;
	json_t **pool; /* owned references */
	size_t n_pool, pool_cap;
	struct variable *vars;
	size_t n_vars, vars_cap, vars_floor; /* variables below the floor are another template's */
	unsigned depth;
	uint64_t steps;
};

/* Fills the run's err with Go's prefix: position and text of x->at. Returns -code. */
int exec_fail(struct exec *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Counts N steps; fails when the run had too many. */
int exec_charge(struct exec *x, size_t n);
/* Takes the reference V into the pool and gives it back borrowed, until pool_cut. */
json_t *pool_add(struct exec *x, json_t *v);
void pool_cut(struct exec *x, size_t n);
void var_push(struct exec *x, const char *name, struct value v);
void var_cut(struct exec *x, size_t n);
void var_replace(struct variable *var, struct value v);
int var_assign(struct exec *x, const char *name, struct value v);
/* Value of a pipeline; NULL has no value. Its variables stay until the caller's var_cut. */
int eval_pipe(struct exec *x, struct value dot, const struct node *pipe, struct value *ret);

#endif
