/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's "HostConfig": what the caller said about the host's side of the container. A member that
 * docker derives from others (the swap limit, normalised capabilities) is derived here the same
 * way.
 */
#include "engine/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/describe_writer.h"

#include "engine/spec.h"
#include "oci/runtime_config.h"
#include "oci/runtime_default.h"
#include "json/dump.h"

#define DEFAULT_SHM_SIZE (64LL << 20)
#define TYPICAL_SIZE	 2500 /* bytes of the object of a plain container */

/* ---- mounts ---- */

static void write_binds(struct str *out, const struct container_spec *spec)
{
	cleanup_strv struct strv binds = STRV_INIT;

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct mount_spec *m = &spec->mounts[i];

		if (m->from_option_v && m->source)
			strv_addf(&binds, "%s:%s%s%s", m->source, m->target, m->mode ? ":" : "",
				  m->mode ? m->mode : "");
	}
	member_list(out, "Binds", &binds, "null");
}

static void write_tmpfs(struct str *out, const struct container_spec *spec)
{
	cleanup_strv struct strv mounts = STRV_INIT;

	for (size_t i = 0; i < spec->n_mounts; i++)
		if (spec->mounts[i].from_tmpfs)
			strv_addf(&mounts, "%s=%s", spec->mounts[i].target,
				  spec->mounts[i].mode ? spec->mounts[i].mode : "");
	if (mounts.n)
		member_map(out, "Tmpfs", &mounts);
}

static void write_bind_options(struct str *out, const struct mount_spec *m)
{
	member_open(out, "BindOptions", '{');
	if (m->propagation)
		member_text(out, "Propagation", m->propagation);
	if (m->recursion == MOUNT_RECURSIVE_DISABLED)
		member_bool(out, "NonRecursive", true);
	if (m->create_source)
		member_bool(out, "CreateMountpoint", true);
	if (m->recursion == MOUNT_RECURSIVE_WRITABLE)
		member_bool(out, "ReadOnlyNonRecursive", true);
	if (m->recursion == MOUNT_RECURSIVE_READONLY)
		member_bool(out, "ReadOnlyForceRecursive", true);
	str_add_char(out, '}');
}

static void write_tmpfs_options(struct str *out, const struct mount_spec *m)
{
	member_open(out, "TmpfsOptions", '{');
	if (m->tmpfs_size)
		member_int(out, "SizeBytes", m->tmpfs_size);
	if (m->tmpfs_mode)
		member_int(out, "Mode", m->tmpfs_mode);
	str_add_char(out, '}');
}

static void write_volume_options(struct str *out, const struct mount_spec *m)
{
	member_open(out, "VolumeOptions", '{');
	if (m->no_copy)
		member_bool(out, "NoCopy", true);
	if (m->volume_labels.n)
		member_map(out, "Labels", &m->volume_labels);
	if (m->subpath)
		member_text(out, "Subpath", m->subpath);
	member_open(out, "DriverConfig", '{');
	if (m->volume_driver)
		member_text(out, "Name", m->volume_driver);
	if (m->volume_options.n)
		member_map(out, "Options", &m->volume_options);
	str_add(out, "}}");
}

static void write_image_options(struct str *out, const struct mount_spec *m)
{
	member_open(out, "ImageOptions", '{');
	member_text(out, "Subpath", m->subpath);
	str_add_char(out, '}');
}

static void write_mount(struct str *out, const struct mount_spec *m)
{
	static const char *const types[] = {
		[MOUNT_BIND] = "bind",	 [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs",
		[MOUNT_IMAGE] = "image", [MOUNT_UNKNOWN] = "",
	};

	element_begin(out);
	str_add_char(out, '{');
	member_text(out, "Type", types[m->type]);
	if (m->source && *m->source)
		member_text(out, "Source", m->source);
	member_text(out, "Target", m->target);
	if (m->read_only)
		member_bool(out, "ReadOnly", true);
	if (m->consistency && *m->consistency)
		member_text(out, "Consistency", m->consistency);
	if (m->type == MOUNT_BIND && m->has_bind_options)
		write_bind_options(out, m);
	if (m->type == MOUNT_TMPFS && m->has_tmpfs_options)
		write_tmpfs_options(out, m);
	if (m->type == MOUNT_VOLUME && m->has_volume_options)
		write_volume_options(out, m);
	if (m->type == MOUNT_IMAGE && m->subpath)
		write_image_options(out, m);
	str_add_char(out, '}');
}

/* Only what came by --mount. */
static void write_mounts(struct str *out, const struct container_spec *spec)
{
	bool is_open = false;

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct mount_spec *m = &spec->mounts[i];

		if (m->from_option_v || m->from_tmpfs)
			continue;
		if (!is_open)
			member_open(out, "Mounts", '[');
		is_open = true;
		write_mount(out, m);
	}
	if (is_open)
		str_add_char(out, ']');
}

