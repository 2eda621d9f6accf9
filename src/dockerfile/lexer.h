/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_LEXER_H
#define DOCKERFILE_LEXER_H
/*
 * Characters and words of the lines of a Dockerfile. Of this module only. Text is UTF-8; bytes that
 * are not are kept as they are.
 */
#include "base/str.h"

#include <stddef.h>

/* Bytes of the white space character at S, 0 when there is none. White space is Unicode's, so that
 * a no-break space that came along with a copied line does not become a part of it. */
size_t lexer_space(const char *s);
/* Bytes of the character at S, which must not be the end. */
size_t lexer_char_len(const char *s);
/* S behind its white space. */
const char *lexer_skip_space(const char *s);
/* An owned copy of the LEN bytes at S without the white space around them. */
char *lexer_trim(const char *s, size_t len);

/* Whether LINE (without its newline) ends in ESCAPE, so that the next one belongs to it; *RET_LEN
 * is its length without. A doubled escape is none. */
bool lexer_is_continued(const char *line, char escape, size_t *ret_len);

/* Appends the words of TEXT that stand between blanks; quotes mean nothing. */
void lexer_split_blanks(const char *text, struct strv *ret);
/* Appends the words of TEXT, with their quotes and escapes. An open quote ends with the text, and
 * an escape that is the last character is dropped. */
void lexer_split_words(const char *text, char escape, struct strv *ret);
/* Appends the flags that *TEXT begins with, "--from=x" with quotes and backslashes removed, and
 * moves it behind them. "--" alone ends them. */
void lexer_take_flags(const char **text, struct strv *ret);

#endif
