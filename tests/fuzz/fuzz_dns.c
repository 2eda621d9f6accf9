/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the domain name system. The first byte is how long the second message is: a question
 * and something that came back for it. No input may crash, what is taken as a question is answered
 * with one of its own size at most, and an answer made for a question is one to it. */
#include "base/mem.h"
#include "dns/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(const uint8_t *packet, size_t len, const struct dns_query *query)
{
	uint8_t buf[DNS_UDP_MAX];
	struct dns_answer a;
	struct dns_query again;
	size_t n = 0;

	dns_answer_begin(&a, buf, query->udp_size, packet, query);
	for (uint8_t i = 0; i < 100; i++)
		dns_answer_add_address(&a, &(struct ip_addr){IP_V6, {0xfd, i}});
	dns_answer_add_pointer(&a, query->name);
	n = dns_answer_end(&a, DNS_NOERROR);
	if (n > query->udp_size || !dns_is_answer(buf, n, query->id, packet, len))
		abort();
	/* Its question can be read again, once it is no answer any more. */
	buf[2] &= 0x7f;
	buf[6] = buf[7] = buf[10] = buf[11] = 0;
	if (dns_query_parse(buf, n, &again) != 0 || again.type != query->type)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t second = size ? data[0] : 0;
	size_t first = size > second + 1 ? size - second - 1 : 0;
	/* Of their exact lengths: a byte read too many is found. */
	cleanup_free uint8_t *packet = NULL;
	cleanup_free uint8_t *other = NULL;
	struct dns_query query;
	struct ip_addr addr;

	if (!first)
		return 0;
	packet = mem_dup(data + 1, first);
	other = mem_dup(data + 1 + first, second);
	if (dns_query_parse(packet, first, &query) != 0)
		return 0;
	answer(packet, first, &query);
	dns_is_answer(other, second, query.id, packet, first);
	dns_parse_reverse(query.name, &addr);
	return 0;
}
