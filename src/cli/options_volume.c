/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of the volume commands. What is for volumes of a swarm cluster is known and refused.
 */
#include "cli/option.h"
#include "cli/parse_env.h"
#include "cli/parse_net.h"
#include "cli/verbs.h"

#define FORMAT_HELP                                                                              \
	"Refer to https://docs.docker.com/go/formatting/ for more information about formatting " \
	"output with templates"
#define CLUSTER	   "is for cluster volumes, which need a swarm"
#define AT(member) offsetof(struct volume_create_options, member)

const struct option volume_create_options[] = {
	{"availability", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Cluster Volume availability (\"active\", \"pause\", \"drain\")", "\"active\"", CLUSTER},
	{"driver", 'd', OPT_STRING, AT(driver), NULL, "string", "Specify volume driver name",
	 "\"local\""},
	{"group", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Cluster Volume group (cluster volumes)", NULL, CLUSTER},
	{"label", 0, OPT_LIST, AT(labels), label_option_check, "list", "Set metadata for a volume"},
	{"limit-bytes", 0, OPT_BYTES, AT(unused.number), NULL, "bytes",
	 "Minimum size of the Cluster Volume in bytes", NULL, CLUSTER},
	{"name", 0, OPT_STRING, AT(name), NULL, "string", "Specify volume name", .hidden = true},
	{"opt", 'o', OPT_LIST, AT(options), NULL, "map", "Set driver specific options", "map[]"},
	{"required-bytes", 0, OPT_BYTES, AT(unused.number), NULL, "bytes",
	 "Maximum size of the Cluster Volume in bytes", NULL, CLUSTER},
	{"scope", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Cluster Volume access scope (\"single\", \"multi\")", "\"single\"", CLUSTER},
	{"secret", 0, OPT_LIST, AT(unused.lists), NULL, "map", "Cluster Volume secrets", "map[]",
	 CLUSTER},
	{"sharing", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Cluster Volume access sharing (\"none\", \"readonly\", \"onewriter\", \"all\")",
	 "\"none\"", CLUSTER},
	{"topology-preferred", 0, OPT_LIST, AT(unused.lists), NULL, "list",
	 "A topology that the Cluster Volume would be preferred in", NULL, CLUSTER},
	{"topology-required", 0, OPT_LIST, AT(unused.lists), NULL, "list",
	 "A topology that the Cluster Volume must be accessible from", NULL, CLUSTER},
	{"type", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Cluster Volume access type (\"mount\", \"block\")", "\"block\"", CLUSTER},
	{},
};

const struct option volume_ls_options[] = {
	{"cluster", 0, OPT_BOOL, offsetof(struct volume_ls_options, cluster), NULL, NULL,
	 "Display only cluster volumes, and use cluster volume list formatting", NULL, CLUSTER},
	{"filter", 'f', OPT_LIST_CALL, offsetof(struct volume_ls_options, filters),
	 filter_option_set, "filter", "Provide filter values (e.g. \"dangling=true\")"},
	{"format", 0, OPT_STRING, offsetof(struct volume_ls_options, format), NULL, "string",
	 "Format output using a custom template:\n'table':            Print output in table format "
	 "with column headers (default)\n'table TEMPLATE':   Print output in table format using "
	 "the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         "
	 "Print output using the given Go template.\n" FORMAT_HELP},
	{"quiet", 'q', OPT_BOOL, offsetof(struct volume_ls_options, quiet), NULL, NULL,
	 "Only display volume names"},
	{},
};

const struct option volume_rm_options[] = {
	{"force", 'f', OPT_BOOL, offsetof(struct volume_rm_options, force), NULL, NULL,
	 "Force the removal of one or more volumes"},
	{},
};

const struct option volume_prune_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct volume_prune_options, all), NULL, NULL,
	 "Remove all unused volumes, not just anonymous ones"},
	{"filter", 0, OPT_LIST_CALL, offsetof(struct volume_prune_options, filters),
	 filter_option_set, "filter", "Provide filter values (e.g. \"label=<label>\")"},
	{"force", 'f', OPT_BOOL, offsetof(struct volume_prune_options, force), NULL, NULL,
	 "Do not prompt for confirmation"},
	{},
};

const struct option volume_export_options[] = {
	{"output", 'o', OPT_STRING, offsetof(struct volume_export_options, output), NULL, "string",
	 "Write to a file, instead of STDOUT"},
	{},
};
