/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_INFO_TEXT_H
#define CLI_INFO_TEXT_H
/* The text of `info`. */
#include <jansson.h>

/* Prints docker's layout of the object INFO on standard output, and its warnings on standard error.
 * Everything comes from the object, so that text and JSON cannot differ. */
void info_print_text(const json_t *info);

#endif
