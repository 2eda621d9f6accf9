/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_QUOTE_H
#define CLI_QUOTE_H
/* Text quoted in messages as docker (Go's strconv) quotes it. */

struct str;

/* Appends S in double quotes with Go's escapes (%q): \" \\ \n, \x.. for bytes that are not UTF-8,
 * \u.... for control characters beyond ASCII. */
void str_add_go_quoted(struct str *out, const char *s);
/* Owned string of the same. */
char *str_go_quote(const char *s);

#endif
