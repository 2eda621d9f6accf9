/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that change the configuration alone; and WORKDIR, which makes a directory too.
 */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "engine/expose.h"
#include "engine/lifecycle.h"

static void note(struct graph_make *m, struct graph_stage *s, struct str *line)
{
	graph_add_history(m, s, str_take(line), BUILD_NONE);
}

/* ---- ENV, LABEL ---- */

static void set_env(struct graph_stage *s, const char *key, const char *value)
{
	image_run_set_env(&s->config.run, key, value);
	graph_vars_set(&s->vars, key, value);
}

static void set_label(struct graph_stage *s, const char *key, const char *value)
{
	image_run_set_label(&s->config.run, key, value);
}

static int apply_pairs(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		       struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	cleanup_strv struct strv values = STRV_INIT;
	cleanup_str struct str line = STR_INIT;

	/* All of them see what was before the instruction. */
	if (graph_expand_each(m, &s->vars, &i->pairs.keys, &keys, err) < 0 ||
	    graph_expand_each(m, &s->vars, &i->pairs.values, &values, err) < 0)
		return -err->code;
	str_add(&line, dockerfile_keyword_name(i->keyword));
	strv_foreach (k, &keys) {
		if (i->keyword == KEYWORD_ENV)
			set_env(s, keys.items[k], values.items[k]);
		else
			set_label(s, keys.items[k], values.items[k]);
		str_addf(&line, " %s=%s", keys.items[k], values.items[k]);
	}
	note(m, s, &line);
	return 0;
}

/* ---- CMD, ENTRYPOINT, HEALTHCHECK, SHELL ---- */

void graph_add_shell(const struct graph_stage *s, const char *text, struct strv *ret)
{
	if (s->config.run.shell.n) {
		strv_add_all(ret, &s->config.run.shell);
	} else {
		strv_add(ret, "/bin/sh");
		strv_add(ret, "-c");
	}
	strv_add(ret, text);
}

static int apply_command(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
			 struct err *err)
{
	struct image_run *run = &s->config.run;
	bool is_cmd = i->keyword == KEYWORD_CMD;
	struct strv *to = is_cmd ? &run->cmd : &run->entrypoint;
	cleanup_str struct str line = STR_INIT;

	strv_done(to);
	if (i->command.is_shell)
		graph_add_shell(s, i->command.words.n ? i->command.words.items[0] : "", to);
	else
		strv_add_all(to, &i->command.words);
	if (is_cmd) {
		run->args_escaped = true;
		s->has_cmd = true;
	} else if (!s->has_cmd) {
		/* A command that came with the base was for another program. */
		strv_done(&run->cmd);
	}
	str_addf(&line, "%s ", dockerfile_keyword_name(i->keyword));
	graph_add_quoted_list(&line, to);
	note(m, s, &line);
	return 0;
}

static int apply_health(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
			struct err *err)
{
	struct image_healthcheck *check = &s->config.run.healthcheck;
	const struct {
		const char *name;
		int64_t ns;
	} times[] = {{"Interval", i->health.check.interval_ns},
		     {"Timeout", i->health.check.timeout_ns},
		     {"StartPeriod", i->health.check.start_period_ns},
		     {"StartInterval", i->health.check.start_interval_ns}};
	cleanup_str struct str line = STR_INIT;

	strv_done(&check->test);
	*check = i->health.check;
	check->is_set = true;
	check->test = (struct strv)STRV_INIT;
	strv_add_all(&check->test, &i->health.check.test);
	str_add(&line, "HEALTHCHECK {Test:");
	graph_add_plain_list(&line, &check->test);
	for (size_t k = 0; k < ARRAY_LEN(times); k++) {
		char text[NUM_DURATION_LEN];

		num_format_duration(times[k].ns, text);
		str_addf(&line, " %s:%s", times[k].name, text);
	}
	str_addf(&line, " Retries:%lld}", (long long)check->retries);
	note(m, s, &line);
	return 0;
}

static int apply_shell(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		       struct err *err)
{
	cleanup_str struct str line = STR_INIT;

	strv_done(&s->config.run.shell);
	strv_add_all(&s->config.run.shell, &i->list.words);
	str_add(&line, "SHELL ");
	graph_add_plain_list(&line, &i->list.words);
	note(m, s, &line);
	return 0;
}

/* ---- EXPOSE, VOLUME ---- */

