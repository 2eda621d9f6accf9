/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of the commands that bring images in and out, and of those that look at the store.
 */
#include "base/err.h"
#include "base/num.h"
#include "cli/option.h"
#include "cli/verbs.h"

#include <stddef.h>

#define FORMAT_HELP                                                                              \
	"Refer to https://docs.docker.com/go/formatting/ for more information about formatting " \
	"output with templates"
#define TABLE_HELP                                                                           \
	"Format output using a custom template:\n'table':            Print output in table " \
	"format with column headers (default)\n'table TEMPLATE':   Print output in table "   \
	"format using the given Go template\n'json':             Print in JSON format\n"     \
	"'TEMPLATE':         Print output using the given Go template.\n" FORMAT_HELP
#define PLATFORM_FORM "Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"

void history_options_init(union verb_options *o)
{
	o->history.human = true;
}

void commit_options_init(union verb_options *o)
{
	o->commit.pause = true;
}

const struct option save_options[] = {
	{"output", 'o', OPT_STRING, offsetof(struct save_options, output), NULL, "string",
	 "Write to a file, instead of STDOUT"},
	{"platform", 0, OPT_LIST, offsetof(struct save_options, platforms), NULL, "string",
	 "Save only the given platform variant. " PLATFORM_FORM},
	{},
};

const struct option load_options[] = {
	{"input", 'i', OPT_STRING, offsetof(struct load_options, input), NULL, "string",
	 "Read from tar archive file, instead of STDIN"},
	{"platform", 0, OPT_LIST, offsetof(struct load_options, platforms), NULL, "string",
	 "Load only the given platform variant. " PLATFORM_FORM},
	{"quiet", 'q', OPT_BOOL, offsetof(struct load_options, quiet), NULL, NULL,
	 "Suppress the load output"},
	{},
};

const struct option history_options[] = {
	{"format", 0, OPT_STRING, offsetof(struct history_options, format), NULL, "string",
	 TABLE_HELP},
	{"human", 'H', OPT_BOOL, offsetof(struct history_options, human), NULL, NULL,
	 "Print sizes and dates in human readable format", "true"},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct history_options, no_trunc), NULL, NULL,
	 "Don't truncate output"},
	{"platform", 0, OPT_STRING, offsetof(struct history_options, platform), NULL, "string",
	 "Show history for the given platform. " PLATFORM_FORM},
	{"quiet", 'q', OPT_BOOL, offsetof(struct history_options, quiet), NULL, NULL,
	 "Only show image IDs"},
	{},
};

const struct option commit_options[] = {
	{"author", 'a', OPT_STRING, offsetof(struct commit_options, author), NULL, "string",
	 "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"},
	{"change", 'c', OPT_LIST, offsetof(struct commit_options, changes), NULL, "list",
	 "Apply Dockerfile instruction to the created image"},
	{"message", 'm', OPT_STRING, offsetof(struct commit_options, message), NULL, "string",
	 "Commit message"},
	{"pause", 'p', OPT_BOOL, offsetof(struct commit_options, pause), NULL, NULL,
	 "Pause container during commit", "true"},
	{},
};

const struct option export_options[] = {
	{"output", 'o', OPT_STRING, offsetof(struct export_options, output), NULL, "string",
	 "Write to a file, instead of STDOUT"},
	{},
};

static int cp_quiet_set(void *field, const char *value, struct err *err)
{
	struct cp_options *o = field;

	o->has_quiet = true;
	return num_parse_bool(value, &o->quiet) < 0
		       ? err_set(err, ERR_INVALID,
				 "strconv.ParseBool: parsing \"%s\": invalid syntax", value)
		       : 0;
}

const struct option cp_options[] = {
	{"archive", 'a', OPT_BOOL, offsetof(struct cp_options, archive), NULL, NULL,
	 "Archive mode (copy all uid/gid information)"},
	{"follow-link", 'L', OPT_BOOL, offsetof(struct cp_options, follow_link), NULL, NULL,
	 "Always follow symbol link in SRC_PATH"},
	{"quiet", 'q', OPT_CALL_BOOL, 0, cp_quiet_set, NULL,
	 "Suppress progress output during copy. Progress output is automatically suppressed if no "
	 "terminal is attached"},
	{},
};

const struct option image_copy_options[] = {
	{"platform", 0, OPT_STRING, offsetof(struct image_copy_options, platform), NULL, "string",
	 "Copy only the given platform variant. " PLATFORM_FORM},
	{"quiet", 'q', OPT_BOOL, offsetof(struct image_copy_options, quiet), NULL, NULL,
	 "Suppress the progress output"},
	{},
};

const struct option image_size_options[] = {
	{"by-layer", 0, OPT_BOOL, offsetof(struct image_size_options, by_layer), NULL, NULL,
	 "One row for each layer, topmost last, with the instruction that made it"},
	{"format", 0, OPT_STRING, offsetof(struct image_size_options, format), NULL, "string",
	 TABLE_HELP},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct image_size_options, no_trunc), NULL, NULL,
	 "Don't truncate output"},
	{},
};

const struct option image_waste_options[] = {
	{"format", 0, OPT_STRING, offsetof(struct image_waste_options, format), NULL, "string",
	 TABLE_HELP},
	{"no-trunc", 0, OPT_BOOL, offsetof(struct image_waste_options, no_trunc), NULL, NULL,
	 "Don't truncate output"},
	{},
};

const struct option system_check_options[] = {
	{"format", 0, OPT_STRING, offsetof(struct system_check_options, format), NULL, "string",
	 "Print each problem in JSON format ('json') or by a Go template"},
	{"full", 0, OPT_BOOL, offsetof(struct system_check_options, full), NULL, NULL,
	 "Also read all content of layers and blobs and compare its digests"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct system_check_options, quiet), NULL, NULL,
	 "Only set the exit status"},
	{},
};

const struct option system_repair_options[] = {
	{"dry-run", 0, OPT_BOOL, offsetof(struct system_repair_options, dry_run), NULL, NULL,
	 "Say what would be done, change nothing"},
	{"quiet", 'q', OPT_BOOL, offsetof(struct system_repair_options, quiet), NULL, NULL,
	 "Only print what could not be repaired"},
	{},
};

const struct option system_df_options[] = {
	{"format", 0, OPT_STRING, offsetof(struct system_df_options, format), NULL, "string",
	 TABLE_HELP},
	{"verbose", 'v', OPT_BOOL, offsetof(struct system_df_options, verbose), NULL, NULL,
	 "Show detailed information on space usage"},
	{},
};
