/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H
/*
 * Growing strings and string vectors. A `struct str` is always NUL-terminated once anything was
 * added; `buf` may be NULL before that. A `struct strv` is always NULL-terminated once anything was
 * added, so that `v.items` can be handed to execve(2).
 */
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *buf;  /* owned; NULL when nothing was added yet */
	size_t len; /* bytes without the terminating NUL */
	size_t cap;
};

struct strv {
	char **items; /* owned strings, NULL-terminated; NULL when empty */
	size_t n;
	size_t cap;
};

#define STR_INIT \
	{        \
	}
#define STRV_INIT \
	{         \
	}
#define strv_foreach(i, v) for (size_t i = 0; i < (v)->n; i++)

/* Append: TEXT, LEN bytes that may hold NULs, one byte, printf text. Nothing appended may lie in S.
 */
void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *p, size_t len);
void str_add_char(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ensures room for MORE bytes and the NUL; returns where they go. */
char *str_reserve(struct str *s, size_t more);
/* Cuts to LEN bytes; LEN must not exceed s->len. */
void str_truncate(struct str *s, size_t len);
/* Borrowed C string, "" when nothing was added. */
const char *str_get(const struct str *s);
/* Moves the owned C string out ("" becomes an owned empty string). */
char *str_take(struct str *s);
void str_done(struct str *s);

/* Appends an owned copy of ITEM. */
void strv_add(struct strv *v, const char *item);
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends ITEM itself, taking ownership. */
void strv_add_take(struct strv *v, char *item);
/* Appends copies of all items of FROM. */
void strv_add_all(struct strv *v, const struct strv *from);
/* Splits S at each SEP (empty fields kept) and appends the parts. */
void strv_split(struct strv *v, const char *s, char sep);
/* Frees item I, which must exist, and closes the gap. */
void strv_remove(struct strv *v, size_t i);
bool strv_has(const struct strv *v, const char *item);
/* Owned string of all items with SEP between them. */
char *strv_join(const struct strv *v, const char *sep);
void strv_done(struct strv *v);

/* None of the arguments may be NULL, but for str_is_equal. */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
bool str_is_equal(const char *a, const char *b); /* NULL equals only NULL */
/* In place; returns the trimmed start inside S. White space as isspace(3) in the C locale. */
char *str_trim(char *s);

/* Owned, absolute: PATH, below DIR (absolute, or "") when it is relative, without ".", ".." and
 * double slashes. A name only: nothing is looked up. */
char *str_clean_path(const char *dir, const char *path);

/* Shell words: S quoted so that sh reads it back as one word; plain where no quoting is needed. */
void str_add_shell(struct str *s, const char *word);

#define cleanup_str  __attribute__((cleanup(str_done)))
#define cleanup_strv __attribute__((cleanup(strv_done)))

#endif
