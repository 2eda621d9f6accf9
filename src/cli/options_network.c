/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of the network commands and of port.
 */
#include "cli/option.h"
#include "cli/parse_device.h"
#include "cli/parse_env.h"
#include "cli/parse_net.h"
#include "cli/verbs.h"

#define FORMAT_HELP                                                                              \
	"Refer to https://docs.docker.com/go/formatting/ for more information about formatting " \
	"output with templates"
#define EXPLAIN_HELP	"Print every step as it was executed, as shell (or =json), with its time"
#define SWARM		"is for networks of a swarm"
#define CREATE(member)	offsetof(struct network_create_options, member)
#define CONNECT(member) offsetof(struct network_connect_options, member)

void network_create_options_init(union verb_options *o)
{
	o->network_create.ipv4 = true;
}

const struct option network_create_options[] = {
	{"attachable", 0, OPT_BOOL, CREATE(attachable), NULL, NULL,
	 "Enable manual container attachment"},
	{"aux-address", 0, OPT_LIST, CREATE(aux_addresses), NULL, "map",
	 "Auxiliary IPv4 or IPv6 addresses used by Network driver", "map[]"},
	{"config-from", 0, OPT_STRING, CREATE(config_from), NULL, "string",
	 "The network from which to copy the configuration", NULL, SWARM},
	{"config-only", 0, OPT_BOOL, CREATE(config_only), NULL, NULL,
	 "Create a configuration only network", NULL, SWARM},
	{"driver", 'd', OPT_STRING, CREATE(driver), NULL, "string", "Driver to manage the Network",
	 "\"bridge\""},
	{"gateway", 0, OPT_LIST, CREATE(gateways), NULL, "strings",
	 "IPv4 or IPv6 Gateway for the master subnet"},
	{"ingress", 0, OPT_BOOL, CREATE(ingress), NULL, NULL, "Create swarm routing-mesh network",
	 NULL, SWARM},
	{"internal", 0, OPT_BOOL, CREATE(internal), NULL, NULL,
	 "Restrict external access to the network"},
	{"ip-range", 0, OPT_LIST, CREATE(ip_ranges), NULL, "strings",
	 "Allocate container ip from a sub-range"},
	{"ipam-driver", 0, OPT_STRING, CREATE(ipam_driver), NULL, "string",
	 "IP Address Management Driver", "\"default\""},
	{"ipam-opt", 0, OPT_LIST, CREATE(ipam_options), NULL, "map",
	 "Set IPAM driver specific options", "map[]"},
	{"ipv4", 0, OPT_BOOL, CREATE(ipv4), NULL, NULL, "Enable or disable IPv4 address assignment",
	 "true"},
	{"ipv6", 0, OPT_BOOL, CREATE(ipv6), NULL, NULL,
	 "Enable or disable IPv6 address assignment"},
	{"label", 0, OPT_LIST, CREATE(labels), label_option_check, "list",
	 "Set metadata on a network"},
	{"opt", 'o', OPT_LIST, CREATE(options), NULL, "map", "Set driver specific options",
	 "map[]"},
	{"scope", 0, OPT_STRING, CREATE(scope), NULL, "string", "Control the network's scope"},
	{"subnet", 0, OPT_LIST, CREATE(subnets), NULL, "strings",
	 "Subnet in CIDR format that represents a network segment"},
	{"explain", 0, OPT_CALL_BOOL, CREATE(explain), explain_option_set, NULL, EXPLAIN_HELP},
	{},
};

const struct option network_connect_options[] = {
	{"alias", 0, OPT_LIST, CONNECT(aliases), NULL, "strings",
	 "Add network-scoped alias for the container"},
	{"driver-opt", 0, OPT_LIST, CONNECT(driver_options), NULL, "strings",
	 "driver options for the network"},
	{"gw-priority", 0, OPT_INT, CONNECT(gateway_priority), NULL, "int",
	 "Highest gw-priority provides the default gateway. Accepts positive and negative values."},
	{"ip", 0, OPT_STRING, CONNECT(ip4), NULL, "string",
	 "IPv4 address (e.g., \"172.30.100.104\")"},
	{"ip6", 0, OPT_STRING, CONNECT(ip6), NULL, "string",
	 "IPv6 address (e.g., \"2001:db8::33\")"},
	{"link", 0, OPT_LIST, CONNECT(links), link_option_check, "list",
	 "Add link to another container"},
	{"link-local-ip", 0, OPT_LIST, CONNECT(link_local), NULL, "strings",
	 "Add a link-local address for the container"},
	{"explain", 0, OPT_CALL_BOOL, CONNECT(explain), explain_option_set, NULL, EXPLAIN_HELP},
	{},
};

const struct option network_disconnect_options[] = {
	{"force", 'f', OPT_BOOL, offsetof(struct network_disconnect_options, force), NULL, NULL,
	 "Force the container to disconnect from a network"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct network_disconnect_options, explain),
	 explain_option_set, NULL, EXPLAIN_HELP},
	{},
};

const struct option network_inspect_options[] = {
	{"format", 'f', OPT_STRING, offsetof(struct network_inspect_options, format), NULL,
	 "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{"verbose", 'v', OPT_BOOL, offsetof(struct network_inspect_options, verbose), NULL, NULL,
	 "Verbose output for diagnostics"},
	{},
};

const struct option network_ls_options[] = {
	{"filter", 'f', OPT_LIST_CALL, offsetof(struct network_ls_options, filters),
	 filter_option_set, "filter", "Provide filter values (e.g. \"driver=bridge\")"},
	{"format", 0, OPT_STRING, offsetof(struct network_ls_options, format), NULL, "string",
	 "Format output using a custom template:\n'table':            Print output in table format "
	 "with column headers (default)\n'table TEMPLATE':   Print output in table format using "
	 "the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         "
	 "Print output using the given Go template.\n" FORMAT_HELP},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct network_ls_options, no_trunc), NULL, NULL,
	 "Do not truncate the output"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct network_ls_options, quiet), NULL, NULL,
	 "Only display network IDs"},
	{},
};

const struct option network_rm_options[] = {
	{"force", 'f', OPT_BOOL, offsetof(struct network_rm_options, force), NULL, NULL,
	 "Do not error if the network does not exist"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct network_rm_options, explain),
	 explain_option_set, NULL, EXPLAIN_HELP},
	{},
};

const struct option network_prune_options[] = {
	{"filter", 0, OPT_LIST_CALL, offsetof(struct network_prune_options, filters),
	 filter_option_set, "filter", "Provide filter values (e.g. \"until=<timestamp>\")"},
	{"force", 'f', OPT_BOOL, offsetof(struct network_prune_options, force), NULL, NULL,
	 "Do not prompt for confirmation"},
	{},
};

const struct option network_audit_options[] = {
	{"format", 0, OPT_STRING, offsetof(struct network_audit_options, format), NULL, "string",
	 "Format output: 'table' (default), 'json', or the given Go template"},
	{},
};

const struct option network_graph_options[] = {
	{"output", 'o', OPT_STRING, offsetof(struct network_graph_options, output), NULL, "string",
	 "Write an SVG picture to a file, instead of drawing on STDOUT"},
	{},
};
