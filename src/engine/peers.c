/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other containers. A link is a name for another container: on a network with names the name server
 * knows it, on the default one it is a line in /etc/hosts, which each start writes
 * (engine/host_lines.h).
 */
#include "engine/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "storage/container.h"
#include "json/value.h"

#define JOINS "container:"

static int check_link(struct engine *engine, struct container_spec *spec, const char *link,
		      struct err *err)
{
	cleanup_container struct container_record record = {};
	size_t len = strcspn(link, ":");
	cleanup_free char *name = str_ndup(link, len);
	const char *alias = link[len] && link[len + 1] ? link + len + 1 : name;

	if (!*name)
		return err_set(err, ERR_INVALID,
			       "could not get container for : invalid name or ID supplied: \"\"");
	if (container_lookup_by_ref(engine->store, name, &record, err) < 0)
		return err_wrap(err, "could not get container for %s", name);
	if (!network_mode_is_user_defined(spec_network_mode(spec)))
		strv_addf(&spec->link_targets, "%s %s %s", record.row.id, record.row.name, alias);
	return 0;
}

static int resolve_mode(struct engine *engine, char **mode, struct err *err)
{
	cleanup_container struct container_record record = {};

	if (!*mode || !str_has_prefix(*mode, JOINS))
		return 0;
	if (container_lookup_by_ref(engine->store, *mode + strlen(JOINS), &record, err) < 0)
		return -err->code;
	free(*mode);
	*mode = str_printf(JOINS "%s", record.row.id);
	return 0;
}

/* Who shares another's network has its names, too. */
static int join_network(struct engine *engine, struct container_spec *spec, struct err *err)
{
	char **mode = spec->n_networks ? &spec->networks[0].network : NULL;
	cleanup_container struct container_record record = {};
	cleanup_json json_t *config = NULL;
	const char *text = NULL;
	int rc = mode ? resolve_mode(engine, mode, err) : 0;

	if (rc < 0 || !mode || !str_has_prefix(*mode, JOINS))
		return rc;
	if (container_lookup_by_ref(engine->store, *mode + strlen(JOINS), &record, err) < 0)
		return -err->code;
	text = record.row.config;
	rc = json_parse(text, strlen(text), SIZE_MAX, "configuration", &config, err);
	if (rc < 0)
		return rc;
	str_replace(&spec->hostname, json_get_string(config, "Hostname", ""));
	str_replace(&spec->domainname, json_get_string(config, "Domainname", ""));
	return 0;
}

int peers_check(struct engine *engine, struct container_spec *spec, struct err *err)
{
	char **const modes[] = {&spec->pid_mode, &spec->ipc_mode, &spec->uts_mode};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(modes); i++)
		rc = resolve_mode(engine, modes[i], err);
	if (rc >= 0)
		rc = join_network(engine, spec, err);
	for (size_t i = 0; rc >= 0 && i < spec->links.n; i++)
		rc = check_link(engine, spec, spec->links.items[i], err);
	return rc < 0 ? rc : 0;
}
