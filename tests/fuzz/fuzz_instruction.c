/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions, mounts and checks: no file may crash them or make them slow, each finding lies in
 * the file, and what an image keeps of a trigger is that instruction again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dockerfile/check.h"
#include "dockerfile/ignore.h"
#include "dockerfile/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_mounts(const struct run_instruction *run)
{
	strv_foreach (i, &run->mounts) {
		struct run_mount mount = {};
		struct err err = ERR_INIT;

		if (run_mount_parse(run->mounts.items[i], &mount, &err) == 0)
			run_mount_done(&mount);
	}
}

static void try_trigger(const struct instruction *onbuild)
{
	cleanup_free char *text = instruction_format_trigger(onbuild);
	struct dockerfile_instruction syntax = {};
	struct instruction again = {};
	struct err err = ERR_INIT;

	/* An escape of another file's kind means something else. */
	if (strpbrk(text, "\\`") || dockerfile_parse_line(text, '\\', &syntax, &err) < 0) {
		dockerfile_instruction_done(&syntax);
		return;
	}
	if (syntax.keyword != onbuild->trigger->keyword ||
	    instruction_parse(&syntax, &again, &err) < 0)
		abort();
	instruction_done(&again);
	dockerfile_instruction_done(&syntax);
}

static void try_stages(const struct dockerfile_stages *stages)
{
	for (size_t s = 0; s < stages->n; s++) {
		for (size_t i = 0; i < stages->items[s].n; i++) {
			const struct instruction *item = &stages->items[s].items[i];

			if (item->keyword == KEYWORD_RUN)
				try_mounts(&item->run);
			else if (item->keyword == KEYWORD_ONBUILD)
				try_trigger(item);
		}
	}
}

static void try_checks(const struct dockerfile *file, const struct dockerfile_stages *stages)
{
	static const char patterns[] = "a*\n!ab\n**/x\n";
	cleanup_ignore struct ignore *ignore = NULL;
	struct check_findings found = {};
	struct err err = ERR_INIT;
	bool is_error = false;

	if (ignore_parse(patterns, strlen(patterns), &ignore, &err) < 0)
		abort();
	const struct check_input input = {
		.file = file, .stages = stages, .ignore = ignore, .all_stages = true};

	if (dockerfile_check(&input, &found, &is_error, &err) < 0)
		return;
	for (size_t i = 0; i < found.n; i++)
		if (!found.items[i].lines.first || found.items[i].lines.first > file->source.n ||
		    !*found.items[i].message)
			abort();
	check_findings_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_stages struct dockerfile_stages stages = {};
	struct err err = ERR_INIT;

	if (dockerfile_parse("Dockerfile", (const char *)data, size, &file, NULL, &err) < 0 ||
	    dockerfile_get_stages(&file, &stages, NULL, &err) < 0)
		return 0;
	try_stages(&stages);
	try_checks(&file, &stages);
	return 0;
}
