/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modes as chmod(1p) has them; without "ugoa" everybody is meant, whatever the umask.
 */
#include "build/chmod.h"

#include <string.h>
#include <sys/stat.h>

#define WHO_USER  (S_ISUID | S_IRWXU)
#define WHO_GROUP (S_ISGID | S_IRWXG)
#define WHO_OTHER (S_ISVTX | S_IRWXO)
#define ALL_BITS  ((mode_t)07777)

static int invalid(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "invalid chmod parameter: '%s'. it should be octal string and between 0 and "
		       "07777",
		       text);
}

static mode_t who_of(char c)
{
	switch (c) {
	case 'u':
		return WHO_USER;
	case 'g':
		return WHO_GROUP;
	case 'o':
		return WHO_OTHER;
	case 'a':
		return ALL_BITS;
	default:
		return 0;
	}
}

/* The bits of the letter C for all classes, as far as a class has them; 0 for another letter. */
static mode_t bits_of(char c)
{
	switch (c) {
	case 'r':
		return 0444;
	case 'w':
		return 0222;
	case 'x':
	case 'X':
		return 0111;
	case 's':
		return S_ISUID | S_ISGID;
	case 't':
		return S_ISVTX;
	default:
		return 0;
	}
}

/* The permissions behind an operator; returns where they end. */
static const char *parse_bits(const char *p, struct chmod_action *a)
{
	if (*p && strchr("ugo", *p)) {
		a->copies = *p;
		return p + 1;
	}
	for (; bits_of(*p); p++) {
		if (*p == 'X')
			a->is_conditional = true;
		else
			a->bits |= bits_of(*p);
	}
	return p;
}

/* One clause, "ug+r-w"; NULL when it is none. */
static const char *parse_clause(const char *p, struct chmod_spec *spec)
{
	mode_t who = 0;

	for (; who_of(*p); p++)
		who |= who_of(*p);
	if (!who)
		who = ALL_BITS;
	if (!*p || !strchr("+-=", *p))
		return NULL;
	while (*p && strchr("+-=", *p)) {
		struct chmod_action a = {.op = *p, .who = who};

		if (spec->n == CHMOD_MAX_ACTIONS)
			return NULL;
		p = parse_bits(p + 1, &a);
		spec->actions[spec->n++] = a;
	}
	return p;
}

static int parse_number(const char *text, struct chmod_spec *ret, struct err *err)
{
	size_t len = strspn(text, "01234567");

	if (text[len])
		return invalid(text, err);
	for (const char *p = text; *p; p++) {
		ret->number = ret->number << 3 | (mode_t)(*p - '0');
		if (ret->number > ALL_BITS)
			return invalid(text, err);
	}
	ret->is_number = true;
	return 0;
}

int chmod_parse(const char *text, struct chmod_spec *ret, struct err *err)
{
	struct chmod_spec spec = {};

	if (*text >= '0' && *text <= '9') {
		if (parse_number(text, &spec, err) < 0)
			return -err->code;
		*ret = spec;
		return 0;
	}
	for (const char *p = text;; p++) {
		p = parse_clause(p, &spec);
		if (!p || (*p && *p != ','))
			return invalid(text, err);
		if (!*p)
			break;
	}
	*ret = spec;
	return 0;
}

/* The rwx bits of class C of MODE, for all three classes. */
static mode_t copy_class(char c, mode_t mode)
{
	mode_t bits = c == 'u' ? mode >> 6 & 7 : c == 'g' ? mode >> 3 & 7 : mode & 7;

	return bits << 6 | bits << 3 | bits;
}

static mode_t act(const struct chmod_action *a, mode_t mode)
{
	mode_t bits = a->copies ? copy_class(a->copies, mode) : a->bits;
	mode_t kept = mode & (S_IFMT | ALL_BITS);

	if (a->is_conditional && (S_ISDIR(mode) || mode & 0111))
		bits |= 0111;
	bits &= a->who;
	switch (a->op) {
	case '+':
		return kept | bits;
	case '-':
		return kept & ~bits;
	default:
		return (kept & ~a->who) | bits;
	}
}

mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode)
{
	if (spec->is_number)
		return spec->number;
	for (size_t i = 0; i < spec->n; i++)
		mode = act(&spec->actions[i], mode);
	return mode & ALL_BITS;
}
