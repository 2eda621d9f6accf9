/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LIST_COMMON_H
#define CLI_LIST_COMMON_H
/*
 * What the list commands share: their format, times (seconds since 1970) and output.
 *
 * A list is a struct format_spec (fields with headers, default columns) and an array of rows, each
 * an object whose members are the fields as text. Such a command is three calls:
 *
 *	format = list_format_choose(cli, o->format, "volumesFormat", o->quiet);
 *	json_set_text_take(row, "Size", list_size(bytes)); ... for each row and field
 *	return list_print(&spec, format, o->quiet && list_format_heeds_quiet(format), rows, err);
 *
 * (docker prefers a typed format to -q everywhere but in `ps`.) Fields that the default columns do
 * not need may be left out of the rows while list_format_is_default(format) holds.
 */
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cli;
struct container_row;
struct err;
struct format_spec;
struct image;
struct json_shape;

/* Owned "2006-01-02 15:04:05 -0700 MST" in the local time zone. */
char *list_created_at(int64_t real_s);
/* Owned "2006-01-02T15:04:05Z", with the local zone's offset where that is not UTC. */
char *list_rfc3339(int64_t real_s);
/* Owned "2 hours ago"; 292 years at most, as docker has it. */
char *list_ago(int64_t real_s, int64_t now_ns);
/* Owned, of the same for an image; UNKNOWN for one that does not say (CLOCK_NEVER_S). */
char *list_image_age(int64_t real_s, int64_t now_ns, const char *unknown);
/* Owned "1.23MB", three digits as lists have them. */
char *list_size(int64_t bytes);
/* Owned 12 digits, or "sha256:" with all of them. */
char *list_image_id(const char *hex, bool no_trunc);
/* Owned texts of a container: 12 digits or all 64; what IMAGE of `ps` shows; its command, quoted
 * and cut to 20 columns. */
char *list_container_id(const struct container_row *row, bool no_trunc);
char *list_container_image(const struct container_row *row, bool no_trunc);
char *list_container_command(const struct container_row *row, bool no_trunc);

/* Whether FORMAT (may be NULL) asks for the default table. */
bool list_format_is_default(const char *format);

/* Whether -q still counts beside FORMAT: with the default table and the old format "raw". */
bool list_format_heeds_quiet(const char *format);

/* The format to use: TYPED, or where that is NULL or empty the member KEY ("psFormat") of docker's
 * configuration file, or NULL. With QUIET only what was typed counts. Owned. */
char *list_format_choose(struct cli *cli, const char *typed, const char *key, bool quiet);

/* Prints ROWS on standard output as format_rows does. 0 or -ERR_INVALID. */
int list_print(const struct format_spec *spec, const char *format, bool quiet, const json_t *rows,
	       struct err *err);

/* ROWS in docker's order of their member "Name": runs of digits by their value, everything else
 * byte by byte. A new reference. */
json_t *list_sort_by_name(json_t *rows);

/* The method {{.Label "x"}} on LABELS (an object of texts, NULL: none), for format_spec.call: 1
 * with a new reference, 0 when NAME is another method, -ERR_INVALID for wrong arguments. */
int list_call_label(const json_t *labels, const char *name, const json_t *args, json_t **ret,
		    struct err *err);

/* Prints one OBJECT of type SHAPE as FORMAT asks: "json" or a template (called NAME in messages),
 * which may use docker's Go names (describe_go_alias). A template that does not parse exits 64, one
 * that fails prints what it made and an error. */
int object_print(struct cli *cli, const char *name, const char *format, const json_t *object,
		 const struct json_shape *shape, struct err *err);

/* A method for templates: docker's Go name of a member that has another one in JSON. See struct
 * template_env. */
int call_go_alias(void *data, const json_t *receiver, const char *name, const json_t *args,
		  json_t **ret, struct err *err);

/* Whether IMAGE, found by NAME, is for PLATFORM ("linux/amd64"; NULL: any). ERR_INVALID for a text
 * that is no platform, ERR_NOT_FOUND with docker's words. */
int check_platform(const char *name, const char *platform, const struct image *image,
		   struct err *err);

/* Asks TEXT on standard output ("[y/N] " is added) and reads one line of standard input. */
bool prompt_confirm(const char *text);

/* Runs of digits by their value, everything else byte by byte, as strcmp: docker's order of names
 * and ports. */
int list_compare_natural(const char *a, const char *b);

#endif
