/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD. */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define MAX_MODE 07777

static const struct dockerfile_heredoc *find_document(const struct instruction *i,
						      const char *source)
{
	if (!str_has_prefix(source, "<<"))
		return NULL;
	for (size_t k = 0; k < i->syntax->n_heredocs; k++)
		if (strcmp(i->syntax->heredocs[k].name, source + 2) == 0)
			return &i->syntax->heredocs[k];
	return NULL;
}

static struct build_copy_item *add_item(struct build_copy_op *op, enum build_item_kind kind)
{
	op->items = mem_realloc_array(op->items, op->n_items + 1, sizeof(*op->items));
	op->items[op->n_items] = (struct build_copy_item){.kind = kind, .source = BUILD_NONE};
	return &op->items[op->n_items++];
}

static int add_document(const struct graph_make *m, const struct graph_stage *s,
			const struct dockerfile_heredoc *doc, struct build_copy_op *op,
			struct err *err)
{
	struct build_copy_item *item = add_item(op, BUILD_ITEM_INLINE);

	item->name = str_dup(doc->name);
	if (doc->expands)
		return graph_expand_document(m, &s->vars, doc->content, &item->content, err);
	item->content = str_dup(doc->content);
	return 0;
}

static int add_remote(struct graph_make *m, const struct copy_instruction *copy,
		      enum build_source_kind kind, char *where, char *checksum,
		      struct build_copy_op *op, struct err *err)
{
	struct build_source source = {.kind = kind,
				      .where = where,
				      .name = where,
				      .checksum = checksum,
				      .keep_git_dir = copy->keep_git_dir};
	struct build_copy_item *item = NULL;

	if (!copy->is_add)
		return err_set(err, ERR_INVALID, "source can't be a %s for COPY",
			       kind == BUILD_SOURCE_GIT ? "git ref" : "URL");
	item = add_item(op, BUILD_ITEM_REMOTE);
	item->path = str_dup(where);
	item->source = graph_add_source(m, &source);
	return 0;
}

static int add_source(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		      const char *typed, char *checksum, struct build_copy_op *op, struct str *line,
		      struct err *err)
{
	cleanup_free char *path = NULL;
	enum build_source_kind kind = BUILD_SOURCE_LOCAL;

	if (graph_expand(m, &s->vars, typed, &path, err) < 0)
		return -err->code;
	str_addf(line, " %s", path);
	kind = graph_source_kind(path);
	if (kind != BUILD_SOURCE_LOCAL)
		return add_remote(m, &i->copy, kind, path, checksum, op, err);
	add_item(op, BUILD_ITEM_PATH)->path = take_ptr(path);
	return 0;
}

/* First what is there already, then the documents, as BuildKit has them. */
static int add_items(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		     char *checksum, struct build_copy_op *op, struct str *line, struct err *err)
{
	const struct strv *sources = &i->copy.sources;

	strv_foreach (k, sources) {
		if (!find_document(i, sources->items[k]) &&
		    add_source(m, s, i, sources->items[k], checksum, op, line, err) < 0)
			return -err->code;
	}
	strv_foreach (k, sources) {
		const struct dockerfile_heredoc *doc = find_document(i, sources->items[k]);

		if (!doc)
			continue;
		if (add_document(m, s, doc, op, err) < 0)
			return -err->code;
		str_addf(line, " <<%s", doc->name);
	}
	return 0;
}

static int check_checksum(const struct build_copy_op *op, const char *checksum, struct err *err)
{
	if (!checksum || !*checksum)
		return 0;
	if (op->n_items != 1)
		return err_set(err, ERR_INVALID,
			       "checksum can't be specified for multiple sources");
	if (op->items[0].kind != BUILD_ITEM_REMOTE)
		return err_set(err, ERR_INVALID, "checksum requires HTTP(S) or Git sources");
	return 0;
}

/* A number must be a mode; other words are read when it is done. */
static int check_chmod(const char *chmod, struct err *err)
{
	uint64_t mode = 0;

	if (!chmod || !*chmod || !strchr("0123456789", *chmod))
		return 0;
	if (num_parse_base(chmod, 8, &mode) < 0 || mode > MAX_MODE)
		return err_set(
			err, ERR_INVALID,
			"invalid chmod parameter: '%s'. it should be octal string and between "
			"0 and 07777",
			chmod);
	return 0;
}

