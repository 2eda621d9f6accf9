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
#include "base/sha256.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/info_text.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/log_options.h"
#include "storage/image.h"
#include "storage/volume.h"
#include "json/dump.h"
#include "json/value.h"

#include <dirent.h>
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
#define MAX_PARAMETER	 64
#define UUID_LEN	 16
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

/* The value of KEY ("PRETTY_NAME=") in os-release(5), or OTHERWISE; owned. */
static char *release_value(const char *key, const char *otherwise)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	if (fd_read_kernel_file("/etc/os-release", MAX_RELEASE_FILE, &text) < 0)
		return str_dup(otherwise);
	strv_split(&lines, str_get(&text), '\n');
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];
		size_t len = 0;

		if (!str_has_prefix(line, key))
			continue;
		line += strlen(key);
		len = strlen(line);
		return len > 1 && *line == '"' ? str_ndup(line + 1, len - 2) : str_dup(line);
	}
	return str_dup(otherwise);
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

/* Whether the parameter NAME of the kernel's overlay module is on. */
static bool overlay_is_on(const char *name)
{
	cleanup_free char *path = str_printf("/sys/module/overlay/parameters/%s", name);
	cleanup_str struct str text = STR_INIT;

	return fd_read_kernel_file(path, MAX_PARAMETER, &text) >= 0 && *str_get(&text) == 'Y';
}

/* Whether entries of directories say what they are, without which overlayfs cannot work. */
static bool has_d_type(const char *path)
{
	DIR *dir = opendir(path); /* lint: path of the state directory */
	struct dirent *entry = dir ? readdir(dir) : NULL;
	bool has = entry && entry->d_type != DT_UNKNOWN;

	if (dir)
		closedir(dir);
	return has;
}

/* A name for this machine's state directory that stays: made of both, it needs no file, and does
 * not give the machine's own id away (machine-id(5) asks for that). */
static char *installation_id(const struct info *info)
{
	cleanup_str struct str machine = STR_INIT;
	cleanup_free char *text = NULL;
	uint8_t digest[SHA256_LEN];
	struct sha256 hash;
	struct str id = STR_INIT;

	if (fd_read_kernel_file("/etc/machine-id", MAX_PARAMETER, &machine) < 0)
		str_add(&machine, info->host.nodename);
	text = str_printf("tare %s %s", str_get(&machine), info->engine->root);
	sha256_init(&hash);
	sha256_update(&hash, text, strlen(text));
	sha256_final(&hash, digest);
	/* RFC 9562, version 8: bytes of our own choice. */
	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80);
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
	for (int i = 0; i < UUID_LEN; i++)
		str_addf(&id, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", digest[i]);
	return str_take(&id);
}

/* ---- the object ---- */

static void add_counts(struct info *info)
{
	cleanup_free char *id = installation_id(info);
	json_t *o = info->object;

	json_set_text(o, "ID", id);
	set_int(o, "Containers", info->n_containers);
	set_int(o, "ContainersRunning", info->n_running);
	set_int(o, "ContainersPaused", info->n_paused);
	set_int(o, "ContainersStopped", info->n_containers - info->n_running - info->n_paused);
	set_int(o, "Images", info->n_images);
}

static void add_status(json_t *list, const char *name, const char *value)
{
	json_array_append_new(list, json_pack("[s,s]", name, value));
}

static const char *truth(bool on)
{
	return on ? "true" : "false";
}

static void add_storage(struct info *info)
{
	const char *root = info->engine->root;
	json_t *status = json_array();

	json_set_text(info->object, "Driver", "overlay2");
	add_status(status, "Backing Filesystem", filesystem_name(root));
	add_status(status, "Supports d_type", truth(has_d_type(root)));
	add_status(status, "Using metacopy", truth(overlay_is_on("metacopy")));
	add_status(status, "Native Overlay Diff", truth(!overlay_is_on("redirect_dir")));
	add_status(status, "userxattr", "false");
	json_object_set_new(info->object, "DriverStatus", status);
}

static void add_plugins(struct info *info)
{
	json_t *plugins = json_object();
	json_t *log = json_array();

	for (size_t i = 0; log_driver_names[i]; i++)
		json_array_append_new(log, json_string(log_driver_names[i]));
	json_object_set_new(plugins, "Volume", json_pack("[s]", VOLUME_DRIVER));
	json_object_set_new(
		plugins, "Network",
		json_pack("[s,s,s,s,s]", "bridge", "host", "ipvlan", "macvlan", "null"));
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
		{"CpuCfsPeriod", CGROUP_CPU}, {"CpuCfsQuota", CGROUP_CPU},
		{"CPUShares", CGROUP_CPU},    {"CPUSet", CGROUP_CPUSET},
		{"PidsLimit", CGROUP_PIDS},
	};
	const struct cgroup_layout *layout = engine_get_cgroups(info->engine);
	cleanup_str struct str forwarding = STR_INIT;

	set_bool(info->object, "MemoryLimit", cgroup_find(layout, CGROUP_MEMORY));
	set_bool(info->object, "SwapLimit", has_swap_limit(layout));
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		set_bool(info->object, limits[i].key, cgroup_find(layout, limits[i].controller));
	fd_read_kernel_file("/proc/sys/net/ipv4/ip_forward", MAX_PARAMETER, &forwarding);
	set_bool(info->object, "IPv4Forwarding", *str_get(&forwarding) == '1');
}

