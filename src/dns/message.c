/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing messages. The one name that is read is the question's, in which nothing
 * precedes it that a compression pointer could point to: a pointer there is an error. Names of
 * other records are only stepped over, and a pointer ends them; so nothing here can loop.
 */
#include "dns/message.h"

#include "base/mem.h"

#include <string.h>

#define FLAG_ANSWER	0x8000
#define FLAG_TRUNCATED	0x0200
#define FLAG_WANTS	0x0100 /* recursion desired, copied */
#define FLAG_OFFERS	0x0080 /* recursion available */
#define FLAG_NO_CHECK	0x0010 /* checking disabled, copied */
#define MASK_OPCODE	0x7800
#define MASK_RCODE	0x000f
#define LABEL_MAX	63
#define WIRE_NAME_MAX	255
#define OPT_LEN		11
#define POINTER		0xc0
#define POINTER_TO_NAME 0xc00c /* the question's name stands behind the header */
/* A query has an OPT record, perhaps a signature: more records than this are somebody's joke. */
#define MAX_RECORDS 16

/* ---- bytes ---- */

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_u16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

enum dns_rcode dns_get_rcode(const uint8_t *packet)
{
	return (enum dns_rcode)(packet[3] & MASK_RCODE);
}

uint16_t dns_get_id(const uint8_t *packet)
{
	return get_u16(packet);
}

void dns_set_id(uint8_t *packet, uint16_t id)
{
	put_u16(packet, id);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ---- reading ---- */

/* Steps over the name at AT; its end, or 0 when the message ends first. */
static size_t skip_name(const uint8_t *packet, size_t len, size_t at)
{
	while (at < len) {
		uint8_t label = packet[at];

		if ((label & POINTER) == POINTER)
			return at + 2 <= len ? at + 2 : 0;
		if (label > LABEL_MAX)
			return 0;
		at += 1 + (size_t)label;
		if (label == 0)
			return at;
	}
	return 0;
}

/* Adds the label of LEN bytes at P to the text. */
static void add_label(struct dns_query *q, size_t *used, const uint8_t *p, size_t len)
{
	if (*used)
		q->name[(*used)++] = '.';
	for (size_t i = 0; i < len; i++) {
		if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '.')
			q->has_plain_name = false;
		q->name[(*used)++] = lower((char)p[i]);
	}
}

/* Reads the question's name; the end of the name, or 0. */
static size_t read_name(const uint8_t *packet, size_t len, struct dns_query *q)
{
	size_t at = DNS_HEADER_LEN;
	size_t used = 0;

	q->has_plain_name = true;
	while (at < len) {
		size_t label = packet[at++];

		if (label == 0) {
			q->name[used] = '\0';
			return at;
		}
		/* With the labels so far, this one's length, and the root's. */
		if (label > LABEL_MAX || label > len - at ||
		    at - DNS_HEADER_LEN + label + 1 > WIRE_NAME_MAX)
			return 0;
		add_label(q, &used, packet + at, label);
		at += label;
	}
	return 0;
}

/* One record at *AT; false when it is cut short. */
static bool read_record(const uint8_t *packet, size_t len, size_t *at, struct dns_query *q)
{
	size_t p = skip_name(packet, len, *at);
	size_t data = 0;

	if (p == 0 || len - p < 10)
		return false;
	data = get_u16(packet + p + 8);
	if (data > len - p - 10)
		return false;
	if (get_u16(packet + p) == DNS_TYPE_OPT) {
		uint16_t size = get_u16(packet + p + 2);

		q->has_edns = true;
		q->udp_size = size < DNS_UDP_MIN   ? DNS_UDP_MIN
			      : size > DNS_UDP_MAX ? DNS_UDP_MAX
						   : size;
	}
	*at = p + 10 + data;
	return true;
}

