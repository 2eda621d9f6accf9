/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern is runs of characters with stars between them. For each run, from the last to the
 * first, a row tells at which places of the text it and all after it can match; then the stars are
 * chosen from the left, each as short or as long as the rows allow. So the cost is at most pattern
 * times text, whatever they are, and a bound on that product is a bound on time and memory. An end
 * of the value is trimmed as a beginning, with text and pattern turned around.
 */
#include "dockerfile/expand_pattern.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "dockerfile/array.h"
#include "json/rune.h"

#define MAX_COST (1 << 25)
#define STAR	 UINT32_MAX
#define ANY	 (UINT32_MAX - 1)
/* Added to a byte that is not UTF-8, so that it comes out again as it went in. */
#define RAW_BYTE 0x200000u

/* Characters, or with STAR and ANY a pattern. */
struct text {
	uint32_t *items; /* owned */
	size_t n;
};

static void text_done(struct text *t)
{
	free(t->items);
}
#define cleanup_text __attribute__((cleanup(text_done)))

static void text_decode(const char *s, struct text *ret)
{
	size_t len = strlen(s);

	ret->items = mem_realloc_array(NULL, len + 1, sizeof(*ret->items));
	for (size_t i = 0; i < len;) {
		uint32_t r = 0;
		size_t n = rune_decode(s + i, len - i, &r);

		if (r == RUNE_ERROR && n == 1)
			r = RAW_BYTE + (unsigned char)s[i];
		ret->items[ret->n++] = r;
		i += n;
	}
}

static void text_append(struct str *out, const struct text *t, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (t->items[i] >= RAW_BYTE)
			str_add_char(out, (char)(t->items[i] - RAW_BYTE));
		else
			str_add_rune(out, t->items[i]);
	}
}

static void text_reverse(struct text *t)
{
	for (size_t i = 0; i < t->n / 2; i++) {
		uint32_t r = t->items[i];

		t->items[i] = t->items[t->n - 1 - i];
		t->items[t->n - 1 - i] = r;
	}
}

/* The character that the backslash at *I of T stands before, which then is *I. */
static int unescape(const struct text *t, size_t *i, const char *pattern, uint32_t *ret,
		    struct err *err)
{
	cleanup_str struct str shown = STR_INIT;
	uint32_t r = *i + 1 < t->n ? t->items[++*i] : RUNE_ERROR;

	if (r != RUNE_ERROR && r < 0x80 && strchr("*?\\}/", (int)r)) {
		*ret = r;
		return 0;
	}
	text_append(&shown, &(struct text){.items = &r, .n = 1}, 0, 1);
	return err_set(err, ERR_INVALID,
		       "invalid pattern (%s) in substitution: invalid escape '\\%s'", pattern,
		       str_get(&shown));
}

static int pattern_parse(const char *pattern, struct text *ret, struct err *err)
{
	size_t n = 0;

	text_decode(pattern, ret);
	for (size_t i = 0; i < ret->n; i++) {
		uint32_t r = ret->items[i];

		if (r == '*')
			r = STAR;
		else if (r == '?')
			r = ANY;
		else if (r == '\\' && unescape(ret, &i, pattern, &r, err) < 0)
			return -err->code;
		ret->items[n++] = r;
	}
	ret->n = n;
	return 0;
}

/* Characters of the pattern between stars. */
struct run {
	const uint32_t *items;
	size_t n;
};

struct matcher {
	struct text text, pattern;
	struct run *runs; /* owned; one more than there are stars */
	size_t n_runs;
	uint8_t *rows; /* owned; for each run, text.n + 1 truths */
	bool longest;
};

static void matcher_done(struct matcher *m)
{
	text_done(&m->text);
	text_done(&m->pattern);
	free(m->runs);
	free(m->rows);
}
#define cleanup_matcher __attribute__((cleanup(matcher_done)))

static void add_run(struct matcher *m, size_t from, size_t to)
{
	m->runs = array_grow(m->runs, m->n_runs, sizeof(*m->runs));
	m->runs[m->n_runs++] = (struct run){.items = m->pattern.items + from, .n = to - from};
}

static void split_runs(struct matcher *m)
{
	size_t from = 0;

	for (size_t i = 0; i < m->pattern.n; i++) {
		if (m->pattern.items[i] != STAR)
			continue;
		add_run(m, from, i);
		from = i + 1;
	}
	add_run(m, from, m->pattern.n);
}

