/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_ENV_H
#define CLI_PARSE_ENV_H
/*
 * Environment variables and labels from options and from files.
 */

#include <stddef.h>

struct err;
struct strv;

/* option_set checks for -e ("invalid environment variable: =x") and -l ("invalid label '=x': empty
 * name", "label 'a b' contains whitespaces"); they store nothing. */
int env_option_check(void *field, const char *value, struct err *err);
int label_option_check(void *field, const char *value, struct err *err);

/* Appends VALUE ("K=V" as is; a bare "K" becomes "K=value of the host", or stays "K", which removes
 * the image's variable, when the host has none). */
void env_add(struct strv *env, const char *value);
/* The same in the place of a variable of that name among the items from FIRST on, if there is one:
 * of -e the last one counts, and what files said stays. */
void env_set(struct strv *env, size_t first, const char *value);

/* Appends the variables of PATH: a line is K=V without quotes or expansion, trailing spaces kept;
 * leading blanks dropped; '#' starts a comment only at the line's start; a UTF-8 byte order mark is
 * dropped; a bare K takes the host's value or is dropped. Lines end with LF or CRLF. At most 1 MiB.
 */
int env_read_file(struct strv *env, const char *path, struct err *err);
/* The same for labels; a bare K is dropped. */
int label_read_file(struct strv *labels, const char *path, struct err *err);

#endif
