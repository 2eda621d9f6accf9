/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_INSPECT_NETWORK_H
#define ENGINE_INSPECT_NETWORK_H
/* NetworkSettings of inspect: what a container asked of networks, and what it has of them now. */
#include "engine/engine.h"

#include <jansson.h>

struct container_row;
struct container_state;

/* docker's object for the container of ROW, whose stored Config is CONFIG and whose state is STATE:
 * a new reference in RET. 0 or -code. */
int network_settings_to_json(struct engine *engine, const struct container_row *row,
			     const json_t *config, const struct container_state *state,
			     json_t **ret, struct err *err);

#endif
