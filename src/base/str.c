/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing strings and string vectors: one allocation that doubles, terminated at every step, so
 * that a half-built value can be printed or freed at any time.
 */
#include "base/str.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

char *str_reserve(struct str *s, size_t more)
{
	size_t need = s->len + more + 1;

	if (need > s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;

		while (cap < need)
			cap *= 2;
		s->buf = mem_realloc_array(s->buf, cap, 1);
		s->cap = cap;
		s->buf[s->len] = '\0';
	}
	return s->buf + s->len;
}

void str_add_bytes(struct str *s, const void *p, size_t len)
{
	char *to = str_reserve(s, len);

	if (len)
		memcpy(to, p, len);
	s->len += len;
	s->buf[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
	str_add_bytes(s, &c, 1);
}

__attribute__((format(printf, 2, 0))) static void str_addv(struct str *s, const char *fmt,
							   va_list ap)
{
	va_list again;
	int n = 0;

	va_copy(again, ap);
	str_reserve(s, 128);
	n = vsnprintf(s->buf + s->len, s->cap - s->len, fmt, ap);
	if (n > 0 && (size_t)n >= s->cap - s->len) {
		str_reserve(s, (size_t)n);
		vsnprintf(s->buf + s->len, s->cap - s->len, fmt, again);
	}
	va_end(again);
	if (n > 0)
		s->len += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_addv(s, fmt, ap);
	va_end(ap);
}

void str_truncate(struct str *s, size_t len)
{
	if (len < s->len) {
		s->len = len;
		s->buf[len] = '\0';
	}
}

const char *str_get(const struct str *s)
{
	return s->buf ? s->buf : "";
}

char *str_take(struct str *s)
{
	char *out = s->buf ? s->buf : str_dup("");

	*s = (struct str)STR_INIT;
	return out;
}

void str_done(struct str *s)
{
	free(s->buf);
	*s = (struct str)STR_INIT;
}

void strv_add_take(struct strv *v, char *item)
{
	if (v->n + 2 > v->cap) {
		v->cap = v->cap ? v->cap * 2 : 8;
		v->items = mem_realloc_array(v->items, v->cap, sizeof(*v->items));
	}
	v->items[v->n++] = item;
	v->items[v->n] = NULL;
}

void strv_remove(struct strv *v, size_t i)
{
	free(v->items[i]);
	memmove(&v->items[i], &v->items[i + 1], (v->n - i) * sizeof(*v->items));
	v->n--;
}

void strv_add(struct strv *v, const char *item)
{
	strv_add_take(v, str_dup(item));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
	struct str s = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_addv(&s, fmt, ap);
	va_end(ap);
	strv_add_take(v, str_take(&s));
}

void strv_add_all(struct strv *v, const struct strv *from)
{
	strv_foreach (i, from)
		strv_add(v, from->items[i]);
}

void strv_split(struct strv *v, const char *s, char sep)
{
	for (;;) {
		const char *end = strchrnul(s, sep);

		strv_add_take(v, str_ndup(s, (size_t)(end - s)));
		if (!*end)
			return;
		s = end + 1;
	}
}

bool strv_has(const struct strv *v, const char *item)
{
	strv_foreach (i, v)
		if (strcmp(v->items[i], item) == 0)
			return true;
	return false;
}

char *strv_join(const struct strv *v, const char *sep)
{
	struct str s = STR_INIT;

	strv_foreach (i, v) {
		if (i)
			str_add(&s, sep);
		str_add(&s, v->items[i]);
	}
	return str_take(&s);
}

void strv_done(struct strv *v)
{
	strv_foreach (i, v)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv)STRV_INIT;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s);
	size_t m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool str_is_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

char *str_trim(char *s)
{
	size_t n = 0;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

void str_add_shell(struct str *s, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=+:,./@%";

	if (*word && strspn(word, plain) == strlen(word)) {
		str_add(s, word);
		return;
	}
	str_add_char(s, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			str_add(s, "'\\''");
		else
			str_add_char(s, *word);
	}
	str_add_char(s, '\'');
}

char *str_clean_path(const char *dir, const char *path)
{
	cleanup_free char *joined = str_printf("%s/%s", *path == '/' ? "" : dir, path);
	cleanup_strv struct strv parts = STRV_INIT;
	struct str clean = STR_INIT;

	strv_split(&parts, joined, '/');
	strv_foreach (i, &parts) {
		const char *part = parts.items[i];

		if (strcmp(part, "..") == 0) {
			const char *slash = clean.len ? strrchr(clean.buf, '/') : NULL;

			str_truncate(&clean, slash ? (size_t)(slash - clean.buf) : 0);
		} else if (*part && strcmp(part, ".") != 0) {
			str_addf(&clean, "/%s", part);
		}
	}
	if (!clean.len)
		str_add(&clean, "/");
	return str_take(&clean);
}
