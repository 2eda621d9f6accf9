/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing subnets: what overlaps something is stepped over as a whole, however large it is. */
#include "network/pools.h"

#include "base/sha256.h"

#include <errno.h>
#include <string.h>

#define V4_LAST_CLASS_B 31
#define ULA_RANDOM	5 /* bytes of a unique local prefix behind 0xfd */

size_t network_default_spaces(struct network_space ret[static NETWORK_DEFAULT_SPACES])
{
	size_t n = 0;

	for (uint8_t i = 17; i <= V4_LAST_CLASS_B; i++)
		ret[n++] = (struct network_space){
			.base = {.addr = {.family = IP_V4, .bytes = {172, i}}, .len = 16},
			.len = 16};
	ret[n++] = (struct network_space){
		.base = {.addr = {.family = IP_V4, .bytes = {192, 168}}, .len = 16}, .len = 20};
	return n;
}

struct network_space network_local_space(const char *seed)
{
	struct network_space ret = {.base = {.addr = {.family = IP_V6, .bytes = {0xfd}}, .len = 48},
				    .len = 64};
	uint8_t digest[SHA256_LEN];
	struct sha256 h;

	sha256_init(&h);
	sha256_update(&h, seed, strlen(seed));
	sha256_final(&h, digest);
	memcpy(ret.base.addr.bytes + 1, digest, ULA_RANDOM);
	return ret;
}

static const struct ip_prefix *find_overlap(const struct ip_prefix *subnet,
					    const struct ip_prefix *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_is_overlapping(subnet, &taken[i]))
			return &taken[i];
	return NULL;
}

static int choose_in(const struct network_space *space, const struct ip_prefix *taken,
		     size_t n_taken, struct ip_prefix *ret)
{
	struct ip_prefix subnet = {.addr = ip_first(&space->base), .len = space->len};

	while (ip_is_in(&subnet.addr, &space->base)) {
		const struct ip_prefix *in_way = find_overlap(&subnet, taken, n_taken);
		struct ip_addr last = {};
		struct ip_addr next = {};

		if (!in_way) {
			*ret = subnet;
			return 0;
		}
		last = ip_last(in_way->len < subnet.len ? in_way : &subnet);
		next = ip_add(&last, 1);
		/* Round the end of all addresses. */
		if (ip_compare(&next, &subnet.addr) <= 0)
			break;
		subnet.addr = next;
	}
	return -ENOSPC;
}

int network_choose_subnet(const struct network_space *spaces, size_t n_spaces, int family,
			  const struct ip_prefix *taken, size_t n_taken, struct ip_prefix *ret)
{
	for (size_t i = 0; i < n_spaces; i++)
		if (spaces[i].base.addr.family == family &&
		    choose_in(&spaces[i], taken, n_taken, ret) == 0)
			return 0;
	return -ENOSPC;
}
