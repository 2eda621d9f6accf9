/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of the verbs that follow a container through its life: update, stats, top, events,
 * debug, and what keeps house.
 */
#include "base/mem.h"
#include "cli/option.h"
#include "cli/parse_env.h"
#include "cli/parse_limit.h"
#include "cli/parse_net.h"
#include "cli/verbs.h"

#define FORMAT_HELP                                                                              \
	"Refer to https://docs.docker.com/go/formatting/ for more information about formatting " \
	"output with templates"
#define EXPLAIN_HELP  "Print every step as it was executed, as shell (or =json), with its time"
#define LIMIT(member) offsetof(struct update_options, spec.member)

void update_options_init(union verb_options *o)
{
	spec_init(&o->update.spec);
}

void update_options_done(union verb_options *o)
{
	spec_done(&o->update.spec);
	free(o->update.restart);
	strv_done(&o->update.publish);
	strv_done(&o->update.publish_rm);
}

const struct option update_options[] = {
	{"blkio-weight", 0, OPT_UINT16, LIMIT(blkio_weight), NULL, "uint16",
	 "Block IO (relative weight), between 10 and 1000, or 0 to disable", "0"},
	{"cpu-period", 0, OPT_INT, LIMIT(cpu_period), NULL, "int",
	 "Limit CPU CFS (Completely Fair Scheduler) period"},
	{"cpu-quota", 0, OPT_INT, LIMIT(cpu_quota), NULL, "int",
	 "Limit CPU CFS (Completely Fair Scheduler) quota"},
	{"cpu-rt-period", 0, OPT_INT, offsetof(struct update_options, cpu_rt_period), NULL, "int",
	 "Limit the CPU real-time period in microseconds", NULL,
	 "realtime scheduling of groups is not supported"},
	{"cpu-rt-runtime", 0, OPT_INT, offsetof(struct update_options, cpu_rt_runtime), NULL, "int",
	 "Limit the CPU real-time runtime in microseconds", NULL,
	 "realtime scheduling of groups is not supported"},
	{"cpu-shares", 'c', OPT_INT, LIMIT(cpu_shares), NULL, "int",
	 "CPU shares (relative weight)"},
	{"cpus", 0, OPT_CALL, LIMIT(nano_cpus), cpus_option_set, "decimal", "Number of CPUs"},
	{"cpuset-cpus", 0, OPT_STRING, LIMIT(cpuset_cpus), NULL, "string",
	 "CPUs in which to allow execution (0-3, 0,1)"},
	{"cpuset-mems", 0, OPT_STRING, LIMIT(cpuset_mems), NULL, "string",
	 "MEMs in which to allow execution (0-3, 0,1)"},
	{"kernel-memory", 0, OPT_BYTES, offsetof(struct update_options, cpu_rt_period), NULL,
	 "bytes", "", .missing = "was removed from the kernel (Linux 5.16)", .hidden = true},
	{"memory", 'm', OPT_BYTES, LIMIT(memory), NULL, "bytes", "Memory limit"},
	{"memory-reservation", 0, OPT_BYTES, LIMIT(memory_reservation), NULL, "bytes",
	 "Memory soft limit"},
	{"memory-swap", 0, OPT_CALL, LIMIT(memory_swap), swap_option_set, "bytes",
	 "Swap limit equal to memory plus swap: -1 to enable unlimited swap"},
	{"pids-limit", 0, OPT_CALL, offsetof(struct update_options, spec), pids_option_set, "int",
	 "Tune container pids limit (set -1 for unlimited)"},
	{"publish", 'p', OPT_LIST, offsetof(struct update_options, publish), NULL, "list",
	 "Publish a container's port to the host, also while it runs"},
	{"publish-rm", 0, OPT_LIST, offsetof(struct update_options, publish_rm), NULL, "list",
	 "Withdraw a published port, also while it runs"},
	{"restart", 0, OPT_STRING, offsetof(struct update_options, restart), NULL, "string",
	 "Restart policy to apply when a container exits"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct update_options, explain), explain_option_set,
	 NULL, EXPLAIN_HELP},
	{},
};

const struct option stats_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct stats_options, all), NULL, NULL,
	 "Show all containers (default shows just running)"},
	{"format", 0, OPT_STRING, offsetof(struct stats_options, format), NULL, "string",
	 "Format output using a custom template:\n'table':            Print output in table format "
	 "with column headers (default)\n'table TEMPLATE':   Print output in table format using "
	 "the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         "
	 "Print output using the given Go template.\n" FORMAT_HELP},
	{"no-stream", 0, OPT_BOOL, offsetof(struct stats_options, no_stream), NULL, NULL,
	 "Disable streaming stats and only pull the first result"},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct stats_options, no_trunc), NULL, NULL,
	 "Do not truncate output"},
	{},
};

const struct option top_options[] = {
	{"all", 0, OPT_BOOL, offsetof(struct top_options, all), NULL, NULL,
	 "Show all containers in a live view", .hidden = true},
	{},
};

const struct option events_options[] = {
	{"filter", 'f', OPT_LIST_CALL, offsetof(struct events_options, filters), filter_option_set,
	 "filter", "Filter output based on conditions provided"},
	{"format", 0, OPT_STRING, offsetof(struct events_options, format), NULL, "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{"since", 0, OPT_STRING, offsetof(struct events_options, since), NULL, "string",
	 "Show all events created since timestamp"},
	{"until", 0, OPT_STRING, offsetof(struct events_options, until), NULL, "string",
	 "Stream events until this timestamp"},
	{},
};

const struct option system_prune_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct system_prune_options, all), NULL, NULL,
	 "Remove all unused images not just dangling ones"},
	{"filter", 0, OPT_LIST_CALL, offsetof(struct system_prune_options, filters),
	 filter_option_set, "filter", "Provide filter values (e.g. \"label=<key>=<value>\")"},
	{"force", 'f', OPT_BOOL, offsetof(struct system_prune_options, force), NULL, NULL,
	 "Do not prompt for confirmation"},
	{"volumes", 0, OPT_BOOL, offsetof(struct system_prune_options, volumes), NULL, NULL,
	 "Prune anonymous volumes"},
	{},
};

const struct option system_boot_options[] = {
	{"dry-run", 0, OPT_BOOL, offsetof(struct system_boot_options, dry_run), NULL, NULL,
	 "Print what would be started, in order, and start nothing"},
	{},
};

const struct option resume_options[] = {
	{"lost", 0, OPT_BOOL, offsetof(struct resume_options, is_lost), NULL, NULL,
	 "Its monitor was killed: settle the container first"},
	{},
};

const struct option debug_options[] = {
	{"env", 'e', OPT_LIST, offsetof(struct debug_options, env), env_option_check, "list",
	 "Set environment variables"},
	{"image", 0, OPT_STRING, offsetof(struct debug_options, image), NULL, "string",
	 "Image with the tools", "\"busybox\""},
	{"privileged", 0, OPT_BOOL, offsetof(struct debug_options, privileged), NULL, NULL,
	 "Give extended privileges to the command"},
	{"user", 'u', OPT_STRING, offsetof(struct debug_options, user), NULL, "string",
	 "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
	{"workdir", 'w', OPT_STRING, offsetof(struct debug_options, workdir), NULL, "string",
	 "Working directory inside the container"},
	{},
};
