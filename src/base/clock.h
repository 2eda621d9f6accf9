/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
/*
 * Times. Intervals are measured on CLOCK_MONOTONIC, dates on CLOCK_REALTIME; both as nanoseconds.
 */
#include <stddef.h>
#include <stdint.h>

struct err;

#define CLOCK_NS_PER_S 1000000000LL

/* Nanoseconds since a point in the past that means nothing: for differences within one boot. */
uint64_t clock_mono_ns(void);
/* Nanoseconds since 1970 (negative before). */
int64_t clock_real_ns(void);
/* The same as file systems take it: what is changed from now on has no earlier time. */
int64_t clock_coarse_ns(void);

/* "2006-01-02T15:04:05.999999999Z" as Go's RFC3339Nano prints UTC (trailing zeros cut). */
#define CLOCK_RFC3339_LEN 40
void clock_format_rfc3339(int64_t real_ns, char buf[static CLOCK_RFC3339_LEN]);
/* RFC 3339 with zone, or docker's zone-less shortened forms taken as local time; 0 or -EINVAL.
 * Dates that nanoseconds cannot count to, before 1677 and after 2262, become the first and the last
 * that they can, which are a nanosecond short of the type's limits. */
int clock_parse_rfc3339(const char *s, int64_t *ret_real_ns);
/* The same in whole seconds since 1970, of any year that can be written. */
int clock_parse_rfc3339_s(const char *s, int64_t *ret_real_s);
/* docker's words for a time: a duration before NOW_NS ("10m", "1h30m", "-5s" is ahead), RFC 3339
 * with less and less behind the day ("2006-01-02T15:04", local where no zone is said), or seconds
 * since 1970 with a fraction. *RET_NS is nanoseconds since 1970. ERR_INVALID
 * "failed to parse value as time or duration: "x"". */
int clock_parse_point(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err);
/* Go's zero time 0001-01-01T00:00:00Z as a string constant, what docker prints for "never". */
#define CLOCK_NEVER   "0001-01-01T00:00:00Z"
#define CLOCK_NEVER_S (-62135596800LL)

/* "2 hours", "About a minute", "Less than a second" (go-units HumanDuration) of NS >= 0. */
void clock_format_human(int64_t ns, char *buf, size_t len);

#endif
