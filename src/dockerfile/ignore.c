/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker reads an ignore file in two steps, and so do we: lines become clean patterns, then each
 * pattern is compiled, most of them to a comparison of strings, the rest to a regular expression
 * with the oddities this has (`[^a]` takes a slash, `\d` is a digit). Before an expression is
 * asked, what it begins and ends with is compared, which is all that most names need.
 */
#include "dockerfile/ignore.h"

#include "base/mem.h"
#include "dockerfile/glob.h"
#include "json/pattern.h"
#include "json/rune.h"

#include <stdint.h>
#include <string.h>

#define MAX_LINE 65535 /* bytes; docker's limit */
#define BOM	 "\xef\xbb\xbf"

enum match_kind {
	MATCH_EXACT,
	MATCH_PREFIX, /* "x**": `text` without the stars is its beginning */
	MATCH_SUFFIX, /* "**x" */
	MATCH_EXPRESSION,
};

struct ignore_pattern {
	char *text; /* owned; clean, without the "!" */
	size_t len;
	enum match_kind kind;
	bool is_exception;
	struct pattern *expression; /* owned; of MATCH_EXPRESSION */
	size_t lead;		    /* so many characters of `text` any match begins with */
	const char *tail;	    /* in `text`: what any match ends with */
	size_t tail_len;
};

struct ignore {
	struct ignore_pattern *patterns; /* owned */
	size_t n;
	bool has_exceptions;
};

/* ---- compiling ---- */

/* White space as Go's unicode.IsSpace has it. */
static bool is_space(uint32_t r)
{
	return r == ' ' || (r >= '\t' && r <= '\r') || r == 0x85 || r == 0xa0 || r == 0x1680 ||
	       (r >= 0x2000 && r <= 0x200a) || r == 0x2028 || r == 0x2029 || r == 0x202f ||
	       r == 0x205f || r == 0x3000;
}

static char *dup_trimmed(const char *s, size_t len)
{
	size_t end = 0;
	size_t at = 0;
	uint32_t r = 0;

	while (len > 0) {
		size_t n = rune_decode(s, len, &r);

		if (!is_space(r))
			break;
		s += n;
		len -= n;
	}
	while (at < len) {
		at += rune_decode(s + at, len - at, &r);
		if (!is_space(r))
			end = at;
	}
	return str_ndup(s, end);
}

/* A "**" of which *S is behind: what may follow it is part of it. The kind of all patterns that
 * are no plain text is decided by these. */
static void translate_deep(const char **s, bool is_first, struct str *out, enum match_kind *kind)
{
	*s += **s == '/';
	if (**s) {
		str_add(out, "(.*/)?");
		*kind = MATCH_EXPRESSION;
	} else if (*kind == MATCH_EXACT) {
		*kind = MATCH_PREFIX;
	} else {
		str_add(out, ".*");
		*kind = MATCH_EXPRESSION;
	}
	if (is_first)
		*kind = MATCH_SUFFIX;
}

/* Appends the expression for TEXT; returns what it takes to match it. */
static enum match_kind translate(const char *text, struct str *out)
{
	const char *end = text + strlen(text);
	enum match_kind kind = MATCH_EXACT;

	str_add_char(out, '^');
	for (const char *s = text; s < end;) {
		const char *start = s;
		uint32_t r = 0;

		s += rune_decode(s, (size_t)(end - s), &r);
		if (r == '*' && *s == '*') {
			s++;
			translate_deep(&s, start == text, out, &kind);
			continue;
		}
		if (strchr("*?[]", (int)(r < 0x80 ? r : 'x')))
			kind = MATCH_EXPRESSION;
		if (r == '*' || r == '?') {
			str_add(out, r == '*' ? "[^/]*" : "[^/]");
		} else if (r == '\\') {
			str_add_char(out, '\\');
			if (s == end)
				continue;
			s += rune_decode(s, (size_t)(end - s), &r);
			str_add_rune(out, r);
			kind = MATCH_EXPRESSION;
		} else {
			if (strchr(".+()|{}$", (int)(r < 0x80 ? r : 'x')))
				str_add_char(out, '\\');
			str_add_rune(out, r);
		}
	}
	str_add_char(out, '$');
	return kind;
}

static bool is_plain(char c)
{
	return c && !((unsigned char)c & 0x80) && !strchr("*?[]\\^", c);
}

