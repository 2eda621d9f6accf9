/* SPDX-License-Identifier: Apache-2.0 */
/* What was typed after build becomes a request: comma-separated lists, variables, the environment.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "build/request.h"
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/option.h"
#include "cli/parse_env.h"
#include "cli/parse_mount.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "key=value" apart; NULL and false when there is no "=". */
static bool split_pair(const char *field, char **ret_key, const char **ret_value)
{
	const char *eq = strchr(field, '=');

	*ret_key = eq ? str_ndup(field, (size_t)(eq - field)) : NULL;
	*ret_value = eq ? eq + 1 : NULL;
	return eq;
}

/* ---- --output, --cache-from, --cache-to ---- */

/* One word that is no list: what it is short for. */
typedef void (*bare_fn)(const char *text, struct build_attributes *ret);

static void set_attribute(struct build_attributes *a, const char *key, const char *value)
{
	if (strcmp(key, "type") == 0) {
		str_replace(&a->type, value);
		return;
	}
	strv_add(&a->keys, key);
	strv_add(&a->values, value);
}

static void bare_output(const char *text, struct build_attributes *ret)
{
	ret->type = str_dup(strcmp(text, "-") == 0 ? "tar" : "local");
	set_attribute(ret, "dest", text);
}

static void bare_cache(const char *text, struct build_attributes *ret)
{
	ret->type = str_dup(strcmp(text, "inline") == 0 ? "inline" : "registry");
	if (strcmp(text, "inline") != 0)
		set_attribute(ret, "ref", text);
}

static int parse_attributes(const char *text, bare_fn bare, struct build_attributes *ret,
			    struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;

	if (csv_split(text, &fields, err) < 0)
		return -err->code;
	if (fields.n == 1 && !strchr(fields.items[0], '=')) {
		bare(fields.items[0], ret);
		return 0;
	}
	strv_foreach (i, &fields) {
		cleanup_free char *key = NULL;
		const char *value = NULL;

		if (!split_pair(fields.items[i], &key, &value))
			return err_set(err, ERR_INVALID, "invalid value %s", fields.items[i]);
		set_attribute(ret, key, value);
	}
	if (!ret->type)
		return err_set(err, ERR_INVALID, "type is required for output, in \"%s\"", text);
	return 0;
}

static int parse_list(const struct strv *typed, bare_fn bare, struct build_attributes **ret,
		      size_t *ret_n, struct err *err)
{
	if (!typed->n)
		return 0;
	*ret = mem_zalloc(typed->n * sizeof(**ret));
	*ret_n = typed->n;
	strv_foreach (i, typed)
		if (parse_attributes(typed->items[i], bare, &(*ret)[i], err) < 0)
			return -err->code;
	return 0;
}

/* ---- --secret, --ssh ---- */

static int set_secret_field(struct build_secret *s, const char *field, bool *ret_is_env,
			    struct err *err)
{
	cleanup_free char *key = NULL;
	const char *value = NULL;

	if (!split_pair(field, &key, &value))
		return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair",
			       field);
	if (strcmp(key, "id") == 0)
		str_replace(&s->id, value);
	else if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0)
		str_replace(&s->source, value);
	else if (strcmp(key, "env") == 0)
		str_replace(&s->env, value);
	else if (strcmp(key, "type") == 0 && strcmp(value, "env") == 0)
		*ret_is_env = true;
	else if (strcmp(key, "type") != 0)
		return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
	else if (strcmp(value, "file") != 0)
		return err_set(err, ERR_INVALID, "unsupported secret type \"%s\"", value);
	return 0;
}

/* Before anything is built: a step that does not use it would not notice. */
static int check_secret_file(const struct build_secret *s, struct err *err)
{
	struct stat st;

	/* lint: what the user typed */
	if (stat(s->source, &st) < 0)
		return err_sys(err, errno, "failed to stat %s", s->source);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "read %s", s->source);
	if (S_ISREG(st.st_mode) && st.st_size > BUILD_SECRET_MAX)
		return err_set(err, ERR_INVALID, "secret %s too big. max size %dKB", s->id,
			       BUILD_SECRET_MAX >> 10);
	return 0;
}

static int parse_secret(const char *text, struct build_secret *s, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;
	bool is_env = false;

	if (csv_split(text, &fields, err) < 0)
		return -err->code;
	strv_foreach (i, &fields)
		if (set_secret_field(s, fields.items[i], &is_env, err) < 0)
			return -err->code;
	if (!s->id || !*s->id)
		return err_set(err, ERR_INVALID, "secret missing ID");
	/* "type=env,src=NAME" and a lone id that names a variable mean the environment. */
	if (!s->env && (is_env || (!s->source && getenv(s->id)))) {
		s->env = str_dup(s->source ? s->source : s->id);
		str_replace(&s->source, NULL);
	}
	if (s->env)
		return 0;
	if (!s->source)
		s->source = str_dup(s->id);
	return check_secret_file(s, err);
}

static int parse_ssh(const char *text, struct build_ssh *s, struct err *err)
{
	const char *eq = strchr(text, '=');
	const char *agent = getenv("SSH_AUTH_SOCK");

	s->id = eq ? str_ndup(text, (size_t)(eq - text)) : str_dup(text);
	if (eq)
		strv_split(&s->paths, eq + 1, ',');
	if (!s->paths.n && (!agent || !*agent))
		return err_set(err, ERR_INVALID,
			       "invalid empty ssh agent socket, make sure SSH_AUTH_SOCK is set");
	return 0;
}

