/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of lists, and how they are printed. */
#include "cli/list_common.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/quote.h"
#include "engine/describe.h"
#include "oci/image_config.h"
#include "oci/platform.h"
#include "storage/container.h"
#include "storage/image.h"
#include "json/dump.h"
#include "json/format.h"
#include "json/rune.h"
#include "json/template.h"
#include "json/value.h"

#define SHORT_ID_LEN 12
/* strftime(3) has no four digits for the years before 1000. */
#define DATE_FORMAT	    "%04d-%02d-%02d"
#define DATE_OF(tm)	    (tm).tm_year + 1900, (tm).tm_mon + 1, (tm).tm_mday
#define COMMAND_COLUMNS	    20
#define LIST_SIZE_DIGITS    3
#define STATUS_BAD_TEMPLATE 64

char *list_created_at(int64_t real_s)
{
	time_t seconds = real_s;
	char zone[64];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(zone, sizeof(zone), "%z %Z", &tm);
	return str_printf(DATE_FORMAT " %02d:%02d:%02d %s", DATE_OF(tm), tm.tm_hour, tm.tm_min,
			  tm.tm_sec, zone);
}

char *list_rfc3339(int64_t real_s)
{
	time_t seconds = real_s;
	cleanup_free char *text = NULL;
	struct tm tm;

	localtime_r(&seconds, &tm);
	text = str_printf(DATE_FORMAT "T%02d:%02d:%02d", DATE_OF(tm), tm.tm_hour, tm.tm_min,
			  tm.tm_sec);
	if (tm.tm_gmtoff == 0)
		return str_printf("%sZ", text);
	return str_printf("%s%c%02ld:%02ld", text, tm.tm_gmtoff < 0 ? '-' : '+',
			  labs(tm.tm_gmtoff) / 3600, labs(tm.tm_gmtoff) / 60 % 60);
}

char *list_ago(int64_t real_s, int64_t now_ns)
{
	int64_t ns = 0, age = 0;
	char text[48];

	if (__builtin_mul_overflow(real_s, CLOCK_NS_PER_S, &ns) ||
	    __builtin_sub_overflow(now_ns, ns, &age))
		age = real_s < 0 ? INT64_MAX : 0;
	clock_format_human(age > 0 ? age : 0, text, sizeof(text));
	return str_printf("%s ago", text);
}

char *list_image_age(int64_t real_s, int64_t now_ns, const char *unknown)
{
	return real_s == CLOCK_NEVER_S ? str_dup(unknown) : list_ago(real_s, now_ns);
}

char *list_size(int64_t bytes)
{
	char text[32];

	num_format_size((double)bytes, LIST_SIZE_DIGITS, text, sizeof(text));
	return str_dup(text);
}

char *list_image_id(const char *hex, bool no_trunc)
{
	return no_trunc ? str_printf("sha256:%s", hex) : str_ndup(hex, SHORT_ID_LEN);
}

char *list_container_id(const struct container_row *row, bool no_trunc)
{
	return no_trunc ? str_dup(row->id) : str_ndup(row->id, SHORT_ID_LEN);
}

char *list_container_image(const struct container_row *row, bool no_trunc)
{
	const char *at = strchr(row->image_ref, '@');

	if (!*row->image_ref)
		return str_dup("<no image>");
	if (!row->image_is_current)
		return list_image_id(row->image_id, no_trunc);
	if (at && !no_trunc)
		return str_ndup(row->image_ref, (size_t)(at - row->image_ref));
	return str_dup(row->image_ref);
}

char *list_container_command(const struct container_row *row, bool no_trunc)
{
	cleanup_str struct str text = STR_INIT;

	if (no_trunc)
		return str_go_quote(row->command);
	str_add_ellipsis(&text, row->command, COMMAND_COLUMNS);
	return str_go_quote(str_get(&text));
}

bool list_format_is_default(const char *format)
{
	return !format || !*format || strcmp(format, "table") == 0;
}

bool list_format_heeds_quiet(const char *format)
{
	return list_format_is_default(format) || strcmp(format, "raw") == 0;
}

char *list_format_choose(struct cli *cli, const char *typed, const char *key, bool quiet)
{
	const char *configured = NULL;

	if (typed && *typed)
		return str_dup(typed);
	configured = quiet ? NULL : docker_config_get_text(cli, key);
	return configured ? str_dup(configured) : NULL;
}

int list_print(const struct format_spec *spec, const char *format, bool quiet, const json_t *rows,
	       struct err *err)
{
	cleanup_str struct str out = STR_INIT;
	int rc = format_rows(spec, format, quiet, rows, &out, err);

