/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of every command but run and create: rows of name, kind, place and help.
 */
#include "base/err.h"
#include "base/mem.h"
#include "cli/option.h"
#include "cli/parse_env.h"
#include "cli/parse_net.h"
#include "cli/verbs.h"

#define FORMAT_HELP                                                                              \
	"Refer to https://docs.docker.com/go/formatting/ for more information about formatting " \
	"output with templates"
#define EXPLAIN_HELP "Print every step as it was executed, as shell (or =json), with its time"

int explain_option_set(void *field, const char *value, struct err *err)
{
	static const struct {
		const char *word;
		enum explain_mode mode;
	} words[] = {
		{"true", EXPLAIN_SHELL},
		{"shell", EXPLAIN_SHELL},
		{"json", EXPLAIN_JSON},
		{"false", EXPLAIN_NO},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i].word) == 0) {
			*(enum explain_mode *)field = words[i].mode;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "must be shell or json");
}

static int stop_timeout_set(void *field, const char *value, struct err *err)
{
	struct stop_options *o = field;

	o->has_timeout = true;
	return option_parse_int(value, &o->timeout_s, err);
}

/* The old name of --timeout; both together are an error, which the command itself reports. */
static int stop_time_set(void *field, const char *value, struct err *err)
{
	struct stop_options *o = field;

	o->has_time = true;
	return option_parse_int(value, &o->timeout_s, err);
}

void attach_options_init(union verb_options *o)
{
	o->attach.sig_proxy = true;
}

void ps_options_init(union verb_options *o)
{
	o->ps.last = -1;
}

void pull_options_init(union verb_options *o)
{
	o->pull.disable_content_trust = true;
}

const struct option start_options[] = {
	{"attach", 'a', OPT_BOOL, offsetof(struct start_options, attach), NULL, NULL,
	 "Attach STDOUT/STDERR and forward signals"},
	{"checkpoint", 0, OPT_STRING, offsetof(struct start_options, checkpoint), NULL, "string",
	 "Restore from this checkpoint", NULL, "checkpoints are not there yet"},
	{"checkpoint-dir", 0, OPT_STRING, offsetof(struct start_options, checkpoint_dir), NULL,
	 "string", "Use a custom checkpoint storage directory", NULL,
	 "checkpoints are not there yet"},
	{"detach-keys", 0, OPT_STRING, offsetof(struct start_options, detach_keys), NULL, "string",
	 "Override the key sequence for detaching a container"},
	{"interactive", 'i', OPT_BOOL, offsetof(struct start_options, interactive), NULL, NULL,
	 "Attach container's STDIN"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct start_options, explain), explain_option_set,
	 NULL, EXPLAIN_HELP},
	{},
};

const struct option attach_options[] = {
	{"detach-keys", 0, OPT_STRING, offsetof(struct attach_options, detach_keys), NULL, "string",
	 "Override the key sequence for detaching a container"},
	{"no-stdin", 0, OPT_BOOL, offsetof(struct attach_options, no_stdin), NULL, NULL,
	 "Do not attach STDIN"},
	{"sig-proxy", 0, OPT_BOOL, offsetof(struct attach_options, sig_proxy), NULL, NULL,
	 "Proxy all received signals to the process", "true"},
	{},
};

const struct option stop_options[] = {
	{"signal", 's', OPT_STRING, offsetof(struct stop_options, signal), NULL, "string",
	 "Signal to send to the container"},
	{"timeout", 't', OPT_CALL, 0, stop_timeout_set, "int",
	 "Seconds to wait before killing the container"},
	{"time", 0, OPT_CALL, 0, stop_time_set, "int", "", .deprecated = "use --timeout instead",
	 .hidden = true},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct stop_options, explain), explain_option_set,
	 NULL, EXPLAIN_HELP},
	{},
};

const struct option kill_options[] = {
	{"signal", 's', OPT_STRING, offsetof(struct kill_options, signal), NULL, "string",
	 "Signal to send to the container"},
	{},
};

const struct option rm_options[] = {
	{"force", 'f', OPT_BOOL, offsetof(struct rm_options, force), NULL, NULL,
	 "Force the removal of a running container (uses SIGKILL)"},
	{"link", 'l', OPT_BOOL, offsetof(struct rm_options, link), NULL, NULL,
	 "Remove the specified link"},
	{"volumes", 'v', OPT_BOOL, offsetof(struct rm_options, volumes), NULL, NULL,
	 "Remove anonymous volumes associated with the container"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct rm_options, explain), explain_option_set,
	 NULL, EXPLAIN_HELP},
	{},
};

