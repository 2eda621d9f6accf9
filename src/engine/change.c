/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker joins all --change options to one Dockerfile; which instructions may stand in it is looked
 * at before any of them. One function for each, found in a table. An ENTRYPOINT forgets a command
 * that no CMD before it gave.
 */
#include "engine/change.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/expand.h"
#include "dockerfile/instruction.h"
#include "engine/expose.h"
#include "engine/lifecycle.h"
#include "oci/image_config.h"

struct change {
	struct instruction instruction; /* that is applied now */
	struct image_run *run;
	char escape;
	bool has_new_cmd; /* a CMD stands before */
};

/* ---- variables ---- */

static const char *get_env(void *ctx, const char *name)
{
	const struct image_run *run = ctx;
	size_t len = strlen(name);

	strv_foreach (i, &run->env) {
		const char *pair = run->env.items[i];

		if (strncmp(pair, name, len) == 0 && pair[len] == '=')
			return pair + len + 1;
	}
	return NULL;
}

static struct expand_scope scope_of(const struct change *c)
{
	return (struct expand_scope){.get = get_env, .ctx = c->run, .escape = c->escape};
}

/* Appends all WORDS, expanded. */
static int expand_all(const struct change *c, const struct strv *words, struct strv *ret,
		      struct err *err)
{
	const struct expand_scope scope = scope_of(c);

	strv_foreach (i, words) {
		char *word = NULL;

		if (expand_word(words->items[i], &scope, &word, err) < 0)
			return -err->code;
		strv_add_take(ret, word);
	}
	return 0;
}

/* The text of an instruction that has one, expanded. */
static int expand_text(const struct change *c, char **ret, struct err *err)
{
	const struct expand_scope scope = scope_of(c);

	return expand_word(c->instruction.text.text, &scope, ret, err);
}

/* ---- commands ---- */

/* A list as it is, a text behind the image's shell. */
static void set_command(const struct change *c, const struct command_line *command, struct strv *to)
{
	strv_done(to);
	if (command->is_shell && command->words.n) {
		if (c->run->shell.n)
			strv_add_all(to, &c->run->shell);
		else
			strv_split(to, "/bin/sh -c", ' ');
	}
	strv_add_all(to, &command->words);
}

static int apply_cmd(struct change *c, struct err *err)
{
	set_command(c, &c->instruction.command, &c->run->cmd);
	c->run->has_cmd = true;
	c->has_new_cmd = true;
	return 0;
}

static int apply_entrypoint(struct change *c, struct err *err)
{
	set_command(c, &c->instruction.command, &c->run->entrypoint);
	c->run->has_entrypoint = true;
	if (!c->has_new_cmd) {
		strv_done(&c->run->cmd);
		c->run->has_cmd = false;
	}
	return 0;
}

static int apply_healthcheck(struct change *c, struct err *err)
{
	const struct image_healthcheck *given = &c->instruction.health.check;
	struct image_healthcheck *check = &c->run->healthcheck;

	strv_done(&check->test);
	*check = *given;
	check->is_set = true;
	check->test = (struct strv)STRV_INIT;
	strv_add_all(&check->test, &given->test);
	return 0;
}

/* ---- pairs ---- */

/* All values see what was there before the instruction. */
static int expand_pairs(const struct change *c, struct strv *keys, struct strv *values,
			struct err *err)
{
	const struct pairs_instruction *pairs = &c->instruction.pairs;

	if (expand_all(c, &pairs->keys, keys, err) < 0 ||
	    expand_all(c, &pairs->values, values, err) < 0)
		return -err->code;
	if (strv_has(keys, ""))
		return err_set(err, ERR_INVALID, "%s names can not be blank",
			       dockerfile_keyword_name(c->instruction.keyword));
	return 0;
}

static int apply_env(struct change *c, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	cleanup_strv struct strv values = STRV_INIT;

	if (expand_pairs(c, &keys, &values, err) < 0)
		return -err->code;
	for (size_t i = 0; i < keys.n && i < values.n; i++)
		image_run_set_env(c->run, keys.items[i], values.items[i]);
	return 0;
}

static int apply_label(struct change *c, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	cleanup_strv struct strv values = STRV_INIT;

	if (expand_pairs(c, &keys, &values, err) < 0)
		return -err->code;
	for (size_t i = 0; i < keys.n && i < values.n; i++)
		if (!str_has_prefix(keys.items[i], IMAGE_RESERVED_LABEL))
			image_run_set_label(c->run, keys.items[i], values.items[i]);
	return 0;
}

/* ---- lists ---- */

