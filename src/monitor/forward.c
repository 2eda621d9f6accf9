/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of published ports, and what is done with them.
 */
#include "monitor/forward.h"

#include "monitor/protocol.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* Places in the payload. */
enum {
	AT_PROTO = 0,
	AT_HOST_FAMILY = 1,
	AT_HOST_PORT = 2,
	AT_HOST = 4,
	AT_FLAGS = 20,
	AT_TO_FAMILY = 21,
	AT_TO_PORT = 22,
	AT_TO = 24,
};

#define FLAG_RELAYED 1

static bool is_family(uint8_t family)
{
	return family == IP_V4 || family == IP_V6;
}

void forward_format(const struct forward_port *port, uint8_t ret[static FORWARD_PAYLOAD_LEN])
{
	memset(ret, 0, FORWARD_PAYLOAD_LEN);
	ret[AT_PROTO] = port->proto;
	ret[AT_HOST_FAMILY] = port->host.family;
	frame_put_u16(ret + AT_HOST_PORT, port->host_port);
	memcpy(ret + AT_HOST, port->host.bytes, ip_size(&port->host));
	ret[AT_FLAGS] = port->is_relayed ? FLAG_RELAYED : 0;
	ret[AT_TO_FAMILY] = port->to.family;
	frame_put_u16(ret + AT_TO_PORT, port->to_port);
	memcpy(ret + AT_TO, port->to.bytes, ip_size(&port->to));
}

int forward_parse(const uint8_t payload[static FORWARD_PAYLOAD_LEN], struct forward_port *ret)
{
	struct forward_port port = {.proto = payload[AT_PROTO],
				    .host.family = payload[AT_HOST_FAMILY],
				    .host_port = frame_get_u16(payload + AT_HOST_PORT),
				    .to.family = payload[AT_TO_FAMILY],
				    .to_port = frame_get_u16(payload + AT_TO_PORT),
				    .is_relayed = payload[AT_FLAGS] & FLAG_RELAYED};

	if (port.proto != IPPROTO_TCP && port.proto != IPPROTO_UDP && port.proto != IPPROTO_SCTP)
		return -EINVAL;
	if (!is_family(port.host.family) || !port.host_port ||
	    (port.to.family != IP_NONE && (!is_family(port.to.family) || !port.to_port)))
		return -EINVAL;
	if (port.is_relayed && (port.to.family == IP_NONE || port.proto == IPPROTO_SCTP))
		return -EINVAL;
	memcpy(port.host.bytes, payload + AT_HOST, ip_size(&port.host));
	memcpy(port.to.bytes, payload + AT_TO, ip_size(&port.to));
	*ret = port;
	return 0;
}

static int begin(struct companion *companion)
{
	struct forward_port port;

	return forward_parse(companion->payload, &port);
}

const struct companion_ops forward_ops = {
	.key_len = FORWARD_KEY_LEN,
	.min_len = FORWARD_PAYLOAD_LEN,
	.max_len = FORWARD_PAYLOAD_LEN,
	.min_fds = 1,
	.max_fds = 1,
	.begin = begin,
};
