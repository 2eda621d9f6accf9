/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_TIME_H
#define CLI_PARSE_TIME_H
/* Points in time as options name them. */
#include <stdint.h>

struct err;

/* docker's words for a time: a duration before NOW_NS ("10m", "1h30m", "-5s" is ahead), RFC 3339
 * with less and less behind the day ("2006-01-02T15:04", local where no zone is said), or seconds
 * since 1970 with up to nine digits of a fraction. *RET_NS is nanoseconds since 1970. ERR_INVALID
 * "failed to parse value as time or duration: "x"". */
int time_parse_point(const char *text, int64_t now_ns, int64_t *ret_ns, struct err *err);

#endif
