/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_RUNE_H
#define JSON_RUNE_H
/*
 * UTF-8 and the few properties of characters that tables, templates and quoting need. The program
 * runs in the C locale, so nothing here asks the C library.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str;

#define RUNE_ERROR 0xFFFDu /* stands for a byte that is not UTF-8 */
#define RUNE_MAX   0x10FFFFu

/* Decodes one character of the LEN > 0 bytes at S and returns its length. A byte that begins no
 * valid sequence gives RUNE_ERROR and length 1 (overlong forms and surrogates are not valid). */
size_t rune_decode(const char *s, size_t len, uint32_t *ret_rune);
/* Writes R as UTF-8 (RUNE_ERROR for what is no character) and returns 1..4. */
size_t rune_encode(uint32_t r, char buf[static 4]);
/* Characters in LEN bytes; an invalid byte counts as one. */
size_t rune_count(const char *s, size_t len);
/* Columns of a terminal: 2 for East Asian wide and full-width characters (UAX 11), 0 for marks and
 * what is not shown, else 1. */
unsigned rune_width(uint32_t r);
/* The same of a text. What a reader sees as one (a letter with its marks, a flag, a joined picture)
 * is as wide as its first character. */
size_t rune_text_width(const char *s, size_t len);
/* Letters, digits and underscore; outside ASCII everything that is not punctuation or control. */
bool rune_is_word(uint32_t r);
/* Whether Go's %q prints R as it is. */
bool rune_is_print(uint32_t r);
/* Simple case mapping of Latin, Greek and Cyrillic letters; anything else maps to itself. */
uint32_t rune_to_upper(uint32_t r);
uint32_t rune_to_lower(uint32_t r);
void str_add_rune(struct str *out, uint32_t r);
/* S cut to MAX columns; what is cut ends in one "…" (docker's list columns). */
void str_add_ellipsis(struct str *out, const char *s, size_t max);

#endif