static bool run_matches(const struct run *run, const struct text *text, size_t at)
{
	if (run->n > text->n - at)
		return false;
	for (size_t i = 0; i < run->n; i++) {
		uint32_t c = text->items[at + i];

		if (run->items[i] == ANY ? c == '\n' : run->items[i] != c)
			return false;
	}
	return true;
}

static uint8_t *row_of(const struct matcher *m, size_t run)
{
	return m->rows + run * (m->text.n + 1);
}

/* Row K from the one after it: RANGE[i] becomes whether a star that begins at I reaches a place
 * where the rest matches. */
static void fill_row(struct matcher *m, size_t k, uint8_t *range)
{
	const uint8_t *next = k + 1 < m->n_runs ? row_of(m, k + 1) : NULL;
	uint8_t *row = row_of(m, k);
	size_t n = m->text.n;

	for (size_t i = n + 1; next && i-- > 0;)
		range[i] = next[i] || (i < n && m->text.items[i] != '\n' && range[i + 1]);
	for (size_t i = 0; i <= n; i++)
		row[i] = run_matches(&m->runs[k], &m->text, i) &&
			 (!next || range[i + m->runs[k].n]);
}

static int matcher_init(struct matcher *m, const char *value, const char *pattern, bool reversed,
			struct err *err)
{
	cleanup_free uint8_t *range = NULL;

	if (pattern_parse(pattern, &m->pattern, err) < 0)
		return -err->code;
	text_decode(value, &m->text);
	if ((uint64_t)(m->pattern.n + 1) * (m->text.n + 1) > MAX_COST)
		return err_set(err, ERR_INVALID,
			       "pattern of %zu characters is too long for a value of %zu",
			       m->pattern.n, m->text.n);
	if (reversed) {
		text_reverse(&m->pattern);
		text_reverse(&m->text);
	}
	split_runs(m);
	m->rows = mem_alloc(m->n_runs * (m->text.n + 1));
	range = mem_zalloc(m->text.n + 1);
	for (size_t k = m->n_runs; k-- > 0;)
		fill_row(m, k, range);
	return 0;
}

/* Where the star at AT ends, when ROW is what the run after it can do; there is such a place. */
static size_t star_end(const struct matcher *m, const uint8_t *row, size_t at)
{
	size_t best = at;

	for (bool is_found = false; !is_found || m->longest; at++) {
		if (row[at]) {
			best = at;
			is_found = true;
		}
		if (at == m->text.n || m->text.items[at] == '\n')
			break;
	}
	return best;
}

/* Where the match that begins at AT, which is one, ends. */
static size_t match_end(const struct matcher *m, size_t at)
{
	at += m->runs[0].n;
	for (size_t k = 1; k < m->n_runs; k++) {
		/* The last star ends where it likes: all of its row is true. */
		at = star_end(m, row_of(m, k), at) + m->runs[k].n;
	}
	return at;
}

int expand_trim(const char *value, const char *pattern, bool from_end, bool longest,
		struct str *ret, struct err *err)
{
	cleanup_matcher struct matcher m = {.longest = longest};
	size_t end = 0;

	if (matcher_init(&m, value, pattern, from_end, err) < 0)
		return -err->code;
	end = row_of(&m, 0)[0] ? match_end(&m, 0) : 0;
	if (!from_end) {
		text_append(ret, &m.text, end, m.text.n);
		return 0;
	}
	text_reverse(&m.text);
	text_append(ret, &m.text, 0, m.text.n - end);
	return 0;
}

int expand_replace(const char *value, const char *pattern, const char *replacement, bool all,
		   size_t limit, struct str *ret, struct err *err)
{
	cleanup_matcher struct matcher m = {.longest = true};
	size_t copied = 0;

	if (matcher_init(&m, value, pattern, false, err) < 0)
		return -err->code;
	for (size_t at = 0; at <= m.text.n && ret->len <= limit; at++) {
		size_t end = 0;

		if (!row_of(&m, 0)[at])
			continue;
		end = match_end(&m, at);
		text_append(ret, &m.text, copied, at);
		/* Nothing directly after a match is not another one. */
		if (end > copied || at == 0)
			str_add(ret, replacement);
		copied = end;
		if (!all)
			break;
		if (end > at)
			at = end - 1;
	}
	text_append(ret, &m.text, copied, m.text.n);
	return 0;
}
