/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times: two clocks, docker's two ways of printing them.
 */
#include "base/clock.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

uint64_t clock_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_NS_PER_S + (uint64_t)ts.tv_nsec;
}

int64_t clock_coarse_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts.tv_sec * CLOCK_NS_PER_S + ts.tv_nsec;
}

int64_t clock_real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * CLOCK_NS_PER_S + ts.tv_nsec;
}

/* Day DAYS after 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the
 * leap day is the last of its year; 400 years have 146097 days. gmtime_r(3) would read
 * /etc/localtime. */
static void split_days(int64_t days, int *year, int *month, int *day)
{
	int64_t shifted = days + 719468; /* since 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t doe = shifted - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t from_march = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

void clock_format_rfc3339(int64_t real_ns, char buf[static CLOCK_RFC3339_LEN])
{
	int64_t seconds = real_ns / CLOCK_NS_PER_S;
	long nanos = (long)(real_ns % CLOCK_NS_PER_S);
	int64_t days = 0;
	int year = 0, month = 0, day = 0, of_day = 0;
	char frac[12] = "";

	if (nanos < 0) {
		nanos += CLOCK_NS_PER_S;
		seconds--;
	}
	days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
	of_day = (int)(seconds - days * 86400);
	split_days(days, &year, &month, &day);
	if (nanos) {
		int len = snprintf(frac, sizeof(frac), ".%09ld", nanos);

		while (len > 1 && frac[len - 1] == '0')
			frac[--len] = '\0';
	}
	snprintf(buf, CLOCK_RFC3339_LEN, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day,
		 of_day / 3600, of_day / 60 % 60, of_day % 60, frac);
}

/* Fixed-width decimal field; moves *S behind it. */
static int scan_field(const char **s, int width, int *ret)
{
	int v = 0;

	for (int i = 0; i < width; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EINVAL;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return 0;
}

static int scan_zone(const char **s, int *ret_offset)
{
	int hours = 0;
	int minutes = 0;
	int sign = 0;

	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		*ret_offset = 0;
		return 0;
	}
	sign = **s == '-' ? -1 : 1;
	(*s)++;
	if (scan_field(s, 2, &hours) < 0 || *(*s)++ != ':' || scan_field(s, 2, &minutes) < 0)
		return -EINVAL;
	*ret_offset = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int parse_rfc3339(const char *s, int64_t *ret_s, int64_t *ret_nanos)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t nanos = 0;
	int offset = 0;

	if (scan_field(&s, 4, &tm.tm_year) < 0 || *s++ != '-' ||
	    scan_field(&s, 2, &tm.tm_mon) < 0 || *s++ != '-' || scan_field(&s, 2, &tm.tm_mday) < 0)
		return -EINVAL;
	if (*s == 'T' || *s == 't') {
		s++;
		if (scan_field(&s, 2, &tm.tm_hour) < 0)
			return -EINVAL;
		if (*s == ':' && (s++, scan_field(&s, 2, &tm.tm_min) < 0))
			return -EINVAL;
		if (*s == ':' && (s++, scan_field(&s, 2, &tm.tm_sec) < 0))
			return -EINVAL;
	}
	if (*s == '.') {
		int64_t unit = CLOCK_NS_PER_S / 10;

		for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
			nanos += (*s - '0') * unit;
	}
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (*s == 'Z' || *s == 'z' || *s == '+' || *s == '-') {
		if (scan_zone(&s, &offset) < 0 || *s)
			return -EINVAL;
		*ret_s = (int64_t)timegm(&tm) - offset;
		*ret_nanos = nanos;
		return 0;
	}
	if (*s)
		return -EINVAL;
	*ret_s = (int64_t)mktime(&tm);
	*ret_nanos = nanos;
	return 0;
}

int clock_parse_rfc3339(const char *s, int64_t *ret_real_ns)
{
	int64_t seconds = 0, nanos = 0, ns = 0;
	int rc = parse_rfc3339(s, &seconds, &nanos);

	if (rc < 0)
		return rc;
	if (__builtin_mul_overflow(seconds, CLOCK_NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, nanos, &ns))
		ns = seconds < 0 ? INT64_MIN + 1 : INT64_MAX - 1;
	*ret_real_ns = ns;
	return 0;
}

int clock_parse_rfc3339_s(const char *s, int64_t *ret_real_s)
{
	int64_t nanos = 0;

	return parse_rfc3339(s, ret_real_s, &nanos);
}

#define FRACTION_DIGITS 9

/* "SECONDS[.FRACTION]", exactly: a double would round it to some hundred nanoseconds. */
static int parse_unix(const char *text, int64_t *ret_ns)
{
	size_t len = strcspn(text, ".");
	cleanup_free char *whole = str_ndup(text, len);
	const char *fraction = text[len] ? text + len + 1 : "";
	char digits[FRACTION_DIGITS + 1] = "000000000";
	int64_t seconds = 0;
	uint64_t nanos = 0;
	size_t n = strlen(fraction);

	if (num_parse_i64(whole, &seconds) < 0 || (text[len] && n == 0))
		return -EINVAL;
	memcpy(digits, fraction, n < FRACTION_DIGITS ? n : FRACTION_DIGITS);
	if (strspn(fraction, "0123456789") != n || num_parse_u64(digits, &nanos) < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(seconds, CLOCK_NS_PER_S, ret_ns))
		*ret_ns = seconds < 0 ? INT64_MIN + 1 : INT64_MAX - CLOCK_NS_PER_S;
	*ret_ns += (int64_t)nanos;
	return 0;
}

/* What is wrong with TEXT, which looks like a date. */
static const char *date_fault(const char *text)
{
	int month = 1;
	int day = 1;
	int hour = 0;

	if (sscanf(text, "%*4d-%2d-%2dT%2d", &month, &day, &hour) < 2)
		return NULL;
	return month < 1 || month > 12 ? "month"
	       : day < 1 || day > 31   ? "day"
	       : hour > 23	       ? "hour"
				       : NULL;
}

int clock_parse_point(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
	const char *fault = NULL;
	int64_t ago = 0;

	/* A bare number is a time: "0" is 1970, not now. */
	if (parse_unix(text, ret_ns) == 0)
		return 0;
	if (num_parse_duration(text, &ago) == 0) {
		*ret_ns = now_ns - ago;
		return 0;
	}
	if (clock_parse_rfc3339(text, ret_ns) == 0)
		return 0;
	fault = date_fault(text);
	if (fault)
		return err_set(err, ERR_INVALID, "parsing time \"%s\": %s out of range", text,
			       fault);
	return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", text);
}

void clock_format_human(int64_t ns, char *buf, size_t len)
{
	int64_t seconds = ns / CLOCK_NS_PER_S;
	int64_t minutes = seconds / 60;
	/* go-units rounds hours to the nearest one, but not those of which it makes years. */
	int64_t hours = (minutes + 30) / 60;

	if (seconds < 1)
		snprintf(buf, len, "Less than a second");
	else if (seconds == 1)
		snprintf(buf, len, "1 second");
	else if (seconds < 60)
		snprintf(buf, len, "%lld seconds", (long long)seconds);
	else if (minutes == 1)
		snprintf(buf, len, "About a minute");
	else if (minutes < 60)
		snprintf(buf, len, "%lld minutes", (long long)minutes);
	else if (hours == 1)
		snprintf(buf, len, "About an hour");
	else if (hours < 48)
		snprintf(buf, len, "%lld hours", (long long)hours);
	else if (hours < 24 * 7 * 2)
		snprintf(buf, len, "%lld days", (long long)hours / 24);
	else if (hours < 24 * 30 * 2)
		snprintf(buf, len, "%lld weeks", (long long)hours / 24 / 7);
	else if (hours < 24 * 365 * 2)
		snprintf(buf, len, "%lld months", (long long)hours / 24 / 30);
	else
		snprintf(buf, len, "%lld years", (long long)minutes / 60 / 24 / 365);
}
