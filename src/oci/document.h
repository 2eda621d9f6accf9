/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DOCUMENT_H
#define OCI_DOCUMENT_H
/*
 * JSON documents that came from outside (index, manifest, image configuration): size, depth
 * and number of values are checked before the parser sees them, duplicate keys are refused.
 */
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct strv;

#define DOCUMENT_MAX_SIZE  ((size_t)4 << 20)
#define DOCUMENT_MAX_DEPTH 32
/* A million empty strings are 3 MB of text and 200 MB once parsed. Images of 500 layers have a few
 * thousand values. */
#define DOCUMENT_MAX_VALUES ((size_t)100 * 1000)

/* Drops the reference of an owning variable. */
void document_unref(json_t **doc);
#define cleanup_json __attribute__((cleanup(document_unref)))

/* Parses LEN bytes at TEXT, which must be one JSON object. WHAT names it in errors (ERR_INVALID).
 * A new reference in *RET. */
int document_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err);

/* The same for a document that must be a list, as docker's manifest.json is. */
int document_parse_list(const char *text, size_t len, const char *what, json_t **ret,
			struct err *err);

/* Members of DOC, which stays the owner. An absent member and null give the empty value; one of
 * another type is ERR_INVALID naming KEY. RET of document_get_string is NULL when absent. */
int document_get_string(const json_t *doc, const char *key, const char **ret, struct err *err);
int document_get_object(const json_t *doc, const char *key, json_t **ret, struct err *err);
int document_get_array(const json_t *doc, const char *key, json_t **ret, struct err *err);
int document_get_int(const json_t *doc, const char *key, json_int_t *ret, struct err *err);
int document_get_bool(const json_t *doc, const char *key, bool *ret, struct err *err);
/* Appends copies of an array of strings. */
int document_get_strings(const json_t *doc, const char *key, struct strv *ret, struct err *err);
/* Appends the keys of an object, sorted by byte value. */
int document_get_keys(const json_t *doc, const char *key, struct strv *ret, struct err *err);

#endif
