/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHANGE_H
#define STORAGE_CHANGE_H
/*
 * The Dockerfile instructions that `import -c` and `commit -c` take: CMD ENTRYPOINT ENV EXPOSE
 * HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR.
 */
#include "base/err.h"

struct image_run;

/* Applies one instruction as docker's builder would: JSON and shell forms, quotes, $variables of
 * the image's own environment. ERR_INVALID: "RUN is not a valid change command", or what is wrong
 * with it. */
int change_apply(const char *line, struct image_run *run, struct err *err);

#endif