int dns_query_parse(const uint8_t *packet, size_t len, struct dns_query *ret)
{
	size_t at = 0;
	unsigned n = 0;

	if (len < DNS_HEADER_LEN)
		return DNS_DROP;
	ret->id = get_u16(packet);
	ret->flags = get_u16(packet + 2);
	ret->type = ret->class = 0;
	ret->question_len = 0;
	ret->udp_size = DNS_UDP_MIN;
	ret->has_edns = false;
	ret->name[0] = '\0';
	if (ret->flags & FLAG_ANSWER)
		return DNS_DROP;
	if (ret->flags & MASK_OPCODE)
		return DNS_NOTIMP;
	at = get_u16(packet + 4) == 1 ? read_name(packet, len, ret) : 0;
	if (at == 0 || len - at < 4)
		return DNS_FORMERR;
	ret->type = get_u16(packet + at);
	ret->class = get_u16(packet + at + 2);
	at += 4;
	ret->question_len = at - DNS_HEADER_LEN;
	n = (unsigned)get_u16(packet + 6) + get_u16(packet + 8) + get_u16(packet + 10);
	if (n > MAX_RECORDS)
		return DNS_FORMERR;
	for (; n > 0; n--)
		if (!read_record(packet, len, &at, ret))
			return DNS_FORMERR;
	return 0;
}

/* Whether both messages have the same question, whatever the case of its letters. */
static bool has_same_question(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t end = skip_name(b, b_len, DNS_HEADER_LEN);

	if (end == 0 || b_len - end < 4 || a_len < end + 4)
		return false;
	/* A length is below 64, where no letter is. */
	for (size_t i = DNS_HEADER_LEN; i < end; i++)
		if (lower((char)a[i]) != lower((char)b[i]))
			return false;
	return memcmp(a + end, b + end, 4) == 0;
}

bool dns_is_answer(const uint8_t *packet, size_t len, uint16_t id, const uint8_t *query,
		   size_t query_len)
{
	if (len < DNS_HEADER_LEN || get_u16(packet) != id || !(get_u16(packet + 2) & FLAG_ANSWER) ||
	    ((packet[2] ^ query[2]) & (MASK_OPCODE >> 8)))
		return false;
	/* Who did not understand the question need not repeat it. */
	if (get_u16(packet + 4) == 0)
		return dns_get_rcode(packet) != DNS_NOERROR;
	return get_u16(packet + 4) == 1 && has_same_question(packet, len, query, query_len);
}

/* ---- writing ---- */

void dns_answer_begin(struct dns_answer *answer, uint8_t *buf, size_t cap, const uint8_t *packet,
		      const struct dns_query *query)
{
	unsigned kept = query->flags & (MASK_OPCODE | FLAG_WANTS | FLAG_NO_CHECK);

	*answer = (struct dns_answer){.buf = buf, .cap = cap, .has_edns = query->has_edns};
	memset(buf, 0, DNS_HEADER_LEN);
	put_u16(buf, query->id);
	put_u16(buf + 2, FLAG_ANSWER | FLAG_OFFERS | kept);
	put_u16(buf + 4, query->question_len ? 1 : 0);
	/* At most 12 + 255 + 4 bytes. */
	if (query->question_len)
		memcpy(buf + DNS_HEADER_LEN, packet + DNS_HEADER_LEN, query->question_len);
	answer->len = DNS_HEADER_LEN + query->question_len;
	if (answer->has_edns)
		answer->cap -= OPT_LEN;
}

/* Room for a record with LEN bytes of data, whose head is filled in; NULL when it is full. */
static uint8_t *add_record(struct dns_answer *answer, enum dns_type type, size_t len)
{
	uint8_t *p = answer->buf + answer->len;

	if (answer->is_full || len + 12 > answer->cap - answer->len) {
		answer->is_full = true;
		return NULL;
	}
	put_u16(p, POINTER_TO_NAME);
	put_u16(p + 2, type);
	put_u16(p + 4, DNS_CLASS_IN);
	put_u16(p + 6, DNS_TTL >> 16);
	put_u16(p + 8, DNS_TTL & 0xffff);
	put_u16(p + 10, (unsigned)len);
	answer->len += 12 + len;
	answer->n++;
	return p + 12;
}

