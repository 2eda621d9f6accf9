/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's configuration file. The text is read first and searched for the member's name: most such
 * files hold credentials only, and then nothing is parsed.
 */
#include "cli/docker_config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "json/value.h"

#define MAX_CONFIG ((size_t)1 << 20)
#define LOCAL_HOST "unix:///var/run/docker.sock"

struct docker_config {
	char *path;	 /* NULL: nowhere to look */
	struct str text; /* empty when there is no such file */
	json_t *tree;	 /* NULL until something in it is asked for */
};

/* Owned; NULL when neither an option nor the environment says where to look. */
static char *config_path(const struct cli *cli)
{
	const char *dir = cli->config_dir;
	const char *home = getenv("HOME");

	if (!dir || !*dir)
		dir = getenv("DOCKER_CONFIG");
	if (dir && *dir)
		return str_printf("%s/config.json", dir);
	return home && *home ? str_printf("%s/.docker/config.json", home) : NULL;
}

static struct docker_config *config_read(const struct cli *cli)
{
	struct docker_config *config = mem_zalloc(sizeof(*config));
	int rc = 0;

	config->path = config_path(cli);
	if (config->path)
		rc = fd_read_file_at(AT_FDCWD, config->path, MAX_CONFIG, &config->text);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return config;
	if (rc < 0) {
		struct err err = ERR_INIT;

		err_sys(&err, -rc, "open %s", config->path);
		fprintf(stderr, "WARNING: Error loading config file: %s\n", err.msg);
		str_truncate(&config->text, 0);
	}
	return config;
}

/* Fills the tree: an empty one, after a warning, when the text is no JSON object. The warning says
 * where, but not what stands there: it may be a password. */
static void config_parse(struct docker_config *config)
{
	struct err err = ERR_INIT;
	char *quoted = NULL;

	if (json_parse(str_get(&config->text), config->text.len, MAX_CONFIG, "config.json",
		       &config->tree, &err) == 0 &&
	    json_is_object(config->tree))
		return;
	quoted = strstr(err.msg, " near '");
	if (quoted)
		*quoted = '\0';
	fprintf(stderr, "WARNING: Error parsing config file (%s): %s\n", config->path,
		err.code == ERR_NONE ? "not an object" : err.msg);
	json_decref(config->tree);
	config->tree = json_object();
}

const json_t *docker_config_get(struct cli *cli, const char *key)
{
	struct docker_config *config = cli->docker_config;

	if (!config)
		config = cli->docker_config = config_read(cli);
	if (!config->tree && strstr(str_get(&config->text), key))
		config_parse(config);
	return json_object_get(config->tree, key);
}

const char *docker_config_get_text(struct cli *cli, const char *key)
{
	const char *text = json_string_value(docker_config_get(cli, key));

	return text && *text ? text : NULL;
}

const char *docker_config_detach_keys(struct cli *cli, const char *typed)
{
	return typed && *typed ? typed : docker_config_get_text(cli, "detachKeys");
}

/* Whether ENV has NAME, as "NAME" or "NAME=...". */
static bool env_has(const struct strv *env, const char *name)
{
	size_t len = strlen(name);

	strv_foreach (i, env)
		if (strncmp(env->items[i], name, len) == 0 &&
		    (env->items[i][len] == '\0' || env->items[i][len] == '='))
			return true;
	return false;
}

void docker_config_add_proxies(struct cli *cli, struct strv *env)
{
	static const struct {
		const char *member, *name;
	} rows[] = {
		{"httpProxy", "HTTP_PROXY"}, {"httpsProxy", "HTTPS_PROXY"}, {"noProxy", "NO_PROXY"},
		{"ftpProxy", "FTP_PROXY"},   {"allProxy", "ALL_PROXY"},
	};
	const json_t *proxies = docker_config_get(cli, "proxies");
	const json_t *ours = json_object_get(proxies, LOCAL_HOST);

	if (!ours)
		ours = json_object_get(proxies, "default");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *value = json_string_value(json_object_get(ours, rows[i].member));
		cleanup_free char *lower = str_dup(rows[i].name);

		if (!value || !*value)
			continue;
		for (char *p = lower; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		if (!env_has(env, rows[i].name))
			strv_addf(env, "%s=%s", rows[i].name, value);
		if (!env_has(env, lower))
			strv_addf(env, "%s=%s", lower, value);
	}
}

void docker_config_done(struct cli *cli)
{
	struct docker_config *config = cli->docker_config;

	if (!config)
		return;
	json_decref(config->tree);
	str_done(&config->text);
	free(config->path);
	free(config);
	cli->docker_config = NULL;
}
