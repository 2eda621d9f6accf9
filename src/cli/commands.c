/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands. To add one: an options struct and rows (verbs.h, options.c), a function
 * (cmd_*.c), and its entry here; help, completion and manual pages follow.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/verbs.h"

const struct command_group command_groups[] = {
	{"container", "Manage containers"},
	{"image", "Manage images"},
	{"system", "Manage tare"},
};
const size_t n_command_groups = ARRAY_LEN(command_groups);

#define ANY (-1)

/* clang-format off */
const struct command commands[] = {
	{ "container", "run", NULL, "run", "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	  "Create and run a new container from an image",
	  { container_options, run_only_options }, 1, ANY, 1, COMMAND_STOP_AT_ARGUMENT | COMMAND_RUN_STATUS | COMMAND_SEALS,
	  run_options_init, run_options_done, cmd_run },
	{ "container", "exec", NULL, "exec", "[OPTIONS] CONTAINER COMMAND [ARG...]",
	  "Execute a command in a running container",
	  { exec_options }, 2, ANY, 2, COMMAND_STOP_AT_ARGUMENT | COMMAND_EXEC_STATUS | COMMAND_SEALS, NULL, NULL,
	  cmd_exec },
	{ "container", "ls", "list ps", "ps", "[OPTIONS]",
	  "List containers",
	  { ps_options }, 0, 0, 3, 0, ps_options_init, NULL, cmd_ps },
	{ "image", "pull", NULL, "pull", "[OPTIONS] NAME[:TAG|@DIGEST]",
	  "Download an image from a registry",
	  { pull_options }, 1, 1, 4, 0, pull_options_init, NULL, cmd_pull },
	{ "image", "ls", "list", "images", "[OPTIONS] [REPOSITORY[:TAG]]",
	  "List images",
	  { images_options }, 0, 1, 5, 0, NULL, NULL, cmd_images },
	{ NULL, "version", NULL, NULL, "[OPTIONS]",
	  "Show the version information",
	  { format_options }, 0, 0, 6, 0, NULL, NULL, cmd_version },
	{ "system", "info", NULL, "info", "[OPTIONS]",
	  "Display system-wide information",
	  { format_options }, 0, 0, 7, 0, NULL, NULL, cmd_info },

	{ "container", "attach", NULL, "attach", "[OPTIONS] CONTAINER",
	  "Attach local standard input, output, and error streams to a running container",
	  { attach_options }, 1, 1, 0, 0, attach_options_init, NULL, cmd_attach },
	{ "container", "create", NULL, "create", "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	  "Create a new container",
	  { container_options }, 1, ANY, 0, COMMAND_STOP_AT_ARGUMENT | COMMAND_RUN_STATUS,
	  run_options_init, run_options_done, cmd_create },
	{ "container", "inspect", NULL, NULL, "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Display detailed information on one or more containers",
	  { container_inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_container_inspect },
	{ "container", "kill", NULL, "kill", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Kill one or more running containers",
	  { kill_options }, 1, ANY, 0, 0, NULL, NULL, cmd_kill },
	{ "container", "logs", NULL, "logs", "[OPTIONS] CONTAINER",
	  "Fetch the logs of a container",
	  { logs_options }, 1, 1, 0, 0, NULL, NULL, cmd_logs },
	{ "container", "pause", NULL, "pause", "CONTAINER [CONTAINER...]",
	  "Pause all processes within one or more containers",
	  { }, 1, ANY, 0, 0, NULL, NULL, cmd_pause },
	{ "container", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove all stopped containers",
	  { prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_container_prune },
	{ "container", "rename", NULL, "rename", "CONTAINER NEW_NAME",
	  "Rename a container",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_rename },
	{ "container", "rm", "remove", "rm", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Remove one or more containers",
	  { rm_options }, 1, ANY, 0, 0, NULL, NULL, cmd_rm },
	{ "container", "start", NULL, "start", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Start one or more stopped containers",
	  { start_options }, 1, ANY, 0, 0, NULL, NULL, cmd_start },
	{ "container", "stop", NULL, "stop", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Stop one or more running containers",
	  { stop_options }, 1, ANY, 0, 0, NULL, NULL, cmd_stop },
	{ "container", "settle", NULL, NULL, "CONTAINER [CONTAINER...]",
	  "Remove containers that have ended and were to be removed then",
	  { }, 1, ANY, 0, COMMAND_HIDDEN, NULL, NULL, cmd_settle },
	{ "container", "unpause", NULL, "unpause", "CONTAINER [CONTAINER...]",
	  "Unpause all processes within one or more containers",
	  { }, 1, ANY, 0, 0, NULL, NULL, cmd_unpause },
	{ "container", "wait", NULL, "wait", "CONTAINER [CONTAINER...]",
	  "Block until one or more containers stop, then print their exit codes",
	  { }, 1, ANY, 0, 0, NULL, NULL, cmd_wait },

	{ "image", "import", NULL, "import", "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
	  "Import the contents from a tarball to create a filesystem image",
	  { import_options }, 1, ANY, 0, 0, NULL, NULL, cmd_import },
	{ "image", "inspect", NULL, NULL, "[OPTIONS] IMAGE [IMAGE...]",
	  "Display detailed information on one or more images",
	  { image_inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_image_inspect },
	{ "image", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove unused images",
	  { image_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_image_prune },
	{ "image", "rm", "remove", "rmi", "[OPTIONS] IMAGE [IMAGE...]",
	  "Remove one or more images",
	  { rmi_options }, 1, ANY, 0, 0, NULL, NULL, cmd_rmi },
	{ "image", "tag", NULL, "tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	  "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_tag },

	{ NULL, "inspect", NULL, NULL, "[OPTIONS] NAME|ID [NAME|ID...]",
	  "Return low-level information on objects",
	  { inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_inspect },

	{ NULL, "completion", NULL, NULL, "bash|zsh|fish",
	  "Print a completion script for a shell",
	  { }, 1, 1, 0, COMMAND_HIDDEN, NULL, NULL, cmd_completion },
	{ NULL, "man", NULL, NULL, "[COMMAND...]",
	  "Print the manual page of a command",
	  { }, 0, 2, 0, COMMAND_HIDDEN, NULL, NULL, cmd_man },
};
/* clang-format on */
const size_t n_commands = ARRAY_LEN(commands);
