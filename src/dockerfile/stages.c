/* SPDX-License-Identifier: Apache-2.0 */
/* A file's instructions in stages. */
#include "dockerfile/instruction.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"

/* The place of one more in the array ITEMS of N, which has room for all instructions of a file. */
static struct instruction *add_instruction(struct instruction **items, size_t *n)
{
	*items = mem_realloc_array(*items, *n + 1, sizeof(**items));
	(*items)[*n] = (struct instruction){};
	return &(*items)[(*n)++];
}

static struct dockerfile_stage *add_stage(struct dockerfile_stages *stages,
					  struct instruction *from)
{
	struct dockerfile_stage *stage = NULL;

	stages->items = mem_realloc_array(stages->items, stages->n + 1, sizeof(*stages->items));
	stage = &stages->items[stages->n++];
	*stage = (struct dockerfile_stage){.from = mem_dup(from, sizeof(*from))};
	return stage;
}

/* Takes PARSED over and leaves it empty; refuses what stands before the first stage. */
static int place(struct dockerfile_stages *stages, struct instruction *parsed, struct err *err)
{
	struct dockerfile_stage *last = stages->n ? &stages->items[stages->n - 1] : NULL;

	if (parsed->keyword == KEYWORD_FROM) {
		add_stage(stages, parsed);
		return 0;
	}
	if (last) {
		*add_instruction(&last->items, &last->n) = *parsed;
		return 0;
	}
	if (parsed->keyword == KEYWORD_ARG) {
		*add_instruction(&stages->globals, &stages->n_globals) = *parsed;
		return 0;
	}
	instruction_done(parsed);
	return err_set(err, ERR_INVALID, "no build stage in current context");
}

static int add_item(const struct dockerfile_instruction *syntax, struct dockerfile_stages *stages,
		    struct err *err)
{
	struct instruction parsed = {};

	if (instruction_parse(syntax, &parsed, err) < 0)
		return err_wrap(err, "dockerfile parse error on line %u", syntax->lines.first);
	return place(stages, &parsed, err);
}

int dockerfile_get_stages(const struct dockerfile *file, struct dockerfile_stages *ret,
			  struct dockerfile_lines *ret_where, struct err *err)
{
	struct dockerfile_stages stages = {};

	for (size_t i = 0; i < file->n; i++) {
		if (add_item(&file->items[i], &stages, err) == 0)
			continue;
		if (ret_where)
			*ret_where = file->items[i].lines;
		dockerfile_stages_done(&stages);
		return -err->code;
	}
	if (!stages.n) {
		dockerfile_stages_done(&stages);
		return err_set(err, ERR_INVALID, "dockerfile contains no stages to build");
	}
	*ret = stages;
	return 0;
}

static void instructions_done(struct instruction *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		instruction_done(&items[i]);
	free(items);
}

void dockerfile_stages_done(struct dockerfile_stages *stages)
{
	for (size_t i = 0; i < stages->n; i++) {
		instruction_done(stages->items[i].from);
		free(stages->items[i].from);
		instructions_done(stages->items[i].items, stages->items[i].n);
	}
	free(stages->items);
	instructions_done(stages->globals, stages->n_globals);
	*stages = (struct dockerfile_stages){};
}

int dockerfile_find_stage(const struct dockerfile_stages *stages, const char *name, size_t before)
{
	size_t end = before < stages->n ? before : stages->n;
	uint64_t number = 0;

	/* Of stages with one name the later hides the earlier. */
	for (size_t i = end; i > 0; i--) {
		const char *own = stages->items[i - 1].from->from.name;

		if (own && strcasecmp(own, name) == 0)
			return (int)(i - 1);
	}
	if (num_parse_u64(name, &number) == 0 && number < end)
		return (int)number;
	return -1;
}
