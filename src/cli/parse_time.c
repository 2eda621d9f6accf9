/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time, of logs, events and filters.
 */
#include "cli/parse_time.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>

#define FRACTION_DIGITS 9

/* "SECONDS[.FRACTION]", exactly: a double would round it to some hundred nanoseconds. */
static int parse_seconds(const char *text, int64_t *ret_ns)
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

int time_parse_point(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
	const char *fault = NULL;
	int64_t ago = 0;

	/* A bare number is a time: "0" is 1970, not now. */
	if (parse_seconds(text, ret_ns) == 0)
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
