/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_CHMOD_H
#define BUILD_CHMOD_H
/* The value of --chmod: an octal number, or clauses as chmod(1) has them. */
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHMOD_MAX_ACTIONS 64

/* "ug+rX": whose bits, what happens to them, which bits. */
struct chmod_action {
	char op;	     /* '+', '-', '=' */
	mode_t who;	     /* 04700, 02070, 01007, or several of them */
	mode_t bits;	     /* rwx of all three, set-ID bits, sticky bit */
	bool is_conditional; /* X: x for directories and what is executable already */
	char copies;	     /* 'u', 'g', 'o': the bits are those of this class; 0 */
};

struct chmod_spec {
	bool is_number;
	mode_t number;
	struct chmod_action actions[CHMOD_MAX_ACTIONS];
	size_t n;
};

/* ERR_INVALID. */
int chmod_parse(const char *text, struct chmod_spec *ret, struct err *err);
/* The permission bits of a file whose mode (with its type) is MODE. */
mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode);

#endif
