/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request. */
#include "build/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void build_request_init(struct build_request *r)
{
	*r = (struct build_request){};
}

static void attributes_done(struct build_attributes *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(items[i].type);
		strv_done(&items[i].keys);
		strv_done(&items[i].values);
	}
	free(items);
}

static void arrays_done(struct build_request *r)
{
	for (size_t i = 0; i < r->n_secrets; i++) {
		free(r->secrets[i].id);
		free(r->secrets[i].source);
		free(r->secrets[i].env);
	}
	free(r->secrets);
	for (size_t i = 0; i < r->n_ssh; i++) {
		free(r->ssh[i].id);
		strv_done(&r->ssh[i].paths);
	}
	free(r->ssh);
	attributes_done(r->outputs, r->n_outputs);
	attributes_done(r->cache_from, r->n_cache_from);
	attributes_done(r->cache_to, r->n_cache_to);
	for (size_t i = 0; i < r->n_ulimits; i++)
		ulimit_spec_done(&r->ulimits[i]);
	free(r->ulimits);
}

void build_request_done(struct build_request *r)
{
	char *const texts[] = {r->context, r->file,	     r->ignorefile,  r->target,
			       r->network, r->cgroup_parent, r->cpuset_cpus, r->cpuset_mems,
			       r->iidfile, r->metadata_file, r->epoch};
	struct strv *const lists[] = {&r->tags,
				      &r->build_args,
				      &r->contexts,
				      &r->labels,
				      &r->platforms,
				      &r->no_cache_filter,
				      &r->extra_hosts,
				      &r->allow,
				      &r->volumes,
				      &r->dns,
				      &r->dns_search,
				      &r->dns_options,
				      &r->security_options,
				      &r->cap_add,
				      &r->cap_drop};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		strv_done(lists[i]);
	arrays_done(r);
	*r = (struct build_request){};
}

const char *build_attributes_get(const struct build_attributes *a, const char *key)
{
	strv_foreach (i, &a->keys)
		if (strcmp(a->keys.items[i], key) == 0)
			return a->values.items[i];
	return NULL;
}

bool build_attributes_is_true(const struct build_attributes *a, const char *key)
{
	const char *value = build_attributes_get(a, key);

	return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}