/* Finds the text that any match begins and ends with. */
static void find_ends(struct ignore_pattern *p)
{
	size_t start = p->len;

	while (is_plain(p->text[p->lead]))
		p->lead++;
	p->tail = p->text + p->len;
	/* With classes and escapes it takes more to know what is text. */
	if (p->text[strcspn(p->text, "[]\\^")])
		return;
	while (start > 0 && is_plain(p->text[start - 1]))
		start--;
	/* The slash after "**" goes with it. */
	if (start >= 2 && p->text[start] == '/' && p->text[start - 1] == '*' &&
	    p->text[start - 2] == '*')
		start++;
	p->tail = p->text + start;
	p->tail_len = p->len - start;
}

static int compile_pattern(const char *typed, struct ignore_pattern *ret, struct err *err)
{
	cleanup_free char *text = glob_clean(typed);
	cleanup_str struct str expression = STR_INIT;

	ret->is_exception = *text == '!';
	if (ret->is_exception && !text[1])
		return err_set(err, ERR_INVALID, "illegal exclusion pattern: \"!\"");
	if (glob_match(text + ret->is_exception, ".") < 0)
		return err_set(err, ERR_INVALID, "%s: syntax error in pattern", typed);
	ret->text = str_dup(text + ret->is_exception);
	ret->len = strlen(ret->text);
	ret->kind = translate(ret->text, &expression);
	find_ends(ret);
	if (ret->kind != MATCH_EXPRESSION)
		return 0;
	ret->expression = pattern_new(expression.buf);
	return ret->expression ? 0
			       : err_set(err, ERR_INVALID, "%s: syntax error in pattern", typed);
}

/* Adds the pattern of LEN bytes at TYPED; nothing when it is blank. */
static int add_pattern(struct ignore *ig, const char *typed, size_t len, struct err *err)
{
	cleanup_free char *text = dup_trimmed(typed, len);

	if (!*text)
		return 0;
	ig->patterns = mem_realloc_array(ig->patterns, ig->n + 1, sizeof(*ig->patterns));
	ig->patterns[ig->n] = (struct ignore_pattern){};
	if (compile_pattern(text, &ig->patterns[ig->n++], err) < 0)
		return -err->code;
	ig->has_exceptions |= ig->patterns[ig->n - 1].is_exception;
	return 0;
}

/* What a line of the file means as a pattern: clean, and relative to the context. */
static char *dup_line_pattern(const char *line, size_t len)
{
	cleanup_free char *text = dup_trimmed(line, len);
	bool is_exception = *text == '!';
	cleanup_free char *rest = NULL;
	cleanup_free char *clean = NULL;

	if (!*text)
		return str_dup("");
	rest = dup_trimmed(text + is_exception, strlen(text + is_exception));
	clean = *rest ? glob_clean(rest) : str_dup("");
	return str_printf("%s%s", is_exception ? "!" : "", clean + (*clean == '/' && clean[1]));
}

static int add_line(struct ignore *ig, const char *line, size_t len, struct err *err)
{
	cleanup_free char *pattern = NULL;

	if (len > MAX_LINE)
		return err_set(err, ERR_INVALID, "longer than %d bytes", MAX_LINE);
	/* No name has a NUL. */
	if (len == 0 || *line == '#' || memchr(line, '\0', len))
		return 0;
	pattern = dup_line_pattern(line, len);
	return add_pattern(ig, pattern, strlen(pattern), err);
}

int ignore_parse(const char *text, size_t len, struct ignore **ret, struct err *err)
{
	cleanup_ignore struct ignore *ig = mem_zalloc(sizeof(*ig));
	const char *end = text + len;
	size_t n_lines = 0;

	if (len >= strlen(BOM) && memcmp(text, BOM, strlen(BOM)) == 0)
		text += strlen(BOM);
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		stop = stop ? stop : end;
		n_lines++;
		if (add_line(ig, text, (size_t)(stop - text), err) < 0)
			return err_wrap(err, "line %zu", n_lines);
		text = stop + (stop < end);
	}
	*ret = take_ptr(ig);
	return 0;
}

int ignore_compile(const struct strv *patterns, struct ignore **ret, struct err *err)
{
	cleanup_ignore struct ignore *ig = mem_zalloc(sizeof(*ig));

	strv_foreach (i, patterns)
		if (add_pattern(ig, patterns->items[i], strlen(patterns->items[i]), err) < 0)
			return -err->code;
	*ret = take_ptr(ig);
	return 0;
}

