/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_HELP_H
#define CLI_HELP_H
/*
 * Help texts, in docker's shape, made from the command and option tables.
 */
#include <stddef.h>

struct command;
struct command_group;
struct option;
struct str;

#define PROGRAM "tare"

/* Columns of the terminal on standard input, 80 when there is none (what docker looks at). */
size_t help_width(void);

/* "Usage:  tare ps [OPTIONS]" and a newline; PATH is the form that was typed, NULL for the program
 * itself. */
void help_usage_line(struct str *out, const char *path, const char *usage);
/* The pages. WIDTH is the number of columns to wrap at. */
void help_command(struct str *out, const struct command *c, const char *path, size_t width);
void help_group(struct str *out, const struct command_group *g);
void help_program(struct str *out, size_t width);

/* Only the rows of options, sorted by name, aligned and wrapped as pflag does. */
void help_options(struct str *out, const struct option *const *tables, size_t width);

#endif
