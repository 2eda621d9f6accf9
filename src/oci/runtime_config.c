/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime configuration in memory: arrays that grow, and their end.
 */
#include "oci/runtime_config.h"

#include "base/mem.h"

#include <sys/resource.h>

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE},
	{"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},
	{"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

int oci_rlimit_parse(const char *name)
{
	if (strncasecmp(name, "RLIMIT_", 7) == 0)
		name += 7;
	for (size_t i = 0; i < ARRAY_LEN(rlimit_names); i++)
		if (strcasecmp(rlimit_names[i].name, name) == 0)
			return rlimit_names[i].resource;
	return -1;
}

const char *oci_rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_LEN(rlimit_names); i++)
		if (rlimit_names[i].resource == resource)
			return rlimit_names[i].name;
	return NULL;
}

/* Room for one more zeroed element behind N of SIZE; the arrays are small, so one at a time. */
static void *grow(void *items, size_t n, size_t size)
{
	char *grown = mem_realloc_array(items, n + 1, size);

	memset(grown + n * size, 0, size);
	return grown;
}

struct oci_mount *oci_add_mount(struct oci_runtime_config *config, const char *destination,
				const char *type, const char *source, const char *options)
{
	struct oci_mount *m = NULL;

	config->mounts = grow(config->mounts, config->n_mounts, sizeof(*m));
	m = &config->mounts[config->n_mounts++];
	m->destination = str_dup(destination);
	m->type = str_dup(type);
	m->source = str_dup(source);
	if (options && *options)
		strv_split(&m->options, options, ',');
	return m;
}

void oci_add_namespace(struct oci_runtime_config *config, uint64_t flag, const char *path)
{
	config->namespaces = grow(config->namespaces, config->n_namespaces,
				  sizeof(*config->namespaces));
	config->namespaces[config->n_namespaces++] = (struct oci_namespace){.flag = flag,
									    .path = str_dup(path)};
}

void oci_add_rlimit(struct oci_runtime_config *config, int resource, uint64_t soft, uint64_t hard,
		    const char *flag)
{
	config->rlimits = grow(config->rlimits, config->n_rlimits, sizeof(*config->rlimits));
	config->rlimits[config->n_rlimits++] = (struct oci_rlimit){
		.resource = resource, .soft = soft, .hard = hard, .flag = str_dup(flag)};
}

void oci_add_device(struct oci_runtime_config *config, const char *path, mode_t mode, dev_t dev,
		    uid_t uid, gid_t gid)
{
	config->devices = grow(config->devices, config->n_devices, sizeof(*config->devices));
	config->devices[config->n_devices++] = (struct oci_device){
		.path = str_dup(path), .mode = mode, .dev = dev, .uid = uid, .gid = gid};
}

static void set_pair(struct oci_pair **pairs, size_t *n, const char *key, const char *value)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp((*pairs)[i].key, key) == 0) {
			str_replace(&(*pairs)[i].value, value);
			return;
		}
	}
	*pairs = grow(*pairs, *n, sizeof(**pairs));
	(*pairs)[(*n)++] = (struct oci_pair){.key = str_dup(key), .value = str_dup(value)};
}

void oci_set_sysctl(struct oci_runtime_config *config, const char *key, const char *value)
{
	set_pair(&config->sysctls, &config->n_sysctls, key, value);
}

void oci_annotate(struct oci_runtime_config *config, const char *key, const char *value)
{
	set_pair(&config->annotations, &config->n_annotations, key, value);
}

const char *oci_annotation(const struct oci_runtime_config *config, const char *key)
{
	for (size_t i = 0; i < config->n_annotations; i++)
		if (strcmp(config->annotations[i].key, key) == 0)
			return config->annotations[i].value;
	return NULL;
}

const struct oci_namespace *oci_find_namespace(const struct oci_runtime_config *config,
					       uint64_t flag)
{
	for (size_t i = 0; i < config->n_namespaces; i++)
		if (config->namespaces[i].flag == flag)
			return &config->namespaces[i];
	return NULL;
}

static void free_pairs(struct oci_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(pairs[i].key);
		free(pairs[i].value);
	}
	free(pairs);
}

void oci_mount_done(struct oci_mount *mount)
{
	free(mount->destination);
	free(mount->type);
	free(mount->source);
	free(mount->flag);
	free(mount->volume);
	free(mount->subpath);
	strv_done(&mount->options);
	*mount = (struct oci_mount){};
}

static void free_mounts(struct oci_runtime_config *config)
{
	for (size_t i = 0; i < config->n_mounts; i++)
		oci_mount_done(&config->mounts[i]);
	free(config->mounts);
}

void oci_config_done(struct oci_runtime_config *config)
{
	strv_done(&config->args);
	strv_done(&config->env);
	strv_done(&config->masked_paths);
	strv_done(&config->readonly_paths);
	free_mounts(config);
	for (size_t i = 0; i < config->n_rlimits; i++)
		free(config->rlimits[i].flag);
	for (size_t i = 0; i < config->n_namespaces; i++)
		free(config->namespaces[i].path);
	for (size_t i = 0; i < config->n_devices; i++)
		free(config->devices[i].path);
	free(config->rlimits);
	free(config->namespaces);
	free(config->devices);
	free_pairs(config->sysctls, config->n_sysctls);
	free_pairs(config->annotations, config->n_annotations);
	free(config->cwd);
	free(config->hostname);
	free(config->domainname);
	free(config->cgroup);
	free(config->propagation);
	cgroup_limits_done(&config->limits);
	*config = (struct oci_runtime_config){};
}
