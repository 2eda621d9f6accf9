/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of options. A row says which drivers know the option and who reads its value; the order
 * of the rows is the order in which docker finds fault.
 */
#include "engine/log_options.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "monitor/log_remote.h"
#include "json/pattern.h"
#include "json/template.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <syslog.h>

#define INIT "failed to initialize logging driver: "

const char *const log_driver_names[] = {"journald", "json-file", "local", "none", "syslog", NULL};

enum { D_JSON = 1, D_LOCAL = 2, D_SYSLOG = 4, D_JOURNALD = 8, D_NONE = 16 };
#define D_ALL	(D_JSON | D_LOCAL | D_SYSLOG | D_JOURNALD)
#define D_ATTRS (D_JSON | D_SYSLOG | D_JOURNALD)

static const struct driver {
	const char *name;
	unsigned bit;
	enum log_driver_kind kind;
} drivers[] = {
	{"json-file", D_JSON, LOG_TO_FILES},
	{"local", D_LOCAL, LOG_TO_FILES},
	{"none", D_NONE, LOG_TO_NONE},
	{"syslog", D_SYSLOG, LOG_TO_SYSLOG},
	{"journald", D_JOURNALD, LOG_TO_JOURNALD},
};

/* docker's that tare leaves out. */
static const char *const absent[] = {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk"};

struct reading {
	const struct driver *driver;
	const char *key, *value;
	struct log_options *ret;
	bool has_size, has_files, has_compress;
};

/* ---- values ---- */

static int set_mode(struct reading *r, struct err *err)
{
	r->ret->non_blocking = strcmp(r->value, "non-blocking") == 0;
	if (r->ret->non_blocking || !*r->value || strcmp(r->value, "blocking") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "logger: logging mode not supported: %s", r->value);
}

static int set_buffer(struct reading *r, struct err *err)
{
	if (!r->ret->non_blocking)
		return err_set(err, ERR_INVALID,
			       "logger: max-buffer-size option is only supported with "
			       "'mode=non-blocking'");
	if (num_parse_size(r->value, &r->ret->max_buffer) < 0)
		return err_set(err, ERR_INVALID,
			       "error parsing option max-buffer-size: invalid size: '%s'",
			       r->value);
	return 0;
}

static int set_cache_disabled(struct reading *r, struct err *err)
{
	if (num_parse_bool(r->value, &r->ret->has_no_cache) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "invalid value for option cache-disabled: %s", r->value);
}

static int set_address(struct reading *r, struct err *err)
{
	r->ret->address = r->value;
	return log_remote_check_address(r->value, err);
}

static int set_facility(struct reading *r, struct err *err)
{
	static const struct {
		const char *name;
		int facility;
	} rows[] = {
		{"kern", LOG_KERN},	{"user", LOG_USER},	    {"mail", LOG_MAIL},
		{"daemon", LOG_DAEMON}, {"auth", LOG_AUTH},	    {"syslog", LOG_SYSLOG},
		{"lpr", LOG_LPR},	{"news", LOG_NEWS},	    {"uucp", LOG_UUCP},
		{"cron", LOG_CRON},	{"authpriv", LOG_AUTHPRIV}, {"ftp", LOG_FTP},
		{"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},	    {"local2", LOG_LOCAL2},
		{"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},	    {"local5", LOG_LOCAL5},
		{"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
	};
	int64_t n = 0;

	if (!*r->value)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].name, r->value) == 0) {
			r->ret->facility = rows[i].facility;
			return 0;
		}
	}
	if (num_parse_i64(r->value, &n) < 0 || n < 0 || n > 23)
		return err_set(err, ERR_INVALID, "invalid syslog facility");
	r->ret->facility = (int)n << 3;
	return 0;
}

static int set_format(struct reading *r, struct err *err)
{
	static const char *const names[] = {[LOG_FORMAT_UNIX] = "",
					    [LOG_FORMAT_3164] = "rfc3164",
					    [LOG_FORMAT_5424] = "rfc5424",
					    [LOG_FORMAT_5424_MICRO] = "rfc5424micro"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], r->value) == 0) {
			r->ret->format = (enum log_syslog_format)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "Invalid syslog format");
}

static int refuse_tls(struct reading *r, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "%s: syslog over TLS is not supported", r->key);
}

