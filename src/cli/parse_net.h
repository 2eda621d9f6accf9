/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_NET_H
#define CLI_PARSE_NET_H
/*
 * Values of the network options and of --filter. Only syntax: whether a network exists or a port is
 * free is the engine's question. Nothing here resolves a name. All return 0 or -ERR_INVALID with
 * docker's texts.
 */

struct container_spec;
struct err;

/* Checks for lists. */
int dns_option_check(void *field, const char *value, struct err *err);
int dns_search_option_check(void *field, const char *value, struct err *err);

int host_option_set(void *strv, const char *value, struct err *err);	/* "name:ip", "name=ip" */
int filter_option_set(void *strv, const char *value, struct err *err);	/* "key=value", key lower */

/* --expose: PORT[-PORT][/PROTO], appended to spec->expose as "80/tcp"; the same port may stand
 * there twice. */
int expose_parse(struct container_spec *spec, const char *value, struct err *err);
/* -p: [[IP:][HOST]:]CONTAINER[/PROTO] with ranges, or published=..,target=..,protocol=.. */
int publish_parse(struct container_spec *spec, const char *value, struct err *err);

#endif
