/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_FUNC_H
#define JSON_TEMPLATE_FUNC_H
/* Internal to json: values of a running template, its functions and how values are printed. */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "json/dump.h"

struct str;

/* A value while a template runs. The JSON is borrowed from the data or from the run's pool. */
struct value {
	json_t *json;			/* NULL: no value (Go's invalid reflect.Value) */
	const struct json_shape *shape; /* never NULL when json is not */
};

/* One call: what a function gets and where it leaves its outcome. */
struct call {
	const struct value *args;
	size_t n_args;
	const char *callee;	  /* `call` only: its first operand as written */
	const struct value *root; /* the data of the run, for the escaping of whole rows */
	bool escape_root;
	bool is_header;
	struct value ret;    /* a new reference in ret.json */
	struct str *message; /* text of the error */
};

/* Parameters: 'v' anything, 's' string, 'i' int, 'a' array of strings. */
struct template_function {
	const char *name;
	const char *params;	    /* one letter for each fixed parameter */
	char variadic;		    /* letter of any number of further ones, 0 for none */
	int (*run)(struct call *c); /* 0, or -1 with the message; NULL: and, or */
};

/* The function NAME, NULL when there is none. */
const struct template_function *template_find_function(const char *name);
/* Go's type of V as messages name it. */
const char *value_type(const struct value *v);
/* Whether V counts as true: neither zero, nor empty, nor nil. */
bool value_truth(const struct value *v);
struct value value_child(const struct value *v, json_t *json, const char *name);
/* Whether V is nil and of no type: Go's nil interface, or no value at all. */
bool value_is_untyped_nil(const struct value *v);
/* Appends V as Go's %v. A value that is missing or nil without a type is "<nil>"; a pointer to a
 * struct is "&{...}". */
void value_print(struct str *out, const struct value *v);
/* The same as %s. */
void value_print_text(struct str *out, const struct value *v);
/* As an action prints it: what a pointer points at. */
void value_print_followed(struct str *out, const struct value *v);
/* print, println, printf */
int template_print(struct call *c);
int template_println(struct call *c);
int template_printf(struct call *c);
/* The comparisons, the escapers and docker's additions. */
int template_eq(struct call *c);
int template_ne(struct call *c);
int template_lt(struct call *c);
int template_le(struct call *c);
int template_gt(struct call *c);
int template_ge(struct call *c);
int template_html(struct call *c);
int template_js(struct call *c);
int template_urlquery(struct call *c);
int template_json(struct call *c);
int template_split(struct call *c);
int template_join(struct call *c);
int template_title(struct call *c);
int template_lower(struct call *c);
int template_upper(struct call *c);
int template_pad(struct call *c);
int template_truncate(struct call *c);

/* Outcomes of a function. */
int call_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int call_return(struct call *c, json_t *taken);
int call_return_str(struct call *c, const struct str *s);

#endif
