/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container specification as a value: start, fill, free. Its rules are in spec_validate.c.
 */
#include "engine/spec.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

void spec_init(struct container_spec *spec)
{
	*spec = (struct container_spec){.sig_proxy = true, .memory_swappiness = -1};
}

void mount_spec_done(struct mount_spec *m)
{
	free(m->type_name);
	free(m->source);
	free(m->target);
	free(m->mode);
	free(m->propagation);
	free(m->subpath);
	free(m->volume_driver);
	free(m->idmap);
	free(m->selinux);
	free(m->consistency);
	free(m->wrong);
	strv_done(&m->volume_options);
	strv_done(&m->volume_labels);
	*m = (struct mount_spec){};
}

void device_spec_done(struct device_spec *d)
{
	free(d->host);
	free(d->container);
	free(d->perms);
	*d = (struct device_spec){};
}

void device_request_done(struct device_request *r)
{
	free(r->driver);
	strv_done(&r->ids);
	strv_done(&r->capabilities);
	strv_done(&r->options);
	memset(r, 0, sizeof(*r));
}

void ulimit_spec_done(struct ulimit_spec *u)
{
	free(u->name);
	*u = (struct ulimit_spec){};
}

void port_spec_done(struct port_spec *p)
{
	free(p->host_ip);
	*p = (struct port_spec){};
}

static void throttle_list_done(struct throttle_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct throttle_list){};
}

static void arrays_done(struct container_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		mount_spec_done(&spec->mounts[i]);
	for (size_t i = 0; i < spec->n_devices; i++)
		device_spec_done(&spec->devices[i]);
	for (size_t i = 0; i < spec->n_requests; i++)
		device_request_done(&spec->requests[i]);
	for (size_t i = 0; i < spec->n_ulimits; i++)
		ulimit_spec_done(&spec->ulimits[i]);
	for (size_t i = 0; i < spec->n_ports; i++)
		port_spec_done(&spec->ports[i]);
	endpoint_requests_free(spec->networks, spec->n_networks);
	free(spec->mounts);
	free(spec->devices);
	free(spec->requests);
	free(spec->ulimits);
	free(spec->ports);
	throttle_list_done(&spec->blkio_weight_device);
	throttle_list_done(&spec->device_read_bps);
	throttle_list_done(&spec->device_write_bps);
	throttle_list_done(&spec->device_read_iops);
	throttle_list_done(&spec->device_write_iops);
}

