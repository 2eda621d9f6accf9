/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECCOMP_COMPILE_H
#define SECCOMP_COMPILE_H
/* A profile becomes a filter. */

struct err;
struct profile;
struct str;

/* Appends to RET the filter for P as the bytes of struct sock_filter, at most the 4096 instructions
 * that the kernel takes. Names of calls that nobody knows are skipped, as docker does. Calls of
 * architectures that P does not name kill the process; on x86-64 without x32, x32 numbers get
 * ENOSYS; so do numbers above the last one that P names, unless its default lets calls through. A
 * profile that asks for no filter becomes one that allows everything. */
int compile_profile(const struct profile *p, struct str *ret, struct err *err);

#endif
