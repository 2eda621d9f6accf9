/* SPDX-License-Identifier: Apache-2.0 */
/* docker's bar: fifty columns, an arrow, and sizes. */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_COLUMNS 50
#define SIZE_DIGITS 4
#define REDRAW_NS   100000000ULL

void progress_init(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){.what = what, .total = total, .on = isatty(STDERR_FILENO)};
}

void progress_format(struct str *out, uint64_t n_bytes, uint64_t total)
{
	char done[32];
	char all[32];
	uint64_t part = n_bytes < total ? n_bytes : total;
	unsigned filled = total ? (unsigned)((double)part / (double)total * BAR_COLUMNS) : 0;

	num_format_size((double)n_bytes, SIZE_DIGITS, done, sizeof(done));
	if (!total) {
		str_addf(out, "%8s", done);
		return;
	}
	num_format_size((double)total, SIZE_DIGITS, all, sizeof(all));
	str_add_char(out, '[');
	for (unsigned i = 0; i < BAR_COLUMNS; i++)
		str_add_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
	str_addf(out, "] %8s/%s", done, all);
}

void progress_update(uint64_t n_bytes, void *data)
{
	struct progress *p = data;
	cleanup_str struct str line = STR_INIT;
	uint64_t now = clock_mono_ns();

	if (!p->on || (p->drawn && now - p->last_ns < REDRAW_NS))
		return;
	p->last_ns = now;
	p->drawn = true;
	progress_format(&line, n_bytes, p->total);
	fprintf(stderr, "\r%s  %s\033[K", p->what, str_get(&line));
	fflush(stderr);
}

void progress_done(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	fflush(stderr);
	p->drawn = false;
}