/* With what was typed, as docker has it. */
static int wrap_typed(const char *what, const struct strv *typed, struct err *err)
{
	cleanup_free char *list = strv_join(typed, " ");

	return err_wrap(err, "could not parse %s: [%s]", what, list);
}

static int parse_secrets(struct build_options *o, struct err *err)
{
	struct build_request *r = &o->request;

	r->secrets = mem_zalloc((o->secrets.n + 1) * sizeof(*r->secrets));
	r->n_secrets = o->secrets.n;
	strv_foreach (i, &o->secrets)
		if (parse_secret(o->secrets.items[i], &r->secrets[i], err) < 0)
			return wrap_typed("secrets", &o->secrets, err);
	r->ssh = mem_zalloc((o->ssh.n + 1) * sizeof(*r->ssh));
	r->n_ssh = o->ssh.n;
	strv_foreach (i, &o->ssh)
		if (parse_ssh(o->ssh.items[i], &r->ssh[i], err) < 0)
			return wrap_typed("ssh", &o->ssh, err);
	return 0;
}

/* ---- arguments and the environment ---- */

/* A bare name takes our variable's value; without one it is as if it had not been said. */
static int add_args(struct cli *cli, struct build_options *o, struct err *err)
{
	struct strv *args = &o->request.build_args;
	cleanup_strv struct strv proxies = STRV_INIT;

	strv_foreach (i, &o->build_arg_files)
		if (env_read_file(args, o->build_arg_files.items[i], err) < 0)
			return -err->code;
	strv_foreach (i, &o->build_args) {
		const char *item = o->build_args.items[i];

		if (strchr(item, '=') || getenv(item))
			env_add(args, item);
	}
	/* What was said counts, whatever the configuration file has. */
	strv_add_all(&proxies, args);
	docker_config_add_proxies(cli, &proxies);
	for (size_t i = args->n; i < proxies.n; i++)
		strv_add(args, proxies.items[i]);
	return 0;
}

static int set_call(struct build_options *o, struct err *err)
{
	static const struct {
		const char *word;
		enum build_call call;
	} calls[] = {
		{"build", BUILD_CALL_BUILD},	 {"check", BUILD_CALL_CHECK},
		{"lint", BUILD_CALL_CHECK},	 {"outline", BUILD_CALL_OUTLINE},
		{"targets", BUILD_CALL_TARGETS},
	};

	if (o->check)
		o->request.call = BUILD_CALL_CHECK;
	for (size_t i = 0; o->call && i < ARRAY_LEN(calls); i++)
		if (strcmp(o->call, calls[i].word) == 0) {
			o->request.call = calls[i].call;
			return 0;
		}
	return o->call ? err_set(err, ERR_INVALID, "invalid call \"%s\"", o->call) : 0;
}

static int set_epoch(struct build_options *o, struct err *err)
{
	const char *text = o->timestamp ? o->timestamp : getenv("SOURCE_DATE_EPOCH");
	int64_t seconds = 0;

	if (!text || !*text)
		return 0;
	if (num_parse_i64(text, &seconds) < 0)
		return err_set(err, ERR_INVALID, "%s \"%s\" is no number of seconds since 1970",
			       o->timestamp ? "--timestamp" : "SOURCE_DATE_EPOCH", text);
	o->request.epoch = str_dup(text);
	return 0;
}

static int set_on_error(struct build_options *o, struct err *err)
{
	if (!o->on_error)
		return 0;
	o->request.error_shell = strcmp(o->on_error, "shell") == 0;
	if (!o->request.error_shell && strcmp(o->on_error, "fail") != 0)
		return err_set(err, ERR_INVALID,
			       "invalid value \"%s\" for --on-error: shell or fail", o->on_error);
	return 0;
}

/* "linux/amd64,linux/arm64" is two. */
static void split_platforms(struct build_request *r)
{
	struct strv all = STRV_INIT;

	strv_foreach (i, &r->platforms)
		strv_split(&all, r->platforms.items[i], ',');
	strv_done(&r->platforms);
	r->platforms = all;
}

/* The words that were typed become those of a specification. */
static int finish_security(struct build_request *r, struct err *err)
{
	cleanup_strv struct strv typed = r->security_options;

	r->security_options = (struct strv)STRV_INIT;
	return security_options_finish(&typed, &r->security_options, err);
}

int build_request_finish(struct cli *cli, struct build_options *o, struct err *err)
{
	struct build_request *r = &o->request;

	r->context = str_dup(cli->args.items[0]);
	r->explain = o->explain != EXPLAIN_NO;
	split_platforms(r);
	r->ulimits = o->limits.ulimits;
	r->n_ulimits = o->limits.n_ulimits;
	o->limits.ulimits = NULL;
	o->limits.n_ulimits = 0;
	if (parse_list(&o->outputs, bare_output, &r->outputs, &r->n_outputs, err) < 0 ||
	    parse_list(&o->cache_from, bare_cache, &r->cache_from, &r->n_cache_from, err) < 0 ||
	    parse_list(&o->cache_to, bare_cache, &r->cache_to, &r->n_cache_to, err) < 0 ||
	    parse_secrets(o, err) < 0 || add_args(cli, o, err) < 0 || set_call(o, err) < 0 ||
	    set_epoch(o, err) < 0 || finish_security(r, err) < 0)
		return -err->code;
	return set_on_error(o, err);
}

void build_options_done(union verb_options *o)
{
	static const struct option *const tables[] = {build_options, NULL};

	/* The rows free their own fields; what they filled inside the request among them. */
	option_free(tables, &o->build);
	build_request_done(&o->build.request);
	spec_done(&o->build.limits);
}
