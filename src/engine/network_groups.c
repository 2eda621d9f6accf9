/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grouping in two passes. First the sources that reach the same set of targets for the same reason
 * become one. What is left alone then are the members of circles, each of which reaches all but
 * itself: with itself added, their sets are the same.
 */
#include "engine/network_groups.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_OUTSIDE, NUMBER_HOST, N_NUMBERS_BEFORE };

void relation_groups_done(struct relation_groups *groups)
{
	for (size_t i = 0; i < groups->n; i++) {
		free(groups->items[i].from);
		free(groups->items[i].to);
	}
	free(groups->items);
	*groups = (struct relation_groups){};
}

const char *relation_group_name(const struct network_model *model, uint32_t party)
{
	if (party == NUMBER_OUTSIDE)
		return relation_party_name(PARTY_OUTSIDE, NULL);
	if (party == NUMBER_HOST)
		return relation_party_name(PARTY_HOST, NULL);
	return model->containers[party - N_NUMBERS_BEFORE].name;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Whether the two say the same of their parties. */
static int compare_keys(const struct relation *a, const struct relation *b)
{
	int rc = compare_numbers(a->is_allowed, b->is_allowed);

	if (rc == 0)
		rc = compare_numbers(a->reason, b->reason);
	if (rc == 0)
		rc = compare_numbers(a->families, b->families);
	if (rc == 0)
		rc = strcmp(a->ports, b->ports);
	return rc ? rc : strcmp(a->why, b->why);
}

static int compare_sets(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n_a && i < n_b; i++)
		rc = compare_numbers(a[i], b[i]);
	return rc ? rc : compare_numbers(n_a, n_b);
}

static int compare_by_targets(const void *a, const void *b)
{
	const struct relation_group *x = a, *y = b;
	int rc = compare_keys(x->sample, y->sample);

	if (rc == 0)
		rc = compare_sets(x->to, x->n_to, y->to, y->n_to);
	return rc ? rc : compare_sets(x->from, x->n_from, y->from, y->n_from);
}

/* What may come first: who from, what is allowed before what is not, where to. */
static int compare_for_people(const void *a, const void *b)
{
	const struct relation_group *x = a, *y = b;
	int rc = compare_numbers(x->from[0], y->from[0]);

	if (rc == 0)
		rc = compare_sets(x->from, x->n_from, y->from, y->n_from);
	if (rc == 0)
		rc = compare_numbers(y->sample->is_allowed, x->sample->is_allowed);
	if (rc == 0)
		rc = compare_sets(x->to, x->n_to, y->to, y->n_to);
	return rc ? rc : compare_keys(x->sample, y->sample);
}

/* ---- sets ---- */

static int compare_members(const void *a, const void *b)
{
	return compare_numbers(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* Adds the N members of MORE that SET does not have. */
static void set_join(uint32_t **set, size_t *n, const uint32_t *more, size_t n_more)
{
	size_t kept = 0;

	*set = mem_realloc_array(*set, *n + n_more, sizeof **set);
	memcpy(*set + *n, more, n_more * sizeof *more);
	*n += n_more;
	qsort(*set, *n, sizeof **set, compare_members);
	for (size_t i = 0; i < *n; i++)
		if (kept == 0 || (*set)[kept - 1] != (*set)[i])
			(*set)[kept++] = (*set)[i];
	*n = kept;
}

/* ---- grouping ---- */

static uint32_t number_of(const struct network_model *model, enum relation_party party,
			  const struct model_container *c)
{
	if (party == PARTY_CONTAINER)
		return (uint32_t)(c - model->containers) + N_NUMBERS_BEFORE;
	return party == PARTY_HOST ? NUMBER_HOST : NUMBER_OUTSIDE;
}

static int compare_relations(const void *a, const void *b)
{
	const struct relation *x = *(const struct relation *const *)a;
	const struct relation *y = *(const struct relation *const *)b;
	int rc = compare_keys(x, y);

	if (rc == 0)
		rc = compare_numbers(x->from, y->from);
	if (rc == 0) /* all containers are in one array */
		rc = compare_numbers((uintptr_t)x->from_container, (uintptr_t)y->from_container);
	if (rc == 0)
		rc = compare_numbers(x->to, y->to);
	return rc ? rc : compare_numbers((uintptr_t)x->to_container, (uintptr_t)y->to_container);
}

/* One group for each source and key, in the order of keys. */
static void group_by_source(const struct network_model *model, const struct relation_list *list,
			    struct relation_groups *ret)
{
	cleanup_free const struct relation **sorted = mem_alloc(list->n * sizeof *sorted);
	struct relation_group *g = NULL;
	size_t cap = 0;

	for (size_t i = 0; i < list->n; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->n, sizeof *sorted, compare_relations);
	ret->items = mem_realloc_array(NULL, list->n + 1, sizeof *ret->items);
	for (size_t i = 0; i < list->n; i++) {
		const struct relation *r = sorted[i];
		uint32_t from = number_of(model, r->from, r->from_container);

		if (!g || g->from[0] != from || compare_keys(g->sample, r) != 0) {
			g = &ret->items[ret->n++];
			*g = (struct relation_group){.sample = r, .n_from = 1};
			g->from = mem_dup(&from, sizeof from);
			cap = 0;
		}
		if (g->n_to == cap) {
			cap = cap ? cap * 2 : 1;
			g->to = mem_realloc_array(g->to, cap, sizeof *g->to);
		}
		g->to[g->n_to++] = number_of(model, r->to, r->to_container);
	}
}

/* Sorts, and makes one of neighbours with the same key and targets. */
static void merge_same_targets(struct relation_groups *groups)
{
	size_t kept = 0;

	qsort(groups->items, groups->n, sizeof *groups->items, compare_by_targets);
	for (size_t i = 0; i < groups->n; i++) {
		struct relation_group *g = &groups->items[i];
		struct relation_group *last = kept ? &groups->items[kept - 1] : NULL;

		if (last && compare_keys(last->sample, g->sample) == 0 &&
		    compare_sets(last->to, last->n_to, g->to, g->n_to) == 0) {
			set_join(&last->from, &last->n_from, g->from, g->n_from);
			free(g->from);
			free(g->to);
		} else {
			groups->items[kept++] = *g;
		}
	}
	groups->n = kept;
}

/* Members of a circle get themselves as a target, and lose it again where nobody joined them. */
static void merge_circles(struct relation_groups *groups)
{
	for (size_t i = 0; i < groups->n; i++) {
		struct relation_group *g = &groups->items[i];

		if (g->n_from == 1 && g->from[0] >= N_NUMBERS_BEFORE &&
		    g->to[0] >= N_NUMBERS_BEFORE)
			set_join(&g->to, &g->n_to, g->from, 1);
	}
	merge_same_targets(groups);
	for (size_t i = 0; i < groups->n; i++) {
		struct relation_group *g = &groups->items[i];
		size_t kept = 0;

		g->is_mutual = g->n_from > 1 &&
			       compare_sets(g->from, g->n_from, g->to, g->n_to) == 0;
		for (size_t k = 0; g->n_from == 1 && k < g->n_to; k++)
			if (g->to[k] != g->from[0])
				g->to[kept++] = g->to[k];
		if (g->n_from == 1)
			g->n_to = kept;
	}
}

void relation_list_group(const struct network_model *model, const struct relation_list *list,
			 struct relation_groups *ret)
{
	group_by_source(model, list, ret);
	merge_same_targets(ret);
	merge_circles(ret);
	qsort(ret->items, ret->n, sizeof *ret->items, compare_for_people);
}