static int set_size(struct reading *r, struct err *err)
{
	int64_t n = 0;
	bool is_json = r->driver->bit == D_JSON;

	r->has_size = true;
	if (num_parse_size(r->value, &n) < 0)
		return is_json ? err_set(err, ERR_INVALID, INIT "invalid size: '%s'", r->value)
			       : err_set(err, ERR_INVALID,
					 INIT "invalid value for max-size: %s: invalid size: '%s'",
					 r->value, r->value);
	if (n <= 0 && is_json)
		return err_set(err, ERR_INVALID, INIT "max-size must be a positive number");
	r->ret->max_size = n;
	return 0;
}

static int set_files(struct reading *r, struct err *err)
{
	bool is_json = r->driver->bit == D_JSON;
	const char *prefix = is_json ? "" : "invalid value for max-file: ";

	r->has_files = true;
	if (num_parse_i64(r->value, &r->ret->max_files) < 0)
		return err_set(err, ERR_INVALID,
			       INIT "%s%s%sstrconv.Atoi: parsing \"%s\": invalid syntax", prefix,
			       is_json ? "" : r->value, is_json ? "" : ": ", r->value);
	if (is_json && r->ret->max_files < 1)
		return err_set(err, ERR_INVALID, INIT "max-file cannot be less than 1");
	if (r->ret->max_files < 0)
		return err_set(err, ERR_INVALID, INIT "max file count cannot be less than 0");
	return 0;
}

static int set_compress(struct reading *r, struct err *err)
{
	r->has_compress = true;
	if (num_parse_bool(r->value, &r->ret->compress) == 0)
		return 0;
	return err_set(
		err, ERR_INVALID, INIT "%sstrconv.ParseBool: parsing \"%s\": invalid syntax",
		r->driver->bit == D_JSON ? "" : "error reading compress log option: ", r->value);
}

/* Go's message for a template without a name, with the name that docker gives this one. */
static int template_error(const char *text, struct err *err)
{
	const char *rest = str_has_prefix(text, "template: :") ? text + strlen("template: :")
							       : text;

	return err_set(err, ERR_INVALID, INIT "template: log-tag:%s", rest);
}

static int set_tag(struct reading *r, struct err *err)
{
	cleanup_template struct template *t = NULL;
	struct err why = ERR_INIT;

	r->ret->tag = r->value;
	return template_parse(r->value, &t, &why) < 0 ? template_error(why.msg, err) : 0;
}

static int check_regex(const char *value, struct err *err)
{
	struct pattern *pattern = pattern_new(value);

	if (!pattern)
		return err_set(err, ERR_INVALID, INIT "error parsing regexp: `%s`", value);
	pattern_free(pattern);
	return 0;
}

static int set_attrs(struct reading *r, struct err *err)
{
	const struct {
		const char *key;
		const char **to;
		bool is_regex;
	} rows[] = {
		{"labels", &r->ret->labels, false},
		{"labels-regex", &r->ret->labels_regex, true},
		{"env", &r->ret->env, false},
		{"env-regex", &r->ret->env_regex, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].key, r->key) != 0)
			continue;
		*rows[i].to = r->value;
		return rows[i].is_regex ? check_regex(r->value, err) : 0;
	}
	return 0;
}

/* ---- the table ---- */

static const struct option {
	const char *name;
	unsigned drivers;
	int (*set)(struct reading *r, struct err *err);
} options_table[] = {
	{"mode", D_ALL, set_mode},
	{"max-buffer-size", D_ALL, set_buffer},
	{"cache-disabled", D_ALL, set_cache_disabled},
	{"syslog-address", D_SYSLOG, set_address},
	{"syslog-facility", D_SYSLOG, set_facility},
	{"syslog-format", D_SYSLOG, set_format},
	{"syslog-tls-ca-cert", D_SYSLOG, refuse_tls},
	{"syslog-tls-cert", D_SYSLOG, refuse_tls},
	{"syslog-tls-key", D_SYSLOG, refuse_tls},
	{"syslog-tls-skip-verify", D_SYSLOG, refuse_tls},
	{"max-size", D_JSON | D_LOCAL, set_size},
	{"max-file", D_JSON | D_LOCAL, set_files},
	{"compress", D_JSON | D_LOCAL, set_compress},
	{"cache-max-size", D_SYSLOG | D_JOURNALD, set_size},
	{"cache-max-file", D_SYSLOG | D_JOURNALD, set_files},
	{"cache-compress", D_SYSLOG | D_JOURNALD, set_compress},
	{"cache-max-size", D_JSON | D_LOCAL, NULL},
	{"cache-max-file", D_JSON | D_LOCAL, NULL},
	{"cache-compress", D_JSON | D_LOCAL, NULL},
	{"tag", D_ATTRS, set_tag},
	{"labels", D_ATTRS, set_attrs},
	{"labels-regex", D_ATTRS, set_attrs},
	{"env", D_ATTRS, set_attrs},
	{"env-regex", D_ATTRS, set_attrs},
};

