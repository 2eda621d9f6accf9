/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_CONFINE_H
#define DNS_CONFINE_H
/*
 * What the name server gives up before it reads the first byte from a container, or from a server:
 * every capability, the user, the right to become more, all files but the endpoints of networks,
 * and all system calls that it does not need. A fault in it is then worth what it was doing anyway.
 */
#include <linux/filter.h>
#include <stddef.h>

/* Gives all that up; NETWORKS_FD (borrowed) is what may still be read. 0 or -errno. */
int confine(int networks_fd);

/* The filter of system calls; RET_LEN instructions, static. For tests. */
const struct sock_filter *confine_filter(size_t *ret_len);

#endif
