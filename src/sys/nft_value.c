/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of nf_tables: from the words of nft(8) to the bytes that registers hold.
 */
#include "sys/nft.h"

#include "base/mem.h"
#include "base/num.h"
#include "sys/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

/* nft(8) keeps the types of a concatenation in one number, six bits each. */
#define TYPE_BITS      6
#define MAX_WORD       64
#define LARGEST	       16 /* bytes of one value */
#define ICMPV6_SOLICIT 135
#define ICMPV6_ADVERT  136
#define NF_STATE(info) (1U << ((info) + 1)) /* as the kernel's NF_CT_STATE_BIT */

typedef int (*parse_fn)(const char *word, uint8_t *bytes, unsigned len);

/* Names of numbers, where a type has some. */
struct word {
	const char *type, *name;
	uint32_t value;
};

static const struct word words[] = {
	{"inet_proto", "tcp", IPPROTO_TCP},
	{"inet_proto", "udp", IPPROTO_UDP},
	{"inet_proto", "sctp", IPPROTO_SCTP},
	{"inet_proto", "icmp", IPPROTO_ICMP},
	{"inet_proto", "ipv6-icmp", IPPROTO_ICMPV6},
	{"nf_proto", "ipv4", NFPROTO_IPV4},
	{"nf_proto", "ipv6", NFPROTO_IPV6},
	{"ether_type", "arp", ETH_P_ARP},
	{"ether_type", "ip", ETH_P_IP},
	{"ether_type", "ip6", ETH_P_IPV6},
	{"icmpv6_type", "nd-neighbor-solicit", ICMPV6_SOLICIT},
	{"icmpv6_type", "nd-neighbor-advert", ICMPV6_ADVERT},
	{"fib_addrtype", "local", RTN_LOCAL},
	{"iface_index", "\"lo\"", 1},
	{"ct_state", "invalid", 1},
	{"ct_state", "established", NF_STATE(IP_CT_ESTABLISHED)},
	{"ct_state", "related", NF_STATE(IP_CT_RELATED)},
	{"ct_state", "new", NF_STATE(IP_CT_NEW)},
	{"ct_status", "dnat", IPS_DST_NAT},
	{"ct_status", "snat", IPS_SRC_NAT},
};

static int parse_ip(const char *word, uint8_t *bytes, unsigned len)
{
	struct ip_addr addr;

	if (ip_parse(word, &addr) < 0 || ip_size(&addr) != len)
		return -EINVAL;
	memcpy(bytes, addr.bytes, len);
	return 0;
}

/* In quotes, as nft(8) wants names that it does not know. */
static int parse_ifname(const char *word, uint8_t *bytes, unsigned len)
{
	size_t n = strlen(word);

	if (n < 3 || n - 2 >= len || word[0] != '"' || word[n - 1] != '"')
		return -EINVAL;
	memset(bytes, 0, len);
	memcpy(bytes, word + 1, n - 2);
	return 0;
}

struct type {
	const char *name;
	uint32_t number; /* of nft(8)'s enum datatypes, 0 where no set has it */
	unsigned len;	 /* bytes */
	bool is_host;	 /* in the host's byte order */
	parse_fn parse;	 /* NULL: a number or one of the words */
};

static const struct type types[] = {
	{"ipv4_addr", 7, 4, false, parse_ip},
	{"ipv6_addr", 8, 16, false, parse_ip},
	{"inet_proto", 12, 1, false, NULL},
	{"inet_service", 13, 2, false, NULL},
	{"ifname", 41, IFNAMSIZ, true, parse_ifname},
	{"nf_proto", 2, 1, true, NULL},
	{"ether_type", 0, 2, false, NULL},
	{"icmpv6_type", 0, 1, false, NULL},
	{"integer", 0, 1, false, NULL},
	{"fib_addrtype", 0, 4, true, NULL},
	{"iface_index", 0, 4, true, NULL},
	{"devgroup", 0, 4, true, NULL},
	{"ct_state", 0, 4, true, NULL},
	{"ct_status", 0, 4, true, NULL},
};

static const struct type *find_type(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strlen(types[i].name) == len && strncmp(types[i].name, name, len) == 0)
			return &types[i];
	return NULL;
}

static int parse_number(const struct type *type, const char *word, uint32_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].type, type->name) != 0 || strcmp(words[i].name, word) != 0)
			continue;
		*ret = words[i].value;
		return 0;
	}
	if (num_parse_u64(word, &value) < 0 || value >> (8 * type->len))
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

