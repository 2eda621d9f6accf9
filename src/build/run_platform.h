/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_PLATFORM_H
#define BUILD_RUN_PLATFORM_H
/* Whether this host can run programs of another machine. */
#include "base/err.h"
#include "base/str.h"

/* How the kernel was told to run them, from the text of a file of binfmt_misc. */
struct run_emulator {
	char *interpreter; /* owned */
	bool is_enabled;
	bool is_fixed;	  /* opened when it was registered: it need not be in the image */
	unsigned machine; /* e_machine of its magic; 0: it is not for ELF programs */
};
/* Reads one; false for the text of a file that is no entry. */
bool run_emulator_parse(const char *text, struct run_emulator *ret);
void run_emulator_done(struct run_emulator *e);

/* Number of ARCH in ELF headers; 0 for an unknown one. */
unsigned run_platform_machine(const char *arch);

/* 0 when programs of PLATFORM ("linux/arm64"; NULL: this host's) can run in a root of the layers
 * LOWERS: by this host itself, or by qemu-user through binfmt_misc. ERR_UNSUPPORTED otherwise. */
int run_platform_check(const char *platform, const struct strv *lowers, struct err *err);

#endif
