/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_NAMES_H
#define MONITOR_NAMES_H
/*
 * The names of a running container: COMPANION_DNS. The monitor keeps the sockets behind
 * 127.0.0.11:53 that lie in the container's network namespace, and the connection over which the
 * name server of a network got copies of them (network/name_server.h). When that connection ends
 * before the container does, the name server is dead: the monitor connects again, starts another if
 * nobody has yet, and hands the sockets over once more. What was asked meanwhile waits in them.
 *
 * Whom to connect to, and what to say, stands in a file of the container's run directory; a command
 * that changes it says so with another payload.
 */
#include "monitor/companion.h"

struct err;
struct monitor;
struct name_service;

#define NAMES_FILE "names"

/* The payload: a key that is always the same, and a number that is not. */
#define NAMES_KEY_LEN	  1
#define NAMES_PAYLOAD_LEN 2

extern const struct companion_ops names_ops;

/* Has MONITOR keep the sockets and the connection of SERVICE, which has neither afterwards; for a
 * start callback, after the plan. 0 or -errno. */
int names_keep(struct monitor *monitor, struct name_service *service);

#endif
