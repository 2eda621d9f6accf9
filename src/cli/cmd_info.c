/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info: what this host offers and what is in the state directory, as one object in docker's terms,
 * which is either printed in docker's layout or handed to a template.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "storage/image.h"
#include "json/dump.h"
#include "json/value.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_RELEASE_FILE 65536
#define MEMORY_DIGITS	 4
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#define ZFS_SUPER_MAGIC 0x2fc12fc1

struct info {
	struct engine *engine;
	struct utsname host;
	int64_t n_containers, n_running, n_paused, n_images;
	json_t *object; /* owned */
};

static void set_int(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

static void set_bool(json_t *o, const char *key, bool value)
{
	json_object_set_new(o, key, json_boolean(value));
}

/* ---- counting ---- */

static int count_container(const struct listed_container *c, void *data, struct err *err)
{
	struct info *info = data;

	info->n_containers++;
	info->n_paused += c->state.status == STATUS_PAUSED;
	info->n_running += c->state.status == STATUS_RUNNING;
	return 0;
}

/* Names of one image follow each other. */
struct image_count {
	int64_t n;
	char last[DIGEST_HEX_LEN + 1];
};

static int count_image(const struct image_row *row, void *data, struct err *err)
{
	struct image_count *count = data;

	if (strcmp(count->last, row->id) != 0)
		count->n++;
	snprintf(count->last, sizeof(count->last), "%s", row->id);
	return 0;
}

static int count(struct info *info, struct err *err)
{
	const struct list_options options = {.all = true};
	cleanup_image_filter struct image_filter filter = {};
	struct image_count images = {};

	image_filter_init(&filter);
	if (list_containers(info->engine, &options, NULL, count_container, info, err) < 0 ||
	    image_list(info->engine->store, &filter, count_image, &images, err) < 0)
		return -err->code;
	info->n_images = images.n;
	return 0;
}

/* ---- the host ---- */

static const char *filesystem_name(const char *path)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} names[] = {
		{EXT4_SUPER_MAGIC, "extfs"},	      {XFS_SUPER_MAGIC, "xfs"},
		{BTRFS_SUPER_MAGIC, "btrfs"},	      {TMPFS_MAGIC, "tmpfs"},
		{OVERLAYFS_SUPER_MAGIC, "overlayfs"}, {ZFS_SUPER_MAGIC, "zfs"},
	};
	struct statfs st;

	if (statfs(path, &st) < 0) /* lint: path of the state directory */
		return "<unknown>";
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((unsigned long)st.f_type == names[i].magic)
			return names[i].name;
	return "<unknown>";
}

/* PRETTY_NAME of os-release(5), owned. */
static char *system_name(void)
{
	static const char key[] = "PRETTY_NAME=";
	cleanup_str struct str text = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	if (fd_read_kernel_file("/etc/os-release", MAX_RELEASE_FILE, &text) < 0)
		return str_dup("Linux");
	strv_split(&lines, str_get(&text), '\n');
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];
		size_t len = strlen(key);

		if (!str_has_prefix(line, key))
			continue;
		line += len;
		len = strlen(line);
		return len > 1 && *line == '"' ? str_ndup(line + 1, len - 2) : str_dup(line);
	}
	return str_dup("Linux");
}

