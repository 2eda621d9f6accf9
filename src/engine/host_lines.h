/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HOST_LINES_H
#define ENGINE_HOST_LINES_H
/*
 * The lines of a container's /etc/hosts that depend on where it is: its own addresses, and that of
 * its gateway where somebody asked for a name of it (--add-host NAME:host-gateway), and those of
 * containers it is linked to. They change at each start, connect and disconnect; what else is in
 * the file stays.
 */
#include "base/str.h"

struct engine;
struct err;
struct live_network;
struct oci_runtime_config;

/* Appends to LINES what is true while the container of CONFIG has the endpoints of LIVE:
 * "ADDRESS\tNAMES". */
void host_lines_add(const struct oci_runtime_config *config, const struct live_network *live,
		    struct strv *lines);
/* Appends the addresses that the containers have which the container of CONFIG, called NAME, is
 * linked to (--link on the default network): "ADDRESS\tALIAS ID NAME". 0, or ERR_CONFLICT in
 * docker's words when one of them does not run. */
int host_lines_add_links(struct engine *engine, const struct oci_runtime_config *config,
			 const char *name, struct strv *lines, struct err *err);
/* Puts LINES in place of earlier ones in the file "hosts" of directory DIR_FD; IS_NEW: there are
 * none yet. The file stays the same one, since a running container has it mounted. 0 or -code. */
int host_lines_update(int dir_fd, const struct oci_runtime_config *config, const struct strv *lines,
		      bool is_new, struct err *err);

#endif
