/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCH_CONFINE_H
#define FETCH_CONFINE_H
/*
 * What the downloader gives up before it says the first word to a server: every capability, the
 * user, the right to become more, all files but those that say where names and authorities are, and
 * all system calls but those of a client.
 */
#include "base/err.h"

#include <sys/types.h>

/* Gives all that up. Fails when PARENT is not the parent any more: then nobody waits. */
int confine(pid_t parent, struct err *err);

#endif
