/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_FORWARD_H
#define MONITOR_FORWARD_H
/*
 * Published ports as the monitor holds them: COMPANION_PORT, one for each socket.
 *
 * The socket is bound, and that alone keeps everybody else from the port; the firewall takes the
 * packets to the container. What no firewall can take there (IPv6 for a container that has only
 * IPv4, and everything from ::1) comes to the socket itself, and is passed on from here when
 * FORWARD_RELAY says so.
 */
#include "monitor/companion.h"
#include "sys/ip.h"

#include <stdbool.h>

struct forward_port {
	uint8_t proto;	     /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	struct ip_addr host; /* where the socket is bound */
	uint16_t host_port;  /* > 0 */
	struct ip_addr to;   /* the container; none: the port is only held */
	uint16_t to_port;
	bool is_relayed; /* connections and datagrams that reach the socket are passed on */
};

#define FORWARD_KEY_LEN	    20
#define FORWARD_PAYLOAD_LEN 40

/* The payload of PORT; its first FORWARD_KEY_LEN bytes are the key. */
void forward_format(const struct forward_port *port, uint8_t ret[static FORWARD_PAYLOAD_LEN]);
/* The other way; 0 or -EINVAL. */
int forward_parse(const uint8_t payload[static FORWARD_PAYLOAD_LEN], struct forward_port *ret);

extern const struct companion_ops forward_ops;

#endif
