/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eq ne lt le gt ge. Only values of one basic kind compare; an int and a float do not, as in Go.
 */
#include <string.h>

#include "base/str.h"
#include "json/template_func.h"

enum kind { KIND_NONE, KIND_BOOL, KIND_INT, KIND_FLOAT, KIND_STRING };

static enum kind kind_of(const struct value *v)
{
	switch (v->json ? json_typeof(v->json) : JSON_NULL) {
	case JSON_TRUE:
	case JSON_FALSE:
		return KIND_BOOL;
	case JSON_INTEGER:
		return KIND_INT;
	case JSON_REAL:
		return KIND_FLOAT;
	case JSON_STRING:
		return KIND_STRING;
	default:
		return KIND_NONE;
	}
}

static bool is_nil(const struct value *v)
{
	return !v->json || json_is_null(v->json);
}

static enum json_shape_kind container_kind(const struct value *v)
{
	if (v->shape->kind == SHAPE_ANY)
		return json_is_array(v->json) ? SHAPE_SLICE : SHAPE_MAP;
	return v->shape->kind;
}

/* Whether both are of one kind of Go type, or one is no value at all. */
static bool can_compare(const struct value *a, const struct value *b)
{
	return value_is_untyped_nil(a) || value_is_untyped_nil(b) ||
	       container_kind(a) == container_kind(b);
}

static bool is_pointer(const struct value *v)
{
	return v->shape->kind == SHAPE_STRUCT && v->shape->go_name && v->shape->go_name[0] == '*';
}

/* Equality of two values without a basic kind: nil may be compared, and pointers with themselves.
 */
static int equal_other(struct call *c, const struct value *a, const struct value *b, bool *ret)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_str struct str other = STR_INIT;

	if (!can_compare(a, b)) {
		value_print_text(&s, a);
		value_print(&other, b);
		return call_fail(c, "non-comparable types %s: %s, %s: %s", str_get(&s),
				 value_type(a), value_type(b), str_get(&other));
	}
	if (is_nil(a) || is_nil(b)) {
		*ret = is_nil(a) == is_nil(b);
		return 0;
	}
	if (is_pointer(b)) {
		*ret = a->json == b->json;
		return 0;
	}
	value_print_text(&s, b);
	return call_fail(c, "non-comparable type %s: %s", str_get(&s), value_type(b));
}

static int compare_strings(const json_t *a, const json_t *b)
{
	size_t la = json_string_length(a), lb = json_string_length(b);
	int order = memcmp(json_string_value(a), json_string_value(b), la < lb ? la : lb);

	return order != 0 ? order : (la > lb) - (la < lb);
}

static int equal(struct call *c, const struct value *a, const struct value *b, bool *ret)
{
	enum kind kind = kind_of(a);

	*ret = false;
	if (kind != kind_of(b)) {
		if (value_is_untyped_nil(a) || value_is_untyped_nil(b))
			return 0;
		return call_fail(c, "incompatible types for comparison");
	}
	switch (kind) {
	case KIND_BOOL:
		*ret = json_is_true(a->json) == json_is_true(b->json);
		return 0;
	case KIND_INT:
		*ret = json_integer_value(a->json) == json_integer_value(b->json);
		return 0;
	case KIND_FLOAT:
		*ret = json_real_value(a->json) == json_real_value(b->json);
		return 0;
	case KIND_STRING:
		*ret = compare_strings(a->json, b->json) == 0;
		return 0;
	default:
		return equal_other(c, a, b, ret);
	}
}

static int less(struct call *c, const struct value *a, const struct value *b, bool *ret)
{
	enum kind ka = kind_of(a), kb = kind_of(b);

	if (ka == KIND_NONE || kb == KIND_NONE)
		return call_fail(c, "invalid type for comparison");
	if (ka != kb)
		return call_fail(c, "incompatible types for comparison");
	if (ka == KIND_BOOL)
		return call_fail(c, "invalid type for comparison");
	if (ka == KIND_INT)
		*ret = json_integer_value(a->json) < json_integer_value(b->json);
	else if (ka == KIND_FLOAT)
		*ret = json_real_value(a->json) < json_real_value(b->json);
	else
		*ret = compare_strings(a->json, b->json) < 0;
	return 0;
}

int template_eq(struct call *c)
{
	bool result = false;

	if (c->n_args < 2)
		return call_fail(c, "missing argument for comparison");
	for (size_t i = 1; i < c->n_args && !result; i++) {
		if (equal(c, &c->args[0], &c->args[i], &result) < 0)
			return -1;
	}
	return call_return(c, json_boolean(result));
}

int template_ne(struct call *c)
{
	bool result = false;

	if (equal(c, &c->args[0], &c->args[1], &result) < 0)
		return -1;
	return call_return(c, json_boolean(!result));
}

static int run_less(struct call *c, bool or_equal, bool negated)
{
	bool result = false;

	if (less(c, &c->args[0], &c->args[1], &result) < 0)
		return -1;
	if (!result && or_equal && equal(c, &c->args[0], &c->args[1], &result) < 0)
		return -1;
	return call_return(c, json_boolean(result != negated));
}

int template_lt(struct call *c)
{
	return run_less(c, false, false);
}

int template_le(struct call *c)
{
	return run_less(c, true, false);
}

int template_gt(struct call *c)
{
	return run_less(c, true, true);
}

int template_ge(struct call *c)
{
	return run_less(c, false, true);
}