static void add_drivers(struct info *info, const struct cli *cli)
{
	const struct cgroup_layout *layout = engine_get_cgroups(info->engine);
	json_t *o = info->object;
	char now[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(clock_real_ns(), now);
	set_bool(o, "Debug", cli->debug);
	set_int(o, "NFd", 0);
	set_bool(o, "OomKillDisable",
		 layout->mode != CGROUP_V2 && cgroup_find(layout, CGROUP_MEMORY));
	set_int(o, "NGoroutines", 0);
	json_set_text(o, "SystemTime", now);
	json_set_text(o, "LoggingDriver", "json-file");
	json_set_text(o, "CgroupDriver", "cgroupfs");
	json_set_text(o, "CgroupVersion", layout->mode == CGROUP_V2 ? "2" : "1");
	set_int(o, "NEventsListener", 0);
}

static void add_host(struct info *info)
{
	json_t *o = info->object;
	cleanup_free char *system = release_value("PRETTY_NAME=", "Linux");
	cleanup_free char *version = release_value("VERSION_ID=", "");

	json_set_text(o, "KernelVersion", info->host.release);
	json_set_text(o, "OperatingSystem", system);
	json_set_text(o, "OSVersion", version);
	json_set_text(o, "OSType", "linux");
	json_set_text(o, "Architecture", info->host.machine);
	json_set_text(o, "IndexServerAddress", "");
	json_object_set_new(o, "RegistryConfig", json_null());
	set_int(o, "NCPU", cpu_count());
	set_int(o, "MemTotal", memory_total());
	json_object_set_new(o, "GenericResources", json_null());
	json_set_text(o, "DockerRootDir", info->engine->root);
	json_set_text(o, "HttpProxy", "");
	json_set_text(o, "HttpsProxy", "");
	json_set_text(o, "NoProxy", "");
	json_set_text(o, "Name", info->host.nodename);
	json_object_set_new(o, "Labels", json_array());
	set_bool(o, "ExperimentalBuild", false);
	json_set_text(o, "ServerVersion", version_text());
}

static void add_runtime(struct info *info)
{
	json_t *o = info->object;
	json_t *security = json_pack("[s]", "name=seccomp,profile=builtin");

	json_object_set_new(o, "Runtimes",
			    json_pack("{s:{s:s}}", "tare", "path", info->engine->exe));
	json_set_text(o, "DefaultRuntime", "tare");
	json_object_set_new(o, "Swarm",
			    json_pack("{s:s,s:s,s:s,s:b,s:s,s:n}", "NodeID", "", "NodeAddr", "",
				      "LocalNodeState", "inactive", "ControlAvailable", 0, "Error",
				      "", "RemoteManagers"));
	set_bool(o, "LiveRestoreEnabled", true);
	json_set_text(o, "Isolation", "");
	json_set_text(o, "InitBinary", "tare-init");
	json_object_set_new(o, "ContainerdCommit", json_pack("{s:s}", "ID", ""));
	json_object_set_new(o, "RuncCommit", json_pack("{s:s}", "ID", ""));
	json_object_set_new(o, "InitCommit", json_pack("{s:s}", "ID", version_text()));
	if (access("/proc/self/ns/cgroup", F_OK) == 0) /* lint: a file of the kernel */
		json_array_append_new(security, json_string("name=cgroupns"));
	json_object_set_new(o, "SecurityOptions", security);
	json_object_set_new(o, "CDISpecDirs", json_null());
}

static void add_client(struct info *info, const struct cli *cli)
{
	json_t *client = json_object();

	set_bool(client, "Debug", cli->debug);
	version_describe_client(client);
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
	add_plugins(info);
	add_limits(info);
	add_drivers(info, cli);
	add_host(info);
	add_runtime(info);
	add_warnings(info);
	add_client(info, cli);
}

static const struct json_field plugins_fields[] = {
	{"Volume", &json_shape_strings},
	{"Network", &json_shape_strings},
	{"Authorization", &json_shape_strings},
	{"Log", &json_shape_strings},
	{NULL, NULL},
};
static const struct json_shape plugins_shape = {SHAPE_STRUCT, "system.PluginsInfo", NULL,
						plugins_fields};
static const struct json_field info_fields[] = {
	{"DriverStatus", &json_shape_any},
	{"Plugins", &plugins_shape},
	{"GenericResources", &json_shape_structs},
	{"Labels", &json_shape_strings},
	{"Runtimes", &json_shape_struct_map},
	{"SecurityOptions", &json_shape_strings},
	{"CDISpecDirs", &json_shape_strings},
	{"Warnings", &json_shape_strings},
	{NULL, NULL},
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
	info_print_text(object);
	return 0;
}
