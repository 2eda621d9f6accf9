/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_PORT_H
#define CLI_PARSE_PORT_H
/*
 * Values of --publish and --expose. Only syntax: whether a port is free is the engine's question.
 * All return 0 or -ERR_INVALID with docker's texts.
 */
#include <stdint.h>

struct container_spec;
struct err;

/* --expose: PORT[-PORT][/PROTO], appended to spec->expose as "80/tcp"; the same port may stand
 * there twice. */
int expose_parse(struct container_spec *spec, const char *value, struct err *err);
/* -p, appended to spec->ports: [[IP:][HOST[-HOST]]:]CONTAINER[-CONTAINER][/PROTO], or
 * published=..,target=..,protocol=..,host_ip=... An IPv6 address may stand in brackets or without
 * them. One range of host ports for one container port means any of them; two ranges are of one
 * length, and one binding for each pair. */
int publish_parse(struct container_spec *spec, const char *value, struct err *err);
/* PORT[/PROTO] of `port` and --publish-rm: RET_PROTO is TCP where none is said and points into
 * VALUE, or at a constant, otherwise. */
int private_port_parse(const char *value, uint16_t *ret_port, const char **ret_proto,
		       struct err *err);

#endif
