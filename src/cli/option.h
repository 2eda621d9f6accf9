/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H
/*
 * Options of the command line as static tables, read with the grammar of docker's parser (pflag):
 *
 *   --name value, --name=value   -n value, -nvalue, -n=value   -itd (booleans grouped)
 *   --flag, --flag=false         -- ends the options           - is an argument
 *
 * Long names are never abbreviated. A table row says where the value goes as an offset into the
 * command's own options struct, so that a command reads plain fields and never sees a string twice.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strv;

enum option_kind {
	OPT_BOOL,      /* bool */
	OPT_STRING,    /* char *, owned; NULL until given */
	OPT_LIST,      /* struct strv; each use appends */
	OPT_INT,       /* int64_t, Go's ParseInt (0x, 0o, 0b prefixes and _ allowed) */
	OPT_UINT16,    /* int64_t holding 0..65535 */
	OPT_BYTES,     /* int64_t, docker's size syntax */
	OPT_DURATION,  /* int64_t of nanoseconds, Go's duration syntax */
	OPT_LIST_CALL, /* struct strv that `set` itself appends to */
	OPT_CALL,      /* whatever `set` makes of it; the field at `offset` is handed over */
	OPT_CALL_BOOL, /* the same without a value: `set` gets "true" unless "=VALUE" was typed */
};

/* Checks VALUE and stores it at FIELD (the field, or for OPT_CALL whatever the offset names). */
typedef int option_set(void *field, const char *value, struct err *err);

struct option {
	const char *name; /* long name; NULL ends a table */
	char short_name;  /* 0 for none */
	enum option_kind kind;
	size_t offset;	  /* of the field in the options struct */
	option_set *set;  /* for OPT_CALL; for OPT_LIST an optional check before it is appended */
	const char *type; /* the word for the value in help; NULL for booleans */
	const char *help; /* one sentence; newlines are kept */
	const char *def;  /* what help prints as "(default ...)", as is; NULL for nothing */
	/* Not NULL: the option is known, and asking for it is refused with this reason. */
	const char *missing;
	/* Not NULL: an old name; the text is printed as a warning when it is used. */
	const char *deprecated;
	bool hidden; /* works, but help does not list it */
};

#define OPTION_TABLES_MAX 3

/* What is to be parsed and where it goes. */
struct option_parse {
	const struct option *tables[OPTION_TABLES_MAX]; /* up to the first NULL */
	void *target;					/* the options struct */
	bool stop_at_first; /* options end at the first argument (docker's run, exec, create) */

	/* Results. */
	struct strv *ret_args;	       /* arguments that are not options are appended here */
	size_t n_given;		       /* how many options were applied */
	bool help;		       /* --help (or -h where no option is called so) */
	bool help_short;	       /* it was -h, which docker calls deprecated */
	const struct option *refused;  /* the first option used that has `missing`; NULL */
	const struct option *old_name; /* the last option used that is deprecated; NULL */
};

/* Parses ARGS[0..N-1]. 0, or -ERR_INVALID with docker's text:
 *   unknown flag: --x                        unknown shorthand flag: 'x' in -xyz
 *   flag needs an argument: --x              flag needs an argument: 'x' in -x
 *   bad flag syntax: --=x                    invalid argument "v" for "-m, --memory" flag: why
 * After an error the fields hold what was parsed before it. What follows --help is parsed as well.
 */
int option_parse(struct option_parse *p, char *const *args, size_t n, struct err *err);

/* The row of that long name, or short name; NULL when there is none. */
const struct option *option_lookup(const struct option *const *tables, const char *name,
				   size_t len);
const struct option *option_lookup_short(const struct option *const *tables, char c);

/* Frees the strings and lists that the rows point at inside TARGET, leaving them empty. What a row
 * of OPT_CALL made is the caller's. */
void option_free(const struct option *const *tables, void *target);

/* Whether the option takes no value of its own ("--flag" alone is complete). */
bool option_is_flag(const struct option *o);

/* Go's strconv.ParseInt(VALUE, 0, 64) with its error text. */
int option_parse_int(const char *value, int64_t *ret, struct err *err);

#endif