/* An empty text is as good as none. */
static int expand_flag(struct graph_make *m, struct graph_stage *s, const char *typed, char **ret,
		       struct err *err)
{
	if (graph_expand_maybe(m, &s->vars, typed, ret, err) < 0)
		return -err->code;
	if (*ret && !**ret)
		str_replace(ret, NULL);
	return 0;
}

/* "/dir/x", with the "/" at the end that makes it a directory. */
static char *make_target(const struct graph_stage *s, const char *typed)
{
	cleanup_free char *clean = str_clean_path(s->dir, typed);
	bool is_dir = !*typed || strcmp(typed, ".") == 0 || str_has_suffix(typed, "/") ||
		      str_has_suffix(typed, "/.");

	return is_dir && strcmp(clean, "/") != 0 ? str_printf("%s/", clean) : take_ptr(clean);
}

static void describe(const struct instruction *i, const struct build_copy_op *op, struct str *line)
{
	str_add(line, dockerfile_keyword_name(i->keyword));
	if (op->parents)
		str_add(line, " --parents");
	if (op->chown)
		str_addf(line, " --chown=%s", op->chown);
	if (op->chmod)
		str_addf(line, " --chmod=%s", op->chmod);
}

static int fill(struct graph_make *m, struct graph_stage *s, const struct graph_command *command,
		struct build_copy_op *op, struct str *line, struct err *err)
{
	const struct instruction *i = command->instruction;
	const struct copy_instruction *copy = &i->copy;
	const struct graph_dep none = {.stage = BUILD_NONE};
	struct graph_place place = GRAPH_NOWHERE;
	cleanup_free char *target = NULL;
	cleanup_free char *checksum = NULL;

	op->is_add = copy->is_add;
	op->link = copy->link;
	op->parents = copy->parents;
	op->unpack = copy->unpack;
	if (expand_flag(m, s, copy->chown, &op->chown, err) < 0 ||
	    expand_flag(m, s, copy->chmod, &op->chmod, err) < 0 ||
	    expand_flag(m, s, copy->checksum, &checksum, err) < 0 ||
	    graph_expand_each(m, &s->vars, &copy->excludes, &op->excludes, err) < 0 ||
	    graph_expand(m, &s->vars, copy->target, &target, err) < 0 ||
	    check_chmod(op->chmod, err) < 0)
		return -err->code;
	describe(i, op, line);
	if (add_items(m, s, i, checksum, op, line, err) < 0 ||
	    check_checksum(op, checksum, err) < 0 ||
	    graph_dep_find_place(m, s, command->n_deps ? command->deps : &none, "copy", &place,
				 err) < 0)
		return -err->code;
	op->from_step = place.step;
	op->from_source = place.source;
	op->target = make_target(s, target);
	str_addf(line, " %s # buildkit", target);
	return 0;
}

/* Whether something comes from the context or a stage at all. */
static void forget_unused_place(struct build_copy_op *op)
{
	for (size_t k = 0; k < op->n_items; k++)
		if (op->items[k].kind == BUILD_ITEM_PATH)
			return;
	op->from_step = BUILD_NONE;
	op->from_source = BUILD_NONE;
}

int graph_apply_copy(struct graph_make *m, struct graph_stage *s,
		     const struct graph_command *command, struct err *err)
{
	struct build_step step = {.kind = BUILD_STEP_COPY};
	cleanup_str struct str line = STR_INIT;
	cleanup_free char *shown = NULL;

	step.copy.from_step = BUILD_NONE;
	step.copy.from_source = BUILD_NONE;
	if (fill(m, s, command, &step.copy, &line, err) < 0) {
		graph_step_done(&step);
		return -err->code;
	}
	forget_unused_place(&step.copy);
	shown = graph_expand_shown(m, &s->vars, command->instruction->syntax->original, false);
	graph_stage_add(m, s, &step, shown, command->lines);
	graph_add_history(m, s, str_take(&line), s->step);
	return 0;
}
