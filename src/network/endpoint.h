/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_ENDPOINT_H
#define NETWORK_ENDPOINT_H
/*
 * A container's place in a network. Two things are told apart:
 *
 * - what was asked for (endpoint_request): kept with the container in the index, there whether it
 *   runs or not;
 * - what it has while it runs (endpoint): addresses, links, names; kept as files below
 *   RUNROOT, gone after a boot (network/live.h).
 */
#include "network/network.h"

/* One --network of a container, or one `network connect`. Strings are owned. */
struct endpoint_request {
	char *network;		    /* name or id as typed; resolved at each start */
	struct ip_addr ip4, ip6;    /* none: any free one */
	uint8_t mac[6];		    /* all zero: made from the address */
	struct strv aliases;	    /* as typed */
	struct strv links;	    /* "CONTAINER:ALIAS" */
	struct strv link_local;	    /* addresses */
	struct strv driver_options; /* "key=value" */
	int64_t gateway_priority;
	char *wrong; /* what is said against it when the whole is validated; NULL. Not kept. */
	bool is_mac_wrong; /* WRONG says that of the MAC address */
};

/* Frees what is inside; a zeroed one is fine. */
void endpoint_request_done(struct endpoint_request *request);
/* Frees an array of them; NULL is fine. */
void endpoint_requests_free(struct endpoint_request *items, size_t n);
/* Whether it is for the network NAME with ID: said by its name, or the beginning of its id. */
bool endpoint_request_is_of(const struct endpoint_request *request, const char *name,
			    const char *id);
/* Whether nothing but a network was said. */
bool endpoint_request_is_plain(const struct endpoint_request *request);

/* The text that the index keeps with a container: an owned JSON array. */
char *endpoint_requests_format(const struct endpoint_request *items, size_t n);
/* Reads such a text: RET is the caller's (endpoint_requests_free). 0 or -ERR_INVALID. */
int endpoint_requests_parse(const char *text, struct endpoint_request **ret, size_t *ret_n,
			    struct err *err);

#define MAC_TEXT_LEN 18
/* "02:42:ac:11:00:02", also with dashes or as "0242.ac11.0002"; 0 or -EINVAL. */
int mac_parse(const char *text, uint8_t ret[static 6]);
/* Returns BUF. */
char *mac_format(const uint8_t mac[static 6], char buf[static MAC_TEXT_LEN]);
bool mac_is_set(const uint8_t mac[static 6]);

/* One link of a running container. Strings are owned. */
struct endpoint {
	char network_id[ID_LEN + 1];
	char id[ID_LEN + 1]; /* docker's EndpointID */
	char *network_name;
	char ifname[IFNAMSIZ];	    /* inside: "eth0" */
	char host_ifname[IFNAMSIZ]; /* on the host: "veth1a2b3c4"; "" of macvlan and ipvlan */
	uint8_t mac[6];
	struct ip_prefix ip4, ip6;	   /* family IP_NONE: none */
	struct ip_addr gateway4, gateway6; /* 0.0.0.0 and :: are the link itself */
	bool is_gateway4, is_gateway6;	   /* its default route goes through this endpoint */
	struct strv names;   /* what DNS answers to: name, aliases, the id's first 12 digits */
	struct strv links;   /* "ALIAS NAME": what it alone calls others */
	struct strv sysctls; /* "net.ipv4.conf.IFNAME.x=v" as typed */
	struct strv link_local;
};

/* The same for an endpoint. */
void endpoint_done(struct endpoint *endpoint);

#endif
