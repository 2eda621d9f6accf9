/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a network ready for containers, and taking it down: its bridge, its place in the firewall,
 * forwarding. Whoever looks whether something is missing and finds so takes the lock and looks
 * again, so that two starts do not do the same, and nobody loads the firewall with what was true
 * before somebody else's change.
 */
/* lint file: paths below the engine's own directories */
#include "engine/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/network_private.h"
#include "engine/pending.h"
#include "plan/net_steps.h"
#include "plan/plan.h"
#include "plan/steps.h"
#include "sys/rtnl.h"

char *network_up_path(const struct engine *engine, const char *id)
{
	return str_printf("%s/networks/%s/up", engine->runroot, id);
}

void network_up_done(struct network_up *up)
{
	for (size_t i = 0; i < up->n_networks; i++)
		network_done(&up->networks[i]);
	free(up->networks);
	free(up->state.networks);
	free(up->state.ports);
	fd_cleanup_close(&up->lock_fd);
	*up = (struct network_up)NETWORK_UP_INIT;
}
