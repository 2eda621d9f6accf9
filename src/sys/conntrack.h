/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CONNTRACK_H
#define SYS_CONNTRACK_H
/*
 * What the kernel remembers of connections. Address translation asks the rules for the first packet
 * only: a datagram socket that goes on sending stays where it was led at first, long after the port
 * was published, or leads to somebody else.
 */
#include <stdint.h>

/* Forgets every UDP flow that was begun to PORT of any address (IP_V4, IP_V6): its next packet asks
 * the rules again. How many, or -errno; -EPROTONOSUPPORT, -EINVAL from a kernel that does not tell.
 */
int conntrack_forget_udp(int family, uint16_t port);

#endif
