/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pattern is cut into chunks, each a run of stars followed by what has to match at one place. A
 * chunk is put at the first place where it fits: since every star may take anything but a slash, a
 * later place could not help what comes after it. The cost is at most that of all chunks at all
 * places, whatever the pattern is.
 *
 * Go looks for mistakes in all of the pattern, also when the name has long been found not to match,
 * but not beyond the place where it knows that it matches; so do we.
 */
#include "dockerfile/glob.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *s;
	size_t len;
};

enum { MISMATCH, MATCH };

static bool is_empty(const struct text *t)
{
	return t->len == 0;
}

static void skip(struct text *t, size_t n)
{
	t->s += n;
	t->len -= n;
}

static uint32_t take_rune(struct text *t)
{
	uint32_t rune = 0;

	skip(t, rune_decode(t->s, t->len, &rune));
	return rune;
}

/* One end of a range of a class. Something must follow it, if only the "]". */
static int take_class_rune(struct text *chunk, uint32_t *ret)
{
	size_t before = 0;

	if (is_empty(chunk) || *chunk->s == '-' || *chunk->s == ']')
		return -ERR_INVALID;
	if (*chunk->s == '\\')
		skip(chunk, 1);
	if (is_empty(chunk))
		return -ERR_INVALID;
	before = chunk->len;
	*ret = take_rune(chunk);
	if ((*ret == RUNE_ERROR && before - chunk->len == 1) || is_empty(chunk))
		return -ERR_INVALID;
	return 0;
}

/* CHUNK is behind the "[" and gets behind the "]"; whether RUNE is meant. */
static int match_class(struct text *chunk, uint32_t rune)
{
	bool is_negated = !is_empty(chunk) && *chunk->s == '^';
	bool found = false;

	if (is_negated)
		skip(chunk, 1);
	for (bool is_first = true;; is_first = false) {
		uint32_t low = 0;
		uint32_t high = 0;

		if (!is_first && !is_empty(chunk) && *chunk->s == ']')
			break;
		if (take_class_rune(chunk, &low) < 0)
			return -ERR_INVALID;
		high = low;
		if (*chunk->s == '-') {
			skip(chunk, 1);
			if (take_class_rune(chunk, &high) < 0)
				return -ERR_INVALID;
		}
		found = found || (low <= rune && rune <= high);
	}
	skip(chunk, 1);
	return found != is_negated ? MATCH : MISMATCH;
}

/* One element of CHUNK against what NAME begins with. NAME is NULL when only mistakes are looked
 * for. */
static int match_element(struct text *chunk, struct text *name)
{
	char c = *chunk->s;
	bool fits = true;

	skip(chunk, 1);
	switch (c) {
	case '[':
		return match_class(chunk, name ? take_rune(name) : 0);
	case '?':
		if (!name)
			return MISMATCH;
		fits = *name->s != '/';
		take_rune(name);
		return fits ? MATCH : MISMATCH;
	case '\\':
		if (is_empty(chunk))
			return -ERR_INVALID;
		c = *chunk->s;
		skip(chunk, 1);
		break;
	default:
		break;
	}
	if (!name)
		return MISMATCH;
	fits = *name->s == c;
	skip(name, 1);
	return fits ? MATCH : MISMATCH;
}

/* Whether CHUNK is what NAME begins with; REST becomes what follows then. */
static int match_chunk(struct text chunk, struct text name, struct text *rest)
{
	bool fits = true;

	while (!is_empty(&chunk)) {
		int rc = 0;

		fits = fits && !is_empty(&name);
		rc = match_element(&chunk, fits ? &name : NULL);
		if (rc < 0)
			return rc;
		fits = fits && rc == MATCH;
	}
	if (fits)
		*rest = name;
	return fits ? MATCH : MISMATCH;
}