/* "established,related": bits of both. */
static int parse_bits(const struct type *type, char *word, uint32_t *ret)
{
	char *save = NULL;
	uint32_t bits = 0;

	for (char *w = strtok_r(word, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		uint32_t bit = 0;

		if (parse_number(type, w, &bit) < 0)
			return -EINVAL;
		bits |= bit;
	}
	*ret = bits;
	return 0;
}

static void put_number(const struct type *type, uint32_t value, uint8_t *bytes)
{
	uint32_t net = htonl(value);

	if (type->len == 1)
		bytes[0] = (uint8_t)value;
	else if (type->is_host)
		memcpy(bytes, &value, sizeof(value));
	else
		memcpy(bytes, (uint8_t *)&net + sizeof(net) - type->len, type->len);
}

static int parse_one(const struct type *type, const char *text, size_t len, uint8_t *bytes)
{
	char word[MAX_WORD];
	uint32_t value = 0;

	if (!type || !len || len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, len);
	word[len] = 0;
	if (type->parse)
		return type->parse(word, bytes, type->len) < 0 ? -EINVAL : (int)type->len;
	if (parse_bits(type, word, &value) < 0)
		return -EINVAL;
	put_number(type, value, bytes);
	return (int)type->len;
}

/* "172.17.0.0/16": the first and the last. */
static int parse_subnet(const struct type *type, const char *text, size_t len, uint8_t *bytes,
			uint8_t *end)
{
	char word[MAX_WORD];
	struct ip_prefix prefix;
	struct ip_addr first, last;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, len);
	word[len] = 0;
	if (ip_prefix_parse(word, &prefix) < 0 || ip_size(&prefix.addr) != type->len)
		return -EINVAL;
	first = ip_first(&prefix);
	last = ip_last(&prefix);
	memcpy(bytes, first.bytes, type->len);
	memcpy(end, last.bytes, type->len);
	return (int)type->len;
}

/* One value, or with END one interval. */
static int parse_range(const struct type *type, const char *text, size_t len, uint8_t *bytes,
		       uint8_t *end)
{
	int n = 0;

	if (end && type && type->parse == parse_ip && memchr(text, '/', len))
		return parse_subnet(type, text, len, bytes, end);
	n = parse_one(type, text, len, bytes);
	if (n > 0 && end)
		memcpy(end, bytes, (size_t)n);
	return n;
}

int nft_parse_value(const char *type, const char *text, size_t len,
		    uint8_t bytes[static NFT_MAX_VALUE])
{
	return parse_one(find_type(type, strlen(type)), text, len, bytes);
}

/* The length of the first part of TEXT, up to " . " or END. */
static size_t part_len(const char *text, const char *end)
{
	for (const char *p = text; p + 3 <= end; p++)
		if (strncmp(p, " . ", 3) == 0)
			return (size_t)(p - text);
	return (size_t)(end - text);
}

static unsigned padded(unsigned len)
{
	return (len + 3) & ~3U;
}

int nft_parse_types(const char *text, uint32_t *ret_type, unsigned *ret_len)
{
	const char *end = text + strlen(text);
	uint32_t number = 0;
	unsigned total = 0;

	for (const char *p = text; p < end;) {
		size_t len = part_len(p, end);
		const struct type *type = find_type(p, len);

		if (!type || !type->number)
			return -EINVAL;
		number = number << TYPE_BITS | type->number;
		total += len == strlen(text) ? type->len : padded(type->len);
		p += len + (p + len < end ? 3 : 0);
	}
	*ret_type = number;
	*ret_len = total;
	return total && total <= NFT_MAX_VALUE ? 0 : -EINVAL;
}

int nft_type_lengths(const char *text, unsigned *ret, unsigned max)
{
	const char *end = text + strlen(text);
	unsigned n = 0;

	for (const char *p = text; p < end && n < max;) {
		size_t len = part_len(p, end);
		const struct type *type = find_type(p, len);

		if (!type)
			return -EINVAL;
		ret[n++] = type->len;
		p += len + (p + len < end ? 3 : 0);
	}
	return (int)n;
}

bool nft_is_host_order(const char *name)
{
	const struct type *type = find_type(name, strlen(name));

	return type && type->is_host;
}

int nft_parse_values(const char *text_types, const char *text, size_t text_len,
		     uint8_t bytes[static NFT_MAX_VALUE], uint8_t *last)
{
	const char *type_end = text_types + strlen(text_types), *end = text + text_len;
	const char *t = text_types, *v = text;
	unsigned total = 0, len = 0;

	memset(bytes, 0, NFT_MAX_VALUE);
	if (last)
		memset(last, 0, NFT_MAX_VALUE);
	while (t < type_end && v < end) {
		size_t type_len = part_len(t, type_end), value_len = part_len(v, end);
		int n = total + LARGEST > NFT_MAX_VALUE
				? -EINVAL
				: parse_range(find_type(t, type_len), v, value_len, bytes + total,
					      last ? last + total : NULL);

		if (n < 0)
			return n;
		len = (unsigned)n;
		total += padded(len);
		t += type_len + (t + type_len < type_end ? 3 : 0);
		v += value_len + (v + value_len < end ? 3 : 0);
	}
	if (t < type_end || v < end)
		return -EINVAL;
	/* A single value is not padded, as its set is as wide as its type. */
	return (int)(total == padded(len) ? len : total);
}

int nft_parse_element(const struct nft_set *set, const char *text, struct nft_element *ret)
{
	const char *colon = strstr(text, " : ");
	size_t key_len = colon ? (size_t)(colon - text) : strlen(text);
	int key = 0, data = 0;

	*ret = (struct nft_element){};
	key = nft_parse_values(set->key, text, key_len, ret->key,
			       set->is_interval ? ret->end : NULL);
	if (key < 0 || (set->data != NULL) != (colon != NULL))
		return -EINVAL;
	if (colon)
		data = nft_parse_values(set->data, colon + 3, strlen(colon + 3), ret->data, NULL);
	if (data < 0)
		return -EINVAL;
	ret->key_len = (unsigned)key;
	ret->data_len = (unsigned)data;
	return 0;
}
