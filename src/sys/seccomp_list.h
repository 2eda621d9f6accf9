/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SECCOMP_LIST_H
#define SYS_SECCOMP_LIST_H
/* A filter from a list of calls, for a program of ours that knows which ones it needs. */
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* One call. With a MASK, ACTION holds only where argument ARG, its low 32 bits masked, is VALUE;
 * EPERM is the answer elsewhere. */
struct seccomp_call {
	uint32_t nr;
	uint32_t action; /* SECCOMP_RET_* */
	uint32_t arg, mask, value;
};

/* Composes the filter of N CALLS, the most frequent first, at most 250; OTHERWISE is the action for
 * every other call of this architecture, and a call of another one kills the process. RET owns
 * ret->filter; free it with seccomp_done. 0, or -EOPNOTSUPP on an architecture we do not know. */
int seccomp_build_list(const struct seccomp_call *calls, size_t n, uint32_t otherwise,
		       struct sock_fprog *ret);

#endif
