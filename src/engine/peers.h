/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PEERS_H
#define ENGINE_PEERS_H
/* The other containers that a specification names have to be there. */
#include "engine/engine.h"

struct container_spec;
struct strv;

/* Checks --link, and the "container:NAME" of --network, --pid, --ipc and --uts, with docker's
 * words; a NAME becomes the id, which stays when the other is renamed. WARNINGS says what links
 * cannot do. Whether the others run is asked at the start. */
int peers_check(struct engine *engine, struct container_spec *spec, struct strv *warnings,
		struct err *err);

#endif
