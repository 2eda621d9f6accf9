/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfiles: whatever the bytes are, they become instructions whose lines are in the file, or are
 * refused with lines that an excerpt can show. What was parsed is the same again when its logical
 * lines are parsed alone, as triggers are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/instruction.h"
#include "dockerfile/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_alone(const struct dockerfile_instruction *i, char escape)
{
	struct dockerfile_instruction again = {};
	struct err err = ERR_INIT;

	/* A here-document has lines of its own, and a comment is none. */
	if (i->n_heredocs || (i->trigger && i->trigger->n_heredocs) || i->original[0] == '#')
		return;
	if (dockerfile_parse_line(i->original, escape, &again, &err) < 0)
		return;
	if (again.keyword != i->keyword || again.words.n != i->words.n)
		abort();
	dockerfile_instruction_done(&again);
}

static void check_typed(const struct dockerfile_instruction *i)
{
	struct instruction typed = {};
	struct err err = ERR_INIT;

	if (instruction_parse(i, &typed, &err) < 0 && err.code != ERR_INVALID)
		abort();
	instruction_done(&typed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_str struct str excerpt = STR_INIT;
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;

	if (dockerfile_parse("Dockerfile", (const char *)data, size, &file, &where, &err) < 0) {
		if (err.code != ERR_INVALID || where.last > file.source.n)
			abort();
		dockerfile_excerpt(&file, where, &excerpt);
		return 0;
	}
	for (size_t i = 0; i < file.n; i++) {
		if (!file.items[i].lines.first || file.items[i].lines.last > file.source.n)
			abort();
		check_alone(&file.items[i], file.escape);
		check_typed(&file.items[i]);
	}
	return 0;
}
