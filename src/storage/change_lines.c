/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker joins all --change options to one Dockerfile: a line may go on after a backslash, comments
 * and empty lines are passed over, and an ENTRYPOINT forgets a command that no CMD before it gave.
 */
#include "storage/change.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/image_config.h"

/* Whether the line goes on: it ends with a backslash, which is cut off, and perhaps blanks. */
static bool cut_continuation(char *line)
{
	size_t len = strlen(line);

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (!len || line[len - 1] != '\\')
		return false;
	line[len - 1] = '\0';
	return true;
}

static bool is_comment_or_empty(const char *line)
{
	while (isspace((unsigned char)*line))
		line++;
	return !*line || *line == '#';
}

static void add_line(struct strv *ret, struct str *line)
{
	cleanup_free char *text = str_dup(str_get(line));

	strv_add(ret, str_trim(text));
	str_truncate(line, 0);
}

/* The logical lines of CHANGES, trimmed. */
static void split_lines(const struct strv *changes, struct strv *ret)
{
	cleanup_free char *text = strv_join(changes, "\n");
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_str struct str line = STR_INIT;

	strv_split(&parts, text, '\n');
	strv_foreach (i, &parts) {
		char *part = parts.items[i];
		bool goes_on = false;

		if (is_comment_or_empty(part))
			continue;
		goes_on = cut_continuation(part);
		str_add(&line, part);
		if (!goes_on)
			add_line(ret, &line);
	}
	if (line.len)
		add_line(ret, &line);
}

static bool is_instruction(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 &&
	       (!line[len] || isspace((unsigned char)line[len]));
}

int changes_apply(const struct strv *changes, struct image_run *run, struct err *err)
{
	cleanup_strv struct strv lines = STRV_INIT;
	bool has_new_cmd = false;

	if (!changes->n)
		return 0;
	split_lines(changes, &lines);
	if (!lines.n)
		return err_set(err, ERR_INVALID, "file with no instructions");
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
	return 0;
}
