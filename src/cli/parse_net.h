/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_NET_H
#define CLI_PARSE_NET_H
/*
 * Values of the network options and of --filter. Only syntax: whether a network exists or a port is
 * free is the engine's question. Nothing here resolves a name. All return 0 or -ERR_INVALID with
 * docker's texts.
 */

struct err;

/* Checks for lists. */
int dns_option_check(void *field, const char *value, struct err *err);
int dns_search_option_check(void *field, const char *value, struct err *err);

int host_option_set(void *strv, const char *value, struct err *err);   /* "name:ip", "name=ip" */
int filter_option_set(void *strv, const char *value, struct err *err); /* "key=value", key lower */

#endif