void ignore_free(struct ignore *ig)
{
	if (!ig)
		return;
	for (size_t i = 0; i < ig->n; i++) {
		free(ig->patterns[i].text);
		pattern_free(ig->patterns[i].expression);
	}
	free(ig->patterns);
	free(ig);
}

void ignore_cleanup(struct ignore **ig)
{
	ignore_free(*ig);
	*ig = NULL;
}

/* ---- matching ---- */

static bool match_expression(const struct ignore_pattern *p, const char *path, size_t len)
{
	return len >= p->lead && len >= p->tail_len && memcmp(path, p->text, p->lead) == 0 &&
	       memcmp(path + len - p->tail_len, p->tail, p->tail_len) == 0 &&
	       pattern_occurs(p->expression, path);
}

static bool match_one(const struct ignore_pattern *p, const char *path, size_t len)
{
	size_t n = 0;

	switch (p->kind) {
	case MATCH_EXACT:
		return len == p->len && memcmp(path, p->text, len) == 0;
	case MATCH_PREFIX:
		n = p->len - 2;
		return len >= n && memcmp(path, p->text, n) == 0;
	case MATCH_SUFFIX:
		n = p->len - 2;
		if (len >= n && memcmp(path + len - n, p->text + 2, n) == 0)
			return true;
		return p->text[2] == '/' && len == n - 1 && memcmp(path, p->text + 3, len) == 0;
	case MATCH_EXPRESSION:
		return match_expression(p, path, len);
	}
	return false;
}

/* Whether P matches a directory that PATH is in. */
static bool match_above(const struct ignore_pattern *p, const char *path)
{
	cleanup_free char *above = str_dup(path);

	for (char *slash = strchr(above, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool found = false;

		*slash = '\0';
		found = match_one(p, above, (size_t)(slash - above));
		*slash = '/';
		if (found)
			return true;
	}
	return false;
}

bool ignore_match(const struct ignore *ig, const char *path, const struct ignore_state *parent,
		  struct ignore_state *ret)
{
	const bool *above = parent ? parent->matched : NULL;
	size_t len = strlen(path);
	bool *matched = NULL;
	bool excluded = false;

	if (ignore_is_empty(ig)) {
		if (ret)
			*ret = (struct ignore_state){};
		return false;
	}
	if (ret)
		matched = mem_zalloc(ig->n * sizeof(*matched));
	for (size_t i = 0; i < ig->n; i++) {
		const struct ignore_pattern *p = &ig->patterns[i];
		bool found = above && above[i];

		/* One that would change nothing need not be asked. */
		if (!found && p->is_exception == excluded)
			found = match_one(p, path, len) || (!above && match_above(p, path));
		if (found)
			excluded = !p->is_exception;
		if (matched)
			matched[i] = found;
	}
	if (ret)
		*ret = (struct ignore_state){.excluded = excluded, .matched = matched};
	return excluded;
}

bool ignore_match_way(const struct ignore *ig, const char *path, struct ignore_state *ret)
{
	struct ignore_state state = {};
	bool is_first = true;
	bool excluded = false;

	for (const char *end = path; *end; end += *end == '/') {
		cleanup_free char *prefix = NULL;
		struct ignore_state next = {};

		end += strcspn(end, "/");
		prefix = str_ndup(path, (size_t)(end - path));
		excluded = ignore_match(ig, prefix, is_first ? NULL : &state, &next);
		ignore_state_done(&state);
		state = next;
		is_first = false;
	}
	if (ret)
		*ret = state;
	else
		ignore_state_done(&state);
	return excluded;
}

void ignore_state_done(struct ignore_state *state)
{
	free(state->matched);
	*state = (struct ignore_state){};
}

/* Whether P could match something below the directory of LEN bytes at PATH. */
static bool may_match_below(const struct ignore_pattern *p, const char *path, size_t len)
{
	if (p->lead <= len)
		return memcmp(p->text, path, p->lead) == 0 && p->lead < p->len;
	return memcmp(p->text, path, len) == 0 && p->text[len] == '/';
}

bool ignore_may_take_back(const struct ignore *ig, const char *path)
{
	size_t len = strlen(path);

	if (!ig || !ig->has_exceptions)
		return false;
	for (size_t i = 0; i < ig->n; i++)
		if (ig->patterns[i].is_exception && may_match_below(&ig->patterns[i], path, len))
			return true;
	return false;
}

bool ignore_is_empty(const struct ignore *ig)
{
	return !ig || ig->n == 0;
}
