/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_RELATIONS_H
#define ENGINE_NETWORK_RELATIONS_H
/*
 * Who can reach what, and why: conclusions from a network_model alone, without a look at the host.
 * A relation is one direction between two parties (a container, the host, or everything outside)
 * for some ports; both families of addresses share one where nothing differs.
 */
#include "engine/network_model.h"

enum relation_party { PARTY_OUTSIDE, PARTY_HOST, PARTY_CONTAINER };

/* What decided it. The names are part of the JSON output: relation_reason_name. */
enum relation_reason {
	REASON_PUBLISHED,     /* on every address */
	REASON_PUBLISHED_ON,  /* on one address */
	REASON_LOOPBACK_ONLY, /* published on the host's loopback address */
	REASON_HOST_FIREWALL, /* published, as far as the host's own rules let it in */
	REASON_NOT_PUBLISHED, /* nothing leads there from outside */
	REASON_ROUTED,	      /* gateway mode routed: by the container's own address */
	REASON_UNPROTECTED,   /* gateway mode nat-unprotected */
	REASON_ISOLATED,      /* gateway mode isolated: the bridge has no address */
	REASON_INTERNAL,      /* an internal network */
	REASON_SAME_NETWORK,
	REASON_NO_ICC,	       /* the network keeps its containers apart */
	REASON_OTHER_NETWORK,  /* no network in common */
	REASON_SAME_NAMESPACE, /* --network container:X */
	REASON_HOST_NAMESPACE, /* --network host */
	REASON_NO_NETWORK,     /* --network none */
	REASON_BRIDGE,	       /* the host is on the bridge, too */
	REASON_PARENT,	       /* a network card of its own on the parent's segment */
	REASON_PARENT_PRIVATE, /* macvlan's mode private, or one port (passthru) */
	REASON_PARENT_SWITCH,  /* macvlan's mode vepa: frames take the way through the switch */
	REASON_PARENT_HOST,    /* macvlan and ipvlan hide the parent from its own children */
	REASON_MASQUERADED,
	REASON_NOT_MASQUERADED, /* out with its own address */
	REASON_NO_ROUTE,	/* no default route of that family */
	REASON_FORWARDING_OFF,
	REASON_FOREIGN_RULE, /* somebody else's chain drops it */
	REASON_LISTENING,    /* a service of the host waits there */
	N_RELATION_REASONS,
};

enum { RELATION_V4 = 1, RELATION_V6 = 2 };

struct relation {
	enum relation_party from, to;
	const struct model_container *from_container, *to_container; /* of PARTY_CONTAINER */
	char *ports;	   /* owned: "any", "0.0.0.0:8080->80/tcp", "22/tcp sshd" */
	unsigned families; /* RELATION_V4, RELATION_V6 or both */
	bool is_allowed;
	enum relation_reason reason;
	char *why; /* owned: one sentence without its full stop */
};

enum finding_level { FINDING_NOTE, FINDING_WARNING };

struct finding {
	enum finding_level level;
	const char *code; /* static: "published-everywhere" */
	const char
		*subject; /* borrowed from the model, or static: a container, a network, "host" */
	char *text;	  /* owned */
	const char *hint; /* static; "" */
};

struct relation_list {
	struct relation *items; /* owned; by party and name */
	size_t n;
	struct finding *findings; /* owned; warnings first */
	size_t n_findings;
};

/* Frees what is inside; a zeroed one is fine. */
void relation_list_done(struct relation_list *list);
#define cleanup_relation_list __attribute__((cleanup(relation_list_done)))

/* Fills RET (all zero) from a sorted MODEL, from which it borrows. */
void network_model_relate(const struct network_model *model, struct relation_list *ret);
/* The findings alone. */
void network_model_find(const struct network_model *model, struct relation_list *ret);

/* "published", "no-icc", ... */
const char *relation_reason_name(enum relation_reason reason);
/* "outside", "host", or the container's name; borrowed. */
const char *relation_party_name(enum relation_party party, const struct model_container *c);

#endif
