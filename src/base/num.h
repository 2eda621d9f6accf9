/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NUM_H
#define BASE_NUM_H
/*
 * Numbers, sizes and durations as docker's command line reads and prints them. All parsers take the
 * whole string: trailing bytes make it invalid. They return 0 or -EINVAL / -ERANGE.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits, without white space; the signed ones take one leading "-" or "+" too. *RET is
 * written only on success. */
int num_parse_u64(const char *s, uint64_t *ret);
int num_parse_i64(const char *s, int64_t *ret);
int num_parse_int(const char *s, int *ret);
/* Base 2..36; no sign, no prefix. */
int num_parse_base(const char *s, unsigned base, uint64_t *ret);
/* The value of a hexadecimal digit of either case, or -1. */
int num_hex_digit(char c);

/* Bytes from docker's size syntax (go-units RAMInBytes): decimal number, optional space, optional
 * k m g t p with optional b or ib, any case, powers of 1024. "32", "1.5g", "64 MiB". */
int num_parse_size(const char *s, int64_t *ret);
/* Nanoseconds from Go's duration syntax: "1h30m", "1.5s", "100ms", "0"; optional sign. */
int num_parse_duration(const char *s, int64_t *ret_ns);
/* NS as Go prints a Duration: "1m30s", "1.5s", "300ms", "0s". */
#define NUM_DURATION_LEN 72
void num_format_duration(int64_t ns, char buf[static NUM_DURATION_LEN]);
/* Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
int num_parse_bool(const char *s, bool *ret);

/* "1.2kB" with PRECISION significant digits (go-units HumanSizeWithPrecision, powers of 1000). */
void num_format_size(double bytes, int precision, char *buf, size_t len);
/* "1.205MiB" with PRECISION significant digits (powers of 1024; go-units BytesSize uses 4). */
void num_format_size_binary(double bytes, int precision, char *buf, size_t len);

#endif
