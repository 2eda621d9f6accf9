/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker joins all --change options to one Dockerfile: a line may go on after a backslash, comments
 * and empty lines are passed over, and an ENTRYPOINT forgets a command that no CMD before it gave.
 */
#include "engine/commit_config.h"

#include "base/mem.h"
#include "storage/change.h"

#include <ctype.h>
#include <strings.h>

/* The logical lines of CHANGES, trimmed. */
static void split_lines(const struct strv *changes, struct strv *ret)
{
	cleanup_free char *text = strv_join(changes, "\n");
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_str struct str line = STR_INIT;

	strv_split(&lines, text, '\n');
	strv_foreach (i, &lines) {
		char *part = str_trim(lines.items[i]);
		size_t len = strlen(part);
		bool goes_on = len && part[len - 1] == '\\';

		if (!*part || *part == '#')
			continue;
		str_add_bytes(&line, part, goes_on ? len - 1 : len);
		if (goes_on)
			continue;
		strv_add(ret, str_get(&line));
		str_truncate(&line, 0);
	}
	if (line.len)
		strv_add(ret, str_get(&line));
}

static bool is_instruction(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 &&
	       (!line[len] || isspace((unsigned char)line[len]));
}

static void copy_words(struct strv *to, const struct strv *from)
{
	strv_done(to);
	strv_add_all(to, from);
}

/* docker's merge, as far as applying changes to the container's own values can lose any of them. */
static void merge(struct image_run *run, const struct strv *cmd, const struct strv *entrypoint)
{
	if (run->entrypoint.n)
		return;
	if (!run->cmd.n) {
		copy_words(&run->cmd, cmd);
		run->has_cmd = cmd->n > 0;
	}
	copy_words(&run->entrypoint, entrypoint);
	run->has_entrypoint = entrypoint->n > 0;
}

int commit_apply_changes(const struct strv *changes, struct image_run *run, struct err *err)
{
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_strv struct strv cmd = STRV_INIT;
	cleanup_strv struct strv entrypoint = STRV_INIT;
	bool has_new_cmd = false;

	if (!changes->n)
		return 0;
	split_lines(changes, &lines);
	if (!lines.n)
		return err_set(err, ERR_INVALID, "file with no instructions");
	strv_add_all(&cmd, &run->cmd);
	strv_add_all(&entrypoint, &run->entrypoint);
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];

		if (change_apply(line, run, err) < 0)
			return -err->code;
		has_new_cmd = has_new_cmd || is_instruction(line, "CMD");
		if (!has_new_cmd && is_instruction(line, "ENTRYPOINT")) {
			strv_done(&run->cmd);
			run->has_cmd = false;
		}
	}
	merge(run, &cmd, &entrypoint);
	return 0;
}

char *commit_created_by(const struct image_run *container)
{
	return container->cmd.n ? strv_join(&container->cmd, " ") : str_dup("");
}
