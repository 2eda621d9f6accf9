/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD of what the ignore file keeps out. */
#include <string.h>

#include "base/mem.h"
#include "dockerfile/check_stage.h"
#include "dockerfile/ignore.h"

static bool is_remote(const char *source)
{
	static const char *const prefixes[] = {"http://", "https://", "git://", "ssh://", "git@"};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_has_prefix(source, prefixes[i]))
			return true;
	return false;
}

static void check_source(struct check *c, const struct instruction *i, const char *source)
{
	cleanup_free char *clean = str_clean_path("", source);
	const char *path = clean + 1; /* relative to the context; "" is the context itself */

	if (!*path || is_remote(source) || !ignore_match_way(c->in->ignore, path, NULL) ||
	    ignore_may_take_back(c->in->ignore, path))
		return;
	dockerfile_report(c, RULE_COPY_IGNORED_FILE, i->syntax,
			  "Attempting to %s file \"%s\" that is excluded by .dockerignore",
			  i->copy.is_add ? "Add" : "Copy", path);
}

static void check_heredocs(struct check *c, const struct stage_state *s,
			   const struct instruction *i)
{
	for (size_t k = 0; k < i->syntax->n_heredocs; k++)
		if (i->syntax->heredocs[k].expands)
			check_content(c, s, i, i->syntax->heredocs[k].content);
}

void check_copy(struct check *c, struct stage_state *s, const struct instruction *i)
{
	const struct copy_instruction *copy = &i->copy;
	const char *const texts[] = {copy->chown, copy->chmod, copy->checksum, copy->target};

	strv_foreach (k, &copy->sources) {
		cleanup_free char *source = NULL;

		if (str_has_prefix(copy->sources.items[k], "<<"))
			continue;
		source = check_expand(c, s, i, copy->sources.items[k]);
		if (source && !copy->from && !ignore_is_empty(c->in->ignore))
			check_source(c, i, source);
	}
	for (size_t k = 0; k < ARRAY_LEN(texts); k++)
		free(texts[k] ? check_expand(c, s, i, texts[k]) : NULL);
	check_words(c, s, i, &copy->excludes);
	check_heredocs(c, s, i);
}
