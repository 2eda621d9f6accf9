/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_BOOT_H
#define ENGINE_BOOT_H
/* What should run after a reboot. */
#include "base/str.h"
#include "engine/engine.h"

/* Adds to RET the ids of the containers to be started when the machine comes up, in order: as they
 * were created, but after those whose namespaces or volumes they use. A container that runs, or
 * that never did, is not among them. What the last boot cut off is settled on the way. 0 or -code.
 */
int engine_list_boot(struct engine *engine, struct strv *ret, struct err *err);

#endif
