/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's fmt for JSON values: print, println and the %v of every {{action}}. One routine
 * formats a value by a verb; containers apply it to their elements, so %v is only one verb of many.
 */
#include "json/template_print.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "json/rune.h"
#include "json/template.h"
#include "json/template_func.h"
#include "json/template_lex.h"
#include "json/value.h"

static const struct conversion plain_v = {.width = -1, .precision = -1, .verb = 'v'};
static const struct conversion followed_v = {
	.width = -1, .precision = -1, .verb = 'v', .inside = true};

/* A value of a type that is nil. */
static void format_typed_nil(struct str *out, const struct conversion *f, const struct value *v)
{
	bool is_container = v->shape->kind == SHAPE_SLICE || v->shape->kind == SHAPE_MAP;

	if (f->syntax)
		str_addf(out, is_container ? "%s(nil)" : "(%s)(nil)", value_type(v));
	else if (is_container)
		str_add(out, v->shape->kind == SHAPE_SLICE ? "[]" : "map[]");
	else if (f->verb == 'v')
		conversion_pad(out, f, "<nil>", 5);
	else
		conversion_refuse(out, f, v);
}

static void format_null(struct str *out, const struct conversion *f, const struct value *v)
{
	if (!value_is_untyped_nil(v))
		format_typed_nil(out, f, v);
	else if (f->inside)
		str_add(out, f->syntax ? "interface {}(nil)" : "<nil>");
	else if (f->verb == 'v')
		conversion_pad(out, f, "<nil>", 5);
	else
		conversion_refuse(out, f, v);
}

/* How containers look: with what they begin, what separates their elements, how they end. */
struct brackets {
	const char *open, *separator, *close;
};

static const struct brackets source = {"{", ", ", "}"};
static const struct brackets list_brackets = {"[", " ", "]"};
static const struct brackets map_brackets = {"map[", " ", "]"};
static const struct brackets struct_brackets = {"{", " ", "}"};

static const struct brackets *open_container(struct str *out, const struct conversion *f,
					     const struct value *v, const struct brackets *plain)
{
	const struct brackets *b = f->syntax ? &source : plain;

	if (f->syntax) {
		const char *type = value_type(v);

		str_add(out, *type == '*' ? type + 1 : type);
	}
	str_add(out, b->open);
	return b;
}

static void format_array(struct str *out, const struct conversion *f, const struct value *v)
{
	const struct brackets *b = open_container(out, f, v, &list_brackets);

	for (size_t i = 0; i < json_array_size(v->json); i++) {
		struct value elem = value_child(v, json_array_get(v->json, i), NULL);

		str_add(out, i > 0 ? b->separator : "");
		conversion_format(out, f, &elem);
	}
	str_add(out, b->close);
}

static void format_map(struct str *out, const struct conversion *f, const struct value *v)
{
	const struct brackets *b = open_container(out, f, v, &map_brackets);
	size_t n = 0;
	cleanup_free const char **keys = json_sorted_keys(v->json, &n);

	for (size_t i = 0; i < n; i++) {
		struct value elem = value_child(v, json_object_get(v->json, keys[i]), keys[i]);
		cleanup_json json_t *name = json_string_nocheck(keys[i]);
		struct value key = {name, &json_shape_any};

		str_add(out, i > 0 ? b->separator : "");
		conversion_format(out, f, &key);
		str_add_char(out, ':');
		conversion_format(out, f, &elem);
	}
	str_add(out, b->close);
}

static void format_struct(struct str *out, const struct conversion *f, const struct value *v)
{
	const struct brackets *b = open_container(out, f, v, &struct_brackets);
	const char *name = NULL;
	json_t *member = NULL;
	bool first = true;

	json_object_foreach (v->json, name, member) {
		struct value elem = value_child(v, member, name);

		str_add(out, first ? "" : b->separator);
		if (f->names || f->syntax)
			str_addf(out, "%s:", name);
		conversion_format(out, f, &elem);
		first = false;
	}
	str_add(out, b->close);
}

static void format_bool(struct str *out, const struct conversion *f, const struct value *v)
{
	const char *text = json_is_true(v->json) ? "true" : "false";

	if (f->verb == 't' || f->verb == 'v')
		conversion_pad(out, f, text, strlen(text));
	else
		conversion_refuse(out, f, v);
}

/* What prints the elements of a container: no pointers are followed there, so none are marked. */
static struct conversion conversion_inside(const struct conversion *f)
{
	struct conversion inside = *f;

	inside.inside = true;
	return inside;
}

static void format_object(struct str *out, const struct conversion *f, const struct value *v)
{
	struct conversion inside = conversion_inside(f);

	if (v->shape->kind != SHAPE_STRUCT) {
		format_map(out, &inside, v);
		return;
	}
	if (!f->inside && v->shape->go_name && v->shape->go_name[0] == '*')
		str_add_char(out, '&');
	format_struct(out, &inside, v);
}

static void format_duration(struct str *out, const struct conversion *f, const struct value *v)
{
	char text[NUM_DURATION_LEN];

	num_format_duration(json_integer_value(v->json), text);
	conversion_pad(out, f, text, strlen(text));
}

void conversion_format(struct str *out, const struct conversion *f, const struct value *v)
{
	struct conversion inside;

	switch (v->json ? json_typeof(v->json) : JSON_NULL) {
	case JSON_STRING:
		conversion_format_string(out, f, v);
		return;
	case JSON_INTEGER:
		if (v->shape == &json_shape_duration && (f->verb == 'v' || f->verb == 's'))
			format_duration(out, f, v);
		else
			conversion_format_integer(out, f, v);
		return;
	case JSON_REAL:
		conversion_format_real(out, f, v);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		format_bool(out, f, v);
		return;
	case JSON_ARRAY:
		inside = conversion_inside(f);
		format_array(out, &inside, v);
		return;
	case JSON_OBJECT:
		format_object(out, f, v);
		return;
	case JSON_NULL:
		format_null(out, f, v);
		return;
	}
}

void value_print(struct str *out, const struct value *v)
{
	conversion_format(out, &plain_v, v);
}

void value_print_text(struct str *out, const struct value *v)
{
	static const struct conversion plain_s = {.width = -1, .precision = -1, .verb = 's'};

	conversion_format(out, &plain_s, v);
}

void value_print_followed(struct str *out, const struct value *v)
{
	if (json_is_object(v->json) && v->shape->kind == SHAPE_STRUCT)
		format_struct(out, &followed_v, v);
	else
		value_print(out, v);
}

/* The arguments as print (spaces between two that are no strings) or println (always). */
static int print_all(struct call *c, bool always)
{
	cleanup_str struct str s = STR_INIT;
	bool was_string = true;

	for (size_t i = 0; i < c->n_args; i++) {
		bool is_string = json_is_string(c->args[i].json);

		if (i > 0 && (always || (!is_string && !was_string)))
			str_add_char(&s, ' ');
		value_print(&s, &c->args[i]);
		was_string = is_string;
		if (s.len > TEMPLATE_MAX_OUTPUT)
			return call_fail(c, "result too large");
	}
	if (always)
		str_add_char(&s, '\n');
	return call_return_str(c, &s);
}

int template_print(struct call *c)
{
	return print_all(c, false);
}

int template_println(struct call *c)
{
	return print_all(c, true);
}
