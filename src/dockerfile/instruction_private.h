/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_INSTRUCTION_PRIVATE_H
#define DOCKERFILE_INSTRUCTION_PRIVATE_H
/* What the parsers of single instructions share. Of this module only. */
#include "dockerfile/instruction.h"

enum flag_kind {
	FLAG_TEXT, /* char ** */
	FLAG_LIST, /* struct strv *; may be given several times */
	FLAG_BOOL, /* bool * */
	FLAG_TRI,  /* int *: 0 or 1, untouched when not given */
};

struct flag_spec {
	const char *name; /* without dashes */
	enum flag_kind kind;
	void *to; /* what the kind says */
};

/* Puts the flags of SYNTAX where SPECS (N, may be NULL for none) say. ERR_INVALID: "unknown flag:
 * --frm (did you mean from?)", "duplicate flag specified: --from", "missing a value on flag:
 * --from", "expecting boolean value for flag --link, not: x". */
int flags_parse(const struct dockerfile_instruction *syntax, const struct flag_spec *specs,
		size_t n, struct err *err);

/* The arguments of SYNTAX: the items of its JSON list, or its words; borrowed. */
const struct strv *instruction_args(const struct dockerfile_instruction *syntax);

/* Each fills its member of RET; what is there after an error is freed by instruction_done. */
int parse_copy(const struct dockerfile_instruction *syntax, struct instruction *ret,
	       struct err *err);
int parse_healthcheck(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err);

/* In place, letters of ASCII. */
void text_to_lower(char *text);
void text_to_upper(char *text);

/* The here-document of SYNTAX that WORD ("<<EOF", "3<<-"EOF"") names; borrowed, NULL when it names
 * none. */
const struct dockerfile_heredoc *instruction_find_heredoc(
	const struct dockerfile_instruction *syntax, const char *word);

#endif
