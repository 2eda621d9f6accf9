/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a JSON object, written straight to text: `run` stores two such objects, and a tree of
 * a hundred nodes would cost it more than the rest of its bookkeeping.
 */
#include "engine/describe_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "json/dump.h"

void text_write(struct str *out, const char *s)
{
	if (!*s) {
		str_add_bytes(out, "\"\"", 2);
		return;
	}
	json_dump_string(out, s, strlen(s), 0);
}

void element_begin(struct str *out)
{
	char last = out->len ? out->buf[out->len - 1] : '{';

	if (last != '{' && last != '[')
		str_add_char(out, ',');
}

/* Nearly every key is a constant of ours. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s == '"' || *s == '\\' || *s > '~')
			return false;
	return true;
}

static void key_write(struct str *out, const char *key)
{
	element_begin(out);
	if (is_plain(key)) {
		str_add_char(out, '"');
		str_add(out, key);
		str_add_char(out, '"');
	} else {
		text_write(out, key);
	}
	str_add_char(out, ':');
}

void member_open(struct str *out, const char *key, char bracket)
{
	key_write(out, key);
	str_add_char(out, bracket);
}

void member_raw(struct str *out, const char *key, const char *json)
{
	key_write(out, key);
	str_add(out, json);
}

void member_text(struct str *out, const char *key, const char *value)
{
	key_write(out, key);
	text_write(out, value ? value : "");
}

void member_bool(struct str *out, const char *key, bool value)
{
	member_raw(out, key, value ? "true" : "false");
}

void member_int(struct str *out, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	member_raw(out, key, text);
}

void member_list(struct str *out, const char *key, const struct strv *list, const char *empty)
{
	if (list->n == 0) {
		member_raw(out, key, empty);
		return;
	}
	member_open(out, key, '[');
	strv_foreach (i, list) {
		element_begin(out);
		text_write(out, list->items[i]);
	}
	str_add_char(out, ']');
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void member_set(struct str *out, const char *key, const struct strv *items, const char *empty)
{
	cleanup_strv struct strv sorted = STRV_INIT;

	if (items->n == 0) {
		member_raw(out, key, empty);
		return;
	}
	strv_add_all(&sorted, items);
	qsort(sorted.items, sorted.n, sizeof(sorted.items[0]), compare_text);
	member_open(out, key, '{');
	strv_foreach (i, &sorted)
		if (i == 0 || strcmp(sorted.items[i - 1], sorted.items[i]) != 0)
			member_raw(out, sorted.items[i], "{}");
	str_add_char(out, '}');
}

/* A "key=value" item, cut in two, and its place among the others. */
struct pair {
	char *key; /* owned */
	const char *value;
	size_t index;
};

static int compare_pair(const void *a, const void *b)
{
	const struct pair *x = a;
	const struct pair *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

void member_map(struct str *out, const char *key, const struct strv *pairs)
{
	cleanup_free struct pair *sorted = mem_zalloc((pairs->n + 1) * sizeof(*sorted));

	strv_foreach (i, pairs) {
		const char *item = pairs->items[i];
		size_t len = strcspn(item, "=");

		sorted[i].key = str_ndup(item, len);
		sorted[i].value = item[len] ? item + len + 1 : "";
		sorted[i].index = i;
	}
	qsort(sorted, pairs->n, sizeof(*sorted), compare_pair);
	member_open(out, key, '{');
	strv_foreach (i, pairs)
		if (i + 1 == pairs->n || strcmp(sorted[i].key, sorted[i + 1].key) != 0)
			member_text(out, sorted[i].key, sorted[i].value);
	str_add_char(out, '}');
	strv_foreach (i, pairs)
		free(sorted[i].key);
}
