/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Go types behind inspect, as far as JSON does not show them: which members are slices and maps
 * (a template prints a nil one as [] or map[]), which are left out of JSON while unset though
 * templates may ask for them, and which have another name in Go.
 */
#include "engine/describe.h"

#include <string.h>

#include "base/mem.h"
#include "json/dump.h"

static const struct json_field host_fields[] = {
	{"Binds", &json_shape_strings},
	{"PortBindings", &json_shape_slice_map},
	{"VolumesFrom", &json_shape_strings},
	{"ConsoleSize", &json_shape_strings},
	{"Annotations", &json_shape_string_map, OMIT_NIL},
	{"CapAdd", &json_shape_strings},
	{"CapDrop", &json_shape_strings},
	{"Dns", &json_shape_strings},
	{"DnsOptions", &json_shape_strings},
	{"DnsSearch", &json_shape_strings},
	{"ExtraHosts", &json_shape_strings},
	{"GroupAdd", &json_shape_strings},
	{"Links", &json_shape_strings},
	{"SecurityOpt", &json_shape_strings},
	{"StorageOpt", &json_shape_string_map, OMIT_NIL},
	{"Tmpfs", &json_shape_string_map, OMIT_NIL},
	{"Sysctls", &json_shape_string_map, OMIT_NIL},
	{"Init", &json_shape_struct, OMIT_NIL},
	{"BlkioWeightDevice", &json_shape_structs},
	{"BlkioDeviceReadBps", &json_shape_structs},
	{"BlkioDeviceWriteBps", &json_shape_structs},
	{"BlkioDeviceReadIOps", &json_shape_structs},
	{"BlkioDeviceWriteIOps", &json_shape_structs},
	{"Devices", &json_shape_structs},
	{"DeviceCgroupRules", &json_shape_strings},
	{"DeviceRequests", &json_shape_structs},
	{"Ulimits", &json_shape_structs},
	{"Mounts", &json_shape_structs, OMIT_NIL},
	{"MaskedPaths", &json_shape_strings},
	{"ReadonlyPaths", &json_shape_strings},
	{"LogConfig",
	 &(const struct json_shape){
		 SHAPE_STRUCT, "container.LogConfig", NULL,
		 (const struct json_field[]){{"Config", &json_shape_string_map}, {NULL, NULL}}}},
	{NULL, NULL},
};
static const struct json_shape host_shape = {SHAPE_STRUCT, "*container.HostConfig", NULL,
					     host_fields};

static const struct json_field healthcheck_fields[] = {
	{"Test", &json_shape_strings, OMIT_NIL},
	{"Interval", &json_shape_duration, OMIT_ZERO},
	{"Timeout", &json_shape_duration, OMIT_ZERO},
	{"StartPeriod", &json_shape_duration, OMIT_ZERO},
	{"StartInterval", &json_shape_duration, OMIT_ZERO},
	{"Retries", &json_shape_struct, OMIT_ZERO},
	{NULL, NULL},
};
static const struct json_shape healthcheck_shape = {SHAPE_STRUCT, NULL, NULL, healthcheck_fields};

static const struct json_field config_fields[] = {
	{"ExposedPorts", &json_shape_struct_map, OMIT_NIL},
	{"Env", &json_shape_strings},
	{"Cmd", &json_shape_strings},
	{"Healthcheck", &healthcheck_shape, OMIT_NIL},
	{"Volumes", &json_shape_struct_map},
	{"Entrypoint", &json_shape_strings},
	{"OnBuild", &json_shape_strings},
	{"Labels", &json_shape_string_map},
	{"StopSignal", &json_shape_struct, OMIT_TEXT},
	{"StopTimeout", &json_shape_struct, OMIT_NIL},
	{"Shell", &json_shape_strings, OMIT_NIL},
	{"MacAddress", &json_shape_struct, OMIT_TEXT},
	{NULL, NULL},
};
static const struct json_shape config_shape = {SHAPE_STRUCT, "*container.Config", NULL,
					       config_fields};

