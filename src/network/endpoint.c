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
	*request = (struct endpoint_request){};
}

void endpoint_done(struct endpoint *endpoint)
{
	free(endpoint->network_name);
	strv_done(&endpoint->names);
	strv_done(&endpoint->sysctls);
	strv_done(&endpoint->link_local);
	*endpoint = (struct endpoint){};
}
