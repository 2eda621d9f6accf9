/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_QUOTE_H
#define CLI_QUOTE_H
/* Text from outside made fit to be shown: as docker (Go's strconv) quotes it, and as we do. */

struct str;

/* Appends S in double quotes with Go's escapes (%q): \" \\ \n, \x.. for bytes that are not UTF-8,
 * \u.... for control characters beyond ASCII. */
void str_add_go_quoted(struct str *out, const char *s);
/* Owned string of the same. */
char *str_go_quote(const char *s);

/* Owned copy of S for a terminal, not in quotes: each byte of what is not printable or not UTF-8 as
 * \ooo, as messages of archives have it. */
char *str_printable(const char *s);

#endif
