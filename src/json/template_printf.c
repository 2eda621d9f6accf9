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

#define MAX_WIDTH 1000000 /* as in Go: what is longer by a digit is refused */

/* A printf while it reads its format. */
struct format_run {
	const char *p, *end;
	struct call *c;
	size_t next;	  /* argument */
	bool reordered;	  /* by %[n]: unused arguments are no mistake */
	bool bad_index;	  /* in the conversion that is read */
	bool after_index; /* of an argument, which the verb must follow */
	struct str out;
};

/* Digits as Go reads them: -1 when there are none; one that is far too long takes the rest of the
 * format with it. */
static int read_digits(struct format_run *r, const char *end)
{
	int n = -1;

	for (; r->p < end && *r->p >= '0' && *r->p <= '9'; r->p++) {
		if (n > MAX_WIDTH) {
			r->p = end;
			return -1;
		}
		n = (n < 0 ? 0 : n) * 10 + (*r->p - '0');
	}
	return n;
}

/* "[N]" makes the Nth argument the next one. */
static void read_index(struct format_run *r)
{
	const char *close = NULL;
	int n = 0;

	r->after_index = false;
	if (r->p >= r->end || *r->p != '[')
		return;
	r->reordered = true;
	close = r->end - r->p < 3 ? NULL : memchr(r->p, ']', (size_t)(r->end - r->p));
	r->p++;
	if (!close) {
		r->bad_index = true;
		return;
	}
	n = read_digits(r, close);
	r->after_index = n >= 0 && r->p == close;
	r->p = close + 1;
	if (r->after_index && n >= 1 && (size_t)n < r->c->n_args)
		r->next = (size_t)n;
	else
		r->bad_index = true;
}

/* The "*" of a width or precision: an argument. False, and a remark, when that is no int. */
static bool read_star(struct format_run *r, const char *what, int *ret)
{
	const json_t *v = r->next < r->c->n_args ? r->c->args[r->next++].json : NULL;
	json_int_t i = json_integer_value(v);

	r->p++;
	r->after_index = false;
	*ret = (int)i;
	if (json_is_integer(v) && i >= -MAX_WIDTH && i <= MAX_WIDTH && (i >= 0 || *what == 'W'))
		return true;
	str_addf(&r->out, "%%!(BAD%s)", what);
	return false;
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

static void read_width(struct format_run *r, struct conversion *f)
{
	read_index(r);
	if (r->p >= r->end || *r->p != '*') {
		f->width = read_digits(r, r->end);
		r->bad_index = r->bad_index || (r->after_index && f->width >= 0);
		return;
	}
	if (!read_star(r, "WIDTH", &f->width))
		f->width = -1;
	else if (f->width < 0) {
		f->minus = true;
		f->width = -f->width;
	}
}

static void read_precision(struct format_run *r, struct conversion *f)
{
	if (r->p >= r->end || *r->p != '.')
		return;
	r->p++;
	r->bad_index = r->bad_index || r->after_index;
	read_index(r);
	if (r->p >= r->end || *r->p != '*') {
		f->precision = read_digits(r, r->end);
		f->precision = f->precision < 0 ? 0 : f->precision;
	} else if (!read_star(r, "PREC", &f->precision)) {
		f->precision = -1;
	}
}

static void read_conversion(struct format_run *r, struct conversion *f)
{
	r->bad_index = false;
	read_flags(r, f);
	read_width(r, f);
	read_precision(r, f);
	if (f->minus)
		f->zero = false;
	if (!r->after_index)
		read_index(r);
}

/* A conversion without its argument: "%!d(MISSING)". */
static void add_remark(struct format_run *r, uint32_t verb, const char *remark)
{
	str_add(&r->out, "%!");
	str_add_rune(&r->out, verb);
	str_addf(&r->out, "(%s)", remark);
}

static void format_type(struct str *out, const struct conversion *f, const struct value *v)
{
	const char *type = value_is_untyped_nil(v) ? "<nil>" : value_type(v);

	conversion_pad(out, f, type, strlen(type));
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
	f.syntax = f.verb == 'v' && f.sharp;
	f.sharp = f.sharp && !f.syntax;
	if (f.verb == '%') {
		str_add_char(&r->out, '%');
		return;
	}
	if (r->bad_index || r->next >= r->c->n_args) {
		add_remark(r, f.verb, r->bad_index ? "BADINDEX" : "MISSING");
		return;
	}
	v = &r->c->args[r->next++];
	if (f.verb == 'T')
		format_type(&r->out, &f, v);
	else if (f.verb == 'w') /* wraps errors elsewhere */
		conversion_refuse(&r->out, &f, v);
	else
		conversion_format(&r->out, &f, v);
}

static void add_extra(struct format_run *r)
{
	str_add(&r->out, "%!(EXTRA ");
	for (size_t i = r->next; i < r->c->n_args; i++) {
		const struct value *v = &r->c->args[i];

		str_add(&r->out, i > r->next ? ", " : "");
		if (!value_is_untyped_nil(v))
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
