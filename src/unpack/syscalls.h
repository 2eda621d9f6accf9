/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_SYSCALLS_H
#define UNPACK_SYSCALLS_H
/* The system calls that the helper makes once it is shut in. */
#include <linux/filter.h>
#include <stdbool.h>

/* Composes its filter; WITH_TREE: it fills a directory. RET owns its instructions (seccomp_done).
 * 0, or -EOPNOTSUPP on an architecture we do not know. */
int unpack_syscalls_build(bool with_tree, struct sock_fprog *ret);

#endif
