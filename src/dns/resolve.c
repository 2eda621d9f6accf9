/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a question: names of the container's networks are answered here, everything else
 * is somebody else's, unless the container has no way out.
 */
#include "dns/names.h"
#include "dns/server.h"

#include <string.h>

size_t resolve_error(const uint8_t *packet, size_t len, enum dns_rcode rcode,
		     uint8_t buf[static DNS_UDP_MIN])
{
	struct dns_query query;
	struct dns_answer answer;

	if (dns_query_parse(packet, len, &query) == DNS_DROP)
		return 0;
	dns_answer_begin(&answer, buf, DNS_UDP_MIN, packet, &query);
	return dns_answer_end(&answer, rcode);
}

static void add_address(void *ctx, const struct ip_addr *addr)
{
	dns_answer_add_address(ctx, addr);
}

/* A name that is known has no records but addresses: other types get an empty answer. */
static bool answer_name(struct container *c, const struct dns_query *query,
			struct dns_answer *answer)
{
	uint8_t family = query->type == DNS_TYPE_A	? IP_V4
			 : query->type == DNS_TYPE_AAAA ? IP_V6
							: IP_NONE;

	return names_lookup(c->server->names, c->id, query->name, family,
			    family ? add_address : NULL, answer) == NAME_FOUND;
}

static bool answer_address(struct container *c, const struct dns_query *query,
			   struct dns_answer *answer)
{
	struct ip_addr addr;
	const char *name = NULL;

	if (dns_parse_reverse(query->name, &addr))
		name = names_lookup_address(c->server->names, c->id, &addr);
	if (name)
		dns_answer_add_pointer(answer, name);
	return name != NULL;
}

/* Looks again before a name counts as unknown. */
static bool answer_here(struct container *c, const struct dns_query *query,
			struct dns_answer *answer)
{
	if (query->class != DNS_CLASS_IN || !query->has_plain_name)
		return false;
	for (int again = 0; again < 2; again++) {
		names_refresh(c->server->names, again > 0);
		if (query->type == DNS_TYPE_PTR ? answer_address(c, query, answer)
						: answer_name(c, query, answer))
			return true;
	}
	return false;
}

enum resolved resolve(struct container *c, const uint8_t *packet, size_t len, bool is_tcp,
		      uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct dns_query query;
	struct dns_answer answer;
	int rcode = dns_query_parse(packet, len, &query);

	if (rcode == DNS_DROP)
		return RESOLVED_DROP;
	if (!is_tcp && cap > query.udp_size)
		cap = query.udp_size;
	dns_answer_begin(&answer, buf, cap, packet, &query);
	if (rcode == 0 && !answer_here(c, &query, &answer)) {
		if (c->forwards && c->n_upstreams)
			return RESOLVED_FORWARD;
		rcode = c->forwards ? DNS_SERVFAIL : DNS_REFUSED;
	}
	*ret_len = dns_answer_end(&answer, (enum dns_rcode)rcode);
	return RESOLVED_ANSWER;
}