const struct option ps_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct ps_options, all), NULL, NULL,
	 "Show all containers (default shows just running)"},
	{"filter", 'f', OPT_LIST_CALL, offsetof(struct ps_options, filters), filter_option_set,
	 "filter", "Filter output based on conditions provided"},
	{"format", 0, OPT_STRING, offsetof(struct ps_options, format), NULL, "string",
	 "Format output using a custom template:\n'table':            Print output in table format "
	 "with column headers (default)\n'table TEMPLATE':   Print output in table format using "
	 "the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         "
	 "Print output using the given Go template.\n" FORMAT_HELP},
	{"last", 'n', OPT_INT, offsetof(struct ps_options, last), NULL, "int",
	 "Show n last created containers (includes all states)", "-1"},
	{"latest", 'l', OPT_BOOL, offsetof(struct ps_options, latest), NULL, NULL,
	 "Show the latest created container (includes all states)"},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct ps_options, no_trunc), NULL, NULL,
	 "Don't truncate output"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct ps_options, quiet), NULL, NULL,
	 "Only display container IDs"},
	{"size", 's', OPT_BOOL, offsetof(struct ps_options, size), NULL, NULL,
	 "Display total file sizes"},
	{},
};

const struct option logs_options[] = {
	{"details", 0, OPT_BOOL, offsetof(struct logs_options, details), NULL, NULL,
	 "Show extra details provided to logs"},
	{"follow", 'f', OPT_BOOL, offsetof(struct logs_options, follow), NULL, NULL,
	 "Follow log output"},
	{"since", 0, OPT_STRING, offsetof(struct logs_options, since), NULL, "string",
	 "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for "
	 "42 minutes)"},
	{"tail", 'n', OPT_STRING, offsetof(struct logs_options, tail), NULL, "string",
	 "Number of lines to show from the end of the logs", "\"all\""},
	{"timestamps", 't', OPT_BOOL, offsetof(struct logs_options, timestamps), NULL, NULL,
	 "Show timestamps"},
	{"until", 0, OPT_STRING, offsetof(struct logs_options, until), NULL, "string",
	 "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" "
	 "for 42 minutes)"},
	{},
};

const struct option exec_options[] = {
	{"detach", 'd', OPT_BOOL, offsetof(struct exec_options, detach), NULL, NULL,
	 "Detached mode: run command in the background"},
	{"detach-keys", 0, OPT_STRING, offsetof(struct exec_options, detach_keys), NULL, "string",
	 "Override the key sequence for detaching a container"},
	{"env", 'e', OPT_LIST, offsetof(struct exec_options, env), env_option_check, "list",
	 "Set environment variables"},
	{"env-file", 0, OPT_LIST, offsetof(struct exec_options, env_files), NULL, "list",
	 "Read in a file of environment variables"},
	{"interactive", 'i', OPT_BOOL, offsetof(struct exec_options, interactive), NULL, NULL,
	 "Keep STDIN open even if not attached"},
	{"privileged", 0, OPT_BOOL, offsetof(struct exec_options, privileged), NULL, NULL,
	 "Give extended privileges to the command"},
	{"tty", 't', OPT_BOOL, offsetof(struct exec_options, tty), NULL, NULL,
	 "Allocate a pseudo-TTY"},
	{"user", 'u', OPT_STRING, offsetof(struct exec_options, user), NULL, "string",
	 "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
	{"workdir", 'w', OPT_STRING, offsetof(struct exec_options, workdir), NULL, "string",
	 "Working directory inside the container"},
	{"explain", 0, OPT_CALL_BOOL, offsetof(struct exec_options, explain), explain_option_set,
	 NULL, EXPLAIN_HELP},
	{},
};

const struct option inspect_options[] = {
	{"format", 'f', OPT_STRING, offsetof(struct inspect_options, format), NULL, "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{"size", 's', OPT_BOOL, offsetof(struct inspect_options, size), NULL, NULL,
	 "Display total file sizes if the type is container"},
	{"type", 0, OPT_STRING, offsetof(struct inspect_options, type), NULL, "string",
	 "Only inspect objects of the given type"},
	{},
};

const struct option container_inspect_options[] = {
	{"format", 'f', OPT_STRING, offsetof(struct inspect_options, format), NULL, "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{"size", 's', OPT_BOOL, offsetof(struct inspect_options, size), NULL, NULL,
	 "Display total file sizes"},
	{},
};

const struct option image_inspect_options[] = {
	{"format", 'f', OPT_STRING, offsetof(struct inspect_options, format), NULL, "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{"platform", 0, OPT_STRING, offsetof(struct inspect_options, platform), NULL, "string",
	 "Inspect a specific platform of the multi-platform image.\nIf the image or the server is "
	 "not multi-platform capable, the command will error out if the platform does not "
	 "match.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)"},
	{},
};

const struct option format_options[] = {
	{"format", 'f', OPT_STRING, offsetof(struct inspect_options, format), NULL, "string",
	 "Format output using a custom template:\n'json':             Print in JSON "
	 "format\n'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP},
	{},
};

const struct option prune_options[] = {
	{"filter", 0, OPT_LIST_CALL, offsetof(struct prune_options, filters), filter_option_set,
	 "filter", "Provide filter values (e.g. \"until=<timestamp>\")"},
	{"force", 'f', OPT_BOOL, offsetof(struct prune_options, force), NULL, NULL,
	 "Do not prompt for confirmation"},
	{},
};

const struct option image_prune_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct prune_options, all), NULL, NULL,
	 "Remove all unused images, not just dangling ones"},
	{"filter", 0, OPT_LIST_CALL, offsetof(struct prune_options, filters), filter_option_set,
	 "filter", "Provide filter values (e.g. \"until=<timestamp>\")"},
	{"force", 'f', OPT_BOOL, offsetof(struct prune_options, force), NULL, NULL,
	 "Do not prompt for confirmation"},
	{},
};

