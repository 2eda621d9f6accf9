/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as lines, each of which a case can name. */
#include "graph_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/template_lex.h"

static void add_list(struct str *s, const struct strv *list)
{
	str_add_char(s, '[');
	strv_foreach (i, list) {
		if (i)
			str_add_char(s, ' ');
		str_add_quoted(s, list->items[i], strlen(list->items[i]));
	}
	str_add_char(s, ']');
}

static const char *number(size_t n, char buf[static 24])
{
	snprintf(buf, 24, n == BUILD_NONE ? "-" : "%zu", n);
	return buf;
}

static void dump_run(const struct build_run_op *op, size_t n, struct strv *ret)
{
	static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
	cleanup_str struct str argv = STR_INIT;

	add_list(&argv, &op->argv);
	strv_addf(ret, "argv %zu %s", n, argv.buf);
	strv_foreach (i, &op->env)
		strv_addf(ret, "run.env %zu %s", n, op->env.items[i]);
	strv_foreach (i, &op->unkeyed_env)
		strv_addf(ret, "unkeyed %zu %s", n, op->unkeyed_env.items[i]);
	strv_addf(ret, "in %zu %s user=%s network=%s%s", n, op->workdir, op->user ? op->user : "",
		  op->network, op->insecure ? " insecure" : "");
	if (op->script) {
		cleanup_str struct str script = STR_INIT;

		str_add_quoted(&script, op->script, strlen(op->script));
		strv_addf(ret, "script %zu %s", n, script.buf);
	}
	for (size_t i = 0; i < op->n_mounts; i++) {
		const struct build_mount *m = &op->mounts[i];
		char step[24], source[24];

		strv_addf(ret, "mount %zu %s id=%s source=%s target=%s step=%s from=%s%s%s", n,
			  types[m->mount.type], m->mount.id ? m->mount.id : "",
			  m->mount.source ? m->mount.source : "",
			  m->mount.target ? m->mount.target : "", number(m->from_step, step),
			  number(m->from_source, source), m->mount.env ? " env=" : "",
			  m->mount.env ? m->mount.env : "");
	}
}

static void dump_copy(const struct build_copy_op *op, size_t n, struct strv *ret)
{
	char step[24], source[24];

	strv_addf(ret, "%s %zu to=%s step=%s from=%s%s%s", op->is_add ? "add" : "copy", n,
		  op->target, number(op->from_step, step), number(op->from_source, source),
		  op->link ? " link" : "", op->parents ? " parents" : "");
	if (op->chown || op->chmod)
		strv_addf(ret, "own %zu %s %s", n, op->chown ? op->chown : "-",
			  op->chmod ? op->chmod : "-");
	strv_foreach (i, &op->excludes)
		strv_addf(ret, "exclude %zu %s", n, op->excludes.items[i]);
	for (size_t i = 0; i < op->n_items; i++) {
		const struct build_copy_item *item = &op->items[i];
		cleanup_str struct str content = STR_INIT;

		if (item->kind == BUILD_ITEM_PATH)
			strv_addf(ret, "path %zu %s", n, item->path);
		else if (item->kind == BUILD_ITEM_REMOTE)
			strv_addf(ret, "remote %zu %zu", n, item->source);
		if (item->kind != BUILD_ITEM_INLINE)
			continue;
		str_add_quoted(&content, item->content, strlen(item->content));
		strv_addf(ret, "inline %zu %s %s", n, item->name, content.buf);
	}
}

