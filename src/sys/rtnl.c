/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink(7): each message says all that a link needs, so that it is made, named, placed, made a
 * port of its bridge and set up under one taking of the kernel's lock. Links are named where the
 * kernel looks names up itself; where it wants an index, one ioctl(2) on the netlink socket asks in
 * that socket's network namespace.
 */
#include "sys/rtnl.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define DUMP_TRIES  8
#define MAX_SUBNETS (1U << 20) /* of one host: a router's whole table is not read into memory */

static int family_of(const struct ip_addr *addr)
{
	return addr->family == IP_V6 ? AF_INET6 : AF_INET;
}

/* ---- links ---- */

static struct ifinfomsg up_header(unsigned index)
{
	return (struct ifinfomsg){
		.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
}

static void begin_link(struct netlink_batch *batch, uint16_t type, uint16_t flags,
		       const struct ifinfomsg *header, const char *ifname)
{
	netlink_begin(batch, type, flags, header, sizeof(*header));
	if (ifname)
		netlink_put_string(batch, IFLA_IFNAME, ifname);
}

static void put_mac(struct netlink_batch *batch, const uint8_t mac[6])
{
	static const uint8_t none[6];

	if (memcmp(mac, none, sizeof(none)) != 0)
		netlink_put(batch, IFLA_ADDRESS, mac, 6);
}

static void put_mtu(struct netlink_batch *batch, uint32_t mtu)
{
	if (mtu)
		netlink_put_u32(batch, IFLA_MTU, mtu);
}

/* Opens the part that only one kind of link has; closed by end_kind. */
static void begin_kind(struct netlink_batch *batch, const char *kind, size_t nest[2])
{
	nest[0] = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_string(batch, IFLA_INFO_KIND, kind);
	nest[1] = netlink_nest(batch, IFLA_INFO_DATA);
}

static void end_kind(struct netlink_batch *batch, const size_t nest[2])
{
	netlink_nest_end(batch, nest[1]);
	netlink_nest_end(batch, nest[0]);
}

void rtnl_add_bridge(struct netlink_batch *batch, const char *ifname, const uint8_t mac[6],
		     uint32_t mtu)
{
	const struct ifinfomsg header = {};
	size_t nest[2];

	begin_link(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, ifname);
	put_mac(batch, mac);
	put_mtu(batch, mtu);
	begin_kind(batch, "bridge", nest);
	netlink_put_u32(batch, IFLA_BR_FORWARD_DELAY, 0);
	netlink_put_u32(batch, IFLA_BR_STP_STATE, 0);
	end_kind(batch, nest);
}

/* The parameters of a link that are below /proc/sys/net/ipv4/conf as well. */
static void put_route_localnet(struct netlink_batch *batch)
{
	size_t all = netlink_nest(batch, IFLA_AF_SPEC);
	size_t inet = netlink_nest(batch, AF_INET);
	size_t conf = netlink_nest(batch, IFLA_INET_CONF);

	netlink_put_u32(batch, IPV4_DEVCONF_ROUTE_LOCALNET, 1);
	netlink_nest_end(batch, conf);
	netlink_nest_end(batch, inet);
	netlink_nest_end(batch, all);
}

void rtnl_set_bridge(struct netlink_batch *batch, unsigned index, uint32_t mtu)
{
	const struct ifinfomsg header = up_header(index);
	size_t nest[2];

	begin_link(batch, RTM_NEWLINK, 0, &header, NULL);
	put_mtu(batch, mtu);
	put_route_localnet(batch);
	begin_kind(batch, "bridge", nest);
	netlink_put_u32(batch, IFLA_BR_FORWARD_DELAY, 0);
	end_kind(batch, nest);
}

static void put_target(struct netlink_batch *batch, const struct rtnl_target *target)
{
	if (target->fd >= 0)
		netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)target->fd);
	else
		netlink_put_u32(batch, IFLA_NET_NS_PID, (uint32_t)target->pid);
}

/* One queue for each direction: more are for devices that have processors of their own, and each
 * costs a directory in sysfs at both ends. */
