/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHANGE_H
#define STORAGE_CHANGE_H
/*
 * The Dockerfile instructions that `import -c` and `commit -c` take: CMD ENTRYPOINT ENV EXPOSE
 * HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR.
 */
#include "base/err.h"

struct image_run;
struct strv;

/* Applies one instruction as docker's builder would: JSON and shell forms, quotes, $variables of
 * the image's own environment. ERR_INVALID: "run is not a valid change command", or what is wrong
 * with it. */
int change_apply(const char *line, struct image_run *run, struct err *err);

/* Applies CHANGES, which together are one Dockerfile: each item is one or several lines or a part
 * of one. None at all change nothing. ERR_INVALID with the builder's words. */
int changes_apply(const struct strv *changes, struct image_run *run, struct err *err);

#endif
