/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_EXPOSE_H
#define ENGINE_EXPOSE_H
/* The ports of EXPOSE, in a Dockerfile and in a change of commit or import. */
#include "base/err.h"
#include "base/str.h"

/* Appends "80/tcp" for each port of SPEC ("8000-8002/udp", "127.0.0.1:80:80"). */
int expose_ports_parse(const char *spec, struct strv *ret, struct err *err);

#endif
