/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_MODEL_H
#define ENGINE_NETWORK_MODEL_H
/*
 * All networks and running containers of an engine at one moment, as plain values: what `network
 * audit` concludes from and `network graph` draws. engine/network_survey.h fills one from the index
 * and the files below RUNROOT, which are also what the firewall is made of.
 */
#include "network/live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket of the host that waits on an address which containers can reach. */
struct model_listener {
	char proto[8];	     /* "tcp", "udp" */
	struct ip_addr addr; /* 0.0.0.0 or :: for every address */
	bool is_dual;	     /* one of :: that takes IPv4 as well */
	uint16_t port;
	char *program; /* owned; "" when nobody knows */
};

/* What the host adds to it. */
struct model_host {
	bool is_forwarding4, is_forwarding6;
	bool respects_firewall;		  /* published ports go by the host's own input rules */
	bool has_rules;			  /* the firewall is as it must be (or need not be there) */
	char *foreign_drop;		  /* owned; whose chain drops what is forwarded; NULL */
	struct model_listener *listeners; /* owned, sorted by port */
	size_t n_listeners;
};

/* A container's place in a network. */
struct model_endpoint {
	size_t network;		   /* index in network_model.networks */
	char ifname[IFNAMSIZ];	   /* inside */
	struct ip_prefix ip4, ip6; /* family IP_NONE: none */
	bool is_gateway4, is_gateway6;
};

enum model_place {
	PLACE_NETWORKS, /* it has endpoints (or none at all) */
	PLACE_HOST,	/* the host's own network namespace */
	PLACE_SHARED,	/* that of another container */
};

struct model_container {
	char *id, *name; /* owned */
	char *image;	 /* owned; as the user wrote it */
	enum model_place place;
	size_t peer; /* of PLACE_SHARED: whose namespace it is, never itself shared */
	struct model_endpoint *endpoints; /* owned, sorted by ifname */
	size_t n_endpoints;
	struct published_port *ports; /* owned, sorted */
	size_t n_ports;
};

struct model_network {
	struct network network;
	bool is_missing_parent; /* of macvlan and ipvlan: the link it must be on is not there */
};

/* Containers and networks are sorted by name. */
struct network_model {
	struct model_network *networks; /* owned */
	size_t n_networks;
	struct model_container *containers; /* owned */
	size_t n_containers;
	struct model_host host;
};

/* Frees what is inside; a zeroed one is fine. */
void network_model_done(struct network_model *model);
#define cleanup_network_model __attribute__((cleanup(network_model_done)))

/* Appends a zeroed one, which is the model's: valid until the next is added. */
struct model_network *network_model_add_network(struct network_model *model);
struct model_container *network_model_add_container(struct network_model *model);
struct model_endpoint *model_container_add_endpoint(struct model_container *container);
struct published_port *model_container_add_port(struct model_container *container);
struct model_listener *model_host_add_listener(struct model_host *host);

/* Sorts everything by name, address and port, and moves the indices along. */
void network_model_sort(struct network_model *model);

/* Whose namespace CONTAINER (of MODEL) is in: itself, or its peer. */
const struct model_container *model_container_owner(const struct network_model *model,
						    const struct model_container *container);
/* Whether CONTAINER has an endpoint in the network of that index. */
bool model_container_is_in(const struct model_container *container, size_t network);
/* The address of FAMILY (IP_V4, IP_V6) of an endpoint; family IP_NONE where it has none. */
const struct ip_prefix *model_endpoint_address(const struct model_endpoint *endpoint, int family);

/* Owned "0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp". */
char *published_port_text(const struct published_port *port);

#endif
