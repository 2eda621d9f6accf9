/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H
/*
 * What the owner of a host has decided for all containers: lines "key = value" of
 * /etc/tare/tare.conf, or of the file that TARE_CONFIG names (docs/configuration.md). Read only by
 * the commands that need it, and anew by each: there is nobody to reload it.
 */
#include "base/err.h"
#include "sys/ip.h"

#include <stdbool.h>
#include <stddef.h>

/* Where networks get their subnets from: subnets of SIZE bits out of BASE. */
struct settings_pool {
	struct ip_prefix base;
	uint8_t size;
};

struct settings {
	struct ip_addr
		default_ip; /* where ports are published when nobody says; none: everywhere */
	bool is_firewall_respected;  /* published ports pass the host's own input rules */
	struct settings_pool *pools; /* owned; empty: the built-in ones */
	size_t n_pools;
};

/* Frees what is inside; a zeroed one is fine. */
void settings_done(struct settings *settings);
#define cleanup_settings __attribute__((cleanup(settings_done)))

/* Reads the file; without one all is as it is by default. RET must be all zero. 0, ERR_INVALID
 * "FILE:LINE: ..." for a key or value that is not known, ERR_* when the file cannot be read. */
int settings_load(struct settings *ret, struct err *err);
/* The same from TEXT; NAME is what errors call it. */
int settings_parse(const char *text, const char *name, struct settings *ret, struct err *err);

#endif
