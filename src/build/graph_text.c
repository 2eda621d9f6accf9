/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, paths and copies that the parts of the graph share. */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dockerfile/suggest.h"
#include "json/template_lex.h"

void graph_add_quoted_list(struct str *s, const struct strv *list)
{
	str_add_char(s, '[');
	strv_foreach (i, list) {
		if (i)
			str_add_char(s, ' ');
		str_add_quoted(s, list->items[i], strlen(list->items[i]));
	}
	str_add_char(s, ']');
}

void graph_add_plain_list(struct str *s, const struct strv *list)
{
	cleanup_free char *joined = strv_join(list, " ");

	str_addf(s, "[%s]", joined);
}

char *graph_join_typed(const char *dir, const char *path)
{
	return *path == '/' ? str_dup(path) : str_clean_path(dir, path);
}

char *graph_suggest_stage(const struct graph_make *m, const char *word)
{
	cleanup_free const char **names = mem_zalloc(m->n_stages * sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < m->n_stages; i++)
		if (m->stages[i].name)
			names[n++] = m->stages[i].name;
	return suggest_text(word, names, n);
}

/* ---- copies ---- */

static void copy_run(const struct image_run *from, struct image_run *ret)
{
	const struct {
		const struct strv *from;
		struct strv *to;
	} lists[] = {
		{&from->exposed_ports, &ret->exposed_ports},
		{&from->env, &ret->env},
		{&from->entrypoint, &ret->entrypoint},
		{&from->cmd, &ret->cmd},
		{&from->volumes, &ret->volumes},
		{&from->label_keys, &ret->label_keys},
		{&from->label_values, &ret->label_values},
		{&from->shell, &ret->shell},
		{&from->on_build, &ret->on_build},
		{&from->healthcheck.test, &ret->healthcheck.test},
	};

	*ret = *from;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		*lists[i].to = (struct strv)STRV_INIT;
		strv_add_all(lists[i].to, lists[i].from);
	}
	ret->user = str_dup(from->user);
	ret->working_dir = str_dup(from->working_dir);
	ret->stop_signal = str_dup(from->stop_signal);
}

static void copy_history(const struct image_config *from, struct image_config *ret)
{
	ret->history = NULL;
	ret->n_history = 0;
	for (size_t i = 0; i < from->n_history; i++) {
		const struct image_history *have = &from->history[i];

		*image_config_add_history(ret) = (struct image_history){
			.created = str_dup(have->created),
			.created_by = str_dup(have->created_by),
			.author = str_dup(have->author),
			.comment = str_dup(have->comment),
			.empty_layer = have->empty_layer,
		};
	}
}

void graph_copy_config(const struct image_config *from, struct image_config *ret)
{
	char **const texts[] = {&ret->architecture,  &ret->variant, &ret->os,
				&ret->created,	     &ret->author,  &ret->comment,
				&ret->docker_version};

	*ret = *from;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = str_dup(*texts[i]);
	copy_run(&from->run, &ret->run);
	ret->diff_ids = (struct strv)STRV_INIT;
	strv_add_all(&ret->diff_ids, &from->diff_ids);
	copy_history(from, ret);
}
