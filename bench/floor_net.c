/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel alone charges for a container on a bridge: one message makes the pair of links, a
 * second batch sets both links inside up and gives address and route. Nothing is looked at but
 * whether it was done.
 */
#include "floor_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE	"tare-floor"
#define GATEWAY "10.254.253.1"
#define ADDRESS "10.254.253.2"

struct batch {
	_Alignas(8) char buf[1024];
	size_t len;
	struct nlmsghdr *last;
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void *add(struct batch *b, const void *data, size_t len)
{
	char *p = b->buf + b->len;

	memcpy(p, data, len);
	b->len += NLMSG_ALIGN(len);
	b->last->nlmsg_len = (uint32_t)(b->buf + b->len - (char *)b->last);
	return p;
}

static void begin(struct batch *b, uint16_t type, uint16_t flags, const void *header, size_t len)
{
	struct nlmsghdr message = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};

	b->last = (void *)(b->buf + b->len);
	add(b, &message, sizeof(message));
	add(b, header, len);
}

static struct nlattr *put(struct batch *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	struct nlattr *p = add(b, &attr, sizeof(attr));

	add(b, data, len);
	return p;
}

static void put_u32(struct batch *b, uint16_t type, uint32_t value)
{
	put(b, type, &value, sizeof(value));
}

static void end(struct batch *b, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)(b->buf + b->len - (char *)nest);
}

static void commit(int fd, struct batch *b, const char *what)
{
	struct {
		struct nlmsghdr message;
		struct nlmsgerr error;
		char rest[1024];
	} answer;

	b->last->nlmsg_flags |= NLM_F_ACK;
	check(send(fd, b->buf, b->len, 0) == (ssize_t)b->len, what);
	check(recv(fd, &answer, sizeof(answer), 0) > 0, what);
	errno = -answer.error.error;
	check(errno == 0, what);
	b->len = 0;
}

static uint32_t index_of(int fd, const char *name)
{
	struct ifreq request = {};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	check(ioctl(fd, SIOCGIFINDEX, &request) == 0, name);
	return (uint32_t)request.ifr_ifindex;
}

static void add_up(struct batch *b, uint32_t index)
{
	struct ifinfomsg up = {.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	begin(b, RTM_NEWLINK, 0, &up, sizeof(up));
}

static void add_address(struct batch *b, uint32_t index, const char *text)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = index};
	uint32_t addr = inet_addr(text);

	begin(b, RTM_NEWADDR, NLM_F_CREATE, &header, sizeof(header));
	put_u32(b, IFA_LOCAL, addr);
	put_u32(b, IFA_ADDRESS, addr);
}

int floor_net_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	check(fd >= 0, "netlink socket");
	return fd;
}

void floor_net_make_bridge(int fd)
{
	struct batch b = {.len = 0};
	struct ifinfomsg header = {};
	struct nlattr *info = NULL;

	begin(&b, RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header));
	put(&b, IFLA_IFNAME, BRIDGE, sizeof(BRIDGE));
	info = put(&b, IFLA_LINKINFO, NULL, 0);
	put(&b, IFLA_INFO_KIND, "bridge", sizeof("bridge"));
	end(&b, info);
	commit(fd, &b, "make bridge");
	add_up(&b, index_of(fd, BRIDGE));
	add_address(&b, index_of(fd, BRIDGE), GATEWAY);
	commit(fd, &b, "set up bridge");
}

void floor_net_remove_bridge(int fd)
{
	struct batch b = {.len = 0};
	struct ifinfomsg header = {};

	begin(&b, RTM_DELLINK, 0, &header, sizeof(header));
	put(&b, IFLA_IFNAME, BRIDGE, sizeof(BRIDGE));
	commit(fd, &b, "remove bridge");
}

static void add_pair(struct batch *b, uint32_t bridge)
{
	struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct ifinfomsg inner = {};
	struct nlattr *nest[3];

	begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	put_u32(b, IFLA_MASTER, bridge);
	put_u32(b, IFLA_NUM_TX_QUEUES, 1);
	put_u32(b, IFLA_NUM_RX_QUEUES, 1);
	nest[0] = put(b, IFLA_LINKINFO, NULL, 0);
	put(b, IFLA_INFO_KIND, "veth", sizeof("veth"));
	nest[1] = put(b, IFLA_INFO_DATA, NULL, 0);
	nest[2] = put(b, VETH_INFO_PEER, &inner, sizeof(inner));
	put(b, IFLA_IFNAME, "eth0", sizeof("eth0"));
	put_u32(b, IFLA_NUM_TX_QUEUES, 1);
	put_u32(b, IFLA_NUM_RX_QUEUES, 1);
	put_u32(b, IFLA_NET_NS_PID, (uint32_t)getpid());
	end(b, nest[2]);
	end(b, nest[1]);
	end(b, nest[0]);
}

void floor_net_join(int host_fd)
{
	struct rtmsg route = {.rtm_family = AF_INET,
			      .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_BOOT,
			      .rtm_scope = RT_SCOPE_UNIVERSE,
			      .rtm_type = RTN_UNICAST};
	struct batch b = {.len = 0};
	uint32_t index = 0;
	int fd = floor_net_open();

	add_pair(&b, index_of(host_fd, BRIDGE));
	commit(host_fd, &b, "make links");
	index = index_of(fd, "eth0");
	add_up(&b, 1);
	add_up(&b, index);
	add_address(&b, index, ADDRESS);
	begin(&b, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof(route));
	put_u32(&b, RTA_GATEWAY, inet_addr(GATEWAY));
	put_u32(&b, RTA_OIF, index);
	commit(fd, &b, "address and route");
	close(fd);
}
