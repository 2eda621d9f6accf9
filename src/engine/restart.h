/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_RESTART_H
#define ENGINE_RESTART_H
/* Restart policies as the verbs see them. */
#include "engine/engine.h"
#include "engine/state.h"
#include "storage/container.h"

/* The policy in ROW's HostConfig (with its JSON columns). */
struct restart_rule restart_rule_read(const struct container_row *row);

/* Tells the monitor of container ID that a person stops it (MARKS of enum restart_mark), and reads
 * its state afterwards into STATE: one that waited to be started again has ended then, if MARKS
 * cancel that. One whose monitor was killed is settled first, unless the caller holds its entry
 * (IS_HELD). One that just ended has nobody to be told; a monitor that takes no client for ten
 * seconds is not waited for any longer. */
void container_set_stopping(struct engine *engine, const char *id, unsigned marks, bool is_held,
			    struct container_state *state);

#endif
