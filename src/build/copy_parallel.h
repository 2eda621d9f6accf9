/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_COPY_PARALLEL_H
#define BUILD_COPY_PARALLEL_H
/* Many small pieces of work on all processors. */
#include "base/err.h"

#include <stddef.h>

/* Does piece I of the work; in any thread. 0 or -code. */
typedef int (*copy_piece_fn)(void *ctx, size_t i, struct err *err);

/* Calls FN for 0 to N-1, in no order, in this thread and, when N is worth it, in others that have
 * ended when this returns. The first error ends it. */
int copy_parallel(size_t n, copy_piece_fn fn, void *ctx, struct err *err);

#endif