const struct option images_options[] = {
	{"all", 'a', OPT_BOOL, offsetof(struct images_options, all), NULL, NULL,
	 "Show all images (default hides intermediate images)"},
	{"digests", 0, OPT_BOOL, offsetof(struct images_options, digests), NULL, NULL,
	 "Show digests"},
	{"filter", 'f', OPT_LIST_CALL, offsetof(struct images_options, filters), filter_option_set,
	 "filter", "Filter output based on conditions provided"},
	{"format", 0, OPT_STRING, offsetof(struct images_options, format), NULL, "string",
	 "Format output using a custom template:\n'table':            Print output in table format "
	 "with column headers (default)\n'table TEMPLATE':   Print output in table format using "
	 "the given Go template\n'json':             Print in JSON format\n'TEMPLATE':         "
	 "Print output using the given Go template.\n" FORMAT_HELP},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct images_options, no_trunc), NULL, NULL,
	 "Don't truncate output"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct images_options, quiet), NULL, NULL,
	 "Only show image IDs"},
	{"tree", 0, OPT_BOOL, offsetof(struct images_options, tree), NULL, NULL,
	 "List multi-platform images as a tree (EXPERIMENTAL)"},
	{},
};

const struct option rmi_options[] = {
	{"force", 'f', OPT_BOOL, offsetof(struct rmi_options, force), NULL, NULL,
	 "Force removal of the image"},
	{"no-prune", 0, OPT_BOOL, offsetof(struct rmi_options, no_prune), NULL, NULL,
	 "Do not delete untagged parents"},
	{"platform", 0, OPT_LIST, offsetof(struct rmi_options, platforms), NULL, "strings",
	 "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., "
	 "\"linux/amd64\")"},
	{},
};

const struct option import_options[] = {
	{"change", 'c', OPT_LIST, offsetof(struct import_options, changes), NULL, "list",
	 "Apply Dockerfile instruction to the created image"},
	{"message", 'm', OPT_STRING, offsetof(struct import_options, message), NULL, "string",
	 "Set commit message for imported image"},
	{"platform", 0, OPT_STRING, offsetof(struct import_options, platform), NULL, "string",
	 "Set platform if server is multi-platform capable"},
	{},
};

const struct option pull_options[] = {
	{"all-tags", 'a', OPT_BOOL, offsetof(struct pull_options, all_tags), NULL, NULL,
	 "Download all tagged images in the repository"},
	{"disable-content-trust", 0, OPT_BOOL, offsetof(struct pull_options, disable_content_trust),
	 NULL, NULL, "Skip image verification", "true"},
	{"platform", 0, OPT_STRING, offsetof(struct pull_options, platform), NULL, "string",
	 "Set platform if server is multi-platform capable"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct pull_options, quiet), NULL, NULL,
	 "Suppress verbose output"},
	{},
};

const struct option man_options[] = {
	{"list", 0, OPT_BOOL, offsetof(struct man_options, list), NULL, NULL,
	 "List the names of all pages"},
	{"write", 0, OPT_STRING, offsetof(struct man_options, write), NULL, "dir",
	 "Write all pages into this directory"},
	{},
};
