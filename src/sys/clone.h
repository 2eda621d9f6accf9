/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CLONE_H
#define SYS_CLONE_H
/*
 * A child that runs in its parent's memory until it executes something else, while the parent
 * sleeps (CLONE_VM | CLONE_VFORK): nothing is copied, and what it did and found wrong is simply
 * there.
 */
#include <stdint.h>
#include <sys/types.h>

/* Runs FN(ARG) in a child with the namespaces of FLAGS (CLONE_NEW*), born in the cgroup v2
 * directory CGROUP_FD (-1: the parent's). Returns when the child has executed a program or ended
 * (FN must not return but by _exit). RET_PIDFD gets its pidfd. The child's pid or -errno.
 * Single-threaded callers only; all signals are blocked meanwhile in the parent, and in the child
 * until it sets its own. */
pid_t clone_vfork(int (*fn)(void *), void *arg, uint64_t flags, int cgroup_fd, int *ret_pidfd);

#endif
