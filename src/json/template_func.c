/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of template functions, the properties of values they share, and Go's built-in ones that
 * look into data: not, len, index, slice, call and the comparisons.
 */
#include "json/template_func.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

int call_fail(struct call *c, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	str_add(c->message, message);
	return -1;
}

int call_return(struct call *c, json_t *taken)
{
	c->ret.json = taken;
	return 0;
}

int call_return_str(struct call *c, const struct str *s)
{
	return call_return(c, json_stringn_nocheck(str_get(s), s->len));
}

const char *value_type(const struct value *v)
{
	if (!v->json)
		return "<nil>";
	if (v->shape->go_name && v->shape->kind != SHAPE_ANY)
		return v->shape->go_name;
	switch (json_typeof(v->json)) {
	case JSON_OBJECT:
		return v->shape->kind == SHAPE_STRUCT ? "struct" : "map[string]interface {}";
	case JSON_ARRAY:
		return "[]interface {}";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "int";
	case JSON_REAL:
		return "float64";
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_NULL:
		return v->shape->kind == SHAPE_STRUCT ? "*struct" : "interface {}";
	}
	return "";
}

bool value_truth(const struct value *v)
{
	switch (v->json ? json_typeof(v->json) : JSON_NULL) {
	case JSON_OBJECT:
		return v->shape->kind == SHAPE_STRUCT || json_object_size(v->json) > 0;
	case JSON_ARRAY:
		return json_array_size(v->json) > 0;
	case JSON_STRING:
		return json_string_length(v->json) > 0;
	case JSON_INTEGER:
		return json_integer_value(v->json) != 0;
	case JSON_REAL:
		return json_real_value(v->json) != 0;
	case JSON_TRUE:
		return true;
	default:
		return false;
	}
}

struct value value_child(const struct value *v, json_t *json, const char *name)
{
	if (!json)
		return (struct value){NULL, NULL};
	return (struct value){json, json_shape_child(v->shape, name)};
}

bool value_is_untyped_nil(const struct value *v)
{
	return !v->json || (json_is_null(v->json) && v->shape->kind == SHAPE_ANY);
}

static bool is_nil(const struct value *v)
{
	return !v->json || json_is_null(v->json);
}

/* A nil slice or map: empty, but of a type. */
static bool is_nil_container(const struct value *v)
{
	return json_is_null(v->json) &&
	       (v->shape->kind == SHAPE_SLICE || v->shape->kind == SHAPE_MAP);
}

/* The type of what a pointer points at, which Go's functions look through to. */
static const char *followed_type(const struct value *v)
{
	const char *type = value_type(v);

	return *type == '*' && json_is_object(v->json) ? type + 1 : type;
}

static int run_not(struct call *c)
{
	return call_return(c, json_boolean(!value_truth(&c->args[0])));
}

static int run_len(struct call *c)
{
	const struct value *v = &c->args[0];

	if (json_is_string(v->json))
		return call_return(c, json_integer((json_int_t)json_string_length(v->json)));
	if (json_is_array(v->json))
		return call_return(c, json_integer((json_int_t)json_array_size(v->json)));
	if (json_is_object(v->json) && v->shape->kind != SHAPE_STRUCT)
		return call_return(c, json_integer((json_int_t)json_object_size(v->json)));
	if (is_nil_container(v))
		return call_return(c, json_integer(0));
	if (!v->json)
		return call_fail(c, "reflect: call of reflect.Value.Type on zero Value");
	return is_nil(v) ? call_fail(c, "len of nil pointer")
			 : call_fail(c, "len of type %s", followed_type(v));
}

/* The int in V, at most MAX, as an index into a slice, array or string. */
static int index_arg(struct call *c, const struct value *v, size_t max, size_t *ret)
{
	json_int_t i = json_integer_value(v->json);

	if (!v->json)
		return call_fail(c, "cannot index slice/array with nil");
	if (!json_is_integer(v->json))
		return call_fail(c, "cannot index slice/array with type %s", value_type(v));
	if (i < 0 || (uint64_t)i > max)
		return call_fail(c, "index out of range: %lld", (long long)i);
	*ret = (size_t)i;
	return 0;
}

/* V[KEY] for a map; a missing key gives the zero value of the element type. */
static int index_map(struct call *c, struct value *v, const struct value *key)
{
	const struct json_shape *elem = json_shape_child(v->shape, "");
	json_t *found = NULL;

	if (!key->json)
		return call_fail(c, "value is nil; should be of type string");
	if (!json_is_string(key->json))
		return call_fail(c, "value has type %s; should be string", value_type(key));
	found = json_object_get(v->json, json_string_value(key->json));
	if (!found && v->shape == &json_shape_string_map)
		found = json_string("");
	else
		found = found ? json_incref(found) : json_null();
	json_decref(c->ret.json);
	c->ret.json = found;
	*v = (struct value){found, elem};
	return 0;
}

