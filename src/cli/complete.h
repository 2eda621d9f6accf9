/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H
/*
 * What can be typed next. `tare __complete WORD...` gets the words of a command line up to the
 * cursor, the last of them unfinished or empty, and prints what it may become: one "WORD\tTEXT" a
 * line and ":N", N being the sum of enum complete_directive. docker's scripts speak the same
 * protocol (it is that of the library cobra), and so work with tare behind the name docker.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct command;
struct option;

enum complete_directive {
	COMPLETE_FILES = 0,    /* names of files are possible too */
	COMPLETE_NO_SPACE = 2, /* the word goes on after what is printed */
	COMPLETE_NO_FILES = 4,
	COMPLETE_FOLDERS = 16,
};

/* A completion while it is made. */
struct completion {
	struct cli *cli;
	const char *prefix; /* the unfinished word, or the part of it that counts */
	struct strv args;   /* finished arguments of the command */
	struct str out;
	unsigned directive;
	bool with_texts;
};

/* Prints the completion of WORDS[0..N-1] on standard output; the exit status. */
int complete_main(struct cli *cli, char *const *words, size_t n, bool with_texts);

/* Adds WORD and the first line of TEXT (NULL: none) when WORD begins with the prefix. */
void complete_add(struct completion *c, const char *word, const char *text);

/* Adds the values of option O of COMMAND (NULL: a global option). */
void complete_value(struct completion *c, const struct command *command, const struct option *o);
/* Adds what may be the next argument of COMMAND. */
void complete_argument(struct completion *c, const struct command *command);

#endif
