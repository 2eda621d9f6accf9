/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_SSH_H
#define BUILD_RUN_SSH_H
/* RUN --mount=type=ssh: the user's SSH agent, behind a socket of the step's own. */
#include "base/err.h"

#include <stddef.h>

struct plan;
struct run_place;

/* Which of the step's mounts of an agent P is, from 0. */
size_t run_ssh_number(const struct run_place *p);
/* Finds the agent of P, makes the socket, has a process serve it, and sets SSH_AUTH_SOCK for the
 * step. P->socket stays NULL where there is none and none is required. 0 or -code. */
int run_ssh_prepare(struct run_place *p, struct err *err);
/* Adds the step in the child that takes the socket. */
void run_ssh_plan(struct plan *plan, struct run_place *p);
/* Ends that process. */
void run_ssh_done(struct run_place *p);

#endif