static int index_list(struct call *c, struct value *v, const struct value *key)
{
	bool is_string = json_is_string(v->json);
	size_t len = is_string ? json_string_length(v->json) : json_array_size(v->json), i = 0;
	json_t *found = NULL;

	if (index_arg(c, key, len, &i) < 0)
		return -1;
	if (i == len)
		return call_fail(c, "reflect: %s index out of range",
				 is_string ? "string" : "slice");
	if (is_string)
		found = json_integer((unsigned char)json_string_value(v->json)[i]);
	else
		found = json_incref(json_array_get(v->json, i));
	*v = (struct value){found, json_shape_child(v->shape, NULL)};
	json_decref(c->ret.json);
	c->ret.json = found;
	return 0;
}

static int run_index(struct call *c)
{
	struct value v = c->args[0];
	int rc = 0;

	if (!v.json || (json_is_null(v.json) && v.shape->kind == SHAPE_ANY))
		return call_fail(c, "index of untyped nil");
	c->ret.json = json_incref(v.json);
	for (size_t i = 1; i < c->n_args && rc == 0; i++) {
		bool is_map = v.shape->kind == SHAPE_MAP || v.shape->kind == SHAPE_ANY;

		if (json_is_array(v.json) || json_is_string(v.json) ||
		    (json_is_null(v.json) && v.shape->kind == SHAPE_SLICE))
			rc = index_list(c, &v, &c->args[i]);
		else if ((json_is_object(v.json) && is_map) || is_nil_container(&v))
			rc = index_map(c, &v, &c->args[i]);
		else if (is_nil(&v))
			rc = call_fail(c, "index of nil pointer");
		else
			rc = call_fail(c, "can't index item of type %s", followed_type(&v));
	}
	if (rc < 0)
		json_decref(c->ret.json);
	c->ret.shape = v.shape;
	return rc;
}

static json_t *slice_take(const struct value *v, size_t from, size_t to)
{
	json_t *array = NULL;

	if (json_is_string(v->json))
		return json_stringn_nocheck(json_string_value(v->json) + from, to - from);
	array = json_array();
	for (size_t i = from; i < to; i++)
		json_array_append(array, json_array_get(v->json, i));
	return array;
}

static int run_slice(struct call *c)
{
	const struct value *v = &c->args[0];
	bool is_string = json_is_string(v->json);
	size_t len = is_string ? json_string_length(v->json) : json_array_size(v->json);
	size_t at[3] = {0, len, len};

	if (value_is_untyped_nil(v))
		return call_fail(c, "slice of untyped nil");
	if (c->n_args > 4)
		return call_fail(c, "too many slice indexes: %zu", c->n_args - 1);
	if (is_string && c->n_args == 4)
		return call_fail(c, "cannot 3-index slice a string");
	if (!is_string && !json_is_array(v->json) && !is_nil_container(v))
		return call_fail(c, "can't slice item of type %s", followed_type(v));
	for (size_t i = 1; i < c->n_args; i++) {
		if (index_arg(c, &c->args[i], len, &at[i - 1]) < 0)
			return -1;
	}
	if (at[0] > at[1] || at[1] > at[2])
		return call_fail(c, "invalid slice index: %zu > %zu", at[at[0] > at[1] ? 0 : 1],
				 at[at[0] > at[1] ? 1 : 2]);
	c->ret.shape = v->shape;
	return call_return(c, slice_take(v, at[0], at[1]));
}

static int run_call(struct call *c)
{
	if (is_nil(&c->args[0]))
		return call_fail(c, "call of nil");
	return call_fail(c, "non-function %s of type %s", c->callee, value_type(&c->args[0]));
}

/* clang-format off */
static const struct template_function functions[] = {
	{"and", "v", 'v', NULL},              {"call", "v", 'v', run_call},
	{"eq", "v", 'v', template_eq},        {"ge", "vv", 0, template_ge},
	{"gt", "vv", 0, template_gt},         {"html", "", 'v', template_html},
	{"index", "v", 'v', run_index},       {"join", "as", 0, template_join},
	{"js", "", 'v', template_js},         {"json", "v", 0, template_json},
	{"le", "vv", 0, template_le},         {"len", "v", 0, run_len},
	{"lower", "s", 0, template_lower},    {"lt", "vv", 0, template_lt},
	{"ne", "vv", 0, template_ne},         {"not", "v", 0, run_not},
	{"or", "v", 'v', NULL},               {"pad", "sii", 0, template_pad},
	{"print", "", 'v', template_print},   {"printf", "s", 'v', template_printf},
	{"println", "", 'v', template_println}, {"slice", "v", 'v', run_slice},
	{"split", "ss", 0, template_split},   {"title", "s", 0, template_title},
	{"truncate", "si", 0, template_truncate}, {"upper", "s", 0, template_upper},
	{"urlquery", "", 'v', template_urlquery},
};
/* clang-format on */

const struct template_function *template_find_function(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (strcmp(functions[i].name, name) == 0)
			return &functions[i];
	}
	return NULL;
}
