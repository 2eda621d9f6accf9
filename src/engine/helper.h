/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HELPER_H
#define ENGINE_HELPER_H
/* Running the program's helper executables. */
#include "base/err.h"
#include "base/str.h"

/* Runs ARGV (absolute program first) with LEN bytes of INPUT on its standard input and waits for
 * it. RET gets at most LIMIT bytes of its standard output. When it fails, ERR (ERR_INVALID) is the
 * line it wrote on standard error. */
int helper_run(char *const *argv, const void *input, size_t len, size_t limit, struct str *ret,
	       struct err *err);

#endif
