/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, sizes and durations. strtol(3) is not used: it skips spaces, takes signs where none
 * belong and hides overflow in errno; here one loop says exactly what is accepted.
 */
#include "base/num.h"

#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

int num_parse_base(const char *s, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned digit = 99;

		if (*s >= '0' && *s <= '9')
			digit = (unsigned)(*s - '0');
		else if (*s >= 'a' && *s <= 'z')
			digit = (unsigned)(*s - 'a') + 10;
		else if (*s >= 'A' && *s <= 'Z')
			digit = (unsigned)(*s - 'A') + 10;
		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int num_parse_u64(const char *s, uint64_t *ret)
{
	return num_parse_base(s, 10, ret);
}

int num_parse_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v = 0;
	int rc = num_parse_u64(s + (*s == '-' || *s == '+'), &v);

	if (rc < 0)
		return rc;
	if (v > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int num_parse_int(const char *s, int *ret)
{
	int64_t v = 0;
	int rc = num_parse_i64(s, &v);

	if (rc < 0)
		return rc;
	if (v < INT32_MIN || v > INT32_MAX)
		return -ERANGE;
	*ret = (int)v;
	return 0;
}

/* Reads digits[.digits] at *S and moves it behind them. */
static int scan_decimal(const char **s, double *ret)
{
	const char *p = *s;
	double v = 0;
	double scale = 1;
	int digits = 0;

	for (; *p >= '0' && *p <= '9'; p++, digits++)
		v = v * 10 + (*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
			scale /= 10;
			v += (*p - '0') * scale;
		}
	if (!digits)
		return -EINVAL;
	*s = p;
	*ret = v;
	return 0;
}

int num_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

int num_parse_size(const char *s, int64_t *ret)
{
	static const char units[] = "kmgtp";
	double v = 0;

	if (scan_decimal(&s, &v) < 0)
		return -EINVAL;
	if (*s == ' ')
		s++;
	const char *unit = *s ? strchr(units, *s | 0x20) : NULL;
	if (unit) {
		v = ldexp(v, 10 * (int)(unit - units + 1));
		s++;
		if (strcasecmp(s, "ib") == 0)
			s++;
	}
	if (strcasecmp(s, "b") == 0)
		s++;
	if (*s)
		return -EINVAL;
	if (v >= 9223372036854775807.0)
		return -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

int num_parse_duration(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
		{"ms", 1e6}, {"s", 1e9},  {"m", 60e9},	      {"h", 3600e9},
	};
	bool negative = *s == '-';
	double total = 0;

	s += *s == '-' || *s == '+';
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		double v = 0;
		size_t len = 0;
		size_t i = 0;

		if (scan_decimal(&s, &v) < 0)
			return -EINVAL;
		while (s[len] && s[len] != '.' && (s[len] < '0' || s[len] > '9'))
			len++;
		for (i = 0; i < ARRAY_LEN(units); i++)
			if (strlen(units[i].name) == len && strncmp(units[i].name, s, len) == 0)
				break;
		if (i == ARRAY_LEN(units))
			return -EINVAL;
		total += v * units[i].ns;
		s += len;
	}
	if (total >= 9223372036854775807.0)
		return -ERANGE;
	*ret_ns = (int64_t)(negative ? -total : total);
	return 0;
}

/* WHOLE and a fraction of DIGITS decimals, without the zeros at its end. */
static void format_fraction(uint64_t whole, uint64_t fraction, int digits, const char *unit,
			    char *buf, size_t len)
{
	char text[24];
	int n = snprintf(text, sizeof(text), ".%0*llu", digits, (unsigned long long)fraction);

	while (n > 0 && (text[n - 1] == '0' || text[n - 1] == '.'))
		if (text[--n] == '.')
			break;
	snprintf(buf, len, "%llu%.*s%s", (unsigned long long)whole, n, text, unit);
}

void num_format_duration(int64_t ns, char buf[static NUM_DURATION_LEN])
{
	const uint64_t second = 1000000000;
	uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	unsigned long long minutes = v / second / 60;
	const char *sign = ns < 0 ? "-" : "";
	char rest[24];

	if (v == 0 || v >= second)
		format_fraction(v / second % 60, v % second, 9, "s", rest, sizeof(rest));
	else if (v >= 1000000)
		format_fraction(v / 1000000, v % 1000000, 6, "ms", rest, sizeof(rest));
	else if (v >= 1000)
		format_fraction(v / 1000, v % 1000, 3, "\xc2\xb5s", rest, sizeof(rest));
	else
		format_fraction(v, 0, 0, "ns", rest, sizeof(rest));
	if (minutes >= 60)
		snprintf(buf, NUM_DURATION_LEN, "%s%lluh%llum%s", sign, minutes / 60, minutes % 60,
			 rest);
	else if (minutes > 0)
		snprintf(buf, NUM_DURATION_LEN, "%s%llum%s", sign, minutes, rest);
	else
		snprintf(buf, NUM_DURATION_LEN, "%s%s", sign, rest);
}

int num_parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

static void format_scaled(double v, double base, const char *const *units, size_t n_units,
			  int precision, char *buf, size_t len)
{
	size_t i = 0;

	for (; v >= base && i + 1 < n_units; i++)
		v /= base;
	snprintf(buf, len, "%.*g%s", precision, v, units[i]);
}

void num_format_size(double bytes, int precision, char *buf, size_t len)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};

	format_scaled(bytes, 1000, units, ARRAY_LEN(units), precision, buf, len);
}

void num_format_size_binary(double bytes, int precision, char *buf, size_t len)
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB", "TiB",
					    "PiB", "EiB", "ZiB", "YiB"};

	format_scaled(bytes, 1024, units, ARRAY_LEN(units), precision, buf, len);
}