static void put_queues(struct netlink_batch *batch)
{
	netlink_put_u32(batch, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(batch, IFLA_NUM_RX_QUEUES, 1);
}

static void add_veth(struct netlink_batch *batch, const struct rtnl_link *link)
{
	const struct ifinfomsg header = up_header(0);
	/* The inner end is made first, and cannot come up before it has its other end. */
	const struct ifinfomsg inner = {};
	size_t nest[2];
	size_t peer = 0;

	begin_link(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, link->host_ifname);
	put_mtu(batch, link->mtu);
	put_queues(batch);
	if (link->link)
		netlink_put_u32(batch, IFLA_MASTER, link->link);
	if (link->group)
		netlink_put_u32(batch, IFLA_GROUP, link->group);
	begin_kind(batch, "veth", nest);
	peer = netlink_nest(batch, VETH_INFO_PEER);
	netlink_put_raw(batch, &inner, sizeof(inner));
	netlink_put_string(batch, IFLA_IFNAME, link->ifname);
	put_mac(batch, link->mac);
	put_mtu(batch, link->mtu);
	put_queues(batch);
	put_target(batch, &link->target);
	netlink_nest_end(batch, peer);
	end_kind(batch, nest);
}

static void add_on_parent(struct netlink_batch *batch, const struct rtnl_link *link)
{
	const struct ifinfomsg header = up_header(0);
	bool is_macvlan = strcmp(link->kind, "macvlan") == 0;
	size_t nest[2];

	begin_link(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, link->ifname);
	netlink_put_u32(batch, IFLA_LINK, link->link);
	if (is_macvlan)
		put_mac(batch, link->mac);
	put_mtu(batch, link->mtu);
	put_target(batch, &link->target);
	begin_kind(batch, link->kind, nest);
	if (is_macvlan)
		netlink_put_u32(batch, IFLA_MACVLAN_MODE, link->mode);
	else
		netlink_put_u16(batch, IFLA_IPVLAN_MODE, (uint16_t)link->mode);
	end_kind(batch, nest);
}

void rtnl_add_link(struct netlink_batch *batch, const struct rtnl_link *link)
{
	if (strcmp(link->kind, "veth") == 0)
		add_veth(batch, link);
	else
		add_on_parent(batch, link);
}

void rtnl_add_vlan(struct netlink_batch *batch, const char *ifname, unsigned parent, uint16_t id)
{
	const struct ifinfomsg header = up_header(0);
	size_t nest[2];

	begin_link(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, ifname);
	if (id)
		netlink_put_u32(batch, IFLA_LINK, parent);
	begin_kind(batch, id ? "vlan" : "dummy", nest);
	if (id)
		netlink_put_u16(batch, IFLA_VLAN_ID, id);
	end_kind(batch, nest);
	netlink_tolerate(batch, EEXIST);
}

void rtnl_set_hairpin(struct netlink_batch *batch, const char *ifname)
{
	const struct ifinfomsg header = {};
	size_t info = 0;
	size_t data = 0;

	begin_link(batch, RTM_NEWLINK, 0, &header, ifname);
	info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_string(batch, IFLA_INFO_SLAVE_KIND, "bridge");
	data = netlink_nest(batch, IFLA_INFO_SLAVE_DATA);
	netlink_put_u8(batch, IFLA_BRPORT_MODE, 1);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, info);
}

void rtnl_set_up(struct netlink_batch *batch, unsigned index)
{
	const struct ifinfomsg header = up_header(index);

	begin_link(batch, RTM_NEWLINK, 0, &header, NULL);
}

void rtnl_set_down(struct netlink_batch *batch, const char *ifname)
{
	const struct ifinfomsg header = {.ifi_change = IFF_UP};

	begin_link(batch, RTM_SETLINK, 0, &header, ifname);
	netlink_tolerate(batch, ENODEV);
}

void rtnl_delete(struct netlink_batch *batch, const char *ifname)
{
	const struct ifinfomsg header = {};

	begin_link(batch, RTM_DELLINK, 0, &header, ifname);
	netlink_tolerate(batch, ENODEV);
}

