/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SCRIPT_H
#define ENGINE_SCRIPT_H
/* The dry run: what `run` would do, as a script for sh. */
#include "engine/create.h"

struct str;

/* Appends a script that runs SPEC's container with a shell's own means and leaves nothing. Changes
 * nothing: not even a bundled image that was never used is unpacked. */
int engine_script(struct engine *engine, const struct container_spec *spec, engine_notice_fn notice,
		  struct str *out, struct err *err);

#endif
