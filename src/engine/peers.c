/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other containers. A link is an alias of another container; what was named is looked for, as
 * docker does it. On the default bridge it becomes a line of /etc/hosts (engine/links.h).
 */
#include "engine/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"
#include "storage/container.h"

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

int peers_check(struct engine *engine, struct container_spec *spec, struct strv *warnings,
		struct err *err)
{
	char **const modes[] = {&spec->pid_mode, &spec->ipc_mode, &spec->uts_mode};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(modes); i++)
		rc = resolve_mode(engine, modes[i], err);
	if (rc < 0)
		return rc;
	rc = 0;
	/* On a user network a link may be to somebody who comes later. */
	if (network_mode_is_user_defined(spec_network_mode(spec)))
		return 0;
	for (size_t i = 0; rc == 0 && i < spec->links.n; i++)
		rc = check_link(engine, spec->links.items[i], err);
	if (rc == 0 && spec->links.n && !network_mode_has_links(spec_network_mode(spec)))
		strv_addf(warnings,
			  "--link %s: a container without a network has no address to link",
			  spec->links.items[0]);
	return rc;
}
