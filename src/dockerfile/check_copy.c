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

/* PATH relative to the context: without slashes around it, "." and "..". Owned; "" is the context
 * itself. */
static char *clean_source(const char *path)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_strv struct strv kept = STRV_INIT;

	strv_split(&parts, path, '/');
	strv_foreach (i, &parts) {
		const char *part = parts.items[i];

		if (strcmp(part, "..") == 0) {
			if (kept.n)
				strv_remove(&kept, kept.n - 1);
		} else if (*part && strcmp(part, ".") != 0) {
			strv_add(&kept, part);
		}
	}
	return strv_join(&kept, "/");
}

/* Whether PATH or one of its directories is excluded. */
static bool is_excluded(const struct ignore *ig, const char *path)
{
	struct ignore_state above = {}, own = {};
	bool has_above = false, is_out = false;

	for (size_t len = strcspn(path, "/");; len += 1 + strcspn(path + len + 1, "/")) {
		cleanup_free char *part = str_ndup(path, len);

		own = (struct ignore_state){};
		is_out = ignore_match(ig, part, has_above ? &above : NULL, &own);
		if (has_above)
			ignore_state_done(&above);
		above = own;
		has_above = true;
		if (!path[len])
			break;
	}
	ignore_state_done(&above);
	return is_out;
}

static void check_source(struct check *c, const struct instruction *i, const char *source)
{
	cleanup_free char *path = clean_source(source);

	if (!*path || is_remote(source) || !is_excluded(c->in->ignore, path) ||
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
