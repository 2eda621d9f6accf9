/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of build, those of BuildKit's front end and of docker's older builder together, and
 * of the commands that look after the cache. What a builder without a daemon cannot mean is refused
 * with its reason; what changes nothing here is taken and ignored.
 */
#include "cli/option.h"
#include "cli/parse_env.h"
#include "cli/parse_limit.h"
#include "cli/parse_net.h"
#include "cli/verbs.h"

#include "base/err.h"

#include <stddef.h>
#include <string.h>

#define AT(f)	   offsetof(struct build_options, f)
#define REQUEST(f) AT(request.f)

#define NO_ATTESTATIONS "needs BuildKit's attestations, which tare does not make"

static int provenance_option_set(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return 0;
	return err_set(err, ERR_INVALID, NO_ATTESTATIONS "; only \"false\" is possible");
}

static int check_option_set(void *field, const char *value, struct err *err)
{
	*(bool *)field = strcmp(value, "false") != 0;
	return 0;
}

const struct option build_options[] = {
	{"add-host", 0, OPT_LIST_CALL, REQUEST(extra_hosts), host_option_set, "list",
	 "Add a custom host-to-IP mapping (\"host:ip\")"},
	{"allow", 0, OPT_LIST, REQUEST(allow), NULL, "stringArray",
	 "Allow extra privileged entitlement (e.g., \"network.host\", \"security.insecure\")"},
	{"annotation", 0, OPT_LIST, AT(unused.lists), NULL, "stringArray",
	 "Add annotation to the image", NULL,
	 "needs manifests of the images' own, which the store does not keep; use --label"},
	{"attest", 0, OPT_LIST, AT(unused.lists), NULL, "stringArray",
	 "Attestation parameters (format: \"type=sbom,generator=image\")", NULL, NO_ATTESTATIONS},
	{"build-arg", 0, OPT_LIST, AT(build_args), NULL, "stringArray", "Set build-time variables"},
	{"build-arg-file", 0, OPT_LIST, AT(build_arg_files), NULL, "list",
	 "Read in a file of build-time variables"},
	{"build-context", 0, OPT_LIST, REQUEST(contexts), NULL, "stringArray",
	 "Additional build contexts (e.g., name=path)"},
	{"builder", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Accepted for docker's sake: there is one builder, this program"},
	{"cache-from", 0, OPT_LIST, AT(cache_from), NULL, "stringArray",
	 "External cache sources (e.g., \"user/app:cache\", \"type=local,src=path/to/dir\")"},
	{"cache-to", 0, OPT_LIST, AT(cache_to), NULL, "stringArray",
	 "Cache export destinations (e.g., \"type=inline\", \"type=local,dest=path/to/dir\")"},
	{"call", 0, OPT_STRING, AT(call), NULL, "string",
	 "Set method for evaluating build (\"check\", \"outline\", \"targets\")", "\"build\""},
	{"cap-add", 0, OPT_LIST, REQUEST(cap_add), NULL, "list",
	 "Add Linux capabilities to the \"RUN\" instructions"},
	{"cap-drop", 0, OPT_LIST, REQUEST(cap_drop), NULL, "list",
	 "Drop Linux capabilities of the \"RUN\" instructions"},
	{"cgroup-parent", 0, OPT_STRING, REQUEST(cgroup_parent), NULL, "string",
	 "Set the parent cgroup for the \"RUN\" instructions during build"},
	{"check", 0, OPT_CALL_BOOL, AT(check), check_option_set, NULL,
	 "Shorthand for \"--call=check\""},
	{"compress", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Accepted for docker's sake: the context is not sent anywhere"},
	{"cpu-period", 0, OPT_INT, REQUEST(cpu_period), NULL, "int",
	 "Limit the CPU CFS (Completely Fair Scheduler) period"},
	{"cpu-quota", 0, OPT_INT, REQUEST(cpu_quota), NULL, "int",
	 "Limit the CPU CFS (Completely Fair Scheduler) quota"},
	{"cpu-shares", 'c', OPT_INT, REQUEST(cpu_shares), NULL, "int",
	 "CPU shares (relative weight)"},
	{"cpuset-cpus", 0, OPT_STRING, REQUEST(cpuset_cpus), NULL, "string",
	 "CPUs in which to allow execution (0-3, 0,1)"},
	{"cpuset-mems", 0, OPT_STRING, REQUEST(cpuset_mems), NULL, "string",
	 "MEMs in which to allow execution (0-3, 0,1)"},
	{"disable-content-trust", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Accepted for docker's sake: signatures are not looked at", "true"},
	{"dns", 0, OPT_LIST, REQUEST(dns), dns_option_check, "list",
	 "Set custom DNS servers for the \"RUN\" instructions"},
	{"dns-option", 0, OPT_LIST, REQUEST(dns_options), NULL, "list", "Set DNS options"},
	{"dns-search", 0, OPT_LIST, REQUEST(dns_search), dns_search_option_check, "list",
	 "Set custom DNS search domains"},
	{"explain", 0, OPT_CALL_BOOL, AT(explain), explain_option_set, NULL,
	 "Print the plan of every step as shell commands, and its times"},
	{"file", 'f', OPT_STRING, REQUEST(file), NULL, "string",
	 "Name of the Dockerfile (default: \"PATH/Dockerfile\")"},
	{"force-rm", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Accepted for docker's sake: no containers are left"},
	{"format", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Accepted for podman's sake: images are OCI images"},
	{"ignorefile", 0, OPT_STRING, REQUEST(ignorefile), NULL, "string",
	 "Use this file instead of .dockerignore"},
	{"iidfile", 0, OPT_STRING, REQUEST(iidfile), NULL, "string",
	 "Write the image ID to a file"},
	{"isolation", 0, OPT_STRING, AT(unused.text), NULL, "string",
	 "Accepted for docker's sake: steps run as containers do"},
	{"jobs", 'j', OPT_INT, REQUEST(jobs), NULL, "int",
	 "Steps to run at the same time (0: as many as processors, but 4 at least)"},
	{"label", 0, OPT_LIST, REQUEST(labels), label_option_check, "stringArray",
	 "Set metadata for an image"},
	{"layers", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Accepted for podman's sake: steps are always cached"},
	{"load", 0, OPT_BOOL, REQUEST(load), NULL, NULL, "Shorthand for \"--output=type=docker\""},
	{"memory", 'm', OPT_BYTES, REQUEST(memory), NULL, "bytes", "Memory limit"},
	{"memory-swap", 0, OPT_CALL, REQUEST(memory_swap), swap_option_set, "bytes",
	 "Swap limit equal to memory plus swap: -1 to enable unlimited swap"},
	{"metadata-file", 0, OPT_STRING, REQUEST(metadata_file), NULL, "string",
	 "Write build result metadata to a file"},
	{"network", 0, OPT_STRING, REQUEST(network), NULL, "string",
	 "Set the networking mode for the \"RUN\" instructions during build", "\"default\""},
	{"no-cache", 0, OPT_BOOL, REQUEST(no_cache), NULL, NULL,
	 "Do not use cache when building the image"},
	{"no-cache-filter", 0, OPT_LIST, REQUEST(no_cache_filter), NULL, "stringArray",
	 "Do not cache specified stages"},
	{"on-error", 0, OPT_STRING, AT(on_error), NULL, "string",
	 "What to do when a \"RUN\" fails: \"shell\" opens one in its container"},
	{"output", 'o', OPT_LIST, AT(outputs), NULL, "stringArray",
	 "Output destination (format: \"type=local,dest=path\")"},
	{"platform", 0, OPT_LIST, REQUEST(platforms), NULL, "stringArray",
	 "Set target platform for build"},
	{"policy", 0, OPT_LIST, AT(unused.lists), NULL, "stringArray", "Policy configuration", NULL,
	 "needs BuildKit's policy engine"},
	{"progress", 0, OPT_STRING, AT(progress), NULL, "string",
	 "Set type of progress output (\"auto\", \"none\", \"plain\", \"quiet\", \"rawjson\", "
	 "\"tty\"). Use plain to show container output",
	 "\"auto\""},
	{"provenance", 0, OPT_CALL, AT(unused.text), provenance_option_set, "string",
	 "Accepted for docker's sake when \"false\": attestations are not made"},
	{"pull", 0, OPT_BOOL, REQUEST(pull), NULL, NULL,
	 "Accepted: there are no registries to pull from yet"},
	{"push", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Shorthand for \"--output=type=registry,unpack=false\"", NULL,
	 "there is no access to registries"},
	{"quiet", 'q', OPT_BOOL, AT(quiet), NULL, NULL,
	 "Suppress the build output and print image ID on success"},
	{"resource", 0, OPT_LIST, AT(unused.lists), NULL, "stringArray", "Resource limits", NULL,
	 "is not what limits a build here; use --memory and --cpu-quota"},
	{"rm", 0, OPT_BOOL, AT(unused.flag), NULL, NULL,
	 "Accepted for docker's sake: no containers are left", "true"},
	{"sbom", 0, OPT_CALL, AT(unused.text), provenance_option_set, "string",
	 "Accepted for docker's sake when \"false\": attestations are not made"},
	{"secret", 0, OPT_LIST, AT(secrets), NULL, "stringArray",
	 "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\")"},
	{"security-opt", 0, OPT_LIST, REQUEST(security_options), NULL, "strings",
	 "Security options"},
	{"shm-size", 0, OPT_BYTES, REQUEST(shm_size), NULL, "bytes",
	 "Shared memory size for build containers"},
	{"squash", 0, OPT_BOOL, REQUEST(squash), NULL, NULL,
	 "Squash newly built layers into a single new layer"},
	{"squash-all", 0, OPT_BOOL, REQUEST(squash_all), NULL, NULL,
	 "Squash all layers, those of the base image too, into a single new layer"},
	{"ssh", 0, OPT_LIST, AT(ssh), NULL, "stringArray",
	 "SSH agent socket or keys to expose to the build (format: "
	 "\"default|<id>[=<socket>|<key>[,<key>]]\")"},
	{"tag", 't', OPT_LIST, REQUEST(tags), NULL, "stringArray",
	 "Name and optionally a tag (format: \"name:tag\")"},
	{"target", 0, OPT_STRING, REQUEST(target), NULL, "string",
	 "Set the target build stage to build"},
	{"timestamp", 0, OPT_STRING, AT(timestamp), NULL, "seconds",
	 "Seconds since 1970 for all times in the image (default: SOURCE_DATE_EPOCH, or 2020)"},
	{"ulimit", 0, OPT_CALL, AT(limits), ulimit_option_set, "ulimit", "Ulimit options", "[]"},
	{"volume", 'v', OPT_LIST, REQUEST(volumes), NULL, "list",
	 "Bind mount a host directory into the \"RUN\" instructions"},
	{},
};

void build_options_init(union verb_options *o)
{
	build_request_init(&o->build.request);
	spec_init(&o->build.limits);
}

#define PRUNE(f) offsetof(struct builder_prune_options, f)

const struct option builder_prune_options[] = {
	{"all", 'a', OPT_BOOL, PRUNE(all), NULL, NULL,
	 "Remove all unused build cache, not just dangling ones"},
	{"filter", 0, OPT_LIST, PRUNE(filters), NULL, "filter",
	 "Provide filter values (e.g., \"until=24h\")"},
	{"force", 'f', OPT_BOOL, PRUNE(force), NULL, NULL, "Do not prompt for confirmation"},
	{"keep-storage", 0, OPT_STRING, PRUNE(keep_storage), NULL, "bytes",
	 "Amount of disk space to keep for cache"},
	{"max-used-space", 0, OPT_STRING, PRUNE(max_used), NULL, "bytes",
	 "Maximum amount of disk space allowed to keep for cache"},
	{"min-free-space", 0, OPT_STRING, PRUNE(min_free), NULL, "bytes",
	 "Target amount of free disk space after pruning"},
	{"reserved-space", 0, OPT_STRING, PRUNE(reserved), NULL, "bytes",
	 "Amount of disk space always allowed to keep for cache"},
	{"verbose", 0, OPT_BOOL, PRUNE(verbose), NULL, NULL, "Say what each was that is removed"},
	{},
};

#define DU(f) offsetof(struct builder_du_options, f)

const struct option builder_du_options[] = {
	{"filter", 0, OPT_LIST, DU(filters), NULL, "filter",
	 "Provide filter values (e.g., \"until=24h\")"},
	{"format", 0, OPT_STRING, DU(format), NULL, "string",
	 "Format the output: \"json\" or a Go template"},
	{"verbose", 0, OPT_BOOL, DU(verbose), NULL, NULL, "Provide a more verbose output"},
	{},
};

#define BUILDX(f) offsetof(struct buildx_options, f)

const struct option buildx_options[] = {
	{"append", 0, OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted"},
	{"bootstrap", 0, OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted: it runs when it is called"},
	{"buildkitd-config", 0, OPT_STRING, BUILDX(text), NULL, "string", "Accepted"},
	{"buildkitd-flags", 0, OPT_STRING, BUILDX(text), NULL, "string", "Accepted"},
	{"builder", 0, OPT_STRING, BUILDX(text), NULL, "string", "Accepted"},
	{"default", 0, OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted"},
	{"driver", 0, OPT_STRING, BUILDX(text), NULL, "string", "Accepted: the driver is tare"},
	{"driver-opt", 0, OPT_LIST, BUILDX(lists), NULL, "stringArray", "Accepted"},
	{"force", 'f', OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted"},
	{"global", 0, OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted"},
	{"name", 0, OPT_STRING, BUILDX(name), NULL, "string", "Builder instance name"},
	{"node", 0, OPT_STRING, BUILDX(text), NULL, "string", "Accepted"},
	{"platform", 0, OPT_LIST, BUILDX(lists), NULL, "stringArray", "Accepted"},
	{"use", 0, OPT_BOOL, BUILDX(flag), NULL, NULL, "Accepted: there is no other builder"},
	{},
};