/* ---- capabilities ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "net_admin" as "CAP_NET_ADMIN", sorted and once each, without what is in EXCEPT. */
static void normalise_caps(const struct strv *typed, const struct strv *except, struct strv *ret)
{
	cleanup_strv struct strv all = STRV_INIT;

	strv_foreach (i, typed) {
		cleanup_free char *name = str_dup(typed->items[i]);

		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		strv_addf(&all, "%s%s",
			  strcmp(name, "ALL") == 0 || str_has_prefix(name, "CAP_") ? "" : "CAP_",
			  name);
	}
	if (all.n)
		qsort(all.items, all.n, sizeof(all.items[0]), compare_text);
	strv_foreach (i, &all)
		if (!strv_has(ret, all.items[i]) && !(except && strv_has(except, all.items[i])))
			strv_add(ret, all.items[i]);
}

static void write_caps(struct str *out, const struct container_spec *spec)
{
	cleanup_strv struct strv add = STRV_INIT;
	cleanup_strv struct strv drop = STRV_INIT;

	normalise_caps(&spec->cap_add, NULL, &add);
	normalise_caps(&spec->cap_drop, &add, &drop);
	member_list(out, "CapAdd", &add, "null");
	member_list(out, "CapDrop", &drop, "null");
}

/* ---- security ---- */

#define UNCONFINED_PATHS "systempaths=unconfined"

static void write_security(struct str *out, const struct container_spec *spec)
{
	cleanup_strv struct strv options = STRV_INIT;

	strv_foreach (i, &spec->security_options)
		if (strcmp(spec->security_options.items[i], UNCONFINED_PATHS) != 0)
			strv_add(&options, spec->security_options.items[i]);
	if (spec->privileged && !strv_has(&options, "label=disable"))
		strv_add(&options, "label=disable");
	member_list(out, "SecurityOpt", &options, "null");
}

static void write_paths(struct str *out, const struct container_spec *spec)
{
	cleanup_oci_config struct oci_runtime_config defaults = {};
	bool is_off = strv_has(&spec->security_options, UNCONFINED_PATHS);

	if (spec->privileged || is_off) {
		member_raw(out, "MaskedPaths", is_off ? "[]" : "null");
		member_raw(out, "ReadonlyPaths", is_off ? "[]" : "null");
		return;
	}
	oci_config_set_defaults(&defaults, DEFAULT_SHM_SIZE, false);
	member_list(out, "MaskedPaths", &defaults.masked_paths, "[]");
	member_list(out, "ReadonlyPaths", &defaults.readonly_paths, "[]");
}

/* ---- ports ---- */

static int compare_port(const void *a, const void *b)
{
	const struct port_spec *x = a;
	const struct port_spec *y = b;
	char left[32];
	char right[32];

	snprintf(left, sizeof(left), "%u/%s", x->container_port, x->proto);
	snprintf(right, sizeof(right), "%u/%s", y->container_port, y->proto);
	return strcmp(left, right);
}

static void write_binding(struct str *out, const struct port_spec *p)
{
	char host[16] = "";

	if (p->host_last > p->host_first)
		snprintf(host, sizeof(host), "%u-%u", p->host_first, p->host_last);
	else if (p->has_host)
		snprintf(host, sizeof(host), "%u", p->host_first);
	element_begin(out);
	str_add_char(out, '{');
	member_text(out, "HostIp", p->host_ip);
	member_text(out, "HostPort", host);
	str_add_char(out, '}');
}

static void write_ports(struct str *out, const struct container_spec *spec)
{
	size_t size = spec->n_ports * sizeof(spec->ports[0]);
	cleanup_free struct port_spec *ports = size ? mem_dup(spec->ports, size) : NULL;

	if (ports)
		qsort(ports, spec->n_ports, sizeof(*ports), compare_port);
	member_open(out, "PortBindings", '{');
	for (size_t i = 0; ports && i < spec->n_ports; i++) {
		char key[32];
		bool is_last = i + 1 == spec->n_ports || compare_port(&ports[i], &ports[i + 1]);

		snprintf(key, sizeof(key), "%u/%s", ports[i].container_port, ports[i].proto);
		if (i == 0 || compare_port(&ports[i - 1], &ports[i]))
			member_open(out, key, '[');
		write_binding(out, &ports[i]);
		if (is_last)
			str_add_char(out, ']');
	}
	str_add_char(out, '}');
}

/* ---- limits ---- */

