/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN. A here-document that is all of the command is what the shell is given, or a program of its
 * own when it begins with "#!"; others are put back behind the command for the shell to read.
 */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Where a script of RUN stands in the sandbox. */
#define SCRIPT_DIR "/dev/pipes/"

/* Whether there is nothing but here-documents. */
static bool is_document(const struct instruction *i)
{
	return i->run.command.is_shell && !i->run.command.words.n && i->syntax->n_heredocs &&
	       i->syntax->heredocs;
}

/* The command line with its documents below, as it was typed. */
static char *restore(const struct instruction *i)
{
	struct str text = STR_INIT;

	if (i->run.command.words.n)
		str_add(&text, i->run.command.words.items[0]);
	for (size_t k = 0; k < i->syntax->n_heredocs; k++) {
		const struct dockerfile_heredoc *doc = &i->syntax->heredocs[k];

		str_addf(&text, "\n%s%s", doc->content, doc->name);
	}
	return str_take(&text);
}

/* RET_LINE becomes what history shows: a script too has the shell in front there. */
static void set_command(const struct graph_stage *s, const struct instruction *i,
			struct build_run_op *op, char **ret_line)
{
	const struct dockerfile_heredoc *doc = is_document(i) ? i->syntax->heredocs : NULL;
	cleanup_strv struct strv shown = STRV_INIT;
	cleanup_free char *text = NULL;

	if (!i->run.command.is_shell) {
		strv_add_all(&op->argv, &i->run.command.words);
	} else if (doc && str_has_prefix(doc->content, "#!")) {
		text = str_printf(SCRIPT_DIR "%s", doc->name);
		op->script = str_dup(doc->content);
		strv_add(&op->argv, text);
		graph_add_shell(s, text, &shown);
	} else {
		text = doc ? str_dup(doc->content) : restore(i);
		graph_add_shell(s, text, &op->argv);
	}
	*ret_line = strv_join(shown.n ? &shown : &op->argv, " ");
}

static bool is_allowed(const struct graph_make *m, const char *entitlement)
{
	return strv_has(&m->request->allow, entitlement) || strv_has(&m->request->allow, "all");
}

static int require(const struct graph_make *m, const char *entitlement, struct err *err)
{
	if (is_allowed(m, entitlement))
		return 0;
	err_set(err, ERR_DENIED, "%s is not allowed", entitlement);
	return err_hint(err, "say --allow %s if that is meant", entitlement);
}

/* "[name=]NAME[,required]": a device of the host, which takes "--allow device", or
 * "device=NAME" for it alone. */
static int add_device(const struct graph_make *m, const char *text, struct strv *ret,
		      struct err *err)
{
	const char *start = str_has_prefix(text, "name=") ? text + strlen("name=") : text;
	cleanup_free char *name = str_ndup(start, strcspn(start, ","));
	cleanup_free char *entitlement = str_printf("device=%s", name);

	strv_add(ret, name);
	return is_allowed(m, "device") ? 0 : require(m, entitlement, err);
}

static int set_limits(const struct graph_make *m, const struct run_instruction *run,
		      struct build_run_op *op, struct err *err)
{
	const char *general = m->request->network ? m->request->network : "default";
	bool says_network = run->network && strcmp(run->network, "default") != 0;

	op->network = str_dup(says_network ? run->network : general);
	op->insecure = run->security && strcmp(run->security, "insecure") == 0;
	strv_foreach (i, &run->devices)
		if (add_device(m, run->devices.items[i], &op->devices, err) < 0)
			return -err->code;
	/* What the command line asks for is allowed by that. */
	if (strcmp(op->network, "host") == 0 && strcmp(general, "host") != 0 &&
	    require(m, "network.host", err) < 0)
		return -err->code;
	return op->insecure ? require(m, "security.insecure", err) : 0;
}

static void set_environment(const struct graph_make *m, const struct graph_stage *s,
			    struct build_run_op *op)
{
	const char *user = s->config.run.user;

	strv_add_all(&op->env, &s->vars);
	graph_args_add_proxies(m, &s->vars, &op->unkeyed_env);
	op->user = user && *user ? str_dup(user) : NULL;
	op->workdir = str_clean_path("/", s->dir);
}

/* "RUN |1 V=x /bin/sh -c make # buildkit" */
static char *describe(const struct graph_stage *s, const char *command)
{
	struct str line = STR_INIT;

	str_add(&line, "RUN ");
	if (s->args.n)
		str_addf(&line, "|%zu ", s->args.n);
	strv_foreach (i, &s->args) {
		const char *value = graph_vars_get(&s->vars, s->args.items[i]);

		str_addf(&line, "%s=%s ", s->args.items[i], value ? value : "");
	}
	str_addf(&line, "%s # buildkit", command);
	return str_take(&line);
}

/* " (first line...)" of the document. */
static void add_summary(const struct dockerfile_heredoc *doc, struct str *ret)
{
	cleanup_free char *copy = str_dup(doc->content);
	char *text = str_trim(copy);
	size_t len = strcspn(text, "\r\n");

	str_addf(ret, " (%.*s%s)", (int)len, text, text[len] ? "..." : "");
}

/* Variables that come from secrets are not shown, whatever the stage has of their name. */
static void mask_secrets(const struct build_run_op *op, struct strv *vars)
{
	for (size_t k = 0; k < op->n_mounts; k++) {
		const struct run_mount *mount = &op->mounts[k].mount;

		if (mount->type == RUN_MOUNT_SECRET && mount->env)
			graph_vars_set(vars, mount->env, "****");
	}
}

static char *make_shown(const struct graph_make *m, const struct graph_stage *s,
			const struct instruction *i, const struct build_run_op *op)
{
	cleanup_strv struct strv vars = STRV_INIT;
	cleanup_str struct str text = STR_INIT;

	strv_add_all(&vars, &s->vars);
	mask_secrets(op, &vars);
	str_add(&text, i->syntax->original);
	if (is_document(i))
		add_summary(&i->syntax->heredocs[0], &text);
	return graph_expand_shown(m, &vars, str_get(&text), true);
}

int graph_apply_run(struct graph_make *m, struct graph_stage *s,
		    const struct graph_command *command, struct err *err)
{
	const struct instruction *i = command->instruction;
	struct build_step step = {.kind = BUILD_STEP_RUN};
	cleanup_free char *line = NULL;
	cleanup_free char *shown = NULL;

	set_command(s, i, &step.run, &line);
	set_environment(m, s, &step.run);
	if (graph_spend(m, graph_strv_bytes(&step.run.env), err) < 0 ||
	    graph_mounts_make(m, s, command, &step.run, err) < 0 ||
	    set_limits(m, &i->run, &step.run, err) < 0) {
		graph_step_done(&step);
		return -err->code;
	}
	shown = make_shown(m, s, i, &step.run);
	graph_stage_add(m, s, &step, shown, command->lines);
	graph_add_history(m, s, describe(s, line), s->step);
	return 0;
}
