/* SPDX-License-Identifier: Apache-2.0 */
/* The distance is Levenshtein's, and two is as far as a guess goes. */
#include "dockerfile/suggest.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

enum { FARTHEST = 2, MAX_WORD = 128 };

static int fold(char c, bool ignores_case)
{
	return ignores_case ? tolower((unsigned char)c) : (unsigned char)c;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Row by row: what it costs to make the first I letters of A the first K of B. */
static size_t distance(const char *a, const char *b, bool ignores_case)
{
	size_t row[MAX_WORD + 1];
	size_t len_b = strlen(b);

	for (size_t k = 0; k <= len_b; k++)
		row[k] = k;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < len_b; k++) {
			bool is_same = fold(a[i], ignores_case) == fold(b[k], ignores_case);
			size_t above = row[k + 1];

			row[k + 1] = least(diagonal + !is_same, above + 1, row[k] + 1);
			diagonal = above;
		}
	}
	return row[len_b];
}

/* No word that long is two edits from one of ours, and the table has to end somewhere. */
static bool is_comparable(const char *typed, const char *option)
{
	size_t a = strlen(typed), b = strlen(option);

	return a <= MAX_WORD && b <= MAX_WORD && a <= b + FARTHEST && b <= a + FARTHEST;
}

const char *suggest_find(const char *typed, const char *const *options, size_t n, bool ignores_case)
{
	const char *best = NULL;
	size_t best_distance = FARTHEST + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = 0;

		if (!is_comparable(typed, options[i]))
			continue;
		d = distance(typed, options[i], ignores_case);
		if (d == 0)
			return NULL;
		if (d < best_distance ||
		    (best && d == best_distance && strcmp(options[i], best) < 0)) {
			best = options[i];
			best_distance = d;
		}
	}
	return best;
}

char *suggest_text(const char *typed, const char *const *options, size_t n)
{
	const char *best = suggest_find(typed, options, n, false);

	return best ? str_printf(" (did you mean %s?)", best) : str_dup("");
}
