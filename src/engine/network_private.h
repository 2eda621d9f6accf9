/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_PRIVATE_H
#define ENGINE_NETWORK_PRIVATE_H
/* What the files of networks share. */
#include "engine/network.h"

/* Gives NETWORK the name of its bridge, if it has none: "tare0" for the default one of the default
 * state directory, else "tare-" and ten digits of its id. */
void network_set_link(const struct engine *engine, struct network *network);

/* A descriptor that holds the lock of all engines of this host that choose subnets, or -code. */
int engine_lock_pools(struct err *err);
/* Inserts NETWORKS together, in one transaction, after choosing the subnets that they lack: none
 * that overlaps another network's, of any engine, or what the host has addresses in or routes to.
 * LOCK_FD is engine_lock_pools'. ERR_CONFLICT when a name is taken. */
int network_insert_chosen(struct engine *engine, int lock_fd, struct network *networks, size_t n,
			  struct err *err);

/* The file of engine_lock_pools says which engine has which subnets, since a network that is not up
 * has no bridge that others could see: lines "NETNS SUBNET ROOT", good for one boot. */
typedef void (*registry_fn)(const struct ip_prefix *subnet, void *data);
/* As engine_lock_pools, but does not wait. */
int registry_try_lock(struct err *err);
/* Calls FN for what other engines have in this network namespace. */
void registry_read(int lock_fd, const char *root, registry_fn fn, void *data);
/* Says that the engine of ROOT has SUBNETS, in the place of what it had. 0 or -errno. */
int registry_write(int lock_fd, const char *root, const struct ip_prefix *subnets, size_t n);

/* Tells the other engines of this host which subnets this one has, and no others. When somebody
 * chooses one at this moment, only WAITING waits for that. Failures are only logged. */
void network_tell_subnets(struct engine *engine, bool waiting);

/* As engine_list_networks, but FN may take NETWORK over, leaving all zero. Makes no rows. */
int engine_take_networks(struct engine *engine,
			 int (*fn)(struct network *network, void *data, struct err *err),
			 void *data, struct err *err);

/* Takes what NETWORK has on the host and below RUNROOT away, by steps that are added to PLAN. */
int network_take_down_now(struct engine *engine, const struct network *network, struct plan *plan,
			  struct err *err);
/* Before NETWORK's row goes: says below RUNROOT what it may have on the host, unless the mark of
 * its coming up says so already. It may be half up, by a start that was cut short, and a removal
 * that is cut short as well is then completed from this. A failure is only logged. */
void network_note_going(const struct engine *engine, const struct network *network);
/* Completes what others have left: records without rows, networks below RUNROOT without rows. Costs
 * a look at two directories when there is nothing. Failures are only logged. */
void network_sweep_live(struct engine *engine);

/* RUNROOT/networks/ID/up: owned path. */
char *network_up_path(const struct engine *engine, const char *id);

/* Of a new macvlan or ipvlan network: whether it may have the parent that its options name, and
 * whether that one is there already (is_foreign_link). The caller holds the lock of the pools. 0,
 * ERR_CONFLICT when another network of the kind has it, ERR_INVALID, ERR_NOT_FOUND; docker's words.
 * Other networks are fine. */
int network_parent_check(struct engine *engine, struct network *network, struct err *err);
/* Adds the HOST steps that make a parent that is not there. ERR_NOT_FOUND for one that is not ours
 * to make. */
int network_parent_plan_up(struct plan *plan, const struct network *network, struct err *err);
/* Adds the steps that remove it, if it is ours. */
void network_parent_plan_down(struct plan *plan, enum step_where where,
			      const struct network *network);

#endif
