/* SPDX-License-Identifier: Apache-2.0 */
/* HEALTHCHECK. */
#include "dockerfile/instruction_private.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "json/value.h"

#define BLANKS	    " \t\v\f\r\n"
#define SHORTEST_NS 1000000 /* 1ms */

enum { INTERVAL, TIMEOUT, START_PERIOD, START_INTERVAL, RETRIES, N_FLAGS };

static const char *const flag_names[N_FLAGS] = {
	[INTERVAL] = "interval",	 [TIMEOUT] = "timeout",
	[START_PERIOD] = "start-period", [START_INTERVAL] = "start-interval",
	[RETRIES] = "retries",
};

/* 1 when TEXT is a list of strings, which are appended to RET; 0 when it is no list. */
static int parse_list(const char *text, struct strv *ret, struct err *err)
{
	cleanup_json json_t *list = NULL;
	struct err ignored = ERR_INIT;
	size_t i = 0;
	json_t *item = NULL;

	if (*text != '[' ||
	    json_parse(text, strlen(text), DOCKERFILE_MAX_SIZE, "list", &list, &ignored) < 0)
		return 0;
	json_array_foreach (list, i, item)
		if (!json_is_string(item))
			return err_set(err, ERR_INVALID,
				       "when using JSON array syntax, arrays must be comprised of "
				       "strings only");
	json_array_foreach (list, i, item)
		strv_add(ret, json_string_value(item));
	return 1;
}

static int parse_duration(const char *name, const char *text, int64_t *ret, struct err *err)
{
	int64_t n = 0;

	if (num_parse_duration(text, ret) < 0)
		return err_set(err, ERR_INVALID, "time: %s \"%s\"",
			       num_parse_i64(text, &n) == 0 ? "missing unit in duration"
							    : "invalid duration",
			       text);
	if (*ret != 0 && *ret < SHORTEST_NS)
		return err_set(err, ERR_INVALID, "Interval \"%s\" cannot be less than 1ms", name);
	return 0;
}

static int parse_retries(const char *text, int64_t *ret, struct err *err)
{
	int rc = num_parse_i64(text, ret);

	if (rc < 0 || *ret > INT32_MAX || *ret < INT32_MIN)
		return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": %s", text,
			       rc == -EINVAL ? "invalid syntax" : "value out of range");
	return *ret < 0 ? err_set(err, ERR_INVALID, "--retries cannot be negative (%s)", text) : 0;
}

/* An empty value is one that was not said. */
static int parse_values(char *const values[static N_FLAGS], struct image_healthcheck *check,
			struct err *err)
{
	int64_t *const to[N_FLAGS] = {
		[INTERVAL] = &check->interval_ns,
		[TIMEOUT] = &check->timeout_ns,
		[START_PERIOD] = &check->start_period_ns,
		[START_INTERVAL] = &check->start_interval_ns,
		[RETRIES] = &check->retries,
	};
	int rc = 0;

	for (size_t i = 0; i < N_FLAGS && rc == 0; i++) {
		if (!values[i] || !*values[i])
			continue;
		rc = i == RETRIES ? parse_retries(values[i], to[i], err)
				  : parse_duration(flag_names[i], values[i], to[i], err);
	}
	return rc;
}

/* COMMAND is what follows CMD. */
static int parse_command(const char *command, struct health_instruction *health, struct err *err)
{
	int rc = parse_list(command, &health->command.words, err);

	if (rc < 0)
		return rc;
	if (rc == 0 && *command) {
		health->command.is_shell = true;
		strv_add(&health->command.words, command);
	}
	if (!health->command.words.n)
		return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
	strv_add(&health->check.test, health->command.is_shell ? "CMD-SHELL" : "CMD");
	strv_add_all(&health->check.test, &health->command.words);
	return 0;
}

/* "NONE" and nothing after it. */
static int parse_none(const char *command, struct health_instruction *health, struct err *err)
{
	if (*command)
		return err_set(err, ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
	health->is_none = true;
	strv_add(&health->check.test, "NONE");
	return 0;
}

static int parse_check(const struct dockerfile_instruction *syntax, const char *type,
		       const char *command, struct health_instruction *health, struct err *err)
{
	char *values[N_FLAGS] = {};
	struct flag_spec specs[N_FLAGS];
	int rc = 0;

	for (size_t i = 0; i < N_FLAGS; i++)
		specs[i] = (struct flag_spec){flag_names[i], FLAG_TEXT, &values[i]};
	rc = flags_parse(syntax, specs, N_FLAGS, err);
	if (rc == 0 && strcmp(type, "CMD") != 0)
		rc = err_set(err, ERR_INVALID, "Unknown type \"%s\" in HEALTHCHECK (try CMD)",
			     type);
	if (rc == 0)
		rc = parse_command(command, health, err);
	if (rc == 0)
		rc = parse_values(values, &health->check, err);
	for (size_t i = 0; i < N_FLAGS; i++)
		free(values[i]);
	return rc;
}

int parse_healthcheck(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err)
{
	struct health_instruction *health = &ret->health;
	const char *text = syntax->rest ? syntax->rest : "";
	size_t type_len = strcspn(text, BLANKS);
	cleanup_free char *type = str_ndup(text, type_len);
	const char *command = text + type_len + strspn(text + type_len, BLANKS);

	if (!type_len)
		return err_set(err, ERR_INVALID, "HEALTHCHECK requires at least one argument");
	text_to_upper(type);
	health->check.is_set = true;
	/* NONE takes flags, and has no use for them. */
	if (strcmp(type, "NONE") == 0)
		return parse_none(command, health, err);
	return parse_check(syntax, type, command, health, err);
}
