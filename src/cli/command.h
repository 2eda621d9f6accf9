/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H
/*
 * The commands as one static table, and the dispatcher: from the words of a command line to the
 * filled options of one command, its run function, and docker's exit status.
 *
 * Every command is reachable as "tare GROUP NAME" and, where docker has it, as "tare TOP"
 * ("container ls" and "ps"); aliases work inside the group only. Help and error texts name the form
 * that was typed.
 */
#include "base/str.h"
#include "cli/option.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
union verb_options;
struct docker_config;

/* What is common to all commands. The directories are borrowed from the command line or the
 * environment and never NULL. */
struct cli {
	const char *root, *runroot; /* --root, --runroot, TARE_ROOT, TARE_RUNROOT or the defaults */
	bool debug;
	bool help; /* --help stood before the command's name */
	const struct command *command;
	const char *path; /* as typed, canonical: "container ls", "ps" */
	struct strv args; /* what is left after the options */
	size_t n_options; /* how many options the command itself was given */
	/* A verb that fails with a status other than its error's code stores it here (docker's 64
	 * for a template, 1 for some conflicts); 0 leaves the code's own. */
	int exit_status;
	const char *config_dir;		     /* --config; NULL. Read it with docker_config.h */
	struct docker_config *docker_config; /* owned; NULL until a verb asks for it */
};

/* Bits of a command. */
enum {
	COMMAND_STOP_AT_ARGUMENT = 1, /* options end at the first argument */
	COMMAND_HIDDEN = 2,	      /* works, but help does not list it */
	COMMAND_RUN_STATUS = 4,	 /* errors exit 125, 126, 127 and close with "Run '... --help'" */
	COMMAND_EXEC_STATUS = 8, /* 126 and 127 as run, 1 for everything else */
	COMMAND_SEALS = 16,	 /* may call cli_seal after reading files that options name */
};

struct command {
	const char *group;   /* "container", "image", "system"; NULL: top level only */
	const char *name;    /* its name there; its canonical name */
	const char *aliases; /* more names inside the group, separated by spaces; NULL */
	const char *top;     /* its name at the top level; NULL when it has none */
	const char
		*usage; /* what follows the name: "[OPTIONS] CONTAINER"; one line for each form */
	const char *summary;
	const struct option *tables[OPTION_TABLES_MAX];
	int min_args, max_args; /* max_args -1: any number */
	int common;		/* place among the common commands of the top-level help; 0: none */
	unsigned flags;		/* COMMAND_* */
	void (*init)(union verb_options *o); /* NULL: all zero */
	void (*done)(union verb_options *o); /* NULL: option_free of the tables */
	/* An exit status >= 0, or -code with ERR filled. NULL: known, not built. */
	int (*run)(struct cli *cli, union verb_options *o, struct err *err);
	/* What help and the manual say after the options; lines of up to 80 columns. NULL. */
	const char *notes;
	/* What they say after the summary, in lines; one that begins with a full stop goes on in
	 * the summary's own line. NULL. */
	const char *details;
	/* What its own help says in the place of the summary. NULL. */
	const char *sentences;
	/* Whether the options stand alone, without the arguments of min_args. NULL: never. */
	bool (*stands_alone)(const union verb_options *o);
};

struct command_group {
	const char *name, *summary;
	const char *usage; /* what errors say after its name; NULL: nothing */
};

extern const struct command commands[];
extern const size_t n_commands;
extern const struct command_group command_groups[];
extern const size_t n_command_groups;
extern const struct option global_options[];

/* The command that the words NAME (in GROUP, or at the top level when GROUP is NULL) mean; NULL. */
const struct command *command_lookup(const char *group, const char *name);
const struct command_group *command_group_lookup(const char *name);
/* Owned "container ls" or "ps": the canonical way to say it in that group (NULL: top level). */
char *command_path(const struct command *c, const char *group);

/* The whole program: parses, dispatches, prints errors on stderr, returns the exit status. */
int cli_main(int argc, char **argv);

/* Prints an error the way the dispatcher does ("tare: MSG", and the hint on a line of its own), for
 * verbs that go on with their other operands. */
void cli_print_error(const struct err *err);

#endif
