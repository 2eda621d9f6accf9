/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_VALUE_H
#define JSON_VALUE_H
/*
 * Thin helpers over jansson: reading text with limits and one clear error, getters by dotted path,
 * and string vectors. Trees are jansson's own `json_t`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct err;
struct strv;

#define JSON_MAX_DEPTH 32 /* nesting that any document of this project may have */

/* Drops the reference *V (NULL is fine) and leaves NULL. */
static inline void json_cleanup_decref(json_t **v)
{
	json_decref(*v);
	*v = NULL;
}

/* Drops the owned reference at the end of its scope: `cleanup_json json_t *v = NULL;`. */
#define cleanup_json __attribute__((cleanup(json_cleanup_decref)))

/* Reads the LEN bytes at TEXT as one JSON value of any type. Refuses more than LIMIT bytes, more
 * than JSON_MAX_DEPTH levels, NUL characters and anything after the value. On success *RET_VALUE is
 * an owned reference; else ERR_INVALID with "WHAT: line L, column C: reason". */
int json_parse(const char *text, size_t len, size_t limit, const char *what, json_t **ret_value,
	       struct err *err);

/* The borrowed value at "a.b.c" below OBJ, NULL when any part is missing or OBJ is NULL. A part
 * that is a number indexes an array. Keys that hold a dot cannot be reached this way. */
json_t *json_get(const json_t *obj, const char *path);
/* The value at PATH, or DEF when it is missing or of another type. Strings are borrowed. */
const char *json_get_string(const json_t *obj, const char *path, const char *def);
int64_t json_get_int(const json_t *obj, const char *path, int64_t def);
bool json_get_bool(const json_t *obj, const char *path, bool def);
/* Appends the strings of the array at PATH to RET. A missing or null one adds nothing; -EINVAL when
 * it is not an array of strings (RET may then hold some of them). */
int json_get_strv(const json_t *obj, const char *path, struct strv *ret);

/* New references, never NULL. A byte that is not UTF-8 becomes U+FFFD; a NULL string is null. */
json_t *json_new_text(const char *s);
json_t *json_new_strv(const struct strv *v);
/* An object of the pairs "KEY=VALUE" in V; one without "=" has the value "". */
json_t *json_new_pairs(const struct strv *v);
/* Sets KEY of OBJ to such a string, replacing what was there. */
void json_set_text(json_t *obj, const char *key, const char *s);
/* The same, and frees TEXT (malloc'ed). */
void json_set_text_take(json_t *obj, const char *key, char *text);

#endif
