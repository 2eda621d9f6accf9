/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_LOG_SCAN_H
#define MONITOR_LOG_SCAN_H
/*
 * The two loops in which a log spends its time, on vectors where the processor has them: copying
 * text up to the first byte that JSON needs escaped, and finding the end of a JSON string.
 */
#include <stddef.h>
#include <stdint.h>

/* Copies IN to OUT up to its first byte that is a control character, one of " \ < > & or not ASCII,
 * and returns how many those are. Up to LEN bytes of OUT are written whatever is returned. */
size_t log_scan_copy(const uint8_t *in, size_t len, uint8_t *out);

/* Bytes of P before its first quote or backslash; LEN when there is none. */
size_t log_scan_string(const uint8_t *p, size_t len);

/* The same for the processors there may be: for tests. */
enum log_scan_kind { LOG_SCAN_SCALAR, LOG_SCAN_SSE2, LOG_SCAN_AVX2, N_LOG_SCAN_KINDS };
/* What this processor would take. */
enum log_scan_kind log_scan_best(void);
/* Uses KIND, not better than the best, from now on. */
void log_scan_use(enum log_scan_kind kind);

#endif
