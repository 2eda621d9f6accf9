/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that docker adds to templates (json split join title lower upper pad truncate) and
 * Go's escapers (html js urlquery). Each result is bounded, because results feed one another.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"
#include "json/template.h"
#include "json/template_func.h"
#include "json/value.h"

#define MAX_PARTS 1000000 /* of split */
#define MAX_PAD	  1000000

static const char *arg_text(const struct call *c, size_t i)
{
	return json_string_value(c->args[i].json);
}

static size_t arg_len(const struct call *c, size_t i)
{
	return json_string_length(c->args[i].json);
}

static int return_argument(struct call *c)
{
	if (!json_is_string(c->args[0].json))
		return call_fail(c, "wrong type; expected string");
	c->ret.shape = c->args[0].shape ? c->args[0].shape : &json_shape_any;
	return call_return(c, json_incref(c->args[0].json));
}

int template_json(struct call *c)
{
	const struct value *v = &c->args[0];
	bool escape = c->escape_root && v->json && v->json == c->root->json;
	cleanup_str struct str s = STR_INIT;

	if (c->is_header)
		return return_argument(c);
	json_dump_docker(&s, v->json, v->shape, 0, escape ? JSON_DUMP_HTML | JSON_DUMP_SORT : 0);
	return call_return_str(c, &s);
}

/* Without a separator every character is a part. */
static size_t split_runes(const char *s, size_t len, json_t *parts)
{
	uint32_t r = 0;
	size_t n = 0;

	for (size_t i = 0; i < len && n <= MAX_PARTS; n++) {
		size_t step = rune_decode(s + i, len - i, &r);

		json_array_append_new(parts, json_stringn_nocheck(s + i, step));
		i += step;
	}
	return n;
}

static size_t split_text(const char *s, size_t len, const char *sep, size_t sep_len, json_t *parts)
{
	const char *end = s + len;
	size_t n = 0;

	for (; n <= MAX_PARTS; n++) {
		const char *at = memmem(s, (size_t)(end - s), sep, sep_len);

		json_array_append_new(parts,
				      json_stringn_nocheck(s, (size_t)((at ? at : end) - s)));
		if (!at)
			break;
		s = at + sep_len;
	}
	return n;
}

int template_split(struct call *c)
{
	const char *sep = arg_text(c, 1);
	size_t sep_len = arg_len(c, 1), n = 0;
	json_t *parts = NULL;

	if (c->is_header)
		return return_argument(c);
	parts = json_array();
	if (!sep || sep_len == 0)
		n = split_runes(arg_text(c, 0), arg_len(c, 0), parts);
	else
		n = split_text(arg_text(c, 0), arg_len(c, 0), sep, sep_len, parts);
	if (n > MAX_PARTS) {
		json_decref(parts);
		return call_fail(c, "more than %d parts", MAX_PARTS);
	}
	c->ret.shape = &json_shape_strings;
	return call_return(c, parts);
}

int template_join(struct call *c)
{
	cleanup_str struct str s = STR_INIT;

	if (c->is_header)
		return return_argument(c);
	for (size_t i = 0; i < json_array_size(c->args[0].json); i++) {
		const json_t *part = json_array_get(c->args[0].json, i);

		if (i > 0)
			str_add_bytes(&s, arg_text(c, 1), arg_len(c, 1));
		str_add_bytes(&s, json_string_value(part), json_string_length(part));
		if (s.len > TEMPLATE_MAX_OUTPUT)
			return call_fail(c, "result too large");
	}
	return call_return_str(c, &s);
}

static int map_runes(struct call *c, uint32_t (*map)(uint32_t))
{
	cleanup_str struct str s = STR_INIT;
	const char *text = arg_text(c, 0);
	size_t len = arg_len(c, 0);
	uint32_t r = 0;

	if (c->is_header)
		return return_argument(c);
	for (size_t i = 0; i < len;) {
		i += rune_decode(text + i, len - i, &r);
		str_add_rune(&s, map(r));
	}
	return call_return_str(c, &s);
}

int template_lower(struct call *c)
{
	return map_runes(c, rune_to_lower);
}

int template_upper(struct call *c)
{
	return map_runes(c, rune_to_upper);
}

/* Whether a word may begin after R (Go's strings.Title). */
static bool is_separator(uint32_t r)
{
	if (r < 0x80)
		return !rune_is_word(r);
	return r == 0x85 || r == 0xA0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200A) ||
	       r == 0x2028 || r == 0x2029 || r == 0x202F || r == 0x205F || r == 0x3000;
}

