/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_FORMAT_H
#define JSON_FORMAT_H
/*
 * How docker's list commands print their rows: a default table, `--format` with "table TEMPLATE",
 * "json" or a template for each row, and -q. Rows are objects whose members are the template
 * fields.
 */
#include <stdbool.h>

#include <jansson.h>

#include "json/template.h"

struct err;
struct str;

/* A field of a row and the header of its column. */
struct format_field {
	const char *name;
	const char *header;
};

struct format_spec {
	const struct format_field *fields; /* every field; ended by a NULL name */
	const char *const *columns;	   /* names in the default table, ended by NULL; a row's
					      members that are no strings count as empty */
	const char *quiet;		   /* field that -q prints; NULL when there is no -q */
	/* Templates of docker's old format "raw", without and with -q; NULL: "raw" is a template.
	 */
	const char *raw, *raw_quiet;
	const char *go_type; /* "*formatter.ContainerContext", for messages */
	/* As in struct template_env: {{.Label "x"}}. */
	int (*call)(void *data, const json_t *receiver, const char *name, const json_t *args,
		    json_t **ret, struct err *err);
	void *call_data;
};

/* Appends ROWS (an array, borrowed) as FORMAT asks: "" or "table" or NULL is the default table,
 * "table TEMPLATE" one with headers, "json" an object a line, anything else a template a line; the
 * two characters \t and \n stand for tab and newline. QUIET prints one field a line, whatever
 * FORMAT says. Nothing is appended on an error ("template parsing error: ...",
 * ERR_INVALID). */
int format_rows(const struct format_spec *spec, const char *format, bool quiet, const json_t *rows,
		struct str *out, struct err *err);

/* Parses FORMAT as a template and runs it on a row whose fields are all empty, as docker's `ps`
 * does with what was typed before it asks for any row. ERR_INVALID: "failed to parse template:
 * ...", "failed to execute template: ...". */
int format_check(const struct format_spec *spec, const char *format, struct err *err);

/* Appends FORMAT without the blanks around it, and with the two characters \t and \n expanded. */
void format_expand(const char *format, struct str *out);

#endif