static int64_t cpu_count(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

static int64_t memory_total(void)
{
	struct sysinfo si;

	return sysinfo(&si) == 0 ? (int64_t)si.totalram * si.mem_unit : 0;
}

static bool has_swap_limit(const struct cgroup_layout *layout)
{
	const struct cgroup_hierarchy *h = cgroup_find(layout, CGROUP_MEMORY);
	cleanup_free char *path = NULL;

	if (!h)
		return false;
	path = str_printf("%s/memory.memsw.limit_in_bytes", h->root);
	/* lint: path of the host's control groups */
	return layout->mode == CGROUP_V2 || access(path, F_OK) == 0;
}

/* ---- the object ---- */

static void add_counts(struct info *info)
{
	json_t *o = info->object;

	json_set_text(o, "ID", "");
	set_int(o, "Containers", info->n_containers);
	set_int(o, "ContainersRunning", info->n_running);
	set_int(o, "ContainersPaused", info->n_paused);
	set_int(o, "ContainersStopped", info->n_containers - info->n_running - info->n_paused);
	set_int(o, "Images", info->n_images);
}

static void add_storage(struct info *info)
{
	json_t *plugins = json_object();
	json_t *log = json_array();

	json_set_text(info->object, "Driver", "overlay2");
	json_object_set_new(
		info->object, "DriverStatus",
		json_pack("[[s,s]]", "Backing Filesystem", filesystem_name(info->engine->root)));
	json_array_append_new(log, json_string("json-file"));
	json_array_append_new(log, json_string("none"));
	json_object_set_new(plugins, "Volume", json_array());
	json_object_set_new(plugins, "Network", json_pack("[s,s]", "host", "null"));
	json_object_set_new(plugins, "Authorization", json_null());
	json_object_set_new(plugins, "Log", log);
	json_object_set_new(info->object, "Plugins", plugins);
}

static void add_limits(struct info *info)
{
	static const struct {
		const char *key;
		enum cgroup_controller controller;
	} limits[] = {
		{"MemoryLimit", CGROUP_MEMORY}, {"CpuCfsPeriod", CGROUP_CPU},
		{"CpuCfsQuota", CGROUP_CPU},	{"CPUShares", CGROUP_CPU},
		{"CPUSet", CGROUP_CPUSET},	{"PidsLimit", CGROUP_PIDS},
	};
	const struct cgroup_layout *layout = engine_get_cgroups(info->engine);

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		set_bool(info->object, limits[i].key, cgroup_find(layout, limits[i].controller));
	set_bool(info->object, "SwapLimit", has_swap_limit(layout));
	set_bool(info->object, "OomKillDisable",
		 layout->mode != CGROUP_V2 && cgroup_find(layout, CGROUP_MEMORY));
	json_set_text(info->object, "LoggingDriver", "json-file");
	json_set_text(info->object, "CgroupDriver", "cgroupfs");
	json_set_text(info->object, "CgroupVersion", layout->mode == CGROUP_V2 ? "2" : "1");
}

static void add_host(struct info *info, const struct cli *cli)
{
	json_t *o = info->object;
	cleanup_free char *system = system_name();
	char now[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(clock_real_ns(), now);
	set_bool(o, "Debug", cli->debug);
	json_set_text(o, "SystemTime", now);
	json_set_text(o, "KernelVersion", info->host.release);
	json_set_text(o, "OperatingSystem", system);
	json_set_text(o, "OSType", "linux");
	json_set_text(o, "Architecture", info->host.machine);
	set_int(o, "NCPU", cpu_count());
	set_int(o, "MemTotal", memory_total());
	json_set_text(o, "DockerRootDir", info->engine->root);
	json_set_text(o, "Name", info->host.nodename);
	json_object_set_new(o, "Labels", json_array());
	set_bool(o, "ExperimentalBuild", false);
	json_set_text(o, "ServerVersion", version_text());
	json_object_set_new(o, "Runtimes",
			    json_pack("{s:{s:s}}", "tare", "path", info->engine->exe));
	json_set_text(o, "DefaultRuntime", "tare");
	json_object_set_new(o, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
	set_bool(o, "LiveRestoreEnabled", true);
	json_set_text(o, "Isolation", "");
	json_set_text(o, "InitBinary", "tare-init");
	json_object_set_new(o, "SecurityOptions",
			    json_pack("[s,s]", "name=seccomp,profile=builtin", "name=cgroupns"));
}

static void add_client(struct info *info, const struct cli *cli)
{
	json_t *client = json_object();

	set_bool(client, "Debug", cli->debug);
	json_set_text(client, "Version", version_text());
	json_set_text(client, "Context", "default");
	json_object_set_new(client, "Plugins", json_array());
	json_object_set_new(client, "Warnings", json_null());
	json_object_set_new(info->object, "ClientInfo", client);
}

/* docker's texts for what this host cannot limit. */
static void add_warnings(struct info *info)
{
	static const struct {
		const char *key, *text;
	} rows[] = {
		{"MemoryLimit", "WARNING: No memory limit support"},
		{"SwapLimit", "WARNING: No swap limit support"},
		{"PidsLimit", "WARNING: No pids limit support"},
		{"CpuCfsQuota", "WARNING: No cpu cfs quota support"},
		{"CPUShares", "WARNING: No cpu shares support"},
		{"CPUSet", "WARNING: No cpuset support"},
	};
	json_t *warnings = json_array();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!json_get_bool(info->object, rows[i].key, false))
			json_array_append_new(warnings, json_string(rows[i].text));
	json_object_set_new(info->object, "Warnings", warnings);
}

static void build(struct info *info, const struct cli *cli)
{
	info->object = json_object();
	add_counts(info);
	add_storage(info);
	add_limits(info);
	add_host(info, cli);
	add_warnings(info);
	add_client(info, cli);
}

/* ---- the text ---- */

static void print_state(const struct info *info)
{
	const json_t *o = info->object;

	printf("Server:\n"
	       " Containers: %" PRId64 "\n"
	       "  Running: %" PRId64 "\n"
	       "  Paused: %" PRId64 "\n"
	       "  Stopped: %" PRId64 "\n"
	       " Images: %" PRId64 "\n"
	       " Server Version: %s\n"
	       " Storage Driver: overlay2\n"
	       "  Backing Filesystem: %s\n"
	       " Logging Driver: json-file\n"
	       " Cgroup Driver: cgroupfs\n"
	       " Cgroup Version: %s\n",
	       info->n_containers, info->n_running, info->n_paused,
	       json_get_int(o, "ContainersStopped", 0), info->n_images, version_text(),
	       json_get_string(o, "DriverStatus.0.1", ""), json_get_string(o, "CgroupVersion", ""));
	printf(" Plugins:\n"
	       "  Volume:\n"
	       "  Network: host null\n"
	       "  Log: json-file none\n"
	       " Swarm: inactive\n"
	       " Runtimes: tare\n"
	       " Default Runtime: tare\n"
	       " Init Binary: tare-init\n"
	       " Security Options:\n"
	       "  seccomp\n"
	       "   Profile: builtin\n"
	       "  cgroupns\n");
}

static void print_host(const struct info *info)
{
	const json_t *o = info->object;
	char memory[32];

	num_format_size_binary((double)json_get_int(o, "MemTotal", 0), MEMORY_DIGITS, memory,
			       sizeof(memory));
	printf(" Kernel Version: %s\n"
	       " Operating System: %s\n"
	       " OSType: linux\n"
	       " Architecture: %s\n"
	       " CPUs: %" PRId64 "\n"
	       " Total Memory: %s\n"
	       " Name: %s\n"
	       " Docker Root Dir: %s\n"
	       " Debug Mode: %s\n"
	       " Experimental: false\n"
	       " Live Restore Enabled: true\n\n",
	       info->host.release, json_get_string(o, "OperatingSystem", ""), info->host.machine,
	       json_get_int(o, "NCPU", 0), memory, info->host.nodename, info->engine->root,
	       json_get_bool(o, "Debug", false) ? "true" : "false");
}

static void print_text(const struct info *info, const struct cli *cli)
{
	const json_t *warning = NULL;
	size_t i = 0;

	printf("Client:\n"
	       " Version:    %s\n"
	       " Context:    default\n"
	       " Debug Mode: %s\n\n",
	       version_text(), cli->debug ? "true" : "false");
	print_state(info);
	print_host(info);
	fflush(stdout);
	json_array_foreach (json_object_get(info->object, "Warnings"), i, warning)
		fprintf(stderr, "%s\n", json_string_value(warning));
}

static const struct json_field info_fields[] = {
	{"DriverStatus", &json_shape_any},    {"Labels", &json_shape_strings},
	{"Runtimes", &json_shape_struct_map}, {"SecurityOptions", &json_shape_strings},
	{"Warnings", &json_shape_strings},    {NULL, NULL},
};
static const struct json_shape info_shape = {SHAPE_STRUCT, "system.dockerInfo", NULL, info_fields};

int cmd_info(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_json json_t *object = NULL;
	struct info info = {.engine = &engine};

	uname(&info.host);
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 || count(&info, err) < 0)
		return -err->code;
	build(&info, cli);
	object = info.object;
	if (o->inspect.format && *o->inspect.format)
		return object_print(cli, "", o->inspect.format, object, &info_shape, err);
	print_text(&info, cli);
	return 0;
}
