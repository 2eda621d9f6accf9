/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_H
#define ENGINE_NETWORK_H
/*
 * Networks as a user makes, finds and removes them, and what makes one ready for a container.
 *
 * A network exists when it has a row. It is up when its bridge is there and the firewall knows it;
 * RUNROOT/networks/ID/up says that this was done since the boot. `network create` does it at once,
 * the first start after a boot does it again.
 *
 * The lock RUNROOT/networks/lock: who adds an endpoint holds it shared from finding the network
 * until the endpoint's file is written (network/live.h). Who removes a network, or takes an idle
 * one down, holds it exclusively, and so sees either the endpoint or nobody who wants one. The
 * firewall has a lock of its own, which its steps take.
 */
#include "engine/engine.h"
#include "network/network.h"
#include "network/rules.h"

#include <jansson.h>
#include <stdbool.h>

struct json_shape;
struct strv;

/* ---- finding ---- */

/* Fills RET (all zero) with the network called REF: "default" is the default bridge. The networks
 * that every engine has are made by the first call that asks for one of them. One SELECT when they
 * are there. ERR_NOT_FOUND "network REF not found". */
int engine_find_network(struct engine *engine, const char *ref, struct network *ret,
			struct err *err);
/* Ensures the rows of bridge, host and none. */
int engine_networks_ensure(struct engine *engine, struct err *err);

/* Called for one network, which is borrowed for the call. < 0 stops with that error. */
typedef int (*engine_network_fn)(const struct network *network, void *data, struct err *err);
/* All networks by name; those that every engine has are made first. One whose row cannot be read is
 * told to the log and left out. */
int engine_list_networks(struct engine *engine, engine_network_fn fn, void *data, struct err *err);

/* A descriptor that holds RUNROOT/networks/lock until it is closed, or -code. Waits for others. */
int engine_lock_networks(const struct engine *engine, bool exclusive, struct err *err);

/* ---- ready for containers ---- */

/* Adds to PLAN, which will own what its steps borrow, the HOST steps that NETWORK lacks: its place
 * in the firewall, all of the firewall when somebody has changed it, its bridge, forwarding. They
 * may be executed more than once and by several processes at a time. Mostly there is nothing to do,
 * which costs one access(2), and one question each about the link and the firewall: 0. Else 1.
 * Networks without a bridge need nothing. */
int engine_network_bring_up(struct engine *engine, struct plan *plan, const struct network *network,
			    struct err *err);
/* Adds the steps that take NETWORK from the host: its bridge, unless that was there before, and its
 * place in the firewall. What RUNROOT knows of it stays. */
void engine_network_take_down(struct engine *engine, struct plan *plan, enum step_where where,
			      const struct network *network);

/* Makes the firewall again what it must be when somebody has changed it; nothing where no network
 * was up since the boot. One question about it when all is well. A failure is only logged. */
void engine_check_rules(struct engine *engine);

/* What the firewall must say: all networks that are up, and ALSO (may be NULL), and all published
 * ports of running containers. Owned; it can fill itself anew. NULL after an error. */
struct rules_state *engine_rules_state(struct engine *engine, const struct network *also,
				       struct err *err);
void engine_rules_state_free(struct rules_state *state);

/* ---- the verbs ---- */

struct network_request {
	const char *name;
	const char *driver;	 /* NULL or "": bridge */
	const char *ipam_driver; /* NULL or "": default */
	const char *scope;	 /* NULL or "": local */
	bool is_internal, is_attachable, is_ipv4, is_ipv6;
	const struct strv *subnets, *ranges, *gateways, *aux; /* as typed; aux "name=address" */
	const struct strv *options, *labels, *ipam_options;   /* "key=value" */
};

/* Makes a network and brings it up, or leaves nothing. The steps are added to PLAN (initialised by
 * the caller, who may explain it) and executed; RET_ID gets 64 digits. Messages are docker's. */
int engine_create_network(struct engine *engine, const struct network_request *request,
			  struct plan *plan, char ret_id[static ID_LEN + 1], struct err *err);
/* Removes the network REF, with its link, its rules and what is known of it below RUNROOT.
 * ERR_NOT_FOUND, ERR_CONFLICT "error while removing network: ..." while a running container is in
 * it, ERR_DENIED for those that every engine has. */
int engine_remove_network(struct engine *engine, const char *ref, struct plan *plan,
			  struct err *err);

/* Removes the networks that no running container is in and that all FILTERS ("until=",
 * "label=k[=v]", "label!=k[=v]") let through; appends their names to REMOVED. When nothing runs any
 * more, also takes the default bridge and the firewall down. ERR_INVALID "Invalid filter 'x'". */
int engine_prune_networks(struct engine *engine, const struct strv *filters, struct strv *removed,
			  struct err *err);

/* ---- what others see ---- */

/* A running container in a network, as its endpoint file says. Strings are borrowed. */
struct network_user {
	const char *container;	     /* 64 digits */
	const char *name;	     /* of the container */
	const char *endpoint;	     /* 64 digits */
	const char *mac, *ip4, *ip6; /* texts, "" for none; addresses without a prefix */
};
typedef int (*network_user_fn)(const struct network_user *user, void *data, struct err *err);
/* Calls FN for every container that is in the network ID and runs or is being started, in the order
 * of their ids. */
int engine_list_network_users(struct engine *engine, const char *id, network_user_fn fn, void *data,
			      struct err *err);

/* docker's object of a network, with its "Containers": a new reference in RET. */
int engine_describe_network(struct engine *engine, const struct network *network, json_t **ret,
			    struct err *err);
/* The types behind it. */
extern const struct json_shape network_shape;

/* Whether the network has LABEL ("k" or "k=v"). */
bool network_has_label(const struct network *network, const char *label);

#endif
