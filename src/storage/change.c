/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function for each instruction, found in a table. Each gets the rest of the line; what is
 * wrong with it is said in the builder's words.
 */
#include "storage/change.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "oci/image_config.h"
#include "storage/change_words.h"

#define HEALTH_DURATION_MIN 1000000 /* ns */

struct change {
	const char *name; /* in capitals */
	const char *args;
	struct image_run *run;
};

/* Puts the JSON form as it is, the shell form behind the image's shell. */
static int set_command(const struct change *c, struct strv *to, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	int rc = words_parse_json(c->args, &words, err);

	if (rc < 0)
		return rc;
	strv_done(to);
	if (rc > 0 || !*c->args) {
		strv_add_all(to, &words);
		return 0;
	}
	if (c->run->shell.n > 0) {
		strv_add_all(to, &c->run->shell);
	} else {
		strv_add(to, "/bin/sh");
		strv_add(to, "-c");
	}
	strv_add(to, c->args);
	return 0;
}

static int apply_cmd(const struct change *c, struct err *err)
{
	c->run->has_cmd = true;
	return set_command(c, &c->run->cmd, err);
}

static int apply_entrypoint(const struct change *c, struct err *err)
{
	c->run->has_entrypoint = true;
	return set_command(c, &c->run->entrypoint, err);
}

typedef void (*pair_fn)(struct image_run *run, const char *key, const char *value);

/* KEY and VALUE are words as typed. */
static int apply_pair(const struct change *c, const char *key, const char *value, pair_fn fn,
		      struct err *err)
{
	cleanup_str struct str k = STR_INIT;
	cleanup_str struct str v = STR_INIT;

	if (words_expand(key, &c->run->env, &k, err) < 0 ||
	    words_expand(value, &c->run->env, &v, err) < 0)
		return -err->code;
	if (k.len == 0)
		return err_set(err, ERR_INVALID, "%s names can not be blank", c->name);
	fn(c->run, str_get(&k), str_get(&v));
	return 0;
}

/* "KEY the rest of the line", the form before there were equals signs. */
static int apply_legacy_pair(const struct change *c, pair_fn fn, struct err *err)
{
	size_t key_len = strcspn(c->args, " \t");
	cleanup_free char *key = str_ndup(c->args, key_len);
	const char *value = c->args + key_len + strspn(c->args + key_len, " \t");

	if (!*value)
		return err_set(err, ERR_INVALID, "%s must have two arguments", c->name);
	return apply_pair(c, key, value, fn, err);
}

static int apply_pairs(const struct change *c, pair_fn fn, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;

	words_split(c->args, &words);
	if (words.n == 0)
		return err_set(err, ERR_INVALID, "%s requires at least one argument", c->name);
	if (!strchr(words.items[0], '='))
		return apply_legacy_pair(c, fn, err);
	strv_foreach (i, &words) {
		char *equals = strchr(words.items[i], '=');

		if (!equals)
			return err_set(
				err, ERR_INVALID,
				"Syntax error - can't find = in \"%s\". Must be of the form: "
				"name=value",
				words.items[i]);
		*equals = '\0';
		if (apply_pair(c, words.items[i], equals + 1, fn, err) < 0)
			return -err->code;
	}
	return 0;
}

static int apply_env(const struct change *c, struct err *err)
{
	return apply_pairs(c, image_run_set_env, err);
}

static void set_label(struct image_run *run, const char *key, const char *value)
{
	if (!str_has_prefix(key, IMAGE_RESERVED_LABEL))
		image_run_set_label(run, key, value);
}

static int apply_label(const struct change *c, struct err *err)
{
	return apply_pairs(c, set_label, err);
}

/* The single expanded argument of an instruction that takes one. */
static int expand_all(const struct change *c, struct str *ret, struct err *err)
{
	if (words_expand(c->args, &c->run->env, ret, err) < 0)
		return -err->code;
	if (ret->len == 0)
		return err_set(err, ERR_INVALID, "%s requires exactly one argument", c->name);
	return 0;
}

static int apply_user(const struct change *c, struct err *err)
{
	cleanup_str struct str value = STR_INIT;

	if (expand_all(c, &value, err) < 0)
		return -err->code;
	str_replace(&c->run->user, str_get(&value));
	return 0;
}

static int apply_stopsignal(const struct change *c, struct err *err)
{
	cleanup_str struct str value = STR_INIT;

	if (expand_all(c, &value, err) < 0)
		return -err->code;
	for (const char *p = value.buf; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '+' && *p != '-')
			return err_set(err, ERR_INVALID, "Invalid signal: %s", value.buf);
	str_replace(&c->run->stop_signal, value.buf);
	return 0;
}

