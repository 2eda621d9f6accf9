/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of a stage, and words with them. */
#include "build/graph_private.h"

#include <string.h>

#include "base/mem.h"

/* Of text that variables come to: a few lines that double each other would fill any memory. */
#define MAX_SPENT (256 << 20)

/* The place of NAME in VARS; vars->n when it is not there. */
static size_t find(const struct strv *vars, const char *name)
{
	size_t len = strcspn(name, "=");

	strv_foreach (i, vars)
		if (strncmp(vars->items[i], name, len) == 0 && vars->items[i][len] == '=')
			return i;
	return vars->n;
}

const char *graph_vars_get(const struct strv *vars, const char *name)
{
	size_t i = find(vars, name);

	return i < vars->n ? vars->items[i] + strlen(name) + 1 : NULL;
}

void graph_vars_set(struct strv *vars, const char *name, const char *value)
{
	size_t i = find(vars, name);
	char *item = str_printf("%s=%s", name, value);

	if (i == vars->n) {
		strv_add_take(vars, item);
		return;
	}
	free(vars->items[i]);
	vars->items[i] = item;
}

void graph_vars_set_all(struct strv *ret, const struct strv *vars)
{
	strv_foreach (i, vars) {
		const char *equals = strchr(vars->items[i], '=');
		size_t len = equals ? (size_t)(equals - vars->items[i]) : strlen(vars->items[i]);
		cleanup_free char *name = str_ndup(vars->items[i], len);

		graph_vars_set(ret, name, equals ? equals + 1 : "");
	}
}

static const char *get_variable(void *ctx, const char *name)
{
	return graph_vars_get(ctx, name);
}

static struct expand_scope make_scope(const struct strv *vars, char escape)
{
	/* The scope only reads. */
	union {
		const struct strv *in;
		void *out;
	} ctx = {.in = vars};

	return (struct expand_scope){.get = get_variable, .ctx = ctx.out, .escape = escape};
}

int graph_spend(const struct graph_make *m, size_t bytes, struct err *err)
{
	*m->spent += bytes;
	return *m->spent <= MAX_SPENT ? 0
				      : err_set(err, ERR_INVALID,
						"the Dockerfile comes to more than %d MiB of text",
						MAX_SPENT >> 20);
}

size_t graph_strv_bytes(const struct strv *list)
{
	size_t n = 0;

	strv_foreach (i, list)
		n += strlen(list->items[i]);
	return n;
}

static int expand(const struct graph_make *m, const struct expand_scope *scope, const char *text,
		  char **ret, struct err *err)
{
	cleanup_free char *word = NULL;

	if (expand_word(text, scope, &word, err) < 0 || graph_spend(m, strlen(word), err) < 0)
		return -err->code;
	*ret = take_ptr(word);
	return 0;
}

int graph_expand(const struct graph_make *m, const struct strv *vars, const char *text, char **ret,
		 struct err *err)
{
	struct expand_scope scope = make_scope(vars, m->file->escape);

	return expand(m, &scope, text, ret, err);
}

int graph_expand_noting(const struct graph_make *m, const struct strv *vars, const char *text,
			struct strv *used, char **ret, struct err *err)
{
	struct expand_scope scope = make_scope(vars, m->file->escape);

	scope.ret_used = used;
	return expand(m, &scope, text, ret, err);
}

int graph_expand_maybe(const struct graph_make *m, const struct strv *vars, const char *text,
		       char **ret, struct err *err)
{
	return text ? graph_expand(m, vars, text, ret, err) : 0;
}

int graph_expand_each(const struct graph_make *m, const struct strv *vars, const struct strv *words,
		      struct strv *ret, struct err *err)
{
	strv_foreach (i, words) {
		char *word = NULL;

		if (graph_expand(m, vars, words->items[i], &word, err) < 0)
			return -err->code;
		strv_add_take(ret, word);
	}
	return 0;
}

int graph_expand_words(const struct graph_make *m, const struct strv *vars, const char *text,
		       struct strv *ret, struct err *err)
{
	struct expand_scope scope = make_scope(vars, m->file->escape);

	size_t before = ret->n;

	if (expand_words(text, &scope, ret, err) < 0)
		return -err->code;
	for (size_t i = before; i < ret->n; i++)
		if (graph_spend(m, strlen(ret->items[i]), err) < 0)
			return -err->code;
	return 0;
}

int graph_expand_document(const struct graph_make *m, const struct strv *vars, const char *text,
			  char **ret, struct err *err)
{
	struct expand_scope scope = make_scope(vars, '\\');

	scope.ignores_quotes = true;
	return expand(m, &scope, text, ret, err);
}

char *graph_expand_shown(const struct graph_make *m, const struct strv *vars, const char *text,
			 bool keeps)
{
	struct expand_scope scope = make_scope(vars, m->file->escape);
	struct err err = ERR_INIT;
	char *shown = NULL;

	scope.keeps_quotes = keeps;
	scope.keeps_unset = keeps;
	return expand_word(text, &scope, &shown, &err) < 0 ? str_dup(text) : shown;
}
