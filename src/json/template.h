/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_H
#define JSON_TEMPLATE_H
/*
 * Go's text/template over JSON trees, with docker's functions: what `--format` speaks.
 *
 * Text, {{pipelines}} with variables, if/else if, range with break and continue, with, define,
 * template and block, trim markers and comments; Go's built-in functions and docker's json, split,
 * join, title, lower, upper, pad and truncate; printf with Go's verbs. Messages are Go's, with the
 * empty template name that docker uses.
 *
 * Templates come from users and configuration files: text, nesting, steps and output are bounded,
 * and every bound ends in an error.
 */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "json/dump.h"

struct err;
struct str;
struct template;

#define TEMPLATE_MAX_TEXT   (1u << 20) /* bytes of a template */
#define TEMPLATE_MAX_NEST   200	       /* nested actions and parentheses */
#define TEMPLATE_MAX_DEPTH  1000       /* nesting while it runs, with {{template}} */
#define TEMPLATE_MAX_STEPS  10000000u  /* nodes and list elements visited in one run */
#define TEMPLATE_MAX_OUTPUT (64u << 20)

/* What the data is to the template. All zero: plain data, every object a map. */
struct template_env {
	/* The Go type of the data; NULL is json_shape_any. A missing member of a STRUCT is an
	 * error, of a map it is "<no value>". */
	const struct json_shape *shape;
	/* A missing key of a map is an error too ("map has no entry for key"): docker inspect's
	 * second run, on raw data. */
	bool missing_key_error;
	/* {{json .}} of the data itself escapes HTML and sorts, as rows of docker's lists do. */
	bool escape_root;
	/* docker's functions but pad return their argument, a text: headers of columns. */
	bool is_header;
	/* Answers {{.NAME ARGS}} on RECEIVER before its members are looked at; ARGS is an array,
	 * empty for a plain {{.NAME}}. Returns 1 with a new reference in *RET, 0 when there is no
	 * such method, or -code. NULL when there are none. */
	int (*call)(void *data, const json_t *receiver, const char *name, const json_t *args,
		    json_t **ret, struct err *err);
	void *call_data;
};

/* Parses TEXT. On success *RET is owned; else ERR_INVALID with Go's message
 * ("template: :1: unclosed action"), to which docker adds "template parsing error". */
int template_parse(const char *text, struct template **ret, struct err *err);
/* The same with a NAME for messages, which must outlive the template. */
int template_parse_named(const char *name, const char *text, struct template **ret,
			 struct err *err);
void template_free(struct template *t);
void template_cleanup_free(struct template **t);
#define cleanup_template __attribute__((cleanup(template_cleanup_free)))

/* Runs T on DATA (borrowed) and appends to OUT; ENV may be NULL. On an error OUT keeps what was
 * written before it, as Go does, and the message is Go's; a method's own error keeps its code. */
int template_execute(const struct template *t, const json_t *data, const struct template_env *env,
		     struct str *out, struct err *err);

#endif
