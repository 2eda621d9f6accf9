/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option grammar: a loop over arguments, one function for a long option, one for a group of
 * short ones, and a table of setters by kind. Nothing here knows any command.
 */
#include "cli/option.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/quote.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>

bool option_is_flag(const struct option *o)
{
	return o->kind == OPT_BOOL || o->kind == OPT_CALL_BOOL;
}

const struct option *option_lookup(const struct option *const *tables, const char *name, size_t len)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++)
		for (const struct option *o = tables[t]; o->name; o++)
			if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
				return o;
	return NULL;
}

const struct option *option_lookup_short(const struct option *const *tables, char c)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++)
		for (const struct option *o = tables[t]; o->name; o++)
			if (c && o->short_name == c)
				return o;
	return NULL;
}

void option_free(const struct option *const *tables, void *target)
{
	for (size_t t = 0; t < OPTION_TABLES_MAX && tables[t]; t++) {
		for (const struct option *o = tables[t]; o->name; o++) {
			void *field = (char *)target + o->offset;

			if (o->kind == OPT_STRING)
				str_replace(field, NULL);
			else if (o->kind == OPT_LIST || o->kind == OPT_LIST_CALL)
				strv_done(field);
		}
	}
}

/* ---- values ---- */

static int fail_number(struct err *err, const char *func, const char *value, int rc)
{
	cleanup_free char *quoted = str_go_quote(value);

	return err_set(err, ERR_INVALID, "strconv.%s: parsing %s: %s", func, quoted,
		       rc == -ERANGE ? "value out of range" : "invalid syntax");
}

/* Strips Go's base prefix and the underscores between digits, which base 0 allows. Returns the
 * base, 0 when the text cannot be a number. */
static unsigned split_base(const char *s, struct str *digits)
{
	unsigned base = 10;
	bool prefixed = false;

	if (s[0] == '0' && s[1]) {
		char c = (char)(s[1] | 0x20);

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
		prefixed = true;
	}
	for (; *s; s++) {
		bool digit_before = digits->len > 0 || prefixed;

		if (*s != '_')
			str_add_char(digits, *s);
		else if (!digit_before || s[1] == '_' || s[1] == '\0')
			return 0;
	}
	return base;
}

static int parse_magnitude(const char *s, uint64_t *ret)
{
	cleanup_str struct str digits = STR_INIT;
	unsigned base = split_base(s, &digits);

	if (base == 0 || digits.len == 0)
		return -EINVAL;
	return num_parse_base(str_get(&digits), base, ret);
}

