/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_POOLS_H
#define NETWORK_POOLS_H
/* Where subnets come from when nobody says. Touches nothing. */
#include "sys/ip.h"

#include <stddef.h>

/* Subnets of LEN bits are cut from BASE. */
struct network_space {
	struct ip_prefix base;
	uint8_t len;
};

#define NETWORK_MAX_SPACES     64
#define NETWORK_DEFAULT_SPACES 16

/* docker's own: 172.17.0.0/16 and the 14 that follow, then 192.168.0.0/16 in sixteenths. Fills RET;
 * their number. */
size_t network_default_spaces(struct network_space ret[static NETWORK_DEFAULT_SPACES]);
/* The /48 of unique local addresses (RFC 4193) that belongs to SEED, in /64s. */
struct network_space network_local_space(const char *seed);

/* The first subnet of SPACES, of those of FAMILY, that has no address in common with any of TAKEN;
 * 0 or -ENOSPC. */
int network_choose_subnet(const struct network_space *spaces, size_t n_spaces, int family,
			  const struct ip_prefix *taken, size_t n_taken, struct ip_prefix *ret);

#endif
