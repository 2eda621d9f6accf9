/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_DUMP_H
#define JSON_DUMP_H
/*
 * JSON text as docker prints it (Go's encoding/json), and shapes: what docker's Go types know that
 * JSON does not. A Go struct keeps the order of its members and a Go map is sorted; a null may be a
 * nil slice, a nil map or a nil pointer, which templates print differently.
 */
#include <stddef.h>

#include <jansson.h>

struct str;

enum json_shape_kind {
	SHAPE_ANY,    /* interface{}: what JSON says; objects are maps */
	SHAPE_STRUCT, /* also for scalars and pointers: objects are structs, null is a nil pointer
		       */
	SHAPE_MAP,
	SHAPE_SLICE,
};

struct json_shape {
	enum json_shape_kind kind;
	const char *go_name;		 /* as in "in type NAME"; NULL when nobody sees it */
	const struct json_shape *elem;	 /* of a MAP or SLICE; NULL means json_shape_struct */
	const struct json_field *fields; /* of a STRUCT, ended by a NULL name; unlisted members and
					    NULL mean json_shape_struct */
};

/* What an absent member is in Go: JSON leaves such a member out, templates may ask for it. */
enum json_omit {
	OMIT_NEVER,
	OMIT_NIL,  /* a nil slice, map or pointer */
	OMIT_TEXT, /* "" */
	OMIT_FALSE,
	OMIT_ZERO,
};

struct json_field {
	const char *name;
	const struct json_shape *shape;
	enum json_omit omit;
};

extern const struct json_shape json_shape_any;
extern const struct json_shape json_shape_struct;
extern const struct json_shape json_shape_duration;   /* time.Duration: 1m30s in a template */
extern const struct json_shape json_shape_strings;    /* []string */
extern const struct json_shape json_shape_structs;    /* slice of structs */
extern const struct json_shape json_shape_string_map; /* map[string]string */
extern const struct json_shape json_shape_struct_map; /* map of structs */
extern const struct json_shape json_shape_slice_map;  /* map of slices, as Ports */

/* Shape of member NAME (NULL: an element) of a value of SHAPE. Never NULL. */
const struct json_shape *json_shape_child(const struct json_shape *shape, const char *name);

enum json_dump_flags {
	JSON_DUMP_HTML = 1 << 0, /* < > & as \u003c \u003e \u0026 */
	JSON_DUMP_SORT = 1 << 1, /* members of every object sorted, whatever the shape says */
};

/* The value of a member that was left out; a new reference. */
json_t *json_omitted_value(enum json_omit omit);

/* Appends V as JSON, without members that SHAPE leaves out when they are empty. INDENT blanks for
 * each level with a line for each member, or one line without blanks for 0. SHAPE may be NULL:
 * every object keeps its order. Empty containers are [] and {}. No newline at the end. */
void json_dump_docker(struct str *out, const json_t *v, const struct json_shape *shape,
		      unsigned indent, unsigned flags);
/* Appends LEN bytes as a JSON string with its quotes. */
void json_dump_string(struct str *out, const char *s, size_t len, unsigned flags);
/* Appends D as Go's %v does: shortest digits that read back the same. JSON uses other exponents. */
void json_dump_real(struct str *out, double d);

/* Keys of OBJ in byte order, borrowed from it; free(3) the array. *RET_N counts them. */
const char **json_sorted_keys(const json_t *obj, size_t *ret_n);

#endif
