/* SPDX-License-Identifier: Apache-2.0 */
/* network connect and disconnect. */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/parse_endpoint.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/network_connect.h"
#include "network/endpoint.h"
#include "plan/plan.h"

static int fill_request(const char *network, const struct network_connect_options *o,
			struct endpoint_request *ret, struct err *err)
{
	int rc = 0;

	ret->network = str_dup(network);
	ret->gateway_priority = o->gateway_priority;
	endpoint_set_ip4(ret, o->ip4);
	endpoint_set_ip6(ret, o->ip6);
	endpoint_add_link_local(ret, &o->link_local);
	strv_add_all(&ret->aliases, &o->aliases);
	strv_add_all(&ret->links, &o->links);
	for (size_t i = 0; rc == 0 && i < o->driver_options.n; i++)
		rc = endpoint_add_driver_option(ret, o->driver_options.items[i], err);
	/* docker's two places for such options differ in a letter. */
	return rc < 0 ? err_set(err, err->code, "invalid key/value pair format in driver options")
		      : 0;
}

int cmd_network_connect(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_connect_options *o = &options->network_connect;
	cleanup_engine struct engine engine = {};
	cleanup_with(plan_done) struct plan plan = {};
	cleanup_with(endpoint_request_done) struct endpoint_request request = {};

	if (fill_request(cli->args.items[0], o, &request, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0 || plan_init(&plan, err) < 0 ||
	    engine_connect(&engine, cli->args.items[1], &request, &plan, err) < 0)
		return -err->code;
	cli_explain(&plan, o->explain, 1U << STEP_HOST);
	return 0;
}

int cmd_network_disconnect(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct network_disconnect_options *o = &options->network_disconnect;
	cleanup_engine struct engine engine = {};
	cleanup_with(plan_done) struct plan plan = {};

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 || plan_init(&plan, err) < 0 ||
	    engine_disconnect(&engine, cli->args.items[0], cli->args.items[1], o->force, &plan,
			      err) < 0)
		return -err->code;
	cli_explain(&plan, o->explain, 1U << STEP_HOST);
	return 0;
}
