/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions of each stage in their order, with what they leave behind: variables, a working
 * directory, a shell. A stage begins as the stage below it ends.
 */
#include <string.h>

#include "base/mem.h"
#include "dockerfile/check_stage.h"
#include "dockerfile/expand.h"
#include "dockerfile/suggest.h"
#include "oci/platform.h"

/* ---- variables ---- */

static const char *get_var(void *ctx, const char *name)
{
	return check_vars_get(ctx, name);
}

static void report_unset(struct check *c, const struct stage_state *s, const struct instruction *i,
			 const struct strv *unset)
{
	const struct strv *known = &s->vars.names;

	strv_foreach (k, unset) {
		const char *name = unset->items[k];
		const char *meant = NULL;

		if (!s->knows_env || strv_has(&s->declared, name))
			continue;
		meant = suggest_find(name, (const char *const *)known->items, known->n, false);
		if (meant)
			dockerfile_report(c, RULE_UNDEFINED_VAR, i->syntax,
					  "Usage of undefined variable '$%s' (did you mean $%s?)",
					  name, meant);
		else
			dockerfile_report(c, RULE_UNDEFINED_VAR, i->syntax,
					  "Usage of undefined variable '$%s'", name);
	}
}

static char *expand(struct check *c, const struct stage_state *s, const struct instruction *i,
		    const char *word, bool is_content)
{
	cleanup_strv struct strv unset = STRV_INIT;
	struct err ignored = ERR_INIT;
	char *text = NULL;
	const struct expand_scope scope = {
		.get = get_var,
		.ctx = (void *)(uintptr_t)&s->vars,
		.escape = c->in->file->escape,
		.ret_unset = &unset,
		.ignores_quotes = is_content,
	};

	if (expand_word(word, &scope, &text, &ignored) < 0)
		return NULL;
	report_unset(c, s, i, &unset);
	return text;
}

char *check_expand(struct check *c, const struct stage_state *s, const struct instruction *i,
		   const char *word)
{
	return expand(c, s, i, word, false);
}

void check_content(struct check *c, const struct stage_state *s, const struct instruction *i,
		   const char *text)
{
	free(expand(c, s, i, text, true));
}

void check_words(struct check *c, const struct stage_state *s, const struct instruction *i,
		 const struct strv *words)
{
	strv_foreach (k, words)
		free(expand(c, s, i, words->items[k], false));
}

/* ---- instructions ---- */

static void check_arg(struct check *c, struct stage_state *s, const struct instruction *i)
{
	for (size_t k = 0; k < i->arg.n; k++) {
		const struct arg_item *item = &i->arg.items[k];
		const char *said = check_build_arg(c, item->name);
		cleanup_free char *own = NULL;

		check_secret(c, i, item->name);
		if (!said && item->value)
			own = check_expand(c, s, i, item->value);
		else if (!said)
			said = check_vars_get(&c->globals, item->name);
		if (said || own)
			check_vars_set(&s->vars, item->name, said ? said : own);
		strv_add(&s->declared, item->name);
	}
}

static void check_legacy(struct check *c, const struct instruction *i)
{
	if (i->pairs.is_legacy)
		dockerfile_report(
			c, RULE_LEGACY_KEY_VALUE_FORMAT, i->syntax,
			"\"%s key=value\" should be used instead of legacy \"%s key value\" "
			"format",
			i->syntax->word, i->syntax->word);
}

/* All values see what was there before the instruction. */
static void check_env(struct check *c, struct stage_state *s, const struct instruction *i)
{
	cleanup_check_vars struct check_vars added = {};

	strv_foreach (k, &i->pairs.keys) {
		cleanup_free char *key = check_expand(c, s, i, i->pairs.keys.items[k]);
		cleanup_free char *value = check_expand(c, s, i, i->pairs.values.items[k]);

		if (!key)
			continue;
		check_secret(c, i, key);
		check_vars_set(&added, key, value ? value : "");
	}
	check_legacy(c, i);
	strv_foreach (k, &added.names)
		check_vars_set(&s->vars, added.names.items[k], added.values.items[k]);
}

static void check_label(struct check *c, struct stage_state *s, const struct instruction *i)
{
	check_words(c, s, i, &i->pairs.keys);
	check_words(c, s, i, &i->pairs.values);
	check_legacy(c, i);
}

static void check_plain(struct check *c, struct stage_state *s, const struct instruction *i)
{
	free(check_expand(c, s, i, i->text.text));
}

static void check_volume(struct check *c, struct stage_state *s, const struct instruction *i)
{
	check_words(c, s, i, &i->list.words);
}

static void check_run(struct check *c, struct stage_state *s, const struct instruction *i)
{
	check_words(c, s, i, &i->run.mounts);
}

/* The first one decides: those after it stand on it. */
static void check_workdir(struct check *c, struct stage_state *s, const struct instruction *i)
{
	cleanup_free char *path = check_expand(c, s, i, i->text.text);

	if (path && *path != '/' && !s->has_workdir)
		dockerfile_report(
			c, RULE_WORKDIR_RELATIVE_PATH, i->syntax,
			"Relative workdir \"%s\" can have unexpected results if the base image "
			"changes",
			path);
	s->has_workdir = true;
}

/* It is the earlier one that does nothing. */
static void check_single(struct check *c, struct stage_state *s, const struct instruction *i)
{
	const struct dockerfile_instruction *last = s->last[i->keyword];

	if (last)
		dockerfile_report(c, RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, last,
				  "Multiple %s instructions should not be used in the same stage "
				  "because only the last one will be used",
				  i->syntax->word);
	s->last[i->keyword] = i->syntax;
}

