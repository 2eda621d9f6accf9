/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows by ctnetlink: asked for by protocol and port, which Linux 5.8 and later filter themselves,
 * and deleted by the tuple they were begun with.
 */
#include "sys/conntrack.h"

#include "base/fd.h"
#include "sys/ip.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Of include/net/netfilter (nf_internals.h), where the bits of CTA_FILTER_ORIG_FLAGS are. */
#define FILTER_PROTO_NUM (1U << 3)
#define FILTER_DST_PORT	 (1U << 5)

static void begin(struct netlink_batch *batch, int type, uint16_t flags, int family)
{
	const struct nfgenmsg header = {.nfgen_family = family == IP_V6 ? AF_INET6 : AF_INET,
					.version = NFNETLINK_V0};

	netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, &header,
		      sizeof(header));
}

static void ask(struct netlink_batch *batch, int family, uint16_t port)
{
	size_t tuple = 0, proto = 0, filter = 0;

	begin(batch, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	tuple = netlink_nest(batch, CTA_TUPLE_ORIG);
	proto = netlink_nest(batch, CTA_TUPLE_PROTO);
	netlink_put_u8(batch, CTA_PROTO_NUM, IPPROTO_UDP);
	netlink_put_be16(batch, CTA_PROTO_DST_PORT, port);
	netlink_nest_end(batch, proto);
	netlink_nest_end(batch, tuple);
	filter = netlink_nest(batch, CTA_FILTER);
	netlink_put_u32(batch, CTA_FILTER_ORIG_FLAGS, FILTER_PROTO_NUM | FILTER_DST_PORT);
	netlink_put_u32(batch, CTA_FILTER_REPLY_FLAGS, 0);
	netlink_nest_end(batch, filter);
}

struct flows {
	struct netlink_batch deletions;
	int family;
	uint16_t port;
	int n;
};

/* Older kernels do not filter. */
static bool is_wanted(const struct nlattr *tuple_attr, uint16_t port)
{
	const struct nlattr *tuple[CTA_TUPLE_MAX + 1], *proto[CTA_PROTO_MAX + 1];
	uint16_t found = 0;

	netlink_parse_nest(tuple_attr, tuple, CTA_TUPLE_MAX);
	netlink_parse_nest(tuple[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX);
	if (netlink_len(proto[CTA_PROTO_DST_PORT]) != sizeof(found))
		return false;
	memcpy(&found, netlink_data(proto[CTA_PROTO_DST_PORT]), sizeof(found));
	return netlink_u8(proto[CTA_PROTO_NUM], 0) == IPPROTO_UDP && ntohs(found) == port;
}

static int take_flow(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[CTA_MAX + 1];
	struct flows *flows = data;
	const struct nlattr *tuple = NULL;
	size_t nest = 0;

	if (!message) {
		netlink_reset(&flows->deletions);
		flows->n = 0;
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, CTA_MAX);
	tuple = attrs[CTA_TUPLE_ORIG];
	if (!tuple || !is_wanted(tuple, flows->port))
		return 0;
	begin(&flows->deletions, IPCTNL_MSG_CT_DELETE, 0, flows->family);
	/* Gone by itself meanwhile. */
	netlink_tolerate(&flows->deletions, ENOENT);
	nest = netlink_nest(&flows->deletions, CTA_TUPLE_ORIG);
	netlink_put_raw(&flows->deletions, netlink_data(tuple), netlink_len(tuple));
	netlink_nest_end(&flows->deletions, nest);
	if (attrs[CTA_ZONE])
		netlink_put(&flows->deletions, CTA_ZONE, netlink_data(attrs[CTA_ZONE]),
			    netlink_len(attrs[CTA_ZONE]));
	flows->n++;
	return 0;
}

int conntrack_forget_udp(int family, uint16_t port)
{
	cleanup_close int fd = netlink_open(NETLINK_NETFILTER);
	cleanup_netlink_batch struct netlink_batch question = NETLINK_BATCH_INIT;
	struct flows flows = {.family = family, .port = port};
	int rc = fd;

	if (fd < 0)
		return fd;
	ask(&question, family, port);
	rc = netlink_dump(fd, &question, take_flow, &flows);
	if (rc == 0)
		rc = netlink_send(fd, &flows.deletions, NULL);
	netlink_batch_done(&flows.deletions);
	return rc < 0 ? rc : flows.n;
}