static void write_throttle(struct str *out, const char *key, const char *unit,
			   const struct throttle_list *list)
{
	member_open(out, key, '[');
	for (size_t i = 0; i < list->n; i++) {
		element_begin(out);
		str_add_char(out, '{');
		member_text(out, "Path", list->items[i].path);
		member_int(out, unit, (int64_t)list->items[i].value);
		str_add_char(out, '}');
	}
	str_add_char(out, ']');
}

static void write_blkio(struct str *out, const struct container_spec *spec)
{
	member_int(out, "BlkioWeight", spec->blkio_weight);
	write_throttle(out, "BlkioWeightDevice", "Weight", &spec->blkio_weight_device);
	write_throttle(out, "BlkioDeviceReadBps", "Rate", &spec->device_read_bps);
	write_throttle(out, "BlkioDeviceWriteBps", "Rate", &spec->device_write_bps);
	write_throttle(out, "BlkioDeviceReadIOps", "Rate", &spec->device_read_iops);
	write_throttle(out, "BlkioDeviceWriteIOps", "Rate", &spec->device_write_iops);
}

static void write_request(struct str *out, const struct device_request *r)
{
	element_begin(out);
	str_add_char(out, '{');
	member_text(out, "Driver", r->driver);
	member_int(out, "Count", r->count);
	member_list(out, "DeviceIDs", &r->ids, "null");
	if (r->capabilities.n) {
		member_open(out, "Capabilities", '[');
		str_add_char(out, '[');
		strv_foreach (i, &r->capabilities) {
			element_begin(out);
			json_dump_string(out, r->capabilities.items[i],
					 strlen(r->capabilities.items[i]), 0);
		}
		str_add(out, "]]");
		member_map(out, "Options", &r->options);
	} else {
		member_raw(out, "Capabilities", "null");
		member_raw(out, "Options", "null");
	}
	str_add_char(out, '}');
}

static void write_requests(struct str *out, const struct container_spec *spec)
{
	if (!spec->n_requests) {
		member_raw(out, "DeviceRequests", "null");
		return;
	}
	member_open(out, "DeviceRequests", '[');
	for (size_t i = 0; i < spec->n_requests; i++)
		write_request(out, &spec->requests[i]);
	str_add_char(out, ']');
}

static void write_devices(struct str *out, const struct container_spec *spec)
{
	member_open(out, "Devices", '[');
	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct device_spec *d = &spec->devices[i];

		element_begin(out);
		str_add_char(out, '{');
		member_text(out, "PathOnHost", d->host);
		member_text(out, "PathInContainer", d->container);
		member_text(out, "CgroupPermissions", d->perms);
		str_add_char(out, '}');
	}
	str_add_char(out, ']');
	member_list(out, "DeviceCgroupRules", &spec->device_cgroup_rules, "null");
	write_requests(out, spec);
}

static void write_ulimits(struct str *out, const struct container_spec *spec)
{
	member_open(out, "Ulimits", '[');
	for (size_t i = 0; i < spec->n_ulimits; i++) {
		const struct ulimit_spec *u = &spec->ulimits[i];

		element_begin(out);
		str_add_char(out, '{');
		member_text(out, "Name", u->name);
		member_int(out, "Hard", u->hard);
		member_int(out, "Soft", u->soft);
		str_add_char(out, '}');
	}
	str_add_char(out, ']');
}

static void write_memory(struct str *out, const struct container_spec *spec)
{
	/* As much swap as memory where nothing was said. */
	int64_t swap = spec->memory > 0 && spec->memory_swap == 0 ? 2 * spec->memory
								  : spec->memory_swap;

	member_int(out, "MemoryReservation", spec->memory_reservation);
	member_int(out, "MemorySwap", swap);
	if (spec->memory_swappiness < 0)
		member_raw(out, "MemorySwappiness", "null");
	else
		member_int(out, "MemorySwappiness", spec->memory_swappiness);
	member_bool(out, "OomKillDisable", spec->oom_kill_disable);
	if (spec->has_pids_limit && spec->pids_limit > 0)
		member_int(out, "PidsLimit", spec->pids_limit);
	else
		member_raw(out, "PidsLimit", "null");
}

static void write_limits(struct str *out, const struct container_spec *spec)
{
	member_text(out, "Isolation", spec->isolation);
	member_int(out, "CpuShares", spec->cpu_shares);
	member_int(out, "Memory", spec->memory);
	member_int(out, "NanoCpus", spec->nano_cpus);
	member_text(out, "CgroupParent", spec->cgroup_parent);
	write_blkio(out, spec);
	member_int(out, "CpuPeriod", spec->cpu_period);
	member_int(out, "CpuQuota", spec->cpu_quota);
	member_int(out, "CpuRealtimePeriod", 0);
	member_int(out, "CpuRealtimeRuntime", 0);
	member_text(out, "CpusetCpus", spec->cpuset_cpus);
	member_text(out, "CpusetMems", spec->cpuset_mems);
	write_devices(out, spec);
	write_memory(out, spec);
	write_ulimits(out, spec);
	member_int(out, "CpuCount", 0);
	member_int(out, "CpuPercent", 0);
	member_int(out, "IOMaximumIOps", 0);
	member_int(out, "IOMaximumBandwidth", 0);
}