static int apply_expose(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
			struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_strv struct strv ports = STRV_INIT;
	cleanup_str struct str line = STR_INIT;

	/* A variable may hold several ports. */
	strv_foreach (k, &i->list.words)
		if (graph_expand_words(m, &s->vars, i->list.words.items[k], &words, err) < 0)
			return -err->code;
	strv_foreach (k, &words)
		if (expose_ports_parse(words.items[k], &ports, err) < 0)
			return -err->code;
	image_set_add_all(&s->config.run.exposed_ports, &ports);
	str_add(&line, "EXPOSE ");
	graph_add_plain_list(&line, &ports);
	note(m, s, &line);
	return 0;
}

static int apply_volume(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
			struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;
	cleanup_str struct str line = STR_INIT;

	if (graph_expand_each(m, &s->vars, &i->list.words, &paths, err) < 0)
		return -err->code;
	strv_foreach (k, &paths) {
		if (!*paths.items[k])
			return err_set(err, ERR_INVALID,
				       "VOLUME specified can not be an empty string");
		image_set_add(&s->config.run.volumes, paths.items[k]);
	}
	str_add(&line, "VOLUME ");
	graph_add_plain_list(&line, &paths);
	note(m, s, &line);
	return 0;
}

/* ---- USER, STOPSIGNAL, MAINTAINER, ONBUILD ---- */

static int apply_text(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		      struct err *err)
{
	struct image_config *config = &s->config;
	bool is_user = i->keyword == KEYWORD_USER;
	cleanup_free char *text = NULL;
	cleanup_str struct str line = STR_INIT;

	if (i->keyword == KEYWORD_MAINTAINER)
		text = str_dup(i->text.text);
	else if (graph_expand(m, &s->vars, i->text.text, &text, err) < 0)
		return -err->code;
	if (i->keyword == KEYWORD_STOPSIGNAL && signal_parse(text) < 0)
		return err_set(err, ERR_INVALID, "invalid signal: %s", text);
	str_addf(&line, "%s %s", dockerfile_keyword_name(i->keyword), text);
	str_replace(i->keyword == KEYWORD_MAINTAINER ? &config->author
		    : is_user			     ? &config->run.user
						     : &config->run.stop_signal,
		    text);
	note(m, s, &line);
	return 0;
}

static int apply_onbuild(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
			 struct err *err)
{
	strv_add_take(&s->config.run.on_build, instruction_format_trigger(i));
	return 0;
}

int graph_apply_config(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		       struct err *err)
{
	static int (*const appliers[KEYWORD_COUNT])(struct graph_make *, struct graph_stage *,
						    const struct instruction *, struct err *) = {
		[KEYWORD_CMD] = apply_command,	   [KEYWORD_ENTRYPOINT] = apply_command,
		[KEYWORD_ENV] = apply_pairs,	   [KEYWORD_EXPOSE] = apply_expose,
		[KEYWORD_LABEL] = apply_pairs,	   [KEYWORD_HEALTHCHECK] = apply_health,
		[KEYWORD_MAINTAINER] = apply_text, [KEYWORD_ONBUILD] = apply_onbuild,
		[KEYWORD_SHELL] = apply_shell,	   [KEYWORD_STOPSIGNAL] = apply_text,
		[KEYWORD_USER] = apply_text,	   [KEYWORD_VOLUME] = apply_volume,
	};

	if (!appliers[i->keyword])
		return err_set(err, ERR_INVALID, "%s is not allowed here",
			       dockerfile_keyword_name(i->keyword));
	return appliers[i->keyword](m, s, i, err);
}

/* ---- WORKDIR ---- */

int graph_apply_workdir(struct graph_make *m, struct graph_stage *s,
			const struct graph_command *command, struct err *err)
{
	const struct instruction *i = command->instruction;
	const char *before = s->config.run.working_dir;
	cleanup_free char *typed = NULL;
	cleanup_free char *dir = NULL;
	cleanup_free char *clean = NULL;
	cleanup_free char *shown = NULL;
	size_t made = BUILD_NONE;

	if (graph_expand(m, &s->vars, i->text.text, &typed, err) < 0)
		return -err->code;
	dir = graph_join_typed(before && *before ? before : "/", typed);
	clean = str_clean_path("/", dir);
	str_replace(&s->config.run.working_dir, dir);
	str_replace(&s->dir, dir);
	shown = graph_expand_shown(m, &s->vars, i->syntax->original, false);
	if (strcmp(clean, "/") != 0) {
		struct build_step step = {.kind = BUILD_STEP_WORKDIR};
		const char *user = s->config.run.user;

		step.workdir.path = take_ptr(clean);
		step.workdir.user = user && *user ? str_dup(user) : NULL;
		graph_stage_add(m, s, &step, shown, command->lines);
		made = s->step;
	}
	graph_add_history(m, s, str_printf("WORKDIR %s", dir), made);
	return 0;
}
