/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_VERDICT_H
#define ENGINE_NETWORK_VERDICT_H
/*
 * The single answers behind relations (engine/network_relations.h): may this pass, by this family,
 * and what decides it.
 */
#include "engine/network_relations.h"

/* An answer before it has parties. */
struct verdict {
	bool is_allowed;
	enum relation_reason reason;
	char *why; /* owned */
};

/* One with the text of a printf format. */
#define VERDICT(allowed, because, ...) \
	((struct verdict){             \
		.is_allowed = (allowed), .reason = (because), .why = str_printf(__VA_ARGS__)})

/* ---- what there is ---- */

/* Whether its containers are on a bridge of the host. */
bool model_is_bridge(const struct network *n);
/* The network of an endpoint; borrowed. */
const struct network *model_network_of(const struct network_model *model,
				       const struct model_endpoint *e);
/* Whether an endpoint, or any of a container, has an address of FAMILY. */
bool model_has_address(const struct model_endpoint *e, int family);
bool model_has_family(const struct model_container *c, int family);
/* The endpoint that the default route of FAMILY leads through; NULL. */
const struct model_endpoint *model_gateway_endpoint(const struct model_container *c, int family);
/* The same, if it is in a bridge network that forwards: published ports lead there. */
const struct model_endpoint *model_publishing_endpoint(const struct network_model *model,
						       const struct model_container *c, int family);

/* ---- answers; their WHY is the caller's to free ---- */

/* What keeps the host from forwarding anything of FAMILY: true with RET. */
bool verdict_is_blocked(const struct model_host *host, int family, struct verdict *ret);
/* One published port for who comes from outside. */
struct verdict verdict_of_port(const struct network_model *model, const struct model_container *c,
			       const struct published_port *port);
/* What reaches the addresses of C itself, beside its published ports. */
struct verdict verdict_of_rest(const struct network_model *model, const struct model_container *c,
			       int family);
/* What the host reaches of C. */
struct verdict verdict_from_host(const struct network_model *model, const struct model_container *c,
				 int family);
/* Whether A reaches B over a network that they share. */
struct verdict verdict_of_pair(const struct network_model *model, const struct model_container *a,
			       const struct model_container *b, int family);
/* Whether C reaches what is beyond the host. */
struct verdict verdict_of_way_out(const struct network_model *model,
				  const struct model_container *c, int family);
/* Whether C reaches LISTENER of the host. */
bool verdict_can_reach(const struct network_model *model, const struct model_container *c,
		       const struct model_listener *listener, int family);

#endif
