/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands. To add one: an options struct and rows (verbs.h, options.c), a function
 * (cmd_*.c), and its entry here; help, completion and manual pages follow.
 */
#include "base/mem.h"
#include "cli/command.h"
#include "cli/verbs.h"

/* clang-format off */
const struct command_group command_groups[] = {
	{"builder", "Manage builds"},
	{"buildx", "Build with docker's other spelling"},
	{"container", "Manage containers"},
	{"image", "Manage images"},
	{"network", "Manage networks"},
	{"system", "Manage tare"},
	{"volume", "Manage volumes", "COMMAND"},
};
const size_t n_command_groups = ARRAY_LEN(command_groups);

#define ANY (-1)

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
	{ "image", "build", NULL, "build", "[OPTIONS] PATH | URL | -",
	  "Build an image from a Dockerfile",
	  { build_options }, 1, 1, 4, COMMAND_SEALS, build_options_init, build_options_done, cmd_build },
	{ "image", "pull", NULL, "pull", "[OPTIONS] NAME[:TAG|@DIGEST]",
	  "Download an image from a registry",
	  { pull_options }, 1, 1, 5, 0, pull_options_init, NULL, cmd_pull },
	{ "image", "ls", "list", "images", "[OPTIONS] [REPOSITORY[:TAG]]",
	  "List images",
	  { images_options }, 0, 1, 6, 0, NULL, NULL, cmd_images },
	{ NULL, "version", NULL, NULL, "[OPTIONS]",
	  "Show the version information",
	  { format_options }, 0, 0, 7, 0, NULL, NULL, cmd_version },
	{ "system", "info", NULL, "info", "[OPTIONS]",
	  "Display system-wide information",
	  { format_options }, 0, 0, 8, 0, NULL, NULL, cmd_info },

	{ "builder", "build", NULL, NULL, "[OPTIONS] PATH | URL | -",
	  "Build an image from a Dockerfile",
	  { build_options }, 1, 1, 0, COMMAND_SEALS, build_options_init, build_options_done, cmd_build },
	{ "builder", "du", NULL, NULL, "[OPTIONS]",
	  "Show what the build cache takes on the disk",
	  { builder_du_options }, 0, 0, 0, 0, NULL, NULL, cmd_builder_du },
	{ "builder", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove build cache",
	  { builder_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_builder_prune },
	{ "buildx", "build", "b", NULL, "[OPTIONS] PATH | URL | -",
	  "Build an image from a Dockerfile",
	  { build_options }, 1, 1, 0, COMMAND_SEALS, build_options_init, build_options_done, cmd_build },
	{ "buildx", "du", NULL, NULL, "[OPTIONS]",
	  "Show what the build cache takes on the disk",
	  { builder_du_options }, 0, 0, 0, 0, NULL, NULL, cmd_builder_du },
	{ "buildx", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove build cache",
	  { builder_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_builder_prune },

	{ "container", "attach", NULL, "attach", "[OPTIONS] CONTAINER",
	  "Attach local standard input, output, and error streams to a running container",
	  { attach_options }, 1, 1, 0, 0, attach_options_init, NULL, cmd_attach },
	{ "container", "commit", NULL, "commit", "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	  "Create a new image from a container's changes",
	  { commit_options }, 1, 2, 0, COMMAND_STOP_AT_ARGUMENT, commit_options_init, NULL, cmd_commit },
	{ "container", "cp", NULL, "cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	  "Copy files/folders between a container and the local filesystem",
	  { cp_options }, 2, 2, 0, 0, NULL, NULL, cmd_cp, .details =
	  "Use '-' as the source to read a tar archive from stdin\n"
	  "and extract it to a directory destination in a container.\n"
	  "Use '-' as the destination to stream a tar archive of a\n"
	  "container source to stdout." },
	{ "container", "create", NULL, "create", "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	  "Create a new container",
	  { container_options, create_only_options }, 1, ANY, 0, COMMAND_STOP_AT_ARGUMENT | COMMAND_RUN_STATUS,
	  run_options_init, run_options_done, cmd_create },
	{ "container", "debug", NULL, "debug", "[OPTIONS] CONTAINER [COMMAND] [ARG...]",
	  "Open a shell with tools in a container, running or not, also one without a shell",
	  { debug_options }, 1, ANY, 0, COMMAND_STOP_AT_ARGUMENT | COMMAND_EXEC_STATUS | COMMAND_SEALS, NULL, NULL, cmd_debug, .details =
	  "The shell, and any other tool of --image, is found by this command alone, in\n"
	  "front of its PATH: nothing is put into the container, and nothing stays behind.\n"
	  "The files it sees are the container's own; what it changes in them is changed.\n"
	  "\n"
	  "A running container is entered as by exec: the same processes, network and\n"
	  "limits. The root of one that does not run is mounted with its volumes, so that\n"
	  "what keeps it from starting can be found and mended; until the command has\n"
	  "ended, starting it waits. A paused one has to be unpaused first.\n"
	  "\n"
	  "The command is root unless -u says otherwise, with the capabilities and the\n"
	  "seccomp filter of the container unless --privileged is given. It gets a\n"
	  "terminal when standard input and output are one, and its exit status is the\n"
	  "exit status of debug. The tools must be static programs: libraries are looked\n"
	  "for in the container." },
	{ "container", "diff", NULL, "diff", "CONTAINER",
	  "Inspect changes to files or directories on a container's filesystem",
	  { }, 1, 1, 0, 0, NULL, NULL, cmd_diff },
	{ "container", "export", NULL, "export", "[OPTIONS] CONTAINER",
	  "Export a container's filesystem as a tar archive",
	  { export_options }, 1, 1, 0, 0, NULL, NULL, cmd_export },
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
	{ "container", "port", NULL, "port", "CONTAINER [PRIVATE_PORT[/PROTO]]",
	  "List port mappings or a specific mapping for the container",
	  { }, 1, 2, 0, 0, NULL, NULL, cmd_port },
	{ "container", "rename", NULL, "rename", "CONTAINER NEW_NAME",
	  "Rename a container",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_rename },
	{ "container", "restart", NULL, "restart", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Restart one or more containers",
	  { stop_options }, 1, ANY, 0, 0, NULL, NULL, cmd_restart },
	{ "container", "rm", "remove", "rm", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Remove one or more containers",
	  { rm_options }, 1, ANY, 0, 0, NULL, NULL, cmd_rm },
	{ "container", "start", NULL, "start", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Start one or more stopped containers",
	  { start_options }, 1, ANY, 0, 0, NULL, NULL, cmd_start },
	{ "container", "stats", NULL, "stats", "[OPTIONS] [CONTAINER...]",
	  "Display a live stream of container(s) resource usage statistics",
	  { stats_options }, 0, ANY, 0, 0, NULL, NULL, cmd_stats },
	{ "container", "stop", NULL, "stop", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Stop one or more running containers",
	  { stop_options }, 1, ANY, 0, 0, NULL, NULL, cmd_stop },
	{ "container", "settle", NULL, NULL, "CONTAINER [CONTAINER...]",
	  "Remove containers that have ended and were to be removed then",
	  { }, 1, ANY, 0, COMMAND_HIDDEN, NULL, NULL, cmd_settle },
	{ "container", "health-check", NULL, NULL, "CONTAINER",
	  "Check a container's health once, for its monitor",
	  { }, 1, 1, 0, COMMAND_HIDDEN | COMMAND_SEALS, NULL, NULL, cmd_health_check },
	{ "container", "resume", NULL, NULL, "[OPTIONS] CONTAINER",
	  "Start a container again by its restart policy, as its monitor",
	  { resume_options }, 1, 1, 0, COMMAND_HIDDEN | COMMAND_SEALS, NULL, NULL, cmd_resume },
	{ "container", "top", NULL, "top", "CONTAINER [ps OPTIONS]",
	  "Display the running processes of a container",
	  { top_options }, 1, ANY, 0, COMMAND_STOP_AT_ARGUMENT, NULL, NULL, cmd_top,
	  .stands_alone = top_stands_alone },
	{ "container", "unpause", NULL, "unpause", "CONTAINER [CONTAINER...]",
	  "Unpause all processes within one or more containers",
	  { }, 1, ANY, 0, 0, NULL, NULL, cmd_unpause },
	{ "container", "update", NULL, "update", "[OPTIONS] CONTAINER [CONTAINER...]",
	  "Update configuration of one or more containers",
	  { update_options }, 1, ANY, 0, 0, update_options_init, update_options_done, cmd_update },
	{ "container", "wait", NULL, "wait", "CONTAINER [CONTAINER...]",
	  "Block until one or more containers stop, then print their exit codes",
	  { }, 1, ANY, 0, 0, NULL, NULL, cmd_wait },

	{ "image", "copy", NULL, NULL, "[OPTIONS] SOURCE DESTINATION",
	  "Copy an image between oci:, oci-archive:, docker-archive:, dir: and tare:",
	  { image_copy_options }, 2, 2, 0, 0, NULL, NULL, cmd_image_copy },
	{ "image", "history", NULL, "history", "[OPTIONS] IMAGE",
	  "Show the history of an image",
	  { history_options }, 1, 1, 0, 0, history_options_init, NULL, cmd_history },
	{ "image", "import", NULL, "import", "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
	  "Import the contents from a tarball to create a filesystem image",
	  { import_options }, 1, ANY, 0, 0, NULL, NULL, cmd_import },
	{ "image", "inspect", NULL, NULL, "[OPTIONS] IMAGE [IMAGE...]",
	  "Display detailed information on one or more images",
	  { image_inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_image_inspect },
	{ "image", "load", NULL, "load", "[OPTIONS]",
	  "Load an image from a tar archive or STDIN",
	  { load_options }, 0, 0, 0, 0, NULL, NULL, cmd_load },
	{ "image", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove unused images",
	  { image_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_image_prune },
	{ "image", "rm", "remove", "rmi", "[OPTIONS] IMAGE [IMAGE...]",
	  "Remove one or more images",
	  { rmi_options }, 1, ANY, 0, 0, NULL, NULL, cmd_rmi },
	{ "image", "save", NULL, "save", "[OPTIONS] IMAGE [IMAGE...]",
	  "Save one or more images to a tar archive (streamed to STDOUT by default)",
	  { save_options }, 1, ANY, 0, 0, NULL, NULL, cmd_save },
	{ "image", "size", NULL, NULL, "[OPTIONS] IMAGE [IMAGE...]",
	  "Show how large images are, and what they share",
	  { image_size_options }, 1, ANY, 0, 0, NULL, NULL, cmd_image_size,
	  "SIZE is the content of the files of all layers. UNIQUE is what no other image\n"
	  "has, SHARED the rest, PACKED the layers as they are kept for save and copy." },
	{ "image", "tag", NULL, "tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	  "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_tag },

	{ "image", "waste", NULL, NULL, "[OPTIONS] IMAGE [IMAGE...]",
	  "Show bytes of an image that later layers overwrite or delete",
	  { image_waste_options }, 1, ANY, 0, 0, NULL, NULL, cmd_image_waste,
	  "A file is wasted when a later layer overwrites or deletes the last of its names:\n"
	  "no container sees it, but every copy of the image carries it. The 20 largest\n"
	  "are listed; all of them with --no-trunc." },

	{ "system", "boot", NULL, NULL, "[OPTIONS]",
	  "Start what should run after a reboot, in order",
	  { system_boot_options }, 0, 0, 0, 0, NULL, NULL, cmd_system_boot },
	{ "system", "check", NULL, NULL, "[OPTIONS]",
	  "Compare the index, layers and blobs with each other",
	  { system_check_options }, 0, 0, 0, 0, NULL, NULL, cmd_system_check },
	{ "system", "df", NULL, NULL, "[OPTIONS]",
	  "Show tare disk usage",
	  { system_df_options }, 0, 0, 0, 0, NULL, NULL, cmd_system_df,
	  "Sizes are what the disk holds, counted as du(1) does: blocks, directories\n"
	  "included, a file with several names once. Images are their unpacked layers and\n"
	  "all blobs; SHARED SIZE is what other images have, too. Containers are their\n"
	  "writable layers, logs and configurations. What is left (the index, the reserve\n"
	  "for a full disk, unfinished work) is \"Index and the rest\", shown by -v and\n"
	  "--format json. The sum is what 'du -s --block-size=1' says of the root." },
	{ "system", "events", NULL, "events", "[OPTIONS]",
	  "Get real time events from the server",
	  { events_options }, 0, 0, 0, 0, NULL, NULL, cmd_events },
	{ "system", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove unused data",
	  { system_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_system_prune },
	{ "system", "repair", NULL, NULL, "[OPTIONS]",
	  "Restore what a check finds damaged",
	  { system_repair_options }, 0, 0, 0, 0, NULL, NULL, cmd_system_repair },

	{ "volume", "clone", NULL, NULL, "VOLUME NEW_VOLUME",
	  "Make a volume with the content of another",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_volume_clone, .details =
	  "The new volume has the content, the labels and the options of the other one. Where\n"
	  "the file system can share blocks (btrfs, XFS) it takes no more space until one of\n"
	  "the two is changed. It exists when it is complete."  },
	{ "volume", "create", NULL, NULL, "[OPTIONS] [VOLUME]",
	  "Create a volume",
	  { volume_create_options }, 0, 1, 0, 0, NULL, NULL, cmd_volume_create },
	{ "volume", "export", NULL, NULL, "[OPTIONS] VOLUME",
	  "Export a volume's content as a tar archive",
	  { volume_export_options }, 1, 1, 0, 0, NULL, NULL, cmd_volume_export, .details =
	  "Owners, modes, links and extended attributes are kept. Containers may go on writing\n"
	  "to the volume; stop them for a copy of one moment."  },
	{ "volume", "import", NULL, NULL, "VOLUME [FILE|-]",
	  "Import the content of a tar archive into a volume",
	  { }, 1, 2, 0, 0, NULL, NULL, cmd_volume_import, .details =
	  "The archive may be plain or compressed, and is unpacked over what the volume has. No\n"
	  "name in it leads out of the volume."  },
	{ "volume", "inspect", NULL, NULL, "[OPTIONS] VOLUME [VOLUME...]",
	  "Display detailed information on one or more volumes",
	  { format_options }, 1, ANY, 0, 0, NULL, NULL, cmd_volume_inspect },
	{ "volume", "ls", "list", NULL, "[OPTIONS]",
	  "List volumes",
	  { volume_ls_options }, 0, 0, 0, 0, NULL, NULL, cmd_volume_ls },
	{ "volume", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove unused local volumes",
	  { volume_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_volume_prune },
	{ "volume", "rename", NULL, NULL, "VOLUME NEW_NAME",
	  "Rename a volume that no container uses",
	  { }, 2, 2, 0, 0, NULL, NULL, cmd_volume_rename, .details =
	  "The content stays where it is: only the name changes."  },
	{ "volume", "rm", "remove", NULL, "[OPTIONS] VOLUME [VOLUME...]",
	  "Remove one or more volumes",
	  { volume_rm_options }, 1, ANY, 0, 0, NULL, NULL, cmd_volume_rm,
	  .sentences = "Remove one or more volumes. You cannot remove a volume that is in use by a container." },

	{ "network", "audit", NULL, NULL, "[OPTIONS] [NETWORK|CONTAINER...]",
	  "Say who can reach what, and why",
	  { network_audit_options }, 0, ANY, 0, 0, NULL, NULL, cmd_network_audit, .details =
	  "Of named networks and containers only what concerns them is shown. Verdicts are\n"
	  "conclusions from what tare set up and from the host's forwarding; nothing is sent." },
	{ "network", "connect", NULL, NULL, "[OPTIONS] NETWORK CONTAINER",
	  "Connect a container to a network",
	  { network_connect_options }, 2, 2, 0, 0, NULL, NULL, cmd_network_connect },
	{ "network", "create", NULL, NULL, "[OPTIONS] NETWORK",
	  "Create a network",
	  { network_create_options }, 1, 1, 0, 0, network_create_options_init, NULL, cmd_network_create },
	{ "network", "disconnect", NULL, NULL, "[OPTIONS] NETWORK CONTAINER",
	  "Disconnect a container from a network",
	  { network_disconnect_options }, 2, 2, 0, 0, NULL, NULL, cmd_network_disconnect },
	{ "network", "graph", NULL, NULL, "[OPTIONS] [NETWORK...]",
	  "Draw networks, containers, addresses and ports",
	  { network_graph_options }, 0, ANY, 0, 0, NULL, NULL, cmd_network_graph },
	{ "network", "inspect", NULL, NULL, "[OPTIONS] NETWORK [NETWORK...]",
	  "Display detailed information on one or more networks",
	  { network_inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_network_inspect },
	{ "network", "ls", "list", NULL, "[OPTIONS]",
	  "List networks",
	  { network_ls_options }, 0, 0, 0, 0, NULL, NULL, cmd_network_ls },
	{ "network", "prune", NULL, NULL, "[OPTIONS]",
	  "Remove all unused networks",
	  { network_prune_options }, 0, 0, 0, 0, NULL, NULL, cmd_network_prune },
	{ "network", "rm", "remove", NULL, "NETWORK [NETWORK...]",
	  "Remove one or more networks",
	  { network_rm_options }, 1, ANY, 0, 0, NULL, NULL, cmd_network_rm },

	{ NULL, "inspect", NULL, NULL, "[OPTIONS] NAME|ID [NAME|ID...]",
	  "Return low-level information on objects",
	  { inspect_options }, 1, ANY, 0, 0, NULL, NULL, cmd_inspect },

	{ NULL, "completion", NULL, NULL, "bash|zsh|fish",
	  "Print a completion script for a shell",
	  { }, 1, 1, 0, COMMAND_HIDDEN, NULL, NULL, cmd_completion },
	{ NULL, "man", NULL, NULL, "[COMMAND...]",
	  "Print the manual page of a command",
	  { man_options }, 0, 2, 0, COMMAND_HIDDEN, NULL, NULL, cmd_man },
};
/* clang-format on */
const size_t n_commands = ARRAY_LEN(commands);
