/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SECCOMP_H
#define SYS_SECCOMP_H
/*
 * System call filters. The default filter is composed for a container's capabilities when it
 * starts, in a few microseconds and without a library; what it allows is the table of
 * sys/seccomp_profile.h. A user's own profile is compiled by the helper tare-seccomp, whose output
 * seccomp_from_bytes reads.
 */
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

struct seccomp_table;

/* Numbers and rules of the default profile, one for each architecture. */
extern const struct seccomp_table seccomp_table_x86_64;
extern const struct seccomp_table seccomp_table_aarch64;

/* Composes the default filter of this build's architecture for a container with capabilities CAPS
 * (bits as in sys/caps.h). RET owns ret->filter; free it with seccomp_done. Always 0, but
 * -EOPNOTSUPP on an architecture without a table. A call from another architecture (int 0x80) kills
 * the process; x32 numbers and numbers above the last known get ENOSYS. */
int seccomp_build_default(uint64_t caps, struct sock_fprog *ret);
/* The same from TABLE. */
int seccomp_build_table(const struct seccomp_table *table, uint64_t caps, struct sock_fprog *ret);
/* How many calls the default filter lets a container with CAPS make, always or by argument. */
unsigned seccomp_count_default(uint64_t caps);

/* A filter of LEN bytes of struct sock_filter at BYTES, copied; -EINVAL for a length that is no
 * filter (0, not a multiple, more than the kernel's 4096 instructions). */
int seccomp_from_bytes(const void *bytes, size_t len, struct sock_fprog *ret);

/* Lays PROG on the calling thread for good (seccomp(2)); 0 or -errno. Needs no_new_privs or
 * CAP_SYS_ADMIN (-EACCES); does not set either. Speculation mitigations stay as they are. No
 * allocation: may be called after clone(2). */
int seccomp_install(const struct sock_fprog *prog);

/* Frees the instructions; an empty PROG is fine. */
void seccomp_done(struct sock_fprog *prog);
#define cleanup_seccomp __attribute__((cleanup(seccomp_done)))

#endif
