/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_HOST_LINES_H
#define ENGINE_HOST_LINES_H
/*
 * The lines of a container's /etc/hosts that depend on where it is: its own addresses, and that of
 * its gateway where somebody asked for a name of it (--add-host NAME:host-gateway). They change at
 * each start, connect and disconnect; what else is in the file stays.
 */
#include "base/str.h"

struct err;
struct live_network;
struct oci_runtime_config;

/* Appends to LINES what is true while the container of CONFIG has the endpoints of LIVE:
 * "ADDRESS\tNAMES". */
void host_lines_add(const struct oci_runtime_config *config, const struct live_network *live,
		    struct strv *lines);
/* Puts LINES in place of earlier ones in the file "hosts" of directory DIR_FD; IS_NEW: there are
 * none yet. The file stays the same one, since a running container has it mounted. 0 or -code. */
int host_lines_update(int dir_fd, const struct oci_runtime_config *config, const struct strv *lines,
		      bool is_new, struct err *err);

#endif
