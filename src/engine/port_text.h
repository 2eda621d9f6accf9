/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PORT_TEXT_H
#define ENGINE_PORT_TEXT_H
/*
 * Published ports of running containers as people see them: the column of ps, the lines of `port`.
 *
 * `ps` does not parse network.json for each container that runs: its column stands ready made in
 * the file "ports" beside it, which is there while there is something to show.
 */
#include "base/err.h"
#include "base/str.h"
#include "network/live.h"

struct engine;

#define PORTS_FILE_NAME "ports"

struct port_range {
	uint16_t first, last;
};

/* "80" or "80-90". ERR_INVALID with the words of docker's library. */
int port_range_parse(const char *text, struct port_range *ret, struct err *err);
/* Takes "80-90/udp" apart: owned "80-90"; *RET_PROTO, "tcp" where none is said, points into TEXT or
 * is static. */
char *port_split_proto(const char *text, const char **ret_proto);

/* The column PORTS: ports of LIVE that lead from a host's port, and those of EXPOSED ("80/tcp")
 * that are not published; neighbours with equal numbers outside and inside are joined. Owned. */
char *port_text_column(const struct live_network *live, const struct strv *exposed);
/* Writes that to the run directory STATE_DIR, or removes it when it is empty. 0 or -code. */
int port_text_write(int state_dir, const struct live_network *live, const struct strv *exposed,
		    struct err *err);
/* Reads it for the running container ID: owned, "" when there is none. */
char *port_text_read(const struct engine *engine, const char *id);
/* One line "80/tcp -> 0.0.0.0:8080" for each port, or, where PROTO is not NULL, the addresses alone
 * of that port; in no order. Appended to RET. */
void port_text_lines(const struct live_network *live, uint16_t port, const char *proto,
		     struct strv *ret);

#endif