static void check_command(struct check *c, struct stage_state *s, const struct instruction *i)
{
	check_single(c, s, i);
	if (i->command.is_shell && !s->has_shell)
		dockerfile_report(
			c, RULE_JSON_ARGS_RECOMMENDED, i->syntax,
			"JSON arguments recommended for %s to prevent unintended behavior "
			"related to OS signals",
			i->syntax->word);
}

static void check_shell(struct check *c, struct stage_state *s, const struct instruction *i)
{
	s->has_shell = true;
}

static void check_instruction(struct check *c, struct stage_state *s, const struct instruction *i)
{
	static void (*const rules[KEYWORD_COUNT])(struct check *, struct stage_state *,
						  const struct instruction *) = {
		[KEYWORD_ADD] = check_copy,	      [KEYWORD_ARG] = check_arg,
		[KEYWORD_CMD] = check_command,	      [KEYWORD_COPY] = check_copy,
		[KEYWORD_ENTRYPOINT] = check_command, [KEYWORD_ENV] = check_env,
		[KEYWORD_EXPOSE] = check_expose,      [KEYWORD_HEALTHCHECK] = check_single,
		[KEYWORD_LABEL] = check_label,	      [KEYWORD_RUN] = check_run,
		[KEYWORD_SHELL] = check_shell,	      [KEYWORD_STOPSIGNAL] = check_plain,
		[KEYWORD_USER] = check_plain,	      [KEYWORD_VOLUME] = check_volume,
		[KEYWORD_WORKDIR] = check_workdir,
	};

	if (rules[i->keyword])
		rules[i->keyword](c, s, i);
}

/* ---- stages ---- */

/* What the builder adds when the image does not say it. */
static void ensure_path(struct stage_state *s)
{
	if (!check_vars_get(&s->vars, "PATH"))
		check_vars_set(&s->vars, "PATH",
			       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void begin_from_image(const struct check *c, const char *image, struct stage_state *s)
{
	const struct check_input *in = c->in;
	const struct strv *env = NULL, *shell = NULL;

	s->knows_env = strcmp(image, "scratch") == 0;
	if (!s->knows_env) {
		env = in->get_env ? in->get_env(in->ctx, image) : NULL;
		shell = in->get_shell ? in->get_shell(in->ctx, image) : NULL;
	}
	if (env) {
		check_vars_set_pairs(&s->vars, env);
		s->knows_env = true;
	}
	s->has_shell = shell && shell->n;
	ensure_path(s);
}

static void begin_from_stage(const struct stage_state *base, struct stage_state *s)
{
	check_vars_copy(&s->vars, &base->vars);
	strv_add_all(&s->declared, &base->declared);
	s->knows_env = base->knows_env;
	s->has_shell = base->has_shell;
	s->has_workdir = base->has_workdir;
}

/* The platform that the image of FROM should be for; owned. */
static char *dup_expected_platform(const struct check *c, const struct instruction *from)
{
	const struct expand_scope scope = {
		.get = get_var,
		.ctx = (void *)(uintptr_t)&c->globals,
		.escape = c->in->file->escape,
	};
	struct err ignored = ERR_INIT;
	char *text = NULL;

	if (from->from.platform && expand_word(from->from.platform, &scope, &text, &ignored) == 0 &&
	    *text)
		return text;
	free(text);
	return str_dup(c->platform);
}

static void check_image_platform(struct check *c, const struct instruction *from, const char *image)
{
	const struct check_input *in = c->in;
	cleanup_free char *expected = dup_expected_platform(c, from);
	const char *actual = in->get_platform ? in->get_platform(in->ctx, image, expected) : NULL;
	char actual_text[PLATFORM_LEN], expected_text[PLATFORM_LEN];
	struct platform have, want;
	struct err ignored = ERR_INIT;

	if (!actual || platform_parse(actual, &have, &ignored) < 0 ||
	    platform_parse(expected, &want, &ignored) < 0 ||
	    (strcmp(have.os, want.os) == 0 && strcmp(have.arch, want.arch) == 0))
		return;
	dockerfile_report(
		c, RULE_INVALID_BASE_IMAGE_PLATFORM, from->syntax,
		"Base image %s was pulled with platform \"%s\", expected \"%s\" for current "
		"build",
		image, platform_format(&have, actual_text), platform_format(&want, expected_text));
}

static void check_stage(struct check *c, size_t n, struct stage_state *states)
{
	const struct dockerfile_stage *stage = &c->in->stages->items[n];
	cleanup_free char *image = check_expand_image(c, n);
	int base = image ? check_find_base(c, image, n) : -1;

	if (base >= 0) {
		begin_from_stage(&states[base], &states[n]);
	} else if (image && *image) {
		begin_from_image(c, image, &states[n]);
		if (strcmp(image, "scratch") != 0)
			check_image_platform(c, stage->from, image);
	}
	for (size_t i = 0; i < stage->n; i++)
		check_instruction(c, &states[n], &stage->items[i]);
}

void check_stages(struct check *c)
{
	size_t n = c->in->stages->n;
	struct stage_state *states = mem_zalloc(n * sizeof(*states));
	cleanup_free bool *needed = mem_zalloc(n * sizeof(*needed));

	check_mark_needed(c, needed);
	for (size_t i = 0; i < n; i++) {
		c->is_muted = !needed[i] && !c->in->all_stages;
		check_stage(c, i, states);
	}
	c->is_muted = false;
	for (size_t i = 0; i < n; i++) {
		check_vars_done(&states[i].vars);
		strv_done(&states[i].declared);
	}
	free(states);
}
