/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of a stage, one after the other. */
#include "build/graph_private.h"

#include <stdlib.h>

#include "base/mem.h"

/* As many as are read back of an image's history. */
#define MAX_HISTORY	2000
#define HISTORY_COMMENT "buildkit.dockerfile.v0"

void graph_add_history(struct graph_make *m, struct graph_stage *s, char *created_by, size_t step)
{
	struct image_history *entry = image_config_add_history(&s->config);
	size_t n = s->config.n_history;

	entry->created_by = created_by;
	entry->comment = str_dup(HISTORY_COMMENT);
	entry->empty_layer = step == BUILD_NONE;
	s->history_steps = mem_realloc_array(s->history_steps, n, sizeof(*s->history_steps));
	s->history_steps[n - 1] = step;
}

static int apply(struct graph_make *m, struct graph_stage *s, const struct graph_command *command,
		 struct err *err)
{
	const struct instruction *i = command->instruction;

	switch (i->keyword) {
	case KEYWORD_RUN:
		return graph_apply_run(m, s, command, err);
	case KEYWORD_COPY:
	case KEYWORD_ADD:
		return graph_apply_copy(m, s, command, err);
	case KEYWORD_WORKDIR:
		return graph_apply_workdir(m, s, command, err);
	case KEYWORD_ARG:
		return graph_apply_arg(m, s, i, err);
	default:
		return graph_apply_config(m, s, i, err);
	}
}

/* What nobody could start, or read again. */
static int check_limits(const struct graph_stage *s, struct err *err)
{
	if (s->n_layers > IMAGE_MAX_LAYERS)
		return err_set(err, ERR_INVALID, "more than %d layers", IMAGE_MAX_LAYERS);
	if (s->config.n_history > MAX_HISTORY)
		return err_set(err, ERR_INVALID, "more than %d instructions in one image",
			       MAX_HISTORY);
	return 0;
}

int graph_stage_apply(struct graph_make *m, struct graph_stage *s, struct err *err)
{
	for (size_t i = 0; i < s->n_commands; i++) {
		const struct graph_command *command = &s->commands[i];

		*m->where = command->lines;
		s->runs_trigger = command->is_trigger;
		if (apply(m, s, command, err) < 0 || check_limits(s, err) < 0)
			return -err->code;
	}
	if (s->place.source == BUILD_NONE)
		s->place.step = s->step;
	s->is_done = true;
	return 0;
}
