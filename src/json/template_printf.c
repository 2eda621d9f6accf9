/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's printf: reads the format, takes arguments in order, and reports what is wrong inside the
 * result, as Go does ("%!d(MISSING)"). The conversions themselves are in template_print.c.
 */
#include <string.h>

#include "base/str.h"
#include "json/rune.h"
#include "json/template.h"
#include "json/template_func.h"
#include "json/template_print.h"

#define MAX_WIDTH 1000000 /* as in Go's fmt */

/* A printf while it reads its format. */
struct format_run {
	const char *p, *end;
	struct call *c;
	size_t next;	/* argument */
	bool reordered; /* by %[n]: unused arguments are no mistake */
	struct str out;
};

/* "[N]" makes the Nth argument the next one. */
static void read_index(struct format_run *r)
{
	const char *p = r->p + 1;
	size_t n = 0;

	if (r->p >= r->end || *r->p != '[')
		return;
	for (; p < r->end && *p >= '0' && *p <= '9' && n < MAX_WIDTH; p++)
		n = n * 10 + (size_t)(*p - '0');
	if (p >= r->end || *p != ']' || n == 0)
		return;
	r->p = p + 1;
	r->next = n;
	r->reordered = true;
}

/* A width or precision: digits, or "*" for an argument. -1 when there is none. */
static int read_number(struct format_run *r, const char *what)
{
	int n = -1;

	if (r->p < r->end && *r->p == '*') {
		const json_t *v = r->next < r->c->n_args ? r->c->args[r->next++].json : NULL;
		json_int_t i = json_integer_value(v);

		r->p++;
		if (json_is_integer(v) && i >= -MAX_WIDTH && i <= MAX_WIDTH)
			return (int)i;
		str_addf(&r->out, "%%!(BAD%s)", what);
		return -1;
	}
	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
		if (n < MAX_WIDTH)
			n = (n < 0 ? 0 : n) * 10 + (*r->p - '0');
	}
	if (n <= MAX_WIDTH)
		return n;
	str_addf(&r->out, "%%!(BAD%s)", what);
	return -1;
}

static void read_flags(struct format_run *r, struct conversion *f)
{
	for (; r->p < r->end; r->p++) {
		switch (*r->p) {
		case '-':
			f->minus = true;
			break;
		case '+':
			f->plus = true;
			break;
		case '#':
			f->sharp = true;
			break;
		case ' ':
			f->space = true;
			break;
		case '0':
			f->zero = true;
			break;
		default:
			return;
		}
	}
}

static void read_conversion(struct format_run *r, struct conversion *f)
{
	read_flags(r, f);
	read_index(r);
	f->width = read_number(r, "WIDTH");
	if (f->width < -1) {
		f->minus = true;
		f->width = -f->width;
	}
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		f->precision = read_number(r, "PREC");
		if (f->precision < 0)
			f->precision = 0;
	}
	if (f->minus)
		f->zero = false;
	read_index(r);
}

static void run_conversion(struct format_run *r)
{
	struct conversion f = {.width = -1, .precision = -1};
	const struct value *v = NULL;

	read_conversion(r, &f);
	if (r->p >= r->end) {
		str_add(&r->out, "%!(NOVERB)");
		return;
	}
	r->p += rune_decode(r->p, (size_t)(r->end - r->p), &f.verb);
	f.names = f.verb == 'v' && f.plus;
	f.plus = f.plus && !f.names;
	if (f.verb == '%') {
		str_add_char(&r->out, '%');
		return;
	}
	if (r->next >= r->c->n_args) {
		str_add(&r->out, "%!");
		str_add_rune(&r->out, f.verb);
		str_add(&r->out, "(MISSING)");
		return;
	}
	v = &r->c->args[r->next++];
	if (f.verb == 'T')
		conversion_pad(&r->out, &f, value_type(v), strlen(value_type(v)));
	else
		conversion_format(&r->out, &f, v);
}

static void add_extra(struct format_run *r)
{
	str_add(&r->out, "%!(EXTRA ");
	for (size_t i = r->next; i < r->c->n_args; i++) {
		const struct value *v = &r->c->args[i];

		str_add(&r->out, i > r->next ? ", " : "");
		if (v->json && !json_is_null(v->json))
			str_addf(&r->out, "%s=", value_type(v));
		value_print(&r->out, v);
	}
	str_add_char(&r->out, ')');
}

int template_printf(struct call *c)
{
	const json_t *format = c->args[0].json;
	struct format_run r = {.p = json_string_value(format), .c = c, .next = 1};
	int rc = 0;

	r.end = r.p + json_string_length(format);
	while (r.p < r.end && r.out.len <= TEMPLATE_MAX_OUTPUT) {
		const char *percent = memchr(r.p, '%', (size_t)(r.end - r.p));
		const char *stop = percent ? percent : r.end;

		str_add_bytes(&r.out, r.p, (size_t)(stop - r.p));
		r.p = percent ? percent + 1 : r.end;
		if (percent)
			run_conversion(&r);
	}
	if (!r.reordered && r.next < c->n_args && r.out.len <= TEMPLATE_MAX_OUTPUT)
		add_extra(&r);
	rc = r.out.len > TEMPLATE_MAX_OUTPUT ? call_fail(c, "result too large")
					     : call_return_str(c, &r.out);
	str_done(&r.out);
	return rc;
}