	if (rc < 0)
		return rc;
	fwrite(str_get(&out), 1, out.len, stdout);
	return 0;
}

int list_compare_natural(const char *a, const char *b)
{
	while (*a && *b) {
		size_t zeros_a = 0, zeros_b = 0, len_a = 0, len_b = 0;
		bool is_digit = isdigit((unsigned char)*a);
		int rc = 0;

		if (is_digit != (bool)isdigit((unsigned char)*b))
			return is_digit ? -1 : 1;
		if (!is_digit) {
			if (*a != *b)
				return (unsigned char)*a - (unsigned char)*b;
			a++;
			b++;
			continue;
		}
		zeros_a = strspn(a, "0");
		zeros_b = strspn(b, "0");
		len_a = strspn(a + zeros_a, "0123456789");
		len_b = strspn(b + zeros_b, "0123456789");
		if (len_a != len_b)
			return len_a < len_b ? -1 : 1;
		rc = strncmp(a + zeros_a, b + zeros_b, len_a);
		if (rc != 0 || zeros_a != zeros_b)
			return rc ? rc : zeros_a < zeros_b ? -1 : 1;
		a += zeros_a + len_a;
		b += zeros_b + len_b;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

static int compare_rows(const void *a, const void *b)
{
	return list_compare_natural(json_get_string(*(json_t *const *)a, "Name", ""),
				    json_get_string(*(json_t *const *)b, "Name", ""));
}

json_t *list_sort_by_name(json_t *rows)
{
	size_t n = json_array_size(rows);
	cleanup_free json_t **items = mem_realloc_array(NULL, n + 1, sizeof(*items));
	json_t *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(rows, i);
	qsort(items, n, sizeof(*items), compare_rows);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, items[i]);
	return sorted;
}

int list_call_label(const json_t *labels, const char *name, const json_t *args, json_t **ret,
		    struct err *err)
{
	const char *label = json_string_value(json_array_get(args, 0));
	json_t *value = NULL;

	if (strcmp(name, "Label") != 0)
		return 0;
	if (json_array_size(args) != 1)
		return err_set(err, ERR_INVALID, "wrong number of args for Label: want 1 got %zu",
			       json_array_size(args));
	if (!label)
		return err_set(err, ERR_INVALID, "wrong type for value; expected string");
	value = json_object_get(labels, label);
	*ret = value ? json_incref(value) : json_string("");
	return 1;
}

int call_go_alias(void *data, const json_t *receiver, const char *name, const json_t *args,
		  json_t **ret, struct err *err)
{
	const char *alias = describe_go_alias(name);
	json_t *value = NULL;

	if (alias && !json_object_get(receiver, name))
		value = json_object_get(receiver, alias);
	if (!value)
		return 0;
	*ret = json_incref(value);
	return 1;
}

int object_print(struct cli *cli, const char *name, const char *format, const json_t *object,
		 const struct json_shape *shape, struct err *err)
{
	const struct template_env env = {.shape = shape, .call = call_go_alias};
	cleanup_template struct template *t = NULL;
	cleanup_str struct str out = STR_INIT;
	int rc = 0;

	if (strcmp(format, "json") == 0) {
		json_dump_docker(&out, object, shape, 0, 0);
	} else if (template_parse_named(name, format, &t, err) < 0) {
		cli->exit_status = STATUS_BAD_TEMPLATE;
		return err_wrap(err, "template parsing error");
	} else {
		rc = template_execute(t, object, &env, &out, err);
	}
	str_add_char(&out, '\n');
	fwrite(str_get(&out), 1, out.len, stdout);
	return rc;
}

int check_platform(const char *name, const char *platform, const struct image *image,
		   struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	char text[PLATFORM_LEN];
	struct platform want;
	struct platform have;

	if (!platform || !*platform)
		return 0;
	if (platform_parse(platform, &want, err) < 0 ||
	    image_config_parse(image->config, strlen(image->config), &config, err) < 0)
		return -err->code;
	platform_set(&have, config.os, config.architecture, config.variant);
	if (platform_matches(&want, &have))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "image with reference %s was found but does not provide the specified "
		       "platform (%s)",
		       name, platform_format(&want, text));
}

bool prompt_confirm(const char *text)
{
	cleanup_free char *line = NULL;
	size_t size = 0;

	printf("%s [y/N] ", text);
	fflush(stdout);
	if (getline(&line, &size, stdin) < 0)
		return false;
	return strcasecmp(str_trim(line), "y") == 0;
}
