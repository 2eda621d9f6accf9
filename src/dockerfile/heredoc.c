/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A here-document is asked for by a word of its own: digits, "<<", perhaps "-", and the delimiter.
 * What words are is decided by the same rules as for expansion, with a backslash as escape whatever
 * the file says, so that "<<EOF" inside quotes and "x<<EOF" mean nothing.
 */
#include "dockerfile/heredoc.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "dockerfile/array.h"
#include "dockerfile/expand.h"

static const char *get_nothing(void *ctx, const char *name)
{
	return NULL;
}

/* The only word of TEXT, with its quotes or without; NULL when there is not exactly one. */
static char *single_word(const char *text, bool keeps_quotes)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct err ignored = ERR_INIT;
	struct expand_scope scope = {
		.get = get_nothing,
		.escape = '\\',
		.keeps_quotes = keeps_quotes,
		.keeps_unset = true,
	};

	if (expand_words(text, &scope, &words, &ignored) < 0 || words.n != 1)
		return NULL;
	return str_dup(words.items[0]);
}

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

static unsigned parse_fd(const char *digits, size_t len)
{
	cleanup_free char *text = str_ndup(digits, len);
	uint64_t fd = 0;

	if (!len)
		return 0;
	return num_parse_u64(text, &fd) < 0 || fd > UINT_MAX ? UINT_MAX : (unsigned)fd;
}

bool dockerfile_parse_heredoc(const char *word, struct dockerfile_heredoc *ret)
{
	size_t digits = strspn(word, "0123456789");
	const char *p = word + digits;
	cleanup_free char *name = NULL;
	cleanup_free char *raw = NULL;
	bool chomps = false;

	if (p[0] != '<' || p[1] != '<')
		return false;
	p += 2;
	chomps = *p == '-';
	p += chomps;
	if (!*p || strchr(p, '<'))
		return false;
	name = single_word(p, false);
	raw = single_word(p, true);
	if (!name || !raw)
		return false;
	*ret = (struct dockerfile_heredoc){
		.fd = parse_fd(word, digits),
		.expands = count_quotes(name) == count_quotes(raw),
		.chomps = chomps,
	};
	ret->name = take_ptr(name);
	return true;
}

void heredocs_from_line(const char *line, struct dockerfile_heredoc **items, size_t *n)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct err ignored = ERR_INIT;
	struct expand_scope scope = {
		.get = get_nothing,
		.escape = '\\',
		.keeps_quotes = true,
		.keeps_escapes = true,
		.keeps_unset = true,
	};

	if (!strstr(line, "<<") || expand_words(line, &scope, &words, &ignored) < 0)
		return;
	strv_foreach (i, &words) {
		struct dockerfile_heredoc doc = {};

		if (!dockerfile_parse_heredoc(words.items[i], &doc))
			continue;
		*items = array_grow(*items, *n, sizeof(**items));
		(*items)[(*n)++] = doc;
	}
}

bool heredoc_is_end(const struct dockerfile_heredoc *doc, const char *line)
{
	size_t len = 0;

	if (doc->chomps)
		line += strspn(line, "\t");
	len = strlen(line);
	while (len && line[len - 1] == '\r')
		len--;
	return len == strlen(doc->name) && memcmp(line, doc->name, len) == 0;
}

/* TEXT without the tabs that its lines begin with. */
static char *chomp(const char *text)
{
	struct str out = STR_INIT;

	while (*text) {
		const char *start = text + strspn(text, "\t");
		const char *end = strchr(start, '\n');

		end = end ? end + 1 : start + strlen(start);
		str_add_bytes(&out, start, (size_t)(end - start));
		text = end;
	}
	return str_take(&out);
}

void heredoc_set(struct dockerfile_heredoc *doc, const char *text)
{
	free(doc->raw);
	free(doc->content);
	doc->raw = str_dup(text);
	doc->content = doc->chomps ? chomp(text) : str_dup(text);
}

void heredoc_done(struct dockerfile_heredoc *doc)
{
	free(doc->name);
	free(doc->content);
	free(doc->raw);
	*doc = (struct dockerfile_heredoc){};
}
