/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other containers. A link is an alias of another container; what was named is looked for, as
 * docker does it. On the default bridge it becomes a line of /etc/hosts (engine/links.h). Who joins
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

static int check_link(struct engine *engine, struct container_spec *spec, const char *link,
		      struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_free char *name = str_ndup(link, strcspn(link, ":"));

	if (!*name)
		return err_set(err, ERR_INVALID,
			       "could not get container for : invalid name or ID supplied: \"\"");
	if (container_lookup_by_ref(engine->store, name, &record, err) < 0)
		return err_wrap(err, "could not get container for %s", name);
	/* By its id it is found after a rename, too. */
	strv_addf(&spec->link_targets, "%s:%s", record.row.id,
		  link[strlen(name)] && link[strlen(name) + 1] ? link + strlen(name) + 1 : name);
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
	/* On a user network a link may be to somebody who comes later. */
	if (network_mode_is_user_defined(spec_network_mode(spec)))
		return 0;
	for (size_t i = 0; rc == 0 && i < spec->links.n; i++)
		rc = check_link(engine, spec, spec->links.items[i], err);
	if (rc == 0 && spec->links.n && !network_mode_has_links(spec_network_mode(spec)))
		strv_addf(warnings,
			  "--link %s: a container without a network has no address to link",
			  spec->links.items[0]);
	return rc;
}
