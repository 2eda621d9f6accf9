/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_ENDPOINT_H
#define CLI_PARSE_ENDPOINT_H
/*
 * How a container's place in a network is said: `--network NAME`, its long form with fields, the
 * flags of run that mean its first network, and those of `network connect`. Only syntax; all return
 * 0 or -ERR_INVALID with docker's texts.
 */
#include "base/str.h"

#include <stdint.h>

struct container_spec;
struct endpoint_request;
struct err;

/* Flags beside --network, as typed. */
struct endpoint_options {
	char *ip4, *ip6, *mac; /* owned; NULL when not said */
	struct strv aliases, link_local;
};

/* Frees what is inside; a zeroed one is fine. */
void endpoint_options_done(struct endpoint_options *options);

/* option_set for --network: FIELD is the struct container_spec. NAME, or
 * name=NAME,alias=..,ip=..,ip6=..,mac-address=..,link-local-ip=..,driver-opt=..,gw-priority=.. */
int network_option_set(void *field, const char *value, struct err *err);
/* Gives the first network of SPEC (the default one, when none was said) what OPTIONS and its links
 * say. */
int endpoint_options_apply(struct container_spec *spec, const struct endpoint_options *options,
			   struct err *err);

/* Sets an address of REQUEST from its text; NULL and "" set nothing. One that is none is noted in
 * request->wrong. */
void endpoint_set_ip4(struct endpoint_request *request, const char *text);
void endpoint_set_ip6(struct endpoint_request *request, const char *text);
/* Adds link-local addresses in the same way. */
void endpoint_add_link_local(struct endpoint_request *request, const struct strv *texts);
/* Adds "key=value". */
int endpoint_add_driver_option(struct endpoint_request *request, const char *text, struct err *err);

#endif