void dns_answer_add_address(struct dns_answer *answer, const struct ip_addr *addr)
{
	unsigned len = ip_size(addr);
	uint8_t *p = add_record(answer, addr->family == IP_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA, len);

	if (p)
		memcpy(p, addr->bytes, len);
}

/* NAME as labels in BUF; the length, or 0 when it is no name. */
static size_t put_name(const char *name, uint8_t buf[static WIRE_NAME_MAX])
{
	size_t used = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > LABEL_MAX || used + label + 2 > WIRE_NAME_MAX)
			return 0;
		buf[used] = (uint8_t)label;
		memcpy(buf + used + 1, name, label);
		used += label + 1;
		name += label;
		if (*name == '.' && name[1])
			name++;
		else if (*name == '.')
			return 0;
	}
	buf[used++] = 0;
	return used;
}

void dns_answer_add_pointer(struct dns_answer *answer, const char *name)
{
	uint8_t wire[WIRE_NAME_MAX];
	size_t len = put_name(name, wire);
	uint8_t *p = len ? add_record(answer, DNS_TYPE_PTR, len) : NULL;

	if (p)
		memcpy(p, wire, len);
}

size_t dns_answer_end(struct dns_answer *answer, enum dns_rcode rcode)
{
	uint8_t *p = answer->buf + answer->len;
	unsigned flags = get_u16(answer->buf + 2) | (unsigned)rcode |
			 (answer->is_full ? FLAG_TRUNCATED : 0);

	put_u16(answer->buf + 2, flags);
	put_u16(answer->buf + 6, answer->n);
	if (!answer->has_edns)
		return answer->len;
	put_u16(answer->buf + 10, 1);
	memset(p, 0, OPT_LEN);
	put_u16(p + 1, DNS_TYPE_OPT);
	put_u16(p + 3, DNS_UDP_MAX);
	return answer->len + OPT_LEN;
}

/* ---- names of addresses ---- */

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "2.0.18.172" */
static bool parse_reverse4(const char *text, size_t len, struct ip_addr *ret)
{
	const char *end = text + len;

	*ret = (struct ip_addr){.family = IP_V4};
	for (int i = 3; i >= 0; i--) {
		unsigned part = 0;
		const char *begin = text;

		for (; text < end && *text >= '0' && *text <= '9' && part <= 255; text++)
			part = part * 10 + (unsigned)(*text - '0');
		if (text == begin || part > 255 || (i > 0 && (text == end || *text++ != '.')))
			return false;
		ret->bytes[i] = (uint8_t)part;
	}
	return text == end;
}

/* 32 digits with dots between them, the last of the address first. */
static bool parse_reverse6(const char *text, size_t len, struct ip_addr *ret)
{
	if (len != 63)
		return false;
	*ret = (struct ip_addr){.family = IP_V6};
	for (size_t i = 0; i < 32; i++) {
		int digit = hex_value(text[2 * i]);

		if (digit < 0 || (i < 31 && text[2 * i + 1] != '.'))
			return false;
		ret->bytes[15 - i / 2] |= (uint8_t)(digit << (i % 2 ? 4 : 0));
	}
	return true;
}

bool dns_parse_reverse(const char *name, struct ip_addr *ret)
{
	static const struct {
		const char *suffix;
		bool (*parse)(const char *text, size_t len, struct ip_addr *ret);
	} zones[] = {{".in-addr.arpa", parse_reverse4}, {".ip6.arpa", parse_reverse6}};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		size_t suffix = strlen(zones[i].suffix);

		if (len > suffix && strcmp(name + len - suffix, zones[i].suffix) == 0)
			return zones[i].parse(name, len - suffix, ret);
	}
	return false;
}