static const struct json_field health_fields[] = {
	{"Log", &json_shape_structs},
	{NULL, NULL},
};
static const struct json_shape health_shape = {SHAPE_STRUCT, NULL, NULL, health_fields};

static const struct json_field state_fields[] = {
	{"Health", &health_shape, OMIT_NIL},
	{NULL, NULL},
};
static const struct json_shape state_shape = {SHAPE_STRUCT, "*container.State", NULL, state_fields};

static const struct json_field driver_fields[] = {
	{"Data", &json_shape_string_map},
	{NULL, NULL},
};
static const struct json_shape driver_shape = {SHAPE_STRUCT, "storage.DriverData", NULL,
					       driver_fields};

static const struct json_field endpoint_fields[] = {
	{"Links", &json_shape_strings},
	{"Aliases", &json_shape_strings},
	{"DriverOpts", &json_shape_string_map},
	{"DNSNames", &json_shape_strings},
	{NULL, NULL},
};
static const struct json_shape endpoint_shape = {SHAPE_STRUCT, "*network.EndpointSettings", NULL,
						 endpoint_fields};
static const struct json_shape endpoints_shape = {SHAPE_MAP, NULL, &endpoint_shape, NULL};

static const struct json_field network_fields[] = {
	{"Ports", &json_shape_slice_map},
	{"SecondaryIPAddresses", &json_shape_structs},
	{"SecondaryIPv6Addresses", &json_shape_structs},
	{"Networks", &endpoints_shape},
	{NULL, NULL},
};
static const struct json_shape network_shape = {SHAPE_STRUCT, "*container.NetworkSettings", NULL,
						network_fields};

static const struct json_field mount_fields[] = {
	{"Type", &json_shape_struct, OMIT_TEXT},
	{"Name", &json_shape_struct, OMIT_TEXT},
	{"Driver", &json_shape_struct, OMIT_TEXT},
	{NULL, NULL},
};
static const struct json_shape mount_shape = {SHAPE_STRUCT, "container.MountPoint", NULL,
					      mount_fields};
static const struct json_shape mounts_shape = {SHAPE_SLICE, NULL, &mount_shape, NULL};

static const struct json_field container_fields[] = {
	{"Args", &json_shape_strings},
	{"State", &state_shape},
	{"ExecIDs", &json_shape_strings},
	{"HostConfig", &host_shape},
	{"GraphDriver", &driver_shape},
	{"Mounts", &mounts_shape},
	{"Config", &config_shape},
	{"NetworkSettings", &network_shape},
	{"SizeRw", &json_shape_struct, OMIT_NIL},
	{"SizeRootFs", &json_shape_struct, OMIT_NIL},
	{NULL, NULL},
};
const struct json_shape container_shape = {SHAPE_STRUCT, "*container.InspectResponse", NULL,
					   container_fields};

static const struct json_field root_fs_fields[] = {
	{"Layers", &json_shape_strings},
	{NULL, NULL},
};
static const struct json_shape root_fs_shape = {SHAPE_STRUCT, "image.RootFS", NULL, root_fs_fields};

/* Of an image it is another type: without what only containers have. */
static const struct json_field image_config_fields[] = {
	{"User", &json_shape_struct, OMIT_TEXT},
	{"ExposedPorts", &json_shape_struct_map, OMIT_NIL},
	{"Env", &json_shape_strings, OMIT_NIL},
	{"Entrypoint", &json_shape_strings, OMIT_NIL},
	{"Cmd", &json_shape_strings, OMIT_NIL},
	{"Volumes", &json_shape_struct_map, OMIT_NIL},
	{"WorkingDir", &json_shape_struct, OMIT_TEXT},
	{"Labels", &json_shape_string_map, OMIT_NIL},
	{"StopSignal", &json_shape_struct, OMIT_TEXT},
	{"ArgsEscaped", &json_shape_struct, OMIT_FALSE},
	{"Healthcheck", &healthcheck_shape, OMIT_NIL},
	{"OnBuild", &json_shape_strings, OMIT_NIL},
	{"Shell", &json_shape_strings, OMIT_NIL},
	{NULL, NULL},
};
static const struct json_shape image_config_shape = {SHAPE_STRUCT, "*v1.DockerOCIImageConfig", NULL,
						     image_config_fields};