int rtnl_parse_mode(const char *kind, const char *word, uint32_t *ret)
{
	static const struct {
		const char *kind, *word;
		uint32_t mode;
	} modes[] = {
		{"macvlan", "bridge", MACVLAN_MODE_BRIDGE},
		{"macvlan", "private", MACVLAN_MODE_PRIVATE},
		{"macvlan", "vepa", MACVLAN_MODE_VEPA},
		{"macvlan", "passthru", MACVLAN_MODE_PASSTHRU},
		{"ipvlan", "l2", IPVLAN_MODE_L2},
		{"ipvlan", "l3", IPVLAN_MODE_L3},
		{"ipvlan", "l3s", IPVLAN_MODE_L3S},
		{"veth", "", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i].kind, kind) != 0)
			continue;
		if (word == NULL || !*word || strcmp(modes[i].word, word) == 0) {
			*ret = modes[i].mode;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- addresses and routes ---- */

void rtnl_add_address(struct netlink_batch *batch, unsigned index, const struct ip_prefix *addr)
{
	struct ifaddrmsg header = {.ifa_family = (uint8_t)family_of(&addr->addr),
				   .ifa_prefixlen = addr->len,
				   .ifa_index = index};
	unsigned size = ip_size(&addr->addr);

	/* No other node may have it: asking the link would keep it unusable for two seconds. */
	if (addr->addr.family == IP_V6)
		header.ifa_flags = IFA_F_NODAD;
	netlink_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	netlink_put(batch, IFA_LOCAL, addr->addr.bytes, size);
	netlink_put(batch, IFA_ADDRESS, addr->addr.bytes, size);
	if (addr->addr.family == IP_V4 && addr->len < 31) {
		struct ip_addr last = ip_last(addr);

		netlink_put(batch, IFA_BROADCAST, last.bytes, ip_size(&last));
	}
	netlink_tolerate(batch, EEXIST);
}

void rtnl_set_route(struct netlink_batch *batch, unsigned index, const struct ip_prefix *to,
		    const struct ip_addr *gateway)
{
	bool is_direct = gateway == NULL || gateway->family == IP_NONE;
	const struct rtmsg header = {
		.rtm_family = (uint8_t)family_of(&to->addr),
		.rtm_dst_len = to->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = is_direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	netlink_begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	if (to->len)
		netlink_put(batch, RTA_DST, to->addr.bytes, ip_size(&to->addr));
	if (!is_direct)
		netlink_put(batch, RTA_GATEWAY, gateway->bytes, ip_size(gateway));
	netlink_put_u32(batch, RTA_OIF, index);
}

/* ---- questions ---- */

static int ask(int socket, unsigned long request, const char *ifname, struct ifreq *ret)
{
	*ret = (struct ifreq){};
	if (strlen(ifname) >= IFNAMSIZ)
		return -ENODEV;
	snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", ifname);
	return ioctl(socket, request, ret) < 0 ? -errno : 0;
}

int rtnl_index(int socket, const char *ifname)
{
	struct ifreq request;
	int rc = ask(socket, SIOCGIFINDEX, ifname, &request);

	return rc < 0 ? rc : request.ifr_ifindex;
}

int rtnl_settle(int socket, const char *ifname)
{
	/* Asked for the carrier, the kernel first runs its link watch for this link
	 * (linkwatch_sync_dev); RTM_GETLINK does the same, and makes two kilobytes of answer. */
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {.ifr_data = (char *)&value};

	if (strlen(ifname) >= IFNAMSIZ)
		return -ENODEV;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (ioctl(socket, SIOCETHTOOL, &request) < 0)
		return -errno;
	return value.data != 0;
}

struct subnet_dump {
	struct ip_prefix *items; /* owned */
	size_t n;
	bool is_anew; /* the tables changed meanwhile */
};

/* False for families and lengths that are not ours to understand. */
static bool take_prefix(int family, uint8_t len, const struct nlattr *attr, struct ip_prefix *ret)
{
	*ret = (struct ip_prefix){.len = len};
	ret->addr.family = family == AF_INET ? IP_V4 : family == AF_INET6 ? IP_V6 : IP_NONE;
	if (ret->addr.family == IP_NONE || len > ip_size(&ret->addr) * 8)
		return false;
	if (attr && netlink_len(attr) != ip_size(&ret->addr))
		return false;
	if (attr)
		memcpy(ret->addr.bytes, netlink_data(attr), netlink_len(attr));
	return attr != NULL || len == 0;
}

static int collect(struct subnet_dump *dump, const struct ip_prefix *subnet)
{
	if (dump->n == MAX_SUBNETS)
		return -E2BIG;
	/* A power of two is full: twice the room. */
	if ((dump->n & (dump->n - 1)) == 0)
		dump->items = mem_realloc_array(dump->items, dump->n ? dump->n * 2 : 1,
						sizeof(*dump->items));
	dump->items[dump->n++] = *subnet;
	return 0;
}

/* The kernel repeats one table; here all four are one answer. */
static int begin_anew(struct subnet_dump *dump)
{
	dump->is_anew = true;
	return -EAGAIN;
}

static int take_address(const struct nlmsghdr *message, void *data)
{
	struct subnet_dump *dump = data;
	const struct ifaddrmsg *header = NULL;
	const struct nlattr *attrs[IFA_LOCAL + 1];
	struct ip_prefix subnet;

	if (message == NULL)
		return begin_anew(dump);
	header = netlink_header(message, sizeof(*header));
	if (message->nlmsg_type != RTM_NEWADDR || header == NULL)
		return 0;
	netlink_parse(message, sizeof(*header), attrs, IFA_LOCAL);
	/* Of a link between two, IFA_ADDRESS is the other one. */
	if (!take_prefix(header->ifa_family, header->ifa_prefixlen,
			 attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS], &subnet))
		return 0;
	return collect(dump, &subnet);
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	struct subnet_dump *dump = data;
	const struct rtmsg *header = NULL;
	const struct nlattr *attrs[RTA_TABLE + 1];
	struct ip_prefix subnet;

	if (message == NULL)
		return begin_anew(dump);
	header = netlink_header(message, sizeof(*header));
	if (message->nlmsg_type != RTM_NEWROUTE || header == NULL ||
	    header->rtm_type != RTN_UNICAST || header->rtm_flags & RTM_F_CLONED)
		return 0;
	netlink_parse(message, sizeof(*header), attrs, RTA_TABLE);
	if (netlink_u32(attrs[RTA_TABLE], header->rtm_table) == RT_TABLE_LOCAL ||
	    !take_prefix(header->rtm_family, header->rtm_dst_len, attrs[RTA_DST], &subnet))
		return 0;
	return collect(dump, &subnet);
}

static int dump_family(int socket, struct subnet_dump *dump, uint16_t type, int family,
		       netlink_fn fn)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	const struct rtmsg route = {.rtm_family = (uint8_t)family};
	const struct ifaddrmsg address = {.ifa_family = (uint8_t)family};

	if (type == RTM_GETROUTE)
		netlink_begin(&batch, type, NLM_F_DUMP, &route, sizeof(route));
	else
		netlink_begin(&batch, type, NLM_F_DUMP, &address, sizeof(address));
	return netlink_dump(socket, &batch, fn, dump);
}

static int dump_all(int socket, struct subnet_dump *dump)
{
	static const struct {
		uint16_t type;
		int family;
		netlink_fn fn;
	} parts[] = {{RTM_GETADDR, AF_INET, take_address},
		     {RTM_GETADDR, AF_INET6, take_address},
		     {RTM_GETROUTE, AF_INET, take_route},
		     {RTM_GETROUTE, AF_INET6, take_route}};
	int rc = 0;

	dump->is_anew = false;
	dump->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++)
		rc = dump_family(socket, dump, parts[i].type, parts[i].family, parts[i].fn);
	return rc;
}

int rtnl_list_subnets(struct ip_prefix **ret, size_t *ret_n)
{
	cleanup_close int fd = netlink_open(NETLINK_ROUTE);
	struct subnet_dump dump = {};
	int rc = fd < 0 ? fd : dump_all(fd, &dump);

	for (int i = 1; dump.is_anew && i < DUMP_TRIES; i++)
		rc = dump_all(fd, &dump);
	if (rc < 0) {
		free(dump.items);
		return rc;
	}
	*ret = dump.items;
	*ret_n = dump.n;
	return 0;
}
