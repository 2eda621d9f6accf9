/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a runtime configuration. It was written by tare, but it lies on a disk: every type is
 * checked, and what does not fit is an error that names the member.
 */
#include "oci/runtime_config.h"

#include "base/mem.h"
#include "oci/runtime_resources.h"
#include "sys/caps.h"
#include "json/value.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MAX_CONFIG (4 << 20)

static int bad(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "config.json: %s", what);
}

static int get_strings(const json_t *root, const char *path, struct strv *ret, struct err *err)
{
	return json_get_strv(root, path, ret) < 0 ? bad(path, err) : 0;
}

static int parse_process(const json_t *root, struct oci_runtime_config *c, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const json_t *limits = json_get(root, "process.rlimits");
	size_t i = 0;
	json_t *item = NULL;
	int rc = 0;

	c->terminal = json_get_bool(root, "process.terminal", false);
	c->no_new_privs = json_get_bool(root, "process.noNewPrivileges", false);
	c->oom_score_adj = (int)json_get_int(root, "process.oomScoreAdj", 0);
	c->cwd = str_dup(json_get_string(root, "process.cwd", "/"));
	rc = get_strings(root, "process.args", &c->args, err);
	if (rc == 0)
		rc = get_strings(root, "process.env", &c->env, err);
	if (rc == 0)
		rc = get_strings(root, "process.capabilities.bounding", &names, err);
	if (rc == 0 && c->args.n == 0)
		rc = bad("process.args is empty", err);
	strv_foreach (k, &names) {
		int cap = caps_parse(names.items[k]);

		if (cap < 0)
			return bad("unknown capability", err);
		c->capabilities |= CAPS_BIT(cap);
	}
	json_array_foreach (limits, i, item) {
		int resource = oci_rlimit_parse(json_get_string(item, "type", ""));

		if (resource < 0)
			return bad("process.rlimits", err);
		/* RLIM_INFINITY does not fit into a signed number and is written as unsigned. */
		oci_add_rlimit(c, resource, (uint64_t)json_get_int(item, "soft", -1),
			       (uint64_t)json_get_int(item, "hard", -1), NULL);
	}
	return rc;
}

static int parse_mounts(const json_t *root, struct oci_runtime_config *c, struct err *err)
{
	const json_t *mounts = json_get(root, "mounts");
	size_t i = 0;
	json_t *item = NULL;

	json_array_foreach (mounts, i, item) {
		const char *destination = json_get_string(item, "destination", NULL);
		struct oci_mount *m = NULL;

		if (!destination || destination[0] != '/')
			return bad("mounts: destination", err);
		m = oci_add_mount(c, destination, json_get_string(item, "type", "bind"),
				  json_get_string(item, "source", "none"), NULL);
		if (json_get_strv(item, "options", &m->options) < 0)
			return bad("mounts: options", err);
		m->flag = str_dup(json_get_string(item, "flag", NULL));
		m->volume = str_dup(json_get_string(item, "volume", NULL));
		m->subpath = str_dup(json_get_string(item, "subpath", NULL));
	}
	return 0;
}

static uint64_t namespace_flag(const char *type)
{
	static const struct {
		const char *type;
		uint64_t flag;
	} rows[] = {
		{"mount", CLONE_NEWNS},	     {"pid", CLONE_NEWPID},	{"uts", CLONE_NEWUTS},
		{"ipc", CLONE_NEWIPC},	     {"network", CLONE_NEWNET}, {"user", CLONE_NEWUSER},
		{"cgroup", CLONE_NEWCGROUP},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].type, type) == 0)
			return rows[i].flag;
	return 0;
}

static int parse_namespaces(const json_t *root, struct oci_runtime_config *c, struct err *err)
{
	const json_t *list = json_get(root, "linux.namespaces");
	size_t i = 0;
	json_t *item = NULL;

	json_array_foreach (list, i, item) {
		uint64_t flag = namespace_flag(json_get_string(item, "type", ""));

		if (!flag)
			return bad("linux.namespaces", err);
		oci_add_namespace(c, flag, json_get_string(item, "path", NULL));
	}
	return 0;
}

static int parse_devices(const json_t *root, struct oci_runtime_config *c, struct err *err)
{
	const json_t *list = json_get(root, "linux.devices");
	size_t i = 0;
	json_t *item = NULL;

	json_array_foreach (list, i, item) {
		const char *path = json_get_string(item, "path", NULL);
		bool block = strcmp(json_get_string(item, "type", "c"), "b") == 0;
		dev_t dev = makedev((unsigned)json_get_int(item, "major", 0),
				    (unsigned)json_get_int(item, "minor", 0));

		if (!path || path[0] != '/')
			return bad("linux.devices: path", err);
		oci_add_device(c, path,
			       (block ? S_IFBLK : S_IFCHR) |
				       ((mode_t)json_get_int(item, "fileMode", 0666) & 07777),
			       dev, (uid_t)json_get_int(item, "uid", 0),
			       (gid_t)json_get_int(item, "gid", 0));
	}
	return 0;
}

static int parse_linux(const json_t *root, struct oci_runtime_config *c, struct err *err)
{
	json_t *sysctls = json_get(root, "linux.sysctl");
	const char *key = NULL;
	json_t *value = NULL;
	int rc = parse_namespaces(root, c, err);

	if (rc == 0)
		rc = parse_devices(root, c, err);
	if (rc == 0)
		rc = get_strings(root, "linux.maskedPaths", &c->masked_paths, err);
	if (rc == 0)
		rc = get_strings(root, "linux.readonlyPaths", &c->readonly_paths, err);
	if (rc == 0)
		rc = oci_resources_parse(json_get(root, "linux.resources"), &c->limits, err);
	c->cgroup = str_dup(json_get_string(root, "linux.cgroupsPath", NULL));
	c->propagation = str_dup(json_get_string(root, "linux.rootfsPropagation", NULL));
	json_object_foreach (sysctls, key, value)
		oci_set_sysctl(c, key, json_is_string(value) ? json_string_value(value) : "");
	return rc;
}

int oci_config_parse(const char *text, size_t len, struct oci_runtime_config *ret, struct err *err)
{
	cleanup_json json_t *root = NULL;
	json_t *notes = NULL;
	const char *key = NULL;
	json_t *value = NULL;
	int rc = json_parse(text, len, MAX_CONFIG, "config.json", &root, err);

	if (rc < 0)
		return rc;
	if (!json_is_object(root))
		return bad("not an object", err);
	rc = parse_process(root, ret, err);
	if (rc == 0)
		rc = parse_mounts(root, ret, err);
	if (rc == 0)
		rc = parse_linux(root, ret, err);
	ret->root_readonly = json_get_bool(root, "root.readonly", false);
	ret->hostname = str_dup(json_get_string(root, "hostname", NULL));
	ret->domainname = str_dup(json_get_string(root, "domainname", NULL));
	notes = json_get(root, "annotations");
	json_object_foreach (notes, key, value)
		oci_annotate(ret, key, json_is_string(value) ? json_string_value(value) : "");
	if (rc < 0)
		oci_config_done(ret);
	return rc;
}