int option_parse_int(const char *value, int64_t *ret, struct err *err)
{
	bool negative = value[0] == '-';
	uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	uint64_t n = 0;
	int rc = parse_magnitude(value + (negative || value[0] == '+'), &n);

	if (rc == 0 && n > limit)
		rc = -ERANGE;
	if (rc < 0)
		return fail_number(err, "ParseInt", value, rc);
	*ret = negative ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

static int set_bool(void *field, const char *value, struct err *err)
{
	if (num_parse_bool(value, field) < 0)
		return fail_number(err, "ParseBool", value, -EINVAL);
	return 0;
}

static int set_string(void *field, const char *value, struct err *err)
{
	str_replace(field, value);
	return 0;
}

static int set_list(void *field, const char *value, struct err *err)
{
	strv_add(field, value);
	return 0;
}

static int set_int(void *field, const char *value, struct err *err)
{
	int64_t n = 0;
	int rc = option_parse_int(value, &n, err);

	if (rc == 0)
		*(int64_t *)field = n;
	return rc;
}

static int set_uint16(void *field, const char *value, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_magnitude(value, &n);

	if (rc == 0 && n > UINT16_MAX)
		rc = -ERANGE;
	if (rc < 0)
		return fail_number(err, "ParseUint", value, rc);
	*(int64_t *)field = (int64_t)n;
	return 0;
}

static int set_bytes(void *field, const char *value, struct err *err)
{
	if (num_parse_size(value, field) < 0)
		return err_set(err, ERR_INVALID, "invalid size: '%s'", value);
	return 0;
}

static int set_duration(void *field, const char *value, struct err *err)
{
	cleanup_free char *quoted = NULL;
	int64_t n = 0;

	if (num_parse_duration(value, field) == 0)
		return 0;
	quoted = str_go_quote(value);
	if (num_parse_i64(value, &n) == 0)
		return err_set(err, ERR_INVALID, "time: missing unit in duration %s", quoted);
	return err_set(err, ERR_INVALID, "time: invalid duration %s", quoted);
}

static option_set *const setters[] = {
	[OPT_BOOL] = set_bool,	       [OPT_STRING] = set_string, [OPT_LIST] = set_list,
	[OPT_INT] = set_int,	       [OPT_UINT16] = set_uint16, [OPT_BYTES] = set_bytes,
	[OPT_DURATION] = set_duration,
};

static int value_set(const struct option *o, void *field, const char *value, struct err *err)
{
	int rc = 0;

	if (o->kind >= OPT_LIST_CALL)
		return o->set(field, value, err);
	if (o->kind == OPT_LIST && o->set)
		rc = o->set(field, value, err);
	return rc < 0 ? rc : setters[o->kind](field, value, err);
}

/* Stores VALUE and puts docker's frame around an error. */
static int option_apply(struct option_parse *p, const struct option *o, const char *value,
			struct err *err)
{
	cleanup_free char *quoted = NULL;
	struct err why = ERR_INIT;
	bool off = option_is_flag(o) && value[0] && strchr("0fF", value[0]);

	p->n_given++;
	if (o->missing && !off && !p->refused)
		p->refused = o;
	if (o->deprecated)
		p->old_name = o;
	if (value_set(o, (char *)p->target + o->offset, value, &why) >= 0)
		return 0;
	quoted = str_go_quote(value);
	if (o->short_name)
		return err_set(err, ERR_INVALID, "invalid argument %s for \"-%c, --%s\" flag: %s",
			       quoted, o->short_name, o->name, why.msg);
	return err_set(err, ERR_INVALID, "invalid argument %s for \"--%s\" flag: %s", quoted,
		       o->name, why.msg);
}

/* ---- the grammar ---- */

struct cursor {
	char *const *args;
	size_t n, at; /* `at` is the next argument */
};

/* Every command has it, and -h where no option of its own is called so. */
static const struct option help_option = {.name = "help", .kind = OPT_BOOL};

static int apply(struct option_parse *p, const struct option *o, const char *value, bool is_short,
		 struct err *err)
{
	struct option_parse to = {.target = &p->help};
	int rc = 0;

	if (o != &help_option)
		return option_apply(p, o, value, err);
	rc = option_apply(&to, o, value, err);
	p->help_short = p->help_short || (rc == 0 && is_short);
	return rc;
}

static int parse_long(struct option_parse *p, const char *arg, struct cursor *c, struct err *err)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct option *o = option_lookup(p->tables, name, len);

	if (name[0] == '-' || name[0] == '=')
		return err_set(err, ERR_INVALID, "bad flag syntax: %s", arg);
	if (!o && len == 4 && memcmp(name, "help", 4) == 0)
		o = &help_option;
	if (!o)
		return err_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)len, name);
	if (!value && option_is_flag(o))
		value = "true";
	if (!value && c->at == c->n)
		return err_set(err, ERR_INVALID, "flag needs an argument: %s", arg);
	if (!value)
		value = c->args[c->at++];
	return apply(p, o, value, false, err);
}

/* A group such as "-itv/a:/b": flags until the first option that takes the rest as its value. */
static int parse_short_group(struct option_parse *p, const char *group, struct cursor *c,
			     struct err *err)
{
	while (*group) {
		const struct option *o = option_lookup_short(p->tables, group[0]);
		const char *value = NULL;
		bool takes_rest = true;
		int rc = 0;

		if (!o && group[0] == 'h')
			o = &help_option;
		if (!o)
			return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in -%s",
				       group[0], group);
		if (group[1] == '=' && group[2]) {
			value = group + 2;
		} else if (option_is_flag(o)) {
			value = "true";
			takes_rest = false;
		} else if (group[1]) {
			value = group + 1;
		} else if (c->at < c->n) {
			value = c->args[c->at++];
		} else {
			return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in -%s",
				       group[0], group);
		}
		rc = apply(p, o, value, true, err);
		if (rc < 0 || takes_rest)
			return rc;
		group++;
	}
	return 0;
}

int option_parse(struct option_parse *p, char *const *args, size_t n, struct err *err)
{
	struct cursor c = {.args = args, .n = n};
	int rc = 0;

	while (c.at < c.n && rc == 0) {
		const char *arg = c.args[c.at++];

		if (strcmp(arg, "--") == 0)
			break;
		if (arg[0] == '-' && arg[1] == '-') {
			rc = parse_long(p, arg, &c, err);
		} else if (arg[0] == '-' && arg[1]) {
			rc = parse_short_group(p, arg + 1, &c, err);
		} else {
			strv_add(p->ret_args, arg);
			if (p->stop_at_first)
				break;
		}
	}
	while (rc == 0 && c.at < c.n)
		strv_add(p->ret_args, c.args[c.at++]);
	return rc;
}
