/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_RESOLV_H
#define ENGINE_RESOLV_H
/*
 * A container's /etc/resolv.conf. Without names of its own it has the host's name servers, but for
 * those on loopback, which mean another machine inside, and what --dns and its sisters say; on a
 * network with names it has the network's name server, which asks those others for it.
 */
#include "base/str.h"

#include <stdbool.h>

struct container_spec;
struct err;
struct oci_runtime_config;

/* --dns, --dns-search, --dns-option. */
struct resolv_request {
	struct strv servers, search, options;
};
void resolv_request_done(struct resolv_request *request);
#define cleanup_resolv_request __attribute__((cleanup(resolv_request_done)))

/* What SPEC asks for: copied into RET (all zero). */
void resolv_request_from_spec(const struct container_spec *spec, struct resolv_request *ret);
/* The same as text for the container's annotations, owned; NULL when nothing was asked for. */
char *resolv_request_format(const struct container_spec *spec);
/* The same from those of CONFIG; nothing there is nothing asked for. */
void resolv_request_from_config(const struct oci_runtime_config *config,
				struct resolv_request *ret);

/* What the container sees. */
enum resolv_kind {
	RESOLV_HOST,	/* the host's network: all of the host's file */
	RESOLV_PRIVATE, /* a network of its own: no server on loopback */
	RESOLV_NAMES,	/* the network's name server */
};
/* Appends the file's text to OUT. */
void resolv_add(const struct resolv_request *request, enum resolv_kind kind, struct str *out);
/* Writes the file in the container's directory DIR_FD, in place, unless it is so already: a running
 * container has it mounted. 0 or -code. */
int resolv_write(int dir_fd, const struct oci_runtime_config *config, enum resolv_kind kind,
		 struct err *err);

#endif
