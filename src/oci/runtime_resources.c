/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as JSON, by one table for the plain numbers: member, section, field.
 */
#include "oci/runtime_resources.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/dump.h"
#include "json/value.h"

#include <stdio.h>

static const struct {
	const char *section, *key;
	size_t offset;
} numbers[] = {
	{"memory", "limit", offsetof(struct cgroup_limits, memory)},
	{"memory", "swap", offsetof(struct cgroup_limits, memory_swap)},
	{"memory", "swappiness", offsetof(struct cgroup_limits, swappiness)},
	{"memory", "reservation", offsetof(struct cgroup_limits, reservation)},
	{"cpu", "nano", offsetof(struct cgroup_limits, nano_cpus)},
	{"cpu", "shares", offsetof(struct cgroup_limits, cpu_shares)},
	{"cpu", "quota", offsetof(struct cgroup_limits, cpu_quota)},
	{"cpu", "period", offsetof(struct cgroup_limits, cpu_period)},
	{"pids", "limit", offsetof(struct cgroup_limits, pids)},
	{"blockIO", "weight", offsetof(struct cgroup_limits, blkio_weight)},
};

static const struct {
	const char *key, *value_key;
	size_t offset;
} device_lists[] = {
	{"weightDevice", "weight", offsetof(struct cgroup_limits, weight_device)},
	{"throttleReadBpsDevice", "rate", offsetof(struct cgroup_limits, read_bps)},
	{"throttleWriteBpsDevice", "rate", offsetof(struct cgroup_limits, write_bps)},
	{"throttleReadIOPSDevice", "rate", offsetof(struct cgroup_limits, read_iops)},
	{"throttleWriteIOPSDevice", "rate", offsetof(struct cgroup_limits, write_iops)},
};

static const char *const sections[] = {"memory", "cpu", "pids", "blockIO"};

static void comma(struct str *out)
{
	if (out->buf[out->len - 1] != '{' && out->buf[out->len - 1] != '[')
		str_add(out, ", ");
}

static void format_numbers(const struct cgroup_limits *limits, const char *section, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct cgroup_limit *limit =
			(const struct cgroup_limit *)(const void *)((const char *)limits +
								    numbers[i].offset);

		if (strcmp(numbers[i].section, section) != 0 || limit->source == LIMIT_UNSET)
			continue;
		comma(out);
		str_addf(out, "\"%s\": %lld", numbers[i].key, (long long)limit->value);
		if (limit->source == LIMIT_IMPLIED)
			str_addf(out, ", \"%s.implied\": true", numbers[i].key);
	}
}

static void format_text(const char *key, const char *value, struct str *out)
{
	if (!value)
		return;
	comma(out);
	str_addf(out, "\"%s\": ", key);
	json_dump_string(out, value, strlen(value), 0);
}

static void format_device_lists(const struct cgroup_limits *limits, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(device_lists); i++) {
		const struct cgroup_device_limits *list =
			(const struct cgroup_device_limits *)(const void *)((const char *)limits +
									    device_lists[i].offset);

		if (!list->n)
			continue;
		comma(out);
		str_addf(out, "\"%s\": [", device_lists[i].key);
		for (size_t k = 0; k < list->n; k++)
			str_addf(out, "%s{\"major\": %u, \"minor\": %u, \"%s\": %llu}",
				 k ? ", " : "", list->items[k].major, list->items[k].minor,
				 device_lists[i].value_key,
				 (unsigned long long)list->items[k].value);
		str_add_char(out, ']');
	}
}

static void format_rules(const struct cgroup_limits *limits, struct str *out)
{
	str_addf(out, "\"devices\": [{\"allow\": %s, \"access\": \"rwm\"}",
		 limits->all_devices ? "true" : "false");
	for (size_t i = 0; i < limits->n_devices; i++) {
		const struct device_rule *rule = &limits->devices[i];

		str_addf(out,
			 ", {\"allow\": true, \"type\": \"%c\", \"major\": %lld, \"minor\": %lld, "
			 "\"access\": \"%s%s%s\"}",
			 rule->type, (long long)rule->major, (long long)rule->minor,
			 rule->access & DEVICE_READ ? "r" : "",
			 rule->access & DEVICE_WRITE ? "w" : "",
			 rule->access & DEVICE_MKNOD ? "m" : "");
	}
	str_add_char(out, ']');
}