/* Cuts the next chunk off PATTERN; whether stars stand before it. */
static bool take_chunk(struct text *pattern, struct text *ret)
{
	bool has_star = false;
	bool in_class = false;
	size_t i = 0;

	for (; !is_empty(pattern) && *pattern->s == '*'; has_star = true)
		skip(pattern, 1);
	for (; i < pattern->len && (pattern->s[i] != '*' || in_class); i++) {
		if (pattern->s[i] == '\\' && i + 1 < pattern->len)
			i++;
		else if (pattern->s[i] == '[')
			in_class = true;
		else if (pattern->s[i] == ']')
			in_class = false;
	}
	*ret = (struct text){pattern->s, i};
	skip(pattern, i);
	return has_star;
}

/* Puts CHUNK at the first place of NAME where it fits, beyond the star before it. The last chunk
 * must reach to the end. */
static int find_chunk(struct text chunk, struct text *name, bool is_last)
{
	struct text at = *name;

	while (!is_empty(&at) && *at.s != '/') {
		struct text rest = {};
		int rc = 0;

		skip(&at, 1);
		rc = match_chunk(chunk, at, &rest);
		if (rc < 0)
			return rc;
		if (rc == MATCH && (!is_last || is_empty(&rest))) {
			*name = rest;
			return MATCH;
		}
	}
	return MISMATCH;
}

/* What is left of the pattern may still be bad. */
static int check_rest(struct text pattern)
{
	while (!is_empty(&pattern)) {
		struct text chunk = {};
		struct text rest = {};
		int rc = 0;

		take_chunk(&pattern, &chunk);
		rc = match_chunk(chunk, (struct text){"", 0}, &rest);
		if (rc < 0)
			return rc;
	}
	return MISMATCH;
}

int glob_match(const char *pattern_text, const char *name_text)
{
	struct text pattern = {pattern_text, strlen(pattern_text)};
	struct text name = {name_text, strlen(name_text)};

	while (!is_empty(&pattern)) {
		struct text chunk = {};
		struct text rest = {};
		bool has_star = take_chunk(&pattern, &chunk);
		int rc = 0;

		if (has_star && is_empty(&chunk))
			return !memchr(name.s, '/', name.len);
		rc = match_chunk(chunk, name, &rest);
		if (rc < 0)
			return rc;
		if (rc == MATCH && (is_empty(&rest) || !is_empty(&pattern))) {
			name = rest;
			continue;
		}
		rc = has_star ? find_chunk(chunk, &name, is_empty(&pattern)) : MISMATCH;
		if (rc < 0)
			return rc;
		if (rc == MISMATCH)
			return check_rest(pattern);
	}
	return is_empty(&name);
}

bool glob_is_pattern(const char *text)
{
	for (; *text; text++) {
		if (*text == '*' || *text == '?' || *text == '[')
			return true;
		if (*text == '\\' && text[1])
			text++;
	}
	return false;
}

char *glob_clean(const char *path)
{
	bool is_absolute = *path == '/';
	cleanup_str struct str out = STR_INIT;
	size_t floor = 0; /* what ".." does not go below: the "/", or "../.." */

	if (is_absolute)
		str_add_char(&out, '/');
	floor = out.len;
	while (*path) {
		size_t n = strcspn(path, "/");
		bool is_up = n == 2 && path[0] == '.' && path[1] == '.';

		if (is_up && out.len > floor) {
			const char *slash = memrchr(out.buf, '/', out.len);
			size_t cut = slash ? (size_t)(slash - out.buf) : 0;

			str_truncate(&out, cut > floor ? cut : floor);
		} else if ((is_up && !is_absolute) ||
			   (!is_up && n > 0 && !(n == 1 && *path == '.'))) {
			if (out.len > (is_absolute ? 1 : 0))
				str_add_char(&out, '/');
			str_add_bytes(&out, path, n);
			if (is_up)
				floor = out.len;
		}
		path += n + (path[n] == '/');
	}
	return out.len ? str_take(&out) : str_dup(".");
}
