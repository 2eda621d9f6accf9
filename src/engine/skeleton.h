/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SKELETON_H
#define ENGINE_SKELETON_H
/*
 * The lowest layer of every container: empty places for what the engine mounts (/proc, /sys, /dev,
 * /etc/hosts and its sisters). Whatever an image has of its own lies above it and counts. Without
 * it each start would make these places in the container's own layer, which takes copying /etc up:
 * half a millisecond, and files in the layer that the container never wrote.
 */
#include "engine/engine.h"

struct strv;

/* Appends the skeleton's directory to LOWERS, making it first where it is missing. */
int skeleton_add(struct engine *engine, struct strv *lowers, struct err *err);

#endif
