/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_CACHE_H
#define BUILD_RUN_CACHE_H
/* RUN --mount=type=cache: a directory that outlives the step and is in no image. */
#include "base/err.h"

struct plan;
struct run_place;

/* Opens the cache of P: 0; 1 when somebody else has it and it must be had alone; -code. */
int run_cache_prepare(struct run_place *p, struct err *err);
/* Adds the step in the child that takes what is mounted. */
void run_cache_plan(struct plan *plan, struct run_place *p);
/* Lets the cache go. */
void run_cache_done(struct run_place *p);

#endif
