/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of limits and grants. Each function reads one syntax completely or fails with docker's
 * words; ranges that depend on the host are not looked at here.
 */
#include "cli/parse_limit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/option.h"
#include "cli/quote.h"
#include "engine/spec.h"

#include <errno.h>
#include <strings.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

/* The resources of setrlimit(2) as docker names them. */
static const char *const ulimit_names[] = {
	"core",	  "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
	"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static int parse_limit_number(const char *s, int64_t *ret, struct err *err)
{
	cleanup_free char *quoted = NULL;
	int rc = num_parse_i64(s, ret);

	if (rc == 0)
		return 0;
	quoted = str_go_quote(s);
	return fail("strconv.ParseInt: parsing %s: %s", quoted,
		    rc == -ERANGE ? "value out of range" : "invalid syntax");
}

static int parse_soft_hard(struct ulimit_spec *u, const char *text, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;

	strv_split(&parts, text, ':');
	if (parts.n > 2)
		return fail("too many limit value arguments - %s, can only have up to two, "
			    "`soft[:hard]`",
			    text);
	if (parse_limit_number(parts.items[0], &u->soft, err) < 0)
		return -err->code;
	u->hard = u->soft;
	if (parts.n == 2 && parse_limit_number(parts.items[1], &u->hard, err) < 0)
		return -err->code;
	if (u->hard != -1 && u->soft == -1)
		return fail("ulimit soft limit must be less than or equal to hard limit: soft: -1 "
			    "(unlimited), hard: %lld",
			    (long long)u->hard);
	if (u->hard != -1 && u->soft > u->hard)
		return fail(
			"ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
			(long long)u->soft, (long long)u->hard);
	return 0;
}

int ulimit_option_set(void *spec, const char *value, struct err *err)
{
	cleanup_with(ulimit_spec_done) struct ulimit_spec u = {};
	const char *equals = strchr(value, '=');

	if (!equals)
		return fail("invalid ulimit argument: %s", value);
	u.name = str_ndup(value, (size_t)(equals - value));
	for (size_t i = 0; i < ARRAY_LEN(ulimit_names); i++) {
		if (strcmp(u.name, ulimit_names[i]) != 0)
			continue;
		if (parse_soft_hard(&u, equals + 1, err) < 0)
			return -err->code;
		spec_set_ulimit(spec, &u);
		return 0;
	}
	return fail("invalid ulimit type: %s", u.name);
}

/* Digits, an optional point, up to nine significant decimals: exactly what fits into nanoseconds.
 */
int cpus_option_set(void *nano_cpus, const char *value, struct err *err)
{
	bool negative = value[0] == '-';
	const char *s = value + (negative || value[0] == '+');
	int64_t nano = 0;
	int decimals = -1, digits = 0;

	for (; *s; s++) {
		if (*s == '.' && decimals < 0) {
			decimals = 0;
			continue;
		}
		if (*s < '0' || *s > '9')
			return fail("failed to parse %s as a rational number", value);
		digits++;
		if (decimals >= 9 && *s != '0')
			return fail("value is too precise");
		if (decimals >= 9)
			continue;
		decimals += decimals >= 0;
		if (__builtin_mul_overflow(nano, 10, &nano) ||
		    __builtin_add_overflow(nano, *s - '0', &nano))
			return fail("value is too large");
	}
	if (digits == 0)
		return fail("failed to parse %s as a rational number", value);
	for (int i = decimals < 0 ? 0 : decimals; i < 9; i++)
		if (__builtin_mul_overflow(nano, 10, &nano))
			return fail("value is too large");
	*(int64_t *)nano_cpus = negative ? -nano : nano;
	return 0;
}

int swap_option_set(void *bytes, const char *value, struct err *err)
{
	if (strcmp(value, "-1") == 0)
		*(int64_t *)bytes = -1;
	else if (num_parse_size(value, bytes) < 0)
		return fail("invalid size: '%s'", value);
	return 0;
}

int pids_option_set(void *spec, const char *value, struct err *err)
{
	struct container_spec *s = spec;

	s->has_pids_limit = true;
	return option_parse_int(value, &s->pids_limit, err);
}

int stop_timeout_option_set(void *spec, const char *value, struct err *err)
{
	struct container_spec *s = spec;

	s->has_stop_timeout = true;
	return option_parse_int(value, &s->stop_timeout_s, err);
}

/* Splits "PATH:VALUE"; *RET_PATH is owned by the caller. */
static int split_device(const char *text, char **ret_path, const char **ret_value, struct err *err)
{
	const char *colon = strchr(text, ':');

	if (!colon)
		return fail("bad format: %s", text);
	if (!str_has_prefix(text, "/dev/"))
		return fail("bad format for device path: %s", text);
	*ret_path = str_ndup(text, (size_t)(colon - text));
	*ret_value = colon + 1;
	return 0;
}

int rate_bps_option_set(void *list, const char *value, struct err *err)
{
	cleanup_free char *path = NULL;
	const char *rate = NULL;
	int64_t bytes = 0;

	if (split_device(value, &path, &rate, err) < 0)
		return -err->code;
	if (num_parse_size(rate, &bytes) < 0)
		return fail("invalid rate for device: %s. The correct format is "
			    "<device-path>:<number>[<unit>]. Number must be a positive integer. "
			    "Unit is "
			    "optional and can be kb, mb, or gb",
			    value);
	throttle_add(list, path, (uint64_t)bytes);
	return 0;
}

int rate_iops_option_set(void *list, const char *value, struct err *err)
{
	cleanup_free char *path = NULL;
	const char *rate = NULL;
	uint64_t n = 0;

	if (split_device(value, &path, &rate, err) < 0)
		return -err->code;
	if (num_parse_u64(rate, &n) < 0)
		return fail("invalid rate for device: %s. The correct format is "
			    "<device-path>:<number>. "
			    "Number must be a positive integer",
			    value);
	throttle_add(list, path, n);
	return 0;
}

int blkio_weight_option_set(void *list, const char *value, struct err *err)
{
	cleanup_free char *path = NULL;
	const char *weight = NULL;
	uint64_t n = 0;

	if (split_device(value, &path, &weight, err) < 0)
		return -err->code;
	if (num_parse_u64(weight, &n) < 0 || (n > 0 && (n < 10 || n > 1000)))
		return fail("invalid weight for device: %s", value);
	throttle_add(list, path, n);
	return 0;
}

int attach_option_set(void *mask, const char *value, struct err *err)
{
	static const struct {
		const char *name;
		unsigned bit;
	} streams[] = {
		{"stdin", ATTACH_STDIN},
		{"stdout", ATTACH_STDOUT},
		{"stderr", ATTACH_STDERR},
	};

	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		if (strcasecmp(value, streams[i].name) == 0) {
			*(unsigned *)mask |= streams[i].bit;
			return 0;
		}
	}
	return fail("valid streams are STDIN, STDOUT and STDERR");
}

