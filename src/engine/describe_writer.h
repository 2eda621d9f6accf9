/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DESCRIBE_WRITER_H
#define ENGINE_DESCRIBE_WRITER_H
/* Internal to engine: members of an object as compact JSON, appended one after the other. */
#include <stdbool.h>
#include <stdint.h>

struct str;
struct strv;

/* Each writes a comma unless the object was just opened, then "KEY": and the value. */
void member_open(struct str *out, const char *key, char bracket);      /* '{' or '[' follows */
void member_text(struct str *out, const char *key, const char *value); /* NULL is "" */
void member_bool(struct str *out, const char *key, bool value);
void member_int(struct str *out, const char *key, int64_t value);
void member_raw(struct str *out, const char *key, const char *json);
/* An array of strings; an empty one is EMPTY ("null" or "[]"). */
void member_list(struct str *out, const char *key, const struct strv *list, const char *empty);
/* {"item":{}} in byte order; an empty one is EMPTY. */
void member_set(struct str *out, const char *key, const struct strv *items, const char *empty);
/* An object of strings from "key=value" items, in byte order, the last of equal keys counts. */
void member_map(struct str *out, const char *key, const struct strv *pairs);

/* An element of an array: a comma unless it is the first. */
void element_begin(struct str *out);
/* S as a JSON string. */
void text_write(struct str *out, const char *s);

#endif