void spec_done(struct container_spec *spec)
{
	char **const strings[] = {
		&spec->image,	       &spec->entrypoint,	 &spec->user,
		&spec->workdir,	       &spec->platform,		 &spec->name,
		&spec->hostname,       &spec->domainname,	 &spec->cidfile,
		&spec->detach_keys,    &spec->stop_signal,	 &spec->restart_name,
		&spec->log_driver,     &spec->pid_mode,		 &spec->ipc_mode,
		&spec->uts_mode,       &spec->userns_mode,	 &spec->cgroupns_mode,
		&spec->cgroup_parent,  &spec->cpuset_cpus,	 &spec->cpuset_mems,
		&spec->health.command, &spec->health.on_failure, &spec->volume_driver,
		&spec->isolation,      &spec->runtime,		 &spec->network_peer,
	};
	struct strv *const vectors[] = {
		&spec->command,
		&spec->env,
		&spec->labels,
		&spec->annotations,
		&spec->log_options,
		&spec->volumes_from,
		&spec->storage_options,
		&spec->dns,
		&spec->dns_search,
		&spec->dns_options,
		&spec->extra_hosts,
		&spec->expose,
		&spec->cap_add,
		&spec->cap_drop,
		&spec->security_options,
		&spec->group_add,
		&spec->device_cgroup_rules,
		&spec->sysctls,
		&spec->links,
		&spec->link_targets,
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		free(*strings[i]);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		strv_done(vectors[i]);
	arrays_done(spec);
	*spec = (struct container_spec){};
}

/* Moves *ITEM to the end of an array of N elements, zeroing ITEM. */
#define array_take(array, n, item)                                               \
	do {                                                                     \
		(array) = mem_realloc_array((array), (n) + 1, sizeof(*(array))); \
		(array)[(n)++] = *(item);                                        \
		memset((item), 0, sizeof(*(item)));                              \
	} while (0)

void spec_add_mount(struct container_spec *spec, struct mount_spec *item)
{
	array_take(spec->mounts, spec->n_mounts, item);
}

void spec_add_device(struct container_spec *spec, struct device_spec *item)
{
	array_take(spec->devices, spec->n_devices, item);
}

void spec_add_request(struct container_spec *spec, struct device_request *item)
{
	array_take(spec->requests, spec->n_requests, item);
}

void spec_add_port(struct container_spec *spec, struct port_spec *item)
{
	array_take(spec->ports, spec->n_ports, item);
}

void spec_add_network(struct container_spec *spec, struct endpoint_request *item)
{
	array_take(spec->networks, spec->n_networks, item);
}

void spec_set_ulimit(struct container_spec *spec, struct ulimit_spec *item)
{
	for (size_t i = 0; i < spec->n_ulimits; i++) {
		if (!str_is_equal(spec->ulimits[i].name, item->name))
			continue;
		ulimit_spec_done(&spec->ulimits[i]);
		spec->ulimits[i] = *item;
		memset(item, 0, sizeof(*item));
		return;
	}
	array_take(spec->ulimits, spec->n_ulimits, item);
}

void throttle_add(struct throttle_list *list, const char *path, uint64_t value)
{
	struct throttle_spec item = {.path = str_dup(path), .value = value};

	array_take(list->items, list->n, &item);
}

int spec_parse_restart(struct container_spec *spec, const char *text, struct err *err)
{
	static const char *const names[] = {
		[RESTART_NO] = "no",
		[RESTART_ALWAYS] = "always",
		[RESTART_ON_FAILURE] = "on-failure",
		[RESTART_UNLESS_STOPPED] = "unless-stopped",
	};
	const char *colon = strchr(text, ':');
	int64_t count = 0;

	if (colon == text)
		return err_set(err, ERR_INVALID,
			       "invalid restart policy format: no policy provided before colon");
	if (colon && num_parse_i64(colon + 1, &count) < 0)
		return err_set(
			err, ERR_INVALID,
			"invalid restart policy format: maximum retry count must be an integer");
	free(spec->restart_name);
	spec->restart_name = colon ? str_ndup(text, (size_t)(colon - text)) : str_dup(text);
	spec->restart_max = count;
	spec->restart = RESTART_NO;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(spec->restart_name, names[i]) == 0)
			spec->restart = (enum restart_policy)i;
	return 0;
}

char *spec_cgroup_parent(const struct container_spec *spec)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_strv struct strv kept = STRV_INIT;

	strv_split(&words, spec->cgroup_parent ? spec->cgroup_parent : "", '/');
	strv_foreach (i, &words)
		if (words.items[i][0])
			strv_add(&kept, words.items[i]);
	return kept.n ? strv_join(&kept, "/") : NULL;
}

const char *spec_network_mode(const struct container_spec *spec)
{
	const char *mode = spec->n_networks ? spec->networks[0].network : "default";

	return strcmp(mode, "default") == 0 ? NETWORK_DEFAULT_NAME : mode;
}

char *spec_networks_format(const struct container_spec *spec)
{
	if (!spec->n_networks ||
	    (spec->n_networks == 1 && endpoint_request_is_plain(&spec->networks[0])))
		return str_dup("");
	return endpoint_requests_format(spec->networks, spec->n_networks);
}

bool network_mode_is_user_defined(const char *mode)
{
	static const char *const others[] = {"default", NETWORK_DEFAULT_NAME, NETWORK_HOST_NAME,
					     NETWORK_NONE_NAME};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(mode, others[i]) == 0)
			return false;
	return !str_has_prefix(mode, "container:");
}

bool network_mode_has_links(const char *mode)
{
	return strcmp(mode, NETWORK_HOST_NAME) != 0 && strcmp(mode, NETWORK_NONE_NAME) != 0 &&
	       !str_has_prefix(mode, "container:");
}
