/* SPDX-License-Identifier: Apache-2.0 */
/* Places of containers in networks, as values. */
#include "network/endpoint.h"

#include "base/mem.h"

void endpoint_request_done(struct endpoint_request *request)
{
	free(request->network);
	strv_done(&request->aliases);
	strv_done(&request->links);
	strv_done(&request->link_local);
	strv_done(&request->driver_options);
	free(request->wrong);
	*request = (struct endpoint_request){};
}

void endpoint_requests_free(struct endpoint_request *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		endpoint_request_done(&items[i]);
	free(items);
}

bool endpoint_request_is_of(const struct endpoint_request *request, const char *name,
			    const char *id)
{
	const char *typed = request->network;

	if (strcmp(typed, "default") == 0)
		typed = NETWORK_DEFAULT_NAME;
	return strcmp(typed, name) == 0 || (*typed && str_has_prefix(id, typed));
}

bool endpoint_request_is_plain(const struct endpoint_request *r)
{
	return !r->ip4.family && !r->ip6.family && !mac_is_set(r->mac) && !r->aliases.n &&
	       !r->links.n && !r->link_local.n && !r->driver_options.n && !r->gateway_priority;
}

void endpoint_done(struct endpoint *endpoint)
{
	free(endpoint->network_name);
	strv_done(&endpoint->names);
	strv_done(&endpoint->links);
	strv_done(&endpoint->sysctls);
	strv_done(&endpoint->link_local);
	*endpoint = (struct endpoint){};
}