/* Joins with what was there before and removes ".", ".." and double slashes, as a name only. */
static char *clean_path(const char *base, const char *path)
{
	cleanup_free char *joined = *path == '/' ? str_dup(path)
						 : str_printf("%s/%s", base ? base : "", path);
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_str struct str clean = STR_INIT;

	strv_split(&parts, joined, '/');
	strv_foreach (i, &parts) {
		const char *part = parts.items[i];

		if (strcmp(part, "..") == 0) {
			const char *slash = clean.len ? strrchr(clean.buf, '/') : NULL;

			str_truncate(&clean, slash ? (size_t)(slash - clean.buf) : 0);
		} else if (*part && strcmp(part, ".") != 0) {
			str_addf(&clean, "/%s", part);
		}
	}
	return clean.len ? str_take(&clean) : str_dup("/");
}

static int apply_workdir(const struct change *c, struct err *err)
{
	cleanup_str struct str value = STR_INIT;
	cleanup_free char *clean = NULL;

	if (expand_all(c, &value, err) < 0)
		return -err->code;
	clean = clean_path(c->run->working_dir, str_get(&value));
	str_replace(&c->run->working_dir, clean);
	return 0;
}

static int apply_volume(const struct change *c, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;

	int rc = words_parse_json(c->args, &words, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		words_split(c->args, &words);
	if (words.n == 0)
		return err_set(err, ERR_INVALID, "VOLUME requires at least one argument");
	strv_foreach (i, &words) {
		cleanup_str struct str path = STR_INIT;

		if (words_expand(words.items[i], &c->run->env, &path, err) < 0)
			return -err->code;
		if (path.len == 0)
			return err_set(err, ERR_INVALID,
				       "VOLUME specified can not be an empty string");
		image_set_add(&c->run->volumes, str_get(&path));
	}
	return 0;
}

static bool is_protocol(const char *s)
{
	return strcmp(s, "tcp") == 0 || strcmp(s, "udp") == 0 || strcmp(s, "sctp") == 0;
}

/* "80", "80/udp", "8000-8010/tcp" */
static int expose(const char *spec, struct image_run *run, struct err *err)
{
	size_t ports_len = strcspn(spec, "/");
	cleanup_free char *first_text = str_ndup(spec, ports_len);
	char *dash = strchr(first_text, '-');
	uint64_t first = 0, last = 0;
	cleanup_free char *protocol = str_dup(spec[ports_len] ? spec + ports_len + 1 : "tcp");

	for (char *p = protocol; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (dash)
		*dash++ = '\0';
	if (!is_protocol(protocol))
		return err_set(err, ERR_INVALID, "invalid proto: %s", protocol);
	if (num_parse_u64(first_text, &first) < 0 ||
	    num_parse_u64(dash ? dash : first_text, &last) < 0 || last > 65535 || first > last)
		return err_set(err, ERR_INVALID, "invalid containerPort: %.*s", (int)ports_len,
			       spec);
	for (uint64_t port = first; port <= last; port++) {
		cleanup_free char *item = str_printf("%d/%s", (int)port, protocol);

		image_set_add(&run->exposed_ports, item);
	}
	return 0;
}

static int apply_expose(const struct change *c, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_str struct str text = STR_INIT;

	if (words_expand(c->args, &c->run->env, &text, err) < 0)
		return -err->code;
	words_split(str_get(&text), &words);
	if (words.n == 0)
		return err_set(err, ERR_INVALID, "EXPOSE requires at least one argument");
	strv_foreach (i, &words) {
		if (expose(words.items[i], c->run, err) < 0)
			return -err->code;
	}
	return 0;
}

enum { N_HEALTH_FLAGS = 5, HEALTH_RETRIES = N_HEALTH_FLAGS - 1 };

static const char *const health_flags[N_HEALTH_FLAGS] = {
	"interval", "timeout", "start-period", "start-interval", [HEALTH_RETRIES] = "retries",
};

/* Takes "--name=value" flags off the front of *ARGS into VALUES (owned strings). */
static int take_health_flags(const char **args, char *values[static N_HEALTH_FLAGS],
			     struct err *err)
{
	while (str_has_prefix(*args, "--")) {
		size_t len = strcspn(*args, " \t");
		size_t name_len = strcspn(*args + 2, "= \t");
		const char *name = *args + 2;
		size_t i = 0;

		while (i < N_HEALTH_FLAGS && (strlen(health_flags[i]) != name_len ||
					      strncmp(health_flags[i], name, name_len) != 0))
			i++;
		if (i == N_HEALTH_FLAGS)
			return err_set(err, ERR_INVALID, "Unknown flag: %.*s", (int)name_len, name);
		if (values[i])
			return err_set(err, ERR_INVALID, "Duplicate flag specified: %s",
				       health_flags[i]);
		if (name[name_len] != '=')
			return err_set(err, ERR_INVALID, "Missing a value on flag: %s",
				       health_flags[i]);
		values[i] = str_ndup(name + name_len + 1, len - name_len - 3);
		*args += len + strspn(*args + len, " \t");
	}
	return 0;
}

static int parse_health_duration(const char *name, const char *text, int64_t *ret, struct err *err)
{
	int64_t n = 0;

	if (num_parse_duration(text, ret) < 0)
		return err_set(err, ERR_INVALID, "time: %s \"%s\"",
			       num_parse_i64(text, &n) == 0 ? "missing unit in duration"
							    : "invalid duration",
			       text);
	if (*ret < HEALTH_DURATION_MIN)
		return err_set(err, ERR_INVALID, "Interval \"%s\" cannot be less than 1ms", name);
	return 0;
}

static int parse_health_retries(const char *text, int64_t *ret, struct err *err)
{
	if (num_parse_i64(text, ret) < 0)
		return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": invalid syntax",
			       text);
	return *ret < 1 ? err_set(err, ERR_INVALID, "--retries must be at least 1 (not %s)", text)
			: 0;
}

/* An empty value is one that was not said. */
static int parse_health_flags(char *const values[static N_HEALTH_FLAGS],
			      struct image_healthcheck *check, struct err *err)
{
	int64_t *const to[N_HEALTH_FLAGS] = {&check->interval_ns, &check->timeout_ns,
					     &check->start_period_ns, &check->start_interval_ns,
					     &check->retries};
	int rc = 0;

	for (size_t i = 0; i < N_HEALTH_FLAGS && rc == 0; i++) {
		if (!values[i] || !*values[i])
			continue;
		rc = i == HEALTH_RETRIES
			     ? parse_health_retries(values[i], to[i], err)
			     : parse_health_duration(health_flags[i], values[i], to[i], err);
	}
	return rc;
}

static int set_health_test(const char *args, struct strv *test, struct err *err)
{
	size_t type_len = strcspn(args, " \t");
	const char *command = args + type_len + strspn(args + type_len, " \t");
	int rc = 0;

	if (type_len == 4 && strncasecmp(args, "NONE", 4) == 0) {
		if (*command)
			return err_set(err, ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
		strv_add(test, "NONE");
		return 0;
	}
	if (type_len != 3 || strncasecmp(args, "CMD", 3) != 0)
		return err_set(err, ERR_INVALID, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)",
			       (int)type_len, args);
	if (!*command)
		return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
	strv_add(test, "CMD");
	rc = words_parse_json(command, test, err);
	if (rc > 0 && test->n == 1)
		return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
	if (rc != 0)
		return rc < 0 ? rc : 0;
	str_replace(&test->items[0], "CMD-SHELL");
	strv_add(test, command);
	return 0;
}

static int parse_healthcheck(const char *args, struct image_healthcheck *check, struct err *err)
{
	char *values[N_HEALTH_FLAGS] = {};
	int rc = take_health_flags(&args, values, err);

	if (rc == 0 && !*args)
		rc = err_set(err, ERR_INVALID, "HEALTHCHECK requires at least one argument");
	if (rc == 0)
		rc = set_health_test(args, &check->test, err);
	/* NONE takes flags, and has no use for them. */
	if (rc == 0 && check->test.n > 1)
		rc = parse_health_flags(values, check, err);
	for (size_t i = 0; i < N_HEALTH_FLAGS; i++)
		free(values[i]);
	return rc;
}

static int apply_healthcheck(const struct change *c, struct err *err)
{
	struct image_healthcheck check = {.is_set = true};

	if (parse_healthcheck(c->args, &check, err) < 0) {
		strv_done(&check.test);
		return -err->code;
	}
	strv_done(&c->run->healthcheck.test);
	c->run->healthcheck = check;
	return 0;
}

static int apply_onbuild(const struct change *c, struct err *err)
{
	static const char *const refused[] = {"ONBUILD", "FROM", "MAINTAINER"};
	size_t len = strcspn(c->args, " \t");

	if (len == 0)
		return err_set(err, ERR_INVALID, "ONBUILD requires at least one argument");
	if (len == 7 && strncasecmp(c->args, refused[0], len) == 0)
		return err_set(err, ERR_INVALID,
			       "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	for (size_t i = 1; i < ARRAY_LEN(refused); i++)
		if (len == strlen(refused[i]) && strncasecmp(c->args, refused[i], len) == 0)
			return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger",
				       refused[i]);
	strv_add(&c->run->on_build, c->args);
	return 0;
}

int change_apply(const char *line, struct image_run *run, struct err *err)
{
	static const struct {
		const char *name;
		int (*apply)(const struct change *c, struct err *err);
	} instructions[] = {
		{"CMD", apply_cmd},
		{"ENTRYPOINT", apply_entrypoint},
		{"ENV", apply_env},
		{"EXPOSE", apply_expose},
		{"HEALTHCHECK", apply_healthcheck},
		{"LABEL", apply_label},
		{"ONBUILD", apply_onbuild},
		{"STOPSIGNAL", apply_stopsignal},
		{"USER", apply_user},
		{"VOLUME", apply_volume},
		{"WORKDIR", apply_workdir},
	};
	cleanup_free char *copy = str_dup(line);
	char *name = str_trim(copy);
	char *args = name + strcspn(name, " \t");

	if (*args)
		*args++ = '\0';
	args = str_trim(args);
	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		const struct change c = {instructions[i].name, args, run};

		if (strcasecmp(name, instructions[i].name) == 0)
			return instructions[i].apply(&c, err);
	}
	if (!*name)
		return err_set(err, ERR_INVALID, "file with no instructions");
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return err_set(err, ERR_INVALID, "%s is not a valid change command", name);
}
