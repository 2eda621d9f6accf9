/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_GROUPS_H
#define ENGINE_NETWORK_GROUPS_H
/*
 * Relations for people: what holds for several parties in the same way becomes one group, so that a
 * network of thirty containers is one line and not 870.
 */
#include "engine/network_relations.h"

struct relation_group {
	const struct relation *sample; /* one of them: ports, verdict, reason */
	uint32_t *from, *to;	       /* owned, ascending: see relation_group_name */
	size_t n_from, n_to;
	bool is_mutual; /* FROM and TO are the same containers: each of them with each other */
};

struct relation_groups {
	struct relation_group *items; /* owned; from outside, the host, containers */
	size_t n;
};

/* Frees what is inside; a zeroed one is fine. */
void relation_groups_done(struct relation_groups *groups);
#define cleanup_relation_groups __attribute__((cleanup(relation_groups_done)))

/* Fills RET (all zero) from LIST, from which it borrows. */
void relation_list_group(const struct network_model *model, const struct relation_list *list,
			 struct relation_groups *ret);

/* The name of a party by its number in a group; borrowed from MODEL. */
const char *relation_group_name(const struct network_model *model, uint32_t party);

#endif
