/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COPY_CASES_H
#define COPY_CASES_H
/* The data of test_copy.c. */
#include <stdbool.h>
#include <stddef.h>

struct copy_case {
	const char *name;
	const char *words; /* sources and target */
	const char *context;
	const char *want;  /* what the upper directory holds, or "ERROR ..." */
	const char *lower; /* NULL: nothing is below */
	const char *ignore, *chown, *chmod, *excludes;
	bool link, parents, is_add, is_stage, is_download;
};
extern const struct copy_case copy_cases[];
extern const size_t n_copy_cases;

struct digest_case {
	const char *name, *words, *a, *b, *ignore;
	bool same, is_stage;
};
extern const struct digest_case digest_cases[];
extern const size_t n_digest_cases;

#endif
