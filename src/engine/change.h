/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H
/*
 * The Dockerfile instructions that `import -c` and `commit -c` take: CMD ENTRYPOINT ENV EXPOSE
 * HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR.
 */
#include "base/err.h"

struct image_run;
struct strv;

/* Applies CHANGES, which together are one Dockerfile: each item is one or several lines or a part
 * of one. None at all change nothing. Variables are those of RUN's own environment. ERR_INVALID
 * with the builder's words, or "run is not a valid change command"; RUN may then be half changed.
 */
int changes_apply(const struct strv *changes, struct image_run *run, struct err *err);

#endif
