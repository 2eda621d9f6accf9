/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H
/* What the manual pages say beyond the tables of commands and options. */
struct command;

/* Texts have paragraphs, separated by empty lines; a line that begins with a tab is typed or
 * printed as it stands. */
struct manual_page {
	const char *group, *name; /* of the command; the group is NULL at the top level */
	const char *description;
	const char *examples; /* NULL: none */
	const char *see_also; /* names of commands, separated by blanks: "ps logs" */
};

/* The page of COMMAND; NULL when nobody has written one. */
const struct manual_page *manual_find(const struct command *command);

/* Texts of the program's own page. */
extern const char manual_program_description[], manual_program_files[],
	manual_program_environment[];

#endif