void oci_resources_format(const struct cgroup_limits *limits, struct str *out)
{
	str_add_char(out, '{');
	format_rules(limits, out);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		str_addf(out, ", \"%s\": {", sections[i]);
		format_numbers(limits, sections[i], out);
		if (strcmp(sections[i], "cpu") == 0) {
			format_text("cpus", limits->cpuset_cpus, out);
			format_text("mems", limits->cpuset_mems, out);
		} else if (strcmp(sections[i], "blockIO") == 0) {
			format_device_lists(limits, out);
		} else if (strcmp(sections[i], "memory") == 0 && limits->oom_kill_disable) {
			comma(out);
			str_add(out, "\"disableOOMKiller\": true");
		}
		str_add_char(out, '}');
	}
	str_add_char(out, '}');
}

static void parse_numbers(const json_t *resources, struct cgroup_limits *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct cgroup_limit *limit = (struct cgroup_limit *)(void *)((char *)ret +
									     numbers[i].offset);
		const json_t *section = json_get(resources, numbers[i].section);
		const json_t *value = json_object_get(section, numbers[i].key);
		char implied[64];

		if (!json_is_integer(value))
			continue;
		snprintf(implied, sizeof(implied), "%s.implied", numbers[i].key);
		limit->value = json_integer_value(value);
		limit->source = json_is_true(json_object_get(section, implied)) ? LIMIT_IMPLIED
										: LIMIT_USER;
	}
}

static void parse_device_lists(const json_t *resources, struct cgroup_limits *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(device_lists); i++) {
		struct cgroup_device_limits *list =
			(struct cgroup_device_limits *)(void *)((char *)ret +
								device_lists[i].offset);
		const json_t *items = json_object_get(json_get(resources, "blockIO"),
						      device_lists[i].key);
		size_t k = 0;
		json_t *item = NULL;

		json_array_foreach (items, k, item)
			cgroup_device_limits_add(
				list, (uint32_t)json_get_int(item, "major", 0),
				(uint32_t)json_get_int(item, "minor", 0),
				(uint64_t)json_get_int(item, device_lists[i].value_key, 0));
	}
}

static int parse_rules(const json_t *resources, struct cgroup_limits *ret, struct err *err)
{
	const json_t *rules = json_get(resources, "devices");
	size_t i = 0;
	json_t *item = NULL;

	json_array_foreach (rules, i, item) {
		const char *type = json_get_string(item, "type", NULL);
		const char *access = json_get_string(item, "access", "");
		struct device_rule rule = {.major = json_get_int(item, "major", DEVICE_ANY),
					   .minor = json_get_int(item, "minor", DEVICE_ANY)};

		if (!type) {
			ret->all_devices = json_get_bool(item, "allow", false);
			continue;
		}
		rule.type = *type;
		rule.access = (strchr(access, 'r') ? DEVICE_READ : 0U) |
			      (strchr(access, 'w') ? DEVICE_WRITE : 0U) |
			      (strchr(access, 'm') ? DEVICE_MKNOD : 0U);
		if (!strchr("abc", rule.type) || !rule.access)
			return err_set(err, ERR_INVALID, "config.json: linux.resources.devices");
		cgroup_limits_add_device(ret, &rule);
	}
	return 0;
}

int oci_resources_parse(const json_t *resources, struct cgroup_limits *ret, struct err *err)
{
	parse_numbers(resources, ret);
	parse_device_lists(resources, ret);
	ret->cpuset_cpus = str_dup(json_get_string(resources, "cpu.cpus", NULL));
	ret->cpuset_mems = str_dup(json_get_string(resources, "cpu.mems", NULL));
	ret->oom_kill_disable = json_get_bool(resources, "memory.disableOOMKiller", false);
	return parse_rules(resources, ret, err);
}
