/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H
/*
 * A network as it was asked for: what the index keeps as one row with a JSON text, and what
 * everything else works with. Nothing here touches the host.
 */
#include "base/rand.h"
#include "base/str.h"
#include "sys/ip.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

enum network_driver {
	NETWORK_BRIDGE,
	NETWORK_MACVLAN,
	NETWORK_IPVLAN,
	NETWORK_HOST, /* the predefined "host" */
	NETWORK_NULL, /* the predefined "none" */
};

/* Names of the three that every engine has. */
#define NETWORK_DEFAULT_NAME "bridge"
#define NETWORK_HOST_NAME    "host"
#define NETWORK_NONE_NAME    "none"
#define NETWORK_MAX_POOLS    8
#define NETWORK_MAX_AUX	     64

/* How a bridge network treats what is routed to and from it (com.docker.network.bridge.
 * gateway_mode_ipv4 and _ipv6). */
enum network_gateway_mode {
	GATEWAY_NAT,		 /* published ports by DNAT, the way out masqueraded */
	GATEWAY_NAT_UNPROTECTED, /* the same, and every port may be reached by its address */
	GATEWAY_ROUTED,	  /* no NAT; published ports may be reached by the container's address */
	GATEWAY_ISOLATED, /* the bridge has no address at all */
};

/* An address that is not given to containers ("--aux-address name=ip"). */
struct network_aux {
	char *name; /* owned */
	struct ip_addr addr;
};

/* One subnet of a network: docker's IPAMConfig. */
struct network_pool {
	struct ip_prefix subnet; /* with no bits beyond the prefix */
	struct ip_addr gateway;	 /* none with GATEWAY_ISOLATED */
	struct ip_prefix
		range; /* what containers get their addresses from; family IP_NONE: subnet */
	struct network_aux *aux; /* owned */
	size_t n_aux;
	/* Nobody has named the gateway of a subnet that somebody named: inspect does not show it,
	 * as docker does not. */
	bool is_gateway_implied;
	bool is_chosen; /* nobody has named the subnet: no address of it can be asked for */
};

struct network {
	char id[ID_LEN + 1];
	char *name;	   /* owned */
	char *driver_name; /* owned; as docker shows it: "bridge", "null", ... */
	enum network_driver driver;
	int64_t created_ns;
	bool is_internal, is_attachable, is_ipv4, is_ipv6;
	bool is_predefined; /* bridge, host, none */
	struct network_pool pools[NETWORK_MAX_POOLS];
	size_t n_pools;
	struct strv options;	  /* "key=value" as typed (-o), sorted */
	struct strv labels;	  /* "key=value", sorted */
	struct strv ipam_options; /* "key=value" */

	/* What the options mean. */
	char bridge[IFNAMSIZ]; /* the link on the host: bridge or, of macvlan and ipvlan, "" */
	char parent[IFNAMSIZ]; /* of macvlan and ipvlan; "" for one of its own */
	char mode[16];	       /* "bridge", "private", "vepa", "passthru"; "l2", "l3", "l3s" */
	char flag[16];	       /* of ipvlan: "bridge", "private", "vepa" */
	char ifname_prefix[IFNAMSIZ]; /* of links in containers, "eth" */
	uint32_t mtu;		      /* 0: the kernel's */
	bool is_icc;		      /* containers of it may talk to each other */
	bool is_masquerade;
	bool is_default_bridge;	  /* no names, no aliases */
	bool is_inhibited_ipv4;	  /* the bridge does not get the gateway's address */
	bool is_foreign_link;	  /* the bridge was there before: it is not ours to remove */
	struct ip_addr host_ipv4; /* where ports are published when nobody says; none: default */
	enum network_gateway_mode gateway_mode[2]; /* of IPv4, IPv6 */
};

/* Frees what is inside; a zeroed one is fine. */
void network_done(struct network *network);
#define cleanup_network __attribute__((cleanup(network_done)))

/* An owned copy. */
struct network *network_copy(const struct network *network);

/* The pool of FAMILY (IP_V4, IP_V6) that the first address of a container comes from; NULL, also
 * when the network was not asked to have that family. */
const struct network_pool *network_pool(const struct network *network, int family);

/* Whether the network has a bridge on the host. */
bool network_has_bridge(const struct network *network);
/* Whether its containers are on a parent link: macvlan, ipvlan. */
bool network_has_parent(const struct network *network);
/* The name of that link: the one that was asked for, else "dm-" and eleven digits of the id. */
void network_parent_name(const struct network *network, char buf[static IFNAMSIZ]);
/* Whether anything leads out of it: it is not internal, and has a parent if it needs one. */
bool network_has_way_out(const struct network *network);
/* The mode of FAMILY (IP_V4, IP_V6). */
enum network_gateway_mode network_gateway_mode(const struct network *network, int family);
/* "bridge", "macvlan", "ipvlan", "host", "null". */
const char *network_driver_name(enum network_driver driver);
/* 0, or -EINVAL for no driver of ours. */
int network_driver_parse(const char *name, enum network_driver *ret);

/* What a network is when no option says otherwise: fills what options mean, for the driver that is
 * set. */
void network_set_defaults(struct network *network);
/* Reads what NETWORK's options mean into their fields (network_set_defaults first). ERR_INVALID
 * with docker's words for a value, and for an option of docker's that this driver has not. */
int network_apply_options(struct network *network, struct err *err);
/* The text that the index keeps: everything but id, name, driver and time. Owned. */
char *network_format(const struct network *network);
/* Fills RET (all zero) from a row: TEXT as network_format makes it. 0 or -ERR_INVALID. */
int network_parse(const char *id, const char *name, const char *driver, int64_t created_ns,
		  const char *text, struct network *ret, struct err *err);

#endif
