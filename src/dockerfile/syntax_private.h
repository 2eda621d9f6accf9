/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_SYNTAX_PRIVATE_H
#define DOCKERFILE_SYNTAX_PRIVATE_H
/* What the parts of the parser share. Of this module only. */
#include "dockerfile/syntax.h"

/* The state of reading directives: they count only before anything else. */
struct directives {
	bool is_over;
	unsigned seen; /* bits */
};

/* Reads LINE (without its newline, but also what comes later: then nothing happens) into FILE.
 * Returns 1 when it is a directive, else 0. ERR_INVALID: "only one escape parser directive can be
 * used", "invalid escape token 'x' does not match ` or \". */
int directives_read(struct directives *d, const char *line, struct dockerfile *file,
		    struct err *err);
/* Sets the syntax and checks of FILE from its source, wherever they may stand: also after "#!", as
 * "// syntax=x" and as {"syntax": "x"}. */
void directives_find(struct dockerfile *file);

/* What LINE, joined from its parts, says; all but lines, comment and here-documents. *RET_UNKNOWN
 * becomes true, without an error and with the word and the original alone in RET, when nobody knows
 * the keyword, which with ONBUILD is its trigger's. ERR_INVALID. */
int instruction_split(const char *line, char escape, struct dockerfile_instruction *ret,
		      bool *ret_unknown, struct err *err);
/* The instruction that may have here-documents, I or its trigger; NULL. */
struct dockerfile_instruction *instruction_with_heredocs(struct dockerfile_instruction *i);
/* Says that WORD is no instruction. Returns -ERR_INVALID. */
int instruction_set_unknown(const char *word, struct err *err);

#endif