int template_title(struct call *c)
{
	cleanup_str struct str s = STR_INIT;
	const char *text = arg_text(c, 0);
	size_t len = arg_len(c, 0);
	uint32_t r = 0, before = ' ';

	if (c->is_header)
		return return_argument(c);
	for (size_t i = 0; i < len; before = r) {
		i += rune_decode(text + i, len - i, &r);
		str_add_rune(&s, is_separator(before) ? rune_to_upper(r) : r);
	}
	return call_return_str(c, &s);
}

int template_pad(struct call *c)
{
	json_int_t before = json_integer_value(c->args[1].json);
	json_int_t after = json_integer_value(c->args[2].json);
	cleanup_str struct str s = STR_INIT;

	if (arg_len(c, 0) == 0)
		return return_argument(c);
	if (before < 0 || after < 0)
		return call_fail(c, "strings: negative Repeat count");
	if (before > MAX_PAD || after > MAX_PAD)
		return call_fail(c, "result too large");
	str_addf(&s, "%*s", (int)before, "");
	str_add_bytes(&s, arg_text(c, 0), arg_len(c, 0));
	str_addf(&s, "%*s", (int)after, "");
	return call_return_str(c, &s);
}

int template_truncate(struct call *c)
{
	json_int_t max = json_integer_value(c->args[1].json);

	if (c->is_header || max > (json_int_t)arg_len(c, 0))
		return return_argument(c);
	if (max < 0)
		return call_fail(c, "runtime error: slice bounds out of range [:%lld]",
				 (long long)max);
	return call_return(c, json_stringn_nocheck(arg_text(c, 0), (size_t)max));
}

static bool is_untyped_nil(const struct value *v)
{
	return !v->json || (json_is_null(v->json) && v->shape->kind == SHAPE_ANY);
}

/* The arguments of an escaper as one text: a single string as it is, else as print does. */
static int escape_input(struct call *c, struct str *out)
{
	static const struct value none;
	cleanup_free struct value *args = mem_zalloc((c->n_args + 1) * sizeof(*args));
	cleanup_json json_t *missing = json_string("<no value>");
	struct call inner = *c;
	int rc = 0;

	for (size_t i = 0; i < c->n_args; i++)
		args[i] = !is_untyped_nil(&c->args[i]) ? c->args[i]
						       : (struct value){missing, &json_shape_any};
	inner.args = args;
	inner.ret = none;
	rc = template_print(&inner);
	if (rc == 0)
		str_add_bytes(out, json_string_value(inner.ret.json),
			      json_string_length(inner.ret.json));
	json_decref(inner.ret.json);
	return rc;
}

int template_html(struct call *c)
{
	cleanup_str struct str in = STR_INIT, out = STR_INIT;

	if (escape_input(c, &in) < 0)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		char ch = in.buf[i];

		if (ch == '"' || ch == '\'')
			str_addf(&out, "&#%d;", ch);
		else if (ch == '&' || ch == '<' || ch == '>')
			str_add(&out, ch == '&' ? "&amp;" : ch == '<' ? "&lt;" : "&gt;");
		else if (ch)
			str_add_char(&out, ch);
		else
			str_add_rune(&out, RUNE_ERROR);
	}
	return call_return_str(c, &out);
}

int template_js(struct call *c)
{
	cleanup_str struct str in = STR_INIT, out = STR_INIT;
	uint32_t r = 0;

	if (escape_input(c, &in) < 0)
		return -1;
	for (size_t i = 0; i < in.len;) {
		i += rune_decode(in.buf + i, in.len - i, &r);
		if (r < 0x80 && r && strchr("\\'\"", (int)r))
			str_addf(&out, "\\%c", (char)r);
		else if (r < 0x20 || (r < 0x80 && strchr("<>&=", (int)r)) || !rune_is_print(r))
			str_addf(&out, "\\u%04X", r);
		else
			str_add_rune(&out, r);
	}
	return call_return_str(c, &out);
}

int template_urlquery(struct call *c)
{
	cleanup_str struct str in = STR_INIT, out = STR_INIT;

	if (escape_input(c, &in) < 0)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char ch = (unsigned char)in.buf[i];

		if (ch < 0x80 && (rune_is_word(ch) || (ch && strchr("-.~", ch))))
			str_add_char(&out, (char)ch);
		else if (ch == ' ')
			str_add_char(&out, '+');
		else
			str_addf(&out, "%%%02X", ch);
	}
	return call_return_str(c, &out);
}
