/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_PLATFORM_H
#define OCI_PLATFORM_H
/*
 * Platforms as docker and the OCI index name them: "linux/arm64/v8". Other spellings of the same
 * machine (x86_64, aarch64, "arm64/v8" for "arm64") are made one.
 */
#include "base/err.h"

#include <stdbool.h>

#define PLATFORM_PART_LEN 32

/* Short texts in place: a platform is copied like a number. All empty: any platform. */
struct platform {
	char os[PLATFORM_PART_LEN];
	char arch[PLATFORM_PART_LEN];
	char variant[PLATFORM_PART_LEN]; /* "" when none is named */
};

/* "os/arch/variant", "os/arch", or one word that is either; what is not said is the host's.
 * ERR_INVALID with docker's words. */
int platform_parse(const char *text, struct platform *ret, struct err *err);
/* The machine this program is built for. */
void platform_get_host(struct platform *ret);
/* From the members of a descriptor or configuration, any of which may be NULL; what is too long
 * for a platform becomes one that nothing matches. */
void platform_set(struct platform *p, const char *os, const char *arch, const char *variant);
/* Whether what is for HAVE is good for WANT: equal os and machine, and the variant where WANT names
 * one. */
bool platform_matches(const struct platform *want, const struct platform *have);
/* "linux/arm64/v8"; RET borrowed. */
#define PLATFORM_LEN (3 * PLATFORM_PART_LEN)
const char *platform_format(const struct platform *p, char ret[static PLATFORM_LEN]);

#endif