/* The value of the last option KEY, "" for one without "="; NULL when it is not there. */
static const char *find_value(const struct strv *options, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = options->n; i-- > 0;) {
		const char *text = options->items[i];

		if (strncmp(text, key, len) == 0 && (text[len] == '=' || !text[len]))
			return text[len] ? text + len + 1 : "";
	}
	return NULL;
}

static const struct option *lookup_option(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options_table); i++)
		if (options_table[i].drivers & driver->bit &&
		    strcmp(options_table[i].name, name) == 0)
			return &options_table[i];
	return NULL;
}

static int check_known(const struct driver *driver, const struct strv *options, struct err *err)
{
	strv_foreach (i, options) {
		const char *text = options->items[i];
		cleanup_free char *name = str_ndup(text, strcspn(text, "="));

		if (lookup_option(driver, name))
			continue;
		if (driver->bit == D_LOCAL)
			return err_set(err, ERR_INVALID,
				       "unknown log opt '%s' for log driver local", name);
		return err_set(err, ERR_INVALID, "unknown log opt '%s' for %s log driver", name,
			       driver->name);
	}
	return 0;
}

static const struct driver *find_driver(const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (strcmp(drivers[i].name, name) == 0)
			return &drivers[i];
	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		if (strcmp(absent[i], name) != 0)
			continue;
		err_set(err, ERR_UNSUPPORTED,
			"the log driver %s is not supported, use syslog or journald and a relay",
			name);
		return NULL;
	}
	err_set(err, ERR_INVALID, "error looking up logging plugin %s: plugin \"%s\" not found",
		name, name);
	err_hint(err, "there are json-file, local, syslog, journald and none");
	return NULL;
}

/* What only shows when all options are known. */
static int check_together(const struct reading *r, struct err *err)
{
	const struct log_options *o = r->ret;

	if (r->driver->bit == D_JSON && o->compress && (!r->has_size || o->max_files < 2))
		return err_set(err, ERR_INVALID,
			       INIT "compress cannot be true when max-file is less than 2 or "
				    "max-size is not set");
	if (r->driver->bit == D_LOCAL && o->compress && o->max_files < 2)
		return err_set(err, ERR_INVALID,
			       INIT "compression cannot be enabled when max file count is 1");
	return 0;
}

/* docker's "local" (also as the cache of a driver that sends); our own bound for json-file, which
 * has one file when only its size was given, as docker does it. */
static void set_defaults(struct reading *r)
{
	struct log_options *o = r->ret;
	bool is_json = r->driver->bit == D_JSON;

	if (!is_json && !r->has_files)
		o->max_files = 5;
	if (!is_json && !r->has_compress)
		o->compress = o->max_files > 1 || r->driver->bit == D_LOCAL;
	if (is_json && !r->has_files)
		o->max_files = r->has_size ? 1 : 5;
}

int log_options_parse(const char *driver, const struct strv *options, struct log_options *ret,
		      struct err *err)
{
	const struct driver *d = find_driver(driver && *driver ? driver : "json-file", err);
	struct reading r = {.driver = d, .ret = ret};

	*ret = (struct log_options){.address = "", .facility = LOG_DAEMON, .tag = ""};
	if (!d)
		return -err->code;
	ret->kind = d->kind;
	if (d->bit == D_NONE && options->n)
		return err_set(err, ERR_INVALID, "invalid logging opts for driver none");
	if (check_known(d, options, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(options_table); i++) {
		const struct option *o = &options_table[i];

		r.key = o->name;
		r.value = o->drivers & d->bit && o->set ? find_value(options, o->name) : NULL;
		if (r.value && o->set(&r, err) < 0)
			return -err->code;
	}
	set_defaults(&r);
	return check_together(&r, err);
}
