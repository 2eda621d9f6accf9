/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other containers. A link is an alias for another container's address; without a network there is
 * none, so there is nothing to write; what was named is still looked for, as docker does. Who joins
 * another's network has that container's names, too: its files are mounted (configure_mounts).
 */
#include "engine/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "storage/container.h"
#include "storage/store.h"

#define JOINS "container:"

static int check_link(struct engine *engine, const char *link, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_free char *name = str_ndup(link, strcspn(link, ":"));

	if (!*name)
		return err_set(err, ERR_INVALID,
			       "could not get container for : invalid name or ID supplied: \"\"");
	if (container_lookup_by_ref(engine->store, name, &record, err) < 0)
		return err_wrap(err, "could not get container for %s", name);
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

/* "container:NAME" of --network. */
static int resolve_network(struct engine *engine, struct container_spec *spec, struct err *err)
{
	int rc = spec->n_networks ? resolve_mode(engine, &spec->networks[0].network, err) : 0;
	const char *mode = spec_network_mode(spec);

	if (rc < 0 || !str_has_prefix(mode, JOINS))
		return rc;
	spec->network_peer = store_container_path(engine->store, mode + strlen(JOINS), "");
	if (str_has_suffix(spec->network_peer, "/"))
		spec->network_peer[strlen(spec->network_peer) - 1] = '\0';
	return 0;
}

/* Where links do nothing, which is not for the user to find out. */
static void warn_of_links(const struct container_spec *spec, struct strv *warnings)
{
	static const char *const modes[][2] = {
		{"none", "a container without a network has no address to link"},
		{"default", "names of other containers are known on user networks only"},
		{"bridge", "names of other containers are known on user networks only"},
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcmp(spec_network_mode(spec), modes[i][0]) == 0)
			strv_addf(warnings, "--link %s: %s", spec->links.items[0], modes[i][1]);
}

int peers_check(struct engine *engine, struct container_spec *spec, struct strv *warnings,
		struct err *err)
{
	char **const modes[] = {&spec->pid_mode, &spec->ipc_mode, &spec->uts_mode};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(modes); i++)
		rc = resolve_mode(engine, modes[i], err);
	if (rc == 0)
		rc = resolve_network(engine, spec, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < spec->links.n; i++)
		rc = check_link(engine, spec->links.items[i], err);
	if (rc == 0 && spec->links.n)
		warn_of_links(spec, warnings);
	return rc;
}