/* What a container may set because it is its namespaces' own (ipc and network). */
int sysctl_option_check(void *field, const char *value, struct err *err)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};
	size_t len = strcspn(value, "=");

	if (value[len] && (str_has_prefix(value, "net.") || str_has_prefix(value, "fs.mqueue.")))
		return 0;
	for (size_t i = 0; value[len] && i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], value, len) == 0)
			return 0;
	return fail("sysctl '%s' is not allowed", value);
}

/* Skips digits or a star at *S. */
static bool skip_number(const char **s)
{
	size_t n = **s == '*' ? 1 : strspn(*s, "0123456789");

	*s += n;
	return n > 0;
}

int device_rule_option_check(void *field, const char *value, struct err *err)
{
	const char *s = value;
	size_t perms = 0;
	bool ok = *s && strchr("acb", *s) && s[1] == ' ';

	s += ok ? 2 : 0;
	ok = ok && skip_number(&s) && *s++ == ':' && skip_number(&s) && *s++ == ' ';
	perms = ok ? strspn(s, "rwm") : 0;
	if (perms < 1 || perms > 3 || s[perms])
		return fail("invalid device cgroup format '%s'", value);
	return 0;
}

/* Each of r, w, m at most once, at least one. */
static bool perms_are_valid(const char *perms)
{
	unsigned seen = 0;

	for (const char *p = perms; *p; p++) {
		unsigned bit = *p == 'r' ? 1 : *p == 'w' ? 2 : *p == 'm' ? 4 : 8;

		if (bit == 8 || (seen & bit))
			return false;
		seen |= bit;
	}
	return seen != 0;
}

int device_parse(struct container_spec *spec, const char *value, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_with(device_spec_done) struct device_spec d = {};
	const char *perms = "rwm";
	const char *inside = NULL;

	strv_split(&parts, value, ':');
	if (parts.n > 3 || !parts.items[0][0])
		return fail("bad format for path: %s", value);
	inside = parts.items[0];
	if (parts.n == 2 && perms_are_valid(parts.items[1]))
		perms = parts.items[1];
	else if (parts.n > 1)
		inside = parts.items[1];
	if (parts.n == 3)
		perms = parts.items[2];
	if (!perms_are_valid(perms))
		return fail("bad mode specified: %s", perms);
	if (inside[0] != '/')
		return fail("%s is not an absolute path", inside);
	d.host = str_dup(parts.items[0]);
	d.container = str_dup(inside);
	d.perms = str_dup(perms);
	spec_add_device(spec, &d);
	return 0;
}
