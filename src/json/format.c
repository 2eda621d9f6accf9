/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists. The default table takes the columns straight from the rows, without a template, so that
 * thousands of rows cost little more than their bytes. Everything else runs one template for each
 * row; in a table the same template, run on the headers, makes the first line.
 */
#include "json/format.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/table.h"
#include "json/value.h"

static const char *field_header(const struct format_spec *spec, const char *name)
{
	for (const struct format_field *f = spec->fields; f && f->name; f++) {
		if (strcmp(f->name, name) == 0)
			return f->header;
	}
	return "";
}

static void format_default(const struct format_spec *spec, const json_t *rows, struct str *out)
{
	cleanup_table struct table t = TABLE_INIT;

	for (const char *const *c = spec->columns; *c; c++)
		table_add_cell(&t, field_header(spec, *c));
	table_end_line(&t);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		for (const char *const *c = spec->columns; *c; c++) {
			const char *text = json_string_value(json_object_get(row, *c));

			table_add_cell(&t, text ? text : "");
		}
		table_end_line(&t);
	}
	table_format(&t, out);
}

static void format_quiet(const struct format_spec *spec, const json_t *rows, struct str *out)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		str_add(out, json_get_string(json_array_get(rows, i), spec->quiet, ""));
		str_add_char(out, '\n');
	}
}

static void format_json(const json_t *rows, struct str *out)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_dump_docker(out, json_array_get(rows, i), NULL, 0,
				 JSON_DUMP_HTML | JSON_DUMP_SORT);
		str_add_char(out, '\n');
	}
}

void format_expand(const char *format, struct str *out)
{
	size_t len = 0;

	format += strspn(format, " ");
	len = strlen(format);
	while (len > 0 && format[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++) {
		bool is_escape = format[i] == '\\' && i + 1 < len &&
				 (format[i + 1] == 't' || format[i + 1] == 'n');

		if (!is_escape)
			str_add_char(out, format[i]);
		else
			str_add_char(out, format[++i] == 't' ? '\t' : '\n');
	}
}

/* {{.Label "com.example.some-key"}} in a header line: the last part of the key, as docker's
 * SubHeaderContext has it. */
static int header_call(void *data, const json_t *receiver, const char *name, const json_t *args,
		       json_t **ret, struct err *err)
{
	const char *key = json_string_value(json_array_get(args, 0)), *last = NULL;
	cleanup_free char *header = NULL;

	if (strcmp(name, "Label") != 0 || !key)
		return 0;
	last = strrchr(key, '.');
	header = str_dup(last ? last + 1 : key);
	for (char *p = header; *p; p++) {
		if (*p == '-' || *p == '_')
			*p = ' ';
	}
	*ret = json_new_text(header);
	return 1;
}

/* Runs T on the headers as if they were a row. */
static void format_header(const struct format_spec *spec, const struct template *t, struct str *out)
{
	static const struct template_env env = {
		.shape = &json_shape_string_map, .is_header = true, .call = header_call};
	cleanup_json json_t *headers = json_object();
	struct err ignored = ERR_INIT;

	for (const struct format_field *f = spec->fields; f && f->name; f++)
		json_set_text(headers, f->name, f->header);
	/* As in docker, a header that cannot be made ends the line there. */
	(void)template_execute(t, headers, &env, out, &ignored);
	str_add_char(out, '\n');
}

/* Runs T on each of ROWS. */
static int execute_each(const struct format_spec *spec, const struct template *t,
			const json_t *rows, struct str *out, struct err *err)
{
	const struct json_shape row_shape = {SHAPE_STRUCT, spec->go_type, NULL, NULL};
	const struct template_env env = {.shape = &row_shape,
					 .escape_root = true,
					 .call = spec->call,
					 .call_data = spec->call_data};

	for (size_t i = 0; i < json_array_size(rows); i++) {
		if (template_execute(t, json_array_get(rows, i), &env, out, err) < 0)
			return -err->code;
		str_add_char(out, '\n');
	}
	return 0;
}

static int format_template(const struct format_spec *spec, const char *format, bool is_table,
			   const json_t *rows, struct str *out, struct err *err)
{
	cleanup_template struct template *t = NULL;
	cleanup_str struct str text = STR_INIT, body = STR_INIT;
	cleanup_table struct table table = TABLE_INIT;

	format_expand(format, &text);
	if (template_parse(str_get(&text), &t, err) < 0)
		return err_wrap(err, "template parsing error");
	if (is_table)
		format_header(spec, t, &body);
	if (execute_each(spec, t, rows, &body, err) < 0)
		return err_wrap(err, "template parsing error");
	if (!is_table) {
		str_add_bytes(out, str_get(&body), body.len);
		return 0;
	}
	table_add_text(&table, str_get(&body), body.len);
	table_format(&table, out);
	return 0;
}

int format_check(const struct format_spec *spec, const char *format, struct err *err)
{
	cleanup_template struct template *t = NULL;
	cleanup_json json_t *rows = json_array();
	cleanup_str struct str ignored = STR_INIT;
	json_t *row = json_object();

	json_array_append_new(rows, row);
	for (const struct format_field *f = spec->fields; f && f->name; f++)
		json_set_text(row, f->name, "");
	if (template_parse(format, &t, err) < 0)
		return err_wrap(err, "failed to parse template");
	if (execute_each(spec, t, rows, &ignored, err) < 0)
		return err_wrap(err, "failed to execute template");
	return 0;
}

int format_rows(const struct format_spec *spec, const char *format, bool quiet, const json_t *rows,
		struct str *out, struct err *err)
{
	bool is_table = !format || !*format || str_has_prefix(format, "table");
	bool is_default = !format || !*format || strcmp(format, "table") == 0;

	if (spec->raw && str_is_equal(format, "raw"))
		return format_template(spec, quiet ? spec->raw_quiet : spec->raw, false, rows, out,
				       err);
	if (quiet && spec->quiet)
		format_quiet(spec, rows, out);
	else if (is_default)
		format_default(spec, rows, out);
	else if (strcmp(format, "json") == 0)
		format_json(rows, out);
	else
		return format_template(spec, format + (is_table ? 5 : 0), is_table, rows, out, err);
	return 0;
}