/* ---- the object ---- */

static void write_life(struct str *out, const struct container_spec *spec)
{
	const char *mode = spec_network_mode(spec);
	const char *restart = spec->restart_name && *spec->restart_name ? spec->restart_name : "no";

	write_binds(out, spec);
	member_text(out, "ContainerIDFile", spec->cidfile);
	member_open(out, "LogConfig", '{');
	member_text(out, "Type",
		    spec->log_driver && *spec->log_driver ? spec->log_driver : "json-file");
	member_map(out, "Config", &spec->log_options);
	str_add_char(out, '}');
	member_text(out, "NetworkMode", mode);
	write_ports(out, spec);
	member_open(out, "RestartPolicy", '{');
	member_text(out, "Name", restart);
	member_int(out, "MaximumRetryCount", spec->restart_max);
	str_add_char(out, '}');
	member_bool(out, "AutoRemove", spec->auto_remove);
	member_text(out, "VolumeDriver", spec->volume_driver);
	member_list(out, "VolumesFrom", &spec->volumes_from, "null");
	member_raw(out, "ConsoleSize", "[0,0]");
	if (spec->annotations.n)
		member_map(out, "Annotations", &spec->annotations);
}

static const char *or_private(const char *mode)
{
	return mode && *mode ? mode : "private";
}

/* docker's form: "/TARGET:/NAME/ALIAS". */
static void write_links(struct str *out, const struct container_spec *spec, const char *name)
{
	cleanup_strv struct strv links = STRV_INIT;
	/* On a network with names a link is the network's. */
	bool is_shown = !network_mode_is_user_defined(spec_network_mode(spec));

	for (size_t i = 0; is_shown && i < spec->links.n; i++) {
		const char *text = spec->links.items[i];
		size_t len = strcspn(text, ":");
		bool has_alias = text[len] && text[len + 1];

		strv_addf(&links, "/%.*s:/%s/%s", (int)len, text, name,
			  has_alias ? text + len + 1 : text);
		if (!has_alias && text[len])
			links.items[links.n - 1][strlen(links.items[links.n - 1]) - 1] = '\0';
	}
	member_list(out, "Links", &links, "null");
}

static void write_isolation(struct str *out, const struct container_spec *spec, const char *name)
{
	write_caps(out, spec);
	member_text(out, "CgroupnsMode", or_private(spec->cgroupns_mode));
	member_list(out, "Dns", &spec->dns, "[]");
	member_list(out, "DnsOptions", &spec->dns_options, "[]");
	member_list(out, "DnsSearch", &spec->dns_search, "[]");
	member_list(out, "ExtraHosts", &spec->extra_hosts, "null");
	member_list(out, "GroupAdd", &spec->group_add, "null");
	member_text(out, "IpcMode", or_private(spec->ipc_mode));
	member_text(out, "Cgroup", "");
	write_links(out, spec, name);
	member_int(out, "OomScoreAdj", spec->oom_score_adj);
	member_text(out, "PidMode", spec->pid_mode);
	member_bool(out, "Privileged", spec->privileged);
	member_bool(out, "PublishAllPorts", spec->publish_all);
	member_bool(out, "ReadonlyRootfs", spec->read_only);
	write_security(out, spec);
	if (spec->storage_options.n)
		member_map(out, "StorageOpt", &spec->storage_options);
	write_tmpfs(out, spec);
	member_text(out, "UTSMode", spec->uts_mode);
	member_text(out, "UsernsMode", spec->userns_mode);
	member_int(out, "ShmSize", spec->shm_size ? spec->shm_size : DEFAULT_SHM_SIZE);
	if (spec->sysctls.n)
		member_map(out, "Sysctls", &spec->sysctls);
	member_text(out, "Runtime", spec->runtime && *spec->runtime ? spec->runtime : "tare");
}

char *describe_host(const struct container_spec *spec, const char *name)
{
	struct str out = STR_INIT;

	str_reserve(&out, TYPICAL_SIZE);
	str_add_char(&out, '{');
	write_life(&out, spec);
	write_isolation(&out, spec, name);
	write_limits(&out, spec);
	write_mounts(&out, spec);
	write_paths(&out, spec);
	if (spec->init)
		member_bool(&out, "Init", true);
	str_add_char(&out, '}');
	return str_take(&out);
}
