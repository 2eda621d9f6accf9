/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PORTS_H
#define ENGINE_PORTS_H
/*
 * Which ports a container was asked to publish, as plain data: from a specification, from the
 * index, and back.
 */
#include "base/err.h"
#include "engine/spec.h"

#include <jansson.h>

struct port_list {
	struct port_spec *items; /* owned */
	size_t n;
};

/* Frees everything; a zeroed one is fine. */
void port_list_done(struct port_list *list);
#define cleanup_port_list __attribute__((cleanup(port_list_done)))

/* Appends a copy of PORT. */
void port_list_add(struct port_list *list, const struct port_spec *port);
/* What a start publishes: N bindings PORTS and, with ALL, each of EXPOSED ("80/tcp") that has none,
 * on a port of the kernel's choice. Appended to RET. */
void port_list_fill(struct port_list *ret, const struct port_spec *ports, size_t n, bool all,
		    const struct strv *exposed);
/* The bindings of docker's HOST, an object HostConfig; appended to RET. What is no binding is left
 * out. */
void port_list_read_bindings(struct port_list *ret, const json_t *host);
/* What a start of the container publishes whose HostConfig and Config are these texts; RET_EXPOSED
 * gets "80/tcp" for each port that is exposed. 0 or -ERR_INVALID. Nothing is parsed where there is
 * nothing. */
int port_list_read(struct port_list *ret, const char *host, const char *config,
		   struct strv *ret_exposed, struct err *err);
/* A new object PortBindings. */
json_t *port_list_to_json(const struct port_list *list);
/* Whether both are bindings of one container port to the same address and port. */
bool port_spec_is_equal(const struct port_spec *a, const struct port_spec *b);
/* "0.0.0.0:8080:80/tcp" as a person would type it. Owned. */
char *port_spec_format(const struct port_spec *port);

#endif