static void dump_step(const struct build_step *s, size_t n, struct strv *ret)
{
	static const char *const kinds[] = {"image", "scratch", "run", "copy", "workdir"};
	char parent[24];

	strv_addf(ret, "step %zu %s parent=%s %s%s", n, kinds[s->kind], number(s->parent, parent),
		  s->platform, s->no_cache ? " no-cache" : "");
	strv_addf(ret, "name %zu %s", n, s->name);
	if (s->stage)
		strv_addf(ret, "stage %zu %s", n, s->stage);
	if (s->lines.first)
		strv_addf(ret, "lines %zu %u-%u", n, s->lines.first, s->lines.last);
	if (s->kind == BUILD_STEP_RUN)
		dump_run(&s->run, n, ret);
	else if (s->kind == BUILD_STEP_COPY)
		dump_copy(&s->copy, n, ret);
	else if (s->kind == BUILD_STEP_WORKDIR)
		strv_addf(ret, "mkdir %zu %s %s", n, s->workdir.path,
			  s->workdir.user ? s->workdir.user : "root");
	else if (s->kind == BUILD_STEP_IMAGE)
		strv_addf(ret, "typed %zu %s", n, s->base.typed);
}

/* Each member of docker's Config that says something. */
static void dump_config(const struct image_run *run, struct strv *ret)
{
	json_t *config = image_run_to_json(run);
	const char *key = NULL;
	json_t *value = NULL;

	strv_foreach (i, &run->env)
		strv_addf(ret, "env %s", run->env.items[i]);
	json_object_foreach (config, key, value) {
		cleanup_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY |
								    JSON_SORT_KEYS);

		if (strcmp(text, "null") != 0 && strcmp(text, "\"\"") != 0)
			strv_addf(ret, "%s %s", key, text);
	}
	json_decref(config);
}

static void dump_image(const struct build_result_image *image, struct strv *ret)
{
	const struct image_config *c = &image->config;

	strv_addf(ret, "result %s step=%zu", image->platform, image->step);
	dump_config(&c->run, ret);
	strv_addf(ret, "created %s", c->created);
	if (c->author)
		strv_addf(ret, "author %s", c->author);
	strv_addf(ret, "history.first %zu", image->first_history);
	for (size_t i = 0; i < c->n_history; i++) {
		char step[24];

		strv_addf(ret, "history %s @%s", c->history[i].created_by,
			  number(image->history_steps[i], step));
		if (i >= image->first_history &&
		    strcmp(c->history[i].comment, "buildkit.dockerfile.v0") != 0)
			strv_addf(ret, "history.comment %s", c->history[i].comment);
		strv_addf(ret, "history.created %zu %s", i, c->history[i].created);
		if (c->history[i].empty_layer != (image->history_steps[i] == BUILD_NONE) &&
		    i >= image->first_history)
			strv_addf(ret, "history.wrong %zu", i);
	}
}

void graph_dump(const struct build_graph *g, struct strv *ret)
{
	static const char *const kinds[] = {"local", "stream", "git", "http", "layout"};

	for (size_t i = 0; i < g->n_steps; i++)
		dump_step(&g->steps[i], i, ret);
	strv_addf(ret, "steps %zu", g->n_steps);
	for (size_t i = 0; i < g->n_sources; i++)
		strv_addf(ret, "source %zu %s %s %s%s%s%s", i, kinds[g->sources[i].kind],
			  g->sources[i].name, g->sources[i].where,
			  g->sources[i].checksum ? " " : "",
			  g->sources[i].checksum ? g->sources[i].checksum : "",
			  g->sources[i].keep_git_dir ? " keeps" : "");
	strv_addf(ret, "sources %zu", g->n_sources);
	for (size_t i = 0; i < g->n_images; i++)
		dump_image(&g->images[i], ret);
	strv_addf(ret, "results %zu", g->n_images);
	strv_foreach (i, &g->unused_args)
		strv_addf(ret, "unused %s", g->unused_args.items[i]);
	for (size_t i = 0; i < g->findings.n; i++)
		strv_addf(ret, "finding %s %u", g->findings.items[i].rule,
			  g->findings.items[i].lines.first);
	cleanup_strv struct strv listing = STRV_INIT;

	if (g->listing)
		strv_split(&listing, g->listing, '\n');
	strv_foreach (i, &listing)
		strv_addf(ret, "listing %s", listing.items[i]);
	strv_addf(ret, "epoch %lld", (long long)g->epoch_s);
}
