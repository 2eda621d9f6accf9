/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECCOMP_PROFILE_H
#define SECCOMP_PROFILE_H
/*
 * A user's seccomp profile, read from JSON: docker's form (archMap, includes, excludes) or that of
 * the OCI runtime-spec (config-linux.md#seccomp). Conditions are decided while reading, so what is
 * left is a default action, architectures, and rules. Actions and architectures are libseccomp's.
 */
#include "base/str.h"

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct profile_rule {
	struct strv names;
	uint32_t action;
	struct scmp_arg_cmp *args; /* owned */
	size_t n_args;
};

struct profile {
	uint32_t default_action;
	/* Owned; SCMP_ARCH_*, the native one first, none twice. None at all: no filter is wanted.
	 */
	uint32_t *arches;
	size_t n_arches;
	struct profile_rule *rules; /* owned; only those that apply here */
	size_t n_rules;
};

/* What rules are asked about besides the profile itself. */
struct profile_host {
	uint64_t caps; /* of the container, sys/caps.h */
	uint32_t arch; /* SCMP_ARCH_* of this machine */
	unsigned kernel_major, kernel_minor;
};

/* Capabilities CAPS on the machine and kernel that this runs on. */
void profile_host_init(struct profile_host *host, uint64_t caps);

/* Reads TEXT (LEN bytes). A profile without default action and system calls means no filter, as
 * docker has it: everything is allowed. Errors have docker's text where docker has one. RET is
 * usable with profile_done in any case. */
int profile_parse(const char *text, size_t len, const struct profile_host *host,
		  struct profile *ret, struct err *err);
void profile_done(struct profile *p);

#endif
