/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD. */
#include "dockerfile/instruction_private.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/heredoc.h"

const struct dockerfile_heredoc *instruction_find_heredoc(
	const struct dockerfile_instruction *syntax, const char *word)
{
	struct dockerfile_heredoc asked = {};
	const struct dockerfile_heredoc *found = NULL;

	if (!syntax->n_heredocs || !dockerfile_parse_heredoc(word, &asked))
		return NULL;
	/* Of those with one name the last has the content. */
	for (size_t i = syntax->n_heredocs; i > 0 && !found; i--)
		if (strcmp(asked.name, syntax->heredocs[i - 1].name) == 0)
			found = &syntax->heredocs[i - 1];
	heredoc_done(&asked);
	return found;
}

static int parse_flags(const struct dockerfile_instruction *syntax, struct copy_instruction *copy,
		       struct err *err)
{
	const struct flag_spec of_add[] = {
		{"chown", FLAG_TEXT, &copy->chown},
		{"chmod", FLAG_TEXT, &copy->chmod},
		{"link", FLAG_BOOL, &copy->link},
		{"keep-git-dir", FLAG_BOOL, &copy->keep_git_dir},
		{"checksum", FLAG_TEXT, &copy->checksum},
		{"unpack", FLAG_TRI, &copy->unpack},
		{"exclude", FLAG_LIST, &copy->excludes},
	};
	const struct flag_spec of_copy[] = {
		{"chown", FLAG_TEXT, &copy->chown},	{"from", FLAG_TEXT, &copy->from},
		{"chmod", FLAG_TEXT, &copy->chmod},	{"link", FLAG_BOOL, &copy->link},
		{"parents", FLAG_BOOL, &copy->parents}, {"exclude", FLAG_LIST, &copy->excludes},
	};

	return copy->is_add ? flags_parse(syntax, of_add, ARRAY_LEN(of_add), err)
			    : flags_parse(syntax, of_copy, ARRAY_LEN(of_copy), err);
}

/* "--from=" is as good as none. */
static void drop_empty(char **text)
{
	if (*text && !**text)
		str_replace(text, NULL);
}

int parse_copy(const struct dockerfile_instruction *syntax, struct instruction *ret,
	       struct err *err)
{
	struct copy_instruction *copy = &ret->copy;
	const struct strv *args = instruction_args(syntax);
	const char *keyword = dockerfile_keyword_name(syntax->keyword);

	copy->is_add = syntax->keyword == KEYWORD_ADD;
	copy->unpack = -1;
	if (args->n < 2)
		return err_set(err, ERR_INVALID,
			       "%s requires at least two arguments, but only one was provided. "
			       "Destination could not be determined",
			       keyword);
	if (parse_flags(syntax, copy, err) < 0)
		return -err->code;
	drop_empty(&copy->from);
	drop_empty(&copy->chown);
	drop_empty(&copy->chmod);
	drop_empty(&copy->checksum);
	if (instruction_find_heredoc(syntax, args->items[args->n - 1]))
		return err_set(err, ERR_INVALID, "%s cannot accept a heredoc as a destination",
			       keyword);
	for (size_t i = 0; i + 1 < args->n; i++) {
		const struct dockerfile_heredoc *heredoc = instruction_find_heredoc(syntax,
										    args->items[i]);

		if (heredoc)
			strv_addf(&copy->sources, "<<%s", heredoc->name);
		else
			strv_add(&copy->sources, args->items[i]);
	}
	copy->target = str_dup(args->items[args->n - 1]);
	return 0;
}