static const struct json_field image_fields[] = {
	{"RepoTags", &json_shape_strings},
	{"RepoDigests", &json_shape_strings},
	{"Config", &image_config_shape},
	{"Variant", &json_shape_struct, OMIT_TEXT},
	{"OsVersion", &json_shape_struct, OMIT_TEXT},
	{"GraphDriver", &driver_shape},
	{"RootFS", &root_fs_shape},
	{NULL, NULL},
};
const struct json_shape image_shape = {SHAPE_STRUCT, "image.InspectResponse", NULL, image_fields};

/* Appends members from F on, up to UNTIL (NULL: all), that OBJECT has not. Returns where it
 * stopped. */
static const struct json_field *add_members(const json_t *object, const struct json_field *f,
					    const char *until, json_t *to)
{
	for (; f && f->name && (!until || strcmp(f->name, until) != 0); f++)
		if (f->omit != OMIT_NEVER && !json_object_get(object, f->name))
			json_object_set_new(to, f->name, json_omitted_value(f->omit));
	return f;
}

static bool has_field(const struct json_field *f, const char *name)
{
	while (f && f->name && strcmp(f->name, name) != 0)
		f++;
	return f && f->name;
}

/* A copy of OBJECT with the members it left out, in the order of the fields of SHAPE. */
static json_t *copy_with_members(const json_t *object, const struct json_shape *shape)
{
	const struct json_field *next = shape->fields;
	json_t *copy = json_object();
	const char *key = NULL;
	json_t *member = NULL;

	json_object_foreach ((json_t *)(uintptr_t)object, key, member) {
		if (has_field(next, key))
			next = add_members(object, next, key, copy);
		json_object_set(copy, key, member);
	}
	add_members(object, next, NULL, copy);
	return copy;
}

/* Whether a value of SHAPE, or what is inside of it, may have left out members. */
static bool has_members(const struct json_shape *shape)
{
	return shape->fields || (shape->elem && shape->elem->fields);
}

static json_t *describe_elements(const json_t *array, const struct json_shape *shape)
{
	json_t *copy = json_array();
	json_t *element = NULL;
	size_t i = 0;

	json_array_foreach (array, i, element)
		json_array_append_new(copy, describe_with_nil_members(element, shape->elem));
	return copy;
}

json_t *describe_with_nil_members(const json_t *object, const struct json_shape *shape)
{
	json_t *copy = NULL;
	const char *key = NULL;
	json_t *member = NULL;

	if (json_is_array(object) && shape->elem)
		return describe_elements(object, shape);
	if (!json_is_object(object))
		return json_copy((json_t *)(uintptr_t)object);
	copy = copy_with_members(object, shape);
	json_object_foreach (copy, key, member) {
		const struct json_shape *inner = json_shape_child(shape, key);

		if (has_members(inner))
			json_object_set_new(copy, key, describe_with_nil_members(member, inner));
	}
	return copy;
}

static const struct {
	const char *go, *json;
} aliases[] = {
	{"ID", "Id"},
	{"DNS", "Dns"},
	{"DNSOptions", "DnsOptions"},
	{"DNSSearch", "DnsSearch"},
	{"CPUShares", "CpuShares"},
	{"NanoCPUs", "NanoCpus"},
	{"CPUPeriod", "CpuPeriod"},
	{"CPUQuota", "CpuQuota"},
	{"CPURealtimePeriod", "CpuRealtimePeriod"},
	{"CPURealtimeRuntime", "CpuRealtimeRuntime"},
	{"CPUCount", "CpuCount"},
	{"CPUPercent", "CpuPercent"},
	{"APIVersion", "ApiVersion"},
	{"HostIP", "HostIp"},
	{"AuxAddress", "AuxiliaryAddresses"},
};

const char *describe_go_alias(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].go, name) == 0)
			return aliases[i].json;
	return NULL;
}

bool describe_is_json_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].json, name) == 0)
			return true;
	return false;
}