static int apply_expose(struct change *c, struct err *err)
{
	const struct strv *words = &c->instruction.list.words;
	const struct expand_scope scope = scope_of(c);
	cleanup_strv struct strv specs = STRV_INIT;
	cleanup_strv struct strv ports = STRV_INIT;

	strv_foreach (i, words)
		if (expand_words(words->items[i], &scope, &specs, err) < 0)
			return -err->code;
	strv_foreach (i, &specs)
		if (expose_ports_parse(specs.items[i], &ports, err) < 0)
			return -err->code;
	image_set_add_all(&c->run->exposed_ports, &ports);
	return 0;
}

static int apply_volume(struct change *c, struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;

	if (expand_all(c, &c->instruction.list.words, &paths, err) < 0)
		return -err->code;
	if (strv_has(&paths, ""))
		return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
	strv_foreach (i, &paths)
		image_set_add(&c->run->volumes, paths.items[i]);
	return 0;
}

/* ---- one text ---- */

static int apply_user(struct change *c, struct err *err)
{
	cleanup_free char *user = NULL;

	if (expand_text(c, &user, err) < 0)
		return -err->code;
	str_replace(&c->run->user, user);
	return 0;
}

static int apply_stopsignal(struct change *c, struct err *err)
{
	cleanup_free char *name = NULL;

	if (expand_text(c, &name, err) < 0)
		return -err->code;
	if (signal_parse(name) < 0)
		return err_set(err, ERR_INVALID, "invalid signal: %s", name);
	str_replace(&c->run->stop_signal, name);
	return 0;
}

static int apply_workdir(struct change *c, struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *clean = NULL;

	if (expand_text(c, &path, err) < 0)
		return -err->code;
	clean = str_clean_path(c->run->working_dir ? c->run->working_dir : "", path);
	str_replace(&c->run->working_dir, clean);
	return 0;
}

static int apply_onbuild(struct change *c, struct err *err)
{
	strv_add_take(&c->run->on_build, instruction_format_trigger(&c->instruction));
	return 0;
}

/* ---- all of them ---- */

static int (*const appliers[KEYWORD_COUNT])(struct change *c, struct err *err) = {
	[KEYWORD_CMD] = apply_cmd,
	[KEYWORD_ENTRYPOINT] = apply_entrypoint,
	[KEYWORD_ENV] = apply_env,
	[KEYWORD_EXPOSE] = apply_expose,
	[KEYWORD_HEALTHCHECK] = apply_healthcheck,
	[KEYWORD_LABEL] = apply_label,
	[KEYWORD_ONBUILD] = apply_onbuild,
	[KEYWORD_STOPSIGNAL] = apply_stopsignal,
	[KEYWORD_USER] = apply_user,
	[KEYWORD_VOLUME] = apply_volume,
	[KEYWORD_WORKDIR] = apply_workdir,
};

static int refuse_command(const char *word, struct err *err)
{
	cleanup_free char *lower = str_dup(word);

	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return err_set(err, ERR_INVALID, "%s is not a valid change command", lower);
}

/* The parser says of a word it does not know where it is; what docker says is another thing. */
static int explain_failure(const struct dockerfile *file, struct dockerfile_lines where,
			   struct err *err)
{
	cleanup_free char *line = NULL;
	cleanup_free char *word = NULL;
	const char *text = NULL;

	if (!where.first || where.first > file->source.n)
		return -err->code;
	line = str_dup(file->source.items[where.first - 1]);
	text = str_trim(line);
	word = str_ndup(text, strcspn(text, " \t\v\f\r"));
	for (enum dockerfile_keyword k = 0; k < KEYWORD_COUNT; k++)
		if (appliers[k] && strcasecmp(word, dockerfile_keyword_name(k)) == 0)
			return -err->code;
	return *word && *word != '#' ? refuse_command(word, err) : -err->code;
}

static int parse(const struct strv *changes, struct dockerfile *ret, struct err *err)
{
	cleanup_free char *joined = strv_join(changes, "\n");
	cleanup_free char *text = str_printf("%s\n", joined);
	struct dockerfile_lines where = {};

	if (dockerfile_parse("Dockerfile", text, strlen(text), ret, &where, err) < 0)
		return explain_failure(ret, where, err);
	for (size_t i = 0; i < ret->n; i++)
		if (!appliers[ret->items[i].keyword])
			return refuse_command(ret->items[i].word, err);
	return 0;
}

static int apply(struct change *c, const struct dockerfile_instruction *syntax, struct err *err)
{
	int rc = instruction_parse(syntax, &c->instruction, err);

	if (rc < 0)
		return rc;
	rc = appliers[syntax->keyword](c, err);
	instruction_done(&c->instruction);
	return rc;
}

int changes_apply(const struct strv *changes, struct image_run *run, struct err *err)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	struct change c = {.run = run};

	if (!changes->n)
		return 0;
	if (parse(changes, &file, err) < 0)
		return -err->code;
	c.escape = file.escape;
	for (size_t i = 0; i < file.n; i++)
		if (apply(&c, &file.items[i], err) < 0)
			return -err->code;
	return 0;
}
