/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H
/*
 * Messages of the domain name system (RFC 1035, EDNS: RFC 6891): reading the one question of a
 * query, and writing answers to it. Nothing is allocated, and every byte read is checked against
 * the message's end first.
 */
#include "sys/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_LEN 12
#define DNS_NAME_MAX   256 /* of text with its NUL; 255 bytes on the wire */
#define DNS_UDP_MIN    512
/* What an answer by UDP may have where more is offered: no fragments (DNS flag day 2020). */
#define DNS_UDP_MAX 1232
#define DNS_TCP_MAX 65535
#define DNS_TTL	    600 /* seconds; docker's */

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_ANY = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

#define DNS_CLASS_IN 1

struct dns_query {
	uint16_t id, flags;
	uint16_t type, class;
	uint16_t udp_size; /* the longest answer that may come back by UDP */
	bool has_edns;
	bool has_plain_name;	 /* no label has a dot or a control character in it */
	size_t question_len;	 /* bytes from DNS_HEADER_LEN on; 0 when it could not be read */
	char name[DNS_NAME_MAX]; /* small letters, dots between labels; "" is the root */
};

/* Not worth an answer: no query at all. */
#define DNS_DROP (-1)
/* Reads the query PACKET. 0; DNS_DROP; or the rcode of the answer that it deserves, in which case
 * RET holds what dns_answer_begin needs. */
int dns_query_parse(const uint8_t *packet, size_t len, struct dns_query *ret);

/* Whether PACKET is an answer, under ID, to the question of QUERY (a query of QUERY_LEN bytes that
 * dns_query_parse took). */
bool dns_is_answer(const uint8_t *packet, size_t len, uint16_t id, const uint8_t *query,
		   size_t query_len);
/* Rcode of a message of at least DNS_HEADER_LEN bytes. */
enum dns_rcode dns_get_rcode(const uint8_t *packet);
uint16_t dns_get_id(const uint8_t *packet);
void dns_set_id(uint8_t *packet, uint16_t id);

/* An answer while it is written. */
struct dns_answer {
	uint8_t *buf; /* borrowed */
	size_t len, cap;
	uint16_t n;
	bool is_full; /* something did not fit: the answer is marked as truncated */
	bool has_edns;
};

/* Begins the answer to QUERY, which was read from PACKET, in BUF of CAP >= DNS_UDP_MIN bytes. */
void dns_answer_begin(struct dns_answer *answer, uint8_t *buf, size_t cap, const uint8_t *packet,
		      const struct dns_query *query);
/* Adds an A or AAAA record, by ADDR's family, for the question's name. */
void dns_answer_add_address(struct dns_answer *answer, const struct ip_addr *addr);
/* Adds a PTR record to NAME (text); one that is no name is left out. */
void dns_answer_add_pointer(struct dns_answer *answer, const char *name);
/* Completes it; its length. */
size_t dns_answer_end(struct dns_answer *answer, enum dns_rcode rcode);

/* The address that a name below in-addr.arpa or ip6.arpa stands for; false for any other name. */
bool dns_parse_reverse(const char *name, struct ip_addr *ret);

#endif
