/* SPDX-License-Identifier: Apache-2.0 */
/* The excerpt of a Dockerfile that stands before an error. */
#include "dockerfile/syntax.h"

#include "base/mem.h"

#define RULE "--------------------\n"

/* Two lines on each side of a single one, one on each side of several; a file's edge gives what it
 * does not need to the other side only as far as the count goes. */
static void widen(size_t n_lines, size_t *first, size_t *last)
{
	unsigned pad = *first == *last ? 4 : 2;

	for (unsigned n = 0; n < pad; n++) {
		if (*first > 1) {
			(*first)--;
			n++;
		}
		if (*last < n_lines) {
			(*last)++;
			n++;
		}
	}
}

/* What a terminal would act upon is not shown as it is. */
static void add_line(struct str *out, const char *line)
{
	for (; *line; line++) {
		unsigned char c = (unsigned char)*line;

		if (c == '\r' && !line[1])
			return;
		str_add_char(out, (c < ' ' && c != '\t') || c == 0x7F ? '?' : *line);
	}
}

void dockerfile_excerpt(const struct dockerfile *file, struct dockerfile_lines where,
			struct str *ret)
{
	size_t first = where.first, last = where.last;

	if (first < 1 || first > file->source.n)
		return;
	if (last > file->source.n)
		last = file->source.n;
	if (last < first)
		last = first;
	str_addf(ret, "%s:%zu\n" RULE, file->name, first);
	where.last = (unsigned)last;
	widen(file->source.n, &first, &last);
	for (size_t i = first; i <= last; i++) {
		bool is_in = i >= where.first && i <= where.last;

		str_addf(ret, " %3zu | %s ", i, is_in ? ">>>" : "   ");
		add_line(ret, file->source.items[i - 1]);
		str_add_char(ret, '\n');
	}
	str_add(ret, RULE);
}
