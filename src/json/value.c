/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers over jansson. Depth is checked before jansson sees the text, because its own limit is a
 * constant of the library; the check skips strings and need not know more of the grammar.
 */
#include "json/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "json/rune.h"

/* Offset at which nesting first exceeds the limit, or LEN. */
static size_t depth_find_excess(const char *text, size_t len)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > JSON_MAX_DEPTH)
			return i;
	}
	return len;
}

static int depth_refuse(const char *text, size_t at, const char *what, struct err *err)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(err, ERR_INVALID, "%s: line %u, column %u: nested deeper than %d levels",
		       what, line, column, JSON_MAX_DEPTH);
}

int json_parse(const char *text, size_t len, size_t limit, const char *what, json_t **ret_value,
	       struct err *err)
{
	json_error_t e;
	size_t excess = 0;
	json_t *value = NULL;

	if (len > limit)
		return err_set(err, ERR_INVALID, "%s: larger than %zu bytes", what, limit);
	excess = depth_find_excess(text, len);
	if (excess < len)
		return depth_refuse(text, excess, what, err);
	value = json_loadb(text, len, JSON_DECODE_ANY, &e);
	if (!value)
		return err_set(err, ERR_INVALID, "%s: line %d, column %d: %s", what, e.line,
			       e.column > 0 ? e.column : 1, e.text);
	*ret_value = value;
	return 0;
}

/* One step of a path: member NAME of an object, element NAME of an array. */
static json_t *get_step(const json_t *v, const char *name, size_t len)
{
	char buf[256];
	uint64_t index = 0;

	if (len >= sizeof(buf))
		return NULL;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if (json_is_object(v))
		return json_object_get(v, buf);
	if (json_is_array(v) && num_parse_u64(buf, &index) == 0)
		return json_array_get(v, index);
	return NULL;
}

json_t *json_get(const json_t *obj, const char *path)
{
	const json_t *v = obj;
	json_t *found = NULL;

	for (const char *p = path;;) {
		size_t len = strcspn(p, ".");

		found = v ? get_step(v, p, len) : NULL;
		if (!found || p[len] == '\0')
			return found;
		v = found;
		p += len + 1;
	}
}

const char *json_get_string(const json_t *obj, const char *path, const char *def)
{
	const json_t *v = json_get(obj, path);

	return json_is_string(v) ? json_string_value(v) : def;
}

int64_t json_get_int(const json_t *obj, const char *path, int64_t def)
{
	const json_t *v = json_get(obj, path);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : def;
}

bool json_get_bool(const json_t *obj, const char *path, bool def)
{
	const json_t *v = json_get(obj, path);

	return json_is_boolean(v) ? json_is_true(v) : def;
}

int json_get_strv(const json_t *obj, const char *path, struct strv *ret)
{
	const json_t *v = json_get(obj, path);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_array(v))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *item = json_array_get(v, i);

		if (!json_is_string(item))
			return -EINVAL;
		strv_add(ret, json_string_value(item));
	}
	return 0;
}

json_t *json_new_text(const char *s)
{
	cleanup_str struct str fixed = STR_INIT;
	json_t *v = NULL;
	size_t len = 0;
	uint32_t r = 0;

	if (!s)
		return json_null();
	v = json_string(s);
	if (v)
		return v;
	len = strlen(s);
	for (size_t i = 0; i < len;) {
		i += rune_decode(s + i, len - i, &r);
		str_add_rune(&fixed, r);
	}
	v = json_string(str_get(&fixed));
	if (!v)
		abort(); /* valid UTF-8: only memory can be missing */
	return v;
}

json_t *json_new_strv(const struct strv *v)
{
	json_t *array = json_array();

	if (!array)
		abort();
	strv_foreach (i, v)
		json_array_append_new(array, json_new_text(v->items[i]));
	return array;
}

void json_set_text(json_t *obj, const char *key, const char *s)
{
	json_object_set_new(obj, key, json_new_text(s));
}

json_t *json_new_pairs(const struct strv *v)
{
	json_t *object = json_object();

	strv_foreach (i, v) {
		const char *eq = strchrnul(v->items[i], '=');
		cleanup_free char *key = str_ndup(v->items[i], (size_t)(eq - v->items[i]));

		json_set_text(object, key, *eq ? eq + 1 : "");
	}
	return object;
}

void json_set_text_take(json_t *obj, const char *key, char *text)
{
	json_set_text(obj, key, text);
	free(text);
}
