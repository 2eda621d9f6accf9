/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded JSON documents and typed access to their members. */
#include "oci/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void document_unref(json_t **doc)
{
	json_decref(*doc);
	*doc = NULL;
}

struct measure {
	size_t depth; /* of the deepest nesting */
	size_t n_values;
};

/* What the parser must not be the one to find out: it recurses, and every value costs it memory.
 * Counted outside strings: a value stands behind each bracket and each comma. */
static struct measure measure_text(const char *text, size_t len)
{
	struct measure m = {};
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '['))
			m.depth = ++depth > m.depth ? depth : m.depth;
		else if (!in_string && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
		m.n_values += !in_string && (text[i] == ',' || text[i] == '{' || text[i] == '[');
	}
	return m;
}

static int parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err)
{
	struct measure m = {};
	json_error_t at = {};
	json_t *doc = NULL;

	if (len > DOCUMENT_MAX_SIZE)
		return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", what,
			       DOCUMENT_MAX_SIZE);
	m = measure_text(text, len);
	if (m.depth > DOCUMENT_MAX_DEPTH)
		return err_set(err, ERR_INVALID, "%s is nested deeper than %d", what,
			       DOCUMENT_MAX_DEPTH);
	if (m.n_values > DOCUMENT_MAX_VALUES)
		return err_set(err, ERR_INVALID, "%s has more than %zu values", what,
			       DOCUMENT_MAX_VALUES);
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
	if (!doc)
		return err_set(err, ERR_INVALID, "%s: line %d: %s", what, at.line, at.text);
	*ret = doc;
	return 0;
}

int document_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err)
{
	cleanup_json json_t *doc = NULL;

	if (parse(text, len, what, &doc, err) < 0)
		return -err->code;
	if (!json_is_object(doc))
		return err_set(err, ERR_INVALID, "%s is not a JSON object", what);
	*ret = json_incref(doc);
	return 0;
}

int document_parse_list(const char *text, size_t len, const char *what, json_t **ret,
			struct err *err)
{
	cleanup_json json_t *doc = NULL;

	if (parse(text, len, what, &doc, err) < 0)
		return -err->code;
	if (!json_is_array(doc))
		return err_set(err, ERR_INVALID, "%s is not a JSON list", what);
	*ret = json_incref(doc);
	return 0;
}

/* The member, NULL when it is absent or null. */
static json_t *lookup(const json_t *doc, const char *key)
{
	json_t *v = json_object_get(doc, key);

	return json_is_null(v) ? NULL : v;
}

static int wrong_type(const char *key, const char *type, struct err *err)
{
	return err_set(err, ERR_INVALID, "\"%s\" is not %s", key, type);
}

int document_get_string(const json_t *doc, const char *key, const char **ret, struct err *err)
{
	json_t *v = lookup(doc, key);

	if (v && !json_is_string(v))
		return wrong_type(key, "a string", err);
	/* Everything here ends in C strings; jansson refuses escaped NULs unless asked. */
	*ret = json_string_value(v);
	return 0;
}

int document_get_object(const json_t *doc, const char *key, json_t **ret, struct err *err)
{
	json_t *v = lookup(doc, key);

	if (v && !json_is_object(v))
		return wrong_type(key, "an object", err);
	*ret = v;
	return 0;
}

int document_get_array(const json_t *doc, const char *key, json_t **ret, struct err *err)
{
	json_t *v = lookup(doc, key);

	if (v && !json_is_array(v))
		return wrong_type(key, "a list", err);
	*ret = v;
	return 0;
}

int document_get_int(const json_t *doc, const char *key, json_int_t *ret, struct err *err)
{
	json_t *v = lookup(doc, key);

	if (v && !json_is_integer(v))
		return wrong_type(key, "an integer", err);
	*ret = json_integer_value(v);
	return 0;
}

int document_get_bool(const json_t *doc, const char *key, bool *ret, struct err *err)
{
	json_t *v = lookup(doc, key);

	if (v && !json_is_boolean(v))
		return wrong_type(key, "true or false", err);
	*ret = json_is_true(v);
	return 0;
}

int document_get_strings(const json_t *doc, const char *key, struct strv *ret, struct err *err)
{
	json_t *list = NULL;
	json_t *v = NULL;
	size_t i = 0;

	if (document_get_array(doc, key, &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, v) {
		if (!json_is_string(v))
			return wrong_type(key, "a list of strings", err);
		strv_add(ret, json_string_value(v));
	}
	return 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int document_get_keys(const json_t *doc, const char *key, struct strv *ret, struct err *err)
{
	size_t before = ret->n;
	json_t *object = NULL;
	const char *name = NULL;
	json_t *v = NULL;

	if (document_get_object(doc, key, &object, err) < 0)
		return -err->code;
	json_object_foreach (object, name, v)
		strv_add(ret, name);
	if (ret->n - before > 1)
		qsort(ret->items + before, ret->n - before, sizeof(char *), compare_strings);
	return 0;
}
