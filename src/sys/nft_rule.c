/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of nf_tables: from the text of nft(8) to expressions. They are the ones that nft makes of
 * the same text, so that `nft list` shows that text again.
 */
#include "sys/nft.h"

#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>

/* Registers: 16 bytes each by their first names, 4 bytes by the later ones. */
#define REG_BYTES 16

enum need { NEED_NOTHING, NEED_IPV4, NEED_IPV6, NEED_ICMPV6, NEED_UDP, NEED_TCP };
enum source { FROM_META, FROM_PAYLOAD, FROM_CT, FROM_FIB };

/* What can be looked at: where it comes from, and what type it has. */
struct key {
	const char *name, *type;
	enum source source;
	uint32_t arg[3]; /* meta and ct: the key; payload: base, offset; fib: result, flags */
	unsigned len;
	enum need need;
};

static const struct key keys[] = {
	{"iifname", "ifname", FROM_META, {NFT_META_IIFNAME}, 16, NEED_NOTHING},
	{"oifname", "ifname", FROM_META, {NFT_META_OIFNAME}, 16, NEED_NOTHING},
	{"iifgroup", "devgroup", FROM_META, {NFT_META_IIFGROUP}, 4, NEED_NOTHING},
	{"iif", "iface_index", FROM_META, {NFT_META_IIF}, 4, NEED_NOTHING},
	{"meta l4proto", "inet_proto", FROM_META, {NFT_META_L4PROTO}, 1, NEED_NOTHING},
	{"meta nfproto", "nf_proto", FROM_META, {NFT_META_NFPROTO}, 1, NEED_NOTHING},
	{"ether type", "ether_type", FROM_PAYLOAD, {NFT_PAYLOAD_LL_HEADER, 12}, 2, NEED_NOTHING},
	{"ip saddr", "ipv4_addr", FROM_PAYLOAD, {NFT_PAYLOAD_NETWORK_HEADER, 12}, 4, NEED_IPV4},
	{"ip daddr", "ipv4_addr", FROM_PAYLOAD, {NFT_PAYLOAD_NETWORK_HEADER, 16}, 4, NEED_IPV4},
	{"ip6 saddr", "ipv6_addr", FROM_PAYLOAD, {NFT_PAYLOAD_NETWORK_HEADER, 8}, 16, NEED_IPV6},
	{"ip6 daddr", "ipv6_addr", FROM_PAYLOAD, {NFT_PAYLOAD_NETWORK_HEADER, 24}, 16, NEED_IPV6},
	{"ip6 hoplimit", "integer", FROM_PAYLOAD, {NFT_PAYLOAD_NETWORK_HEADER, 7}, 1, NEED_IPV6},
	{"th sport",
	 "inet_service",
	 FROM_PAYLOAD,
	 {NFT_PAYLOAD_TRANSPORT_HEADER, 0},
	 2,
	 NEED_NOTHING},
	{"th dport",
	 "inet_service",
	 FROM_PAYLOAD,
	 {NFT_PAYLOAD_TRANSPORT_HEADER, 2},
	 2,
	 NEED_NOTHING},
	{"udp sport", "inet_service", FROM_PAYLOAD, {NFT_PAYLOAD_TRANSPORT_HEADER, 0}, 2, NEED_UDP},
	{"udp dport", "inet_service", FROM_PAYLOAD, {NFT_PAYLOAD_TRANSPORT_HEADER, 2}, 2, NEED_UDP},
	{"tcp sport", "inet_service", FROM_PAYLOAD, {NFT_PAYLOAD_TRANSPORT_HEADER, 0}, 2, NEED_TCP},
	{"tcp dport", "inet_service", FROM_PAYLOAD, {NFT_PAYLOAD_TRANSPORT_HEADER, 2}, 2, NEED_TCP},
	{"icmpv6 type",
	 "icmpv6_type",
	 FROM_PAYLOAD,
	 {NFT_PAYLOAD_TRANSPORT_HEADER, 0},
	 1,
	 NEED_ICMPV6},
	{"ct state", "ct_state", FROM_CT, {NFT_CT_STATE}, 4, NEED_NOTHING},
	{"ct status", "ct_status", FROM_CT, {NFT_CT_STATUS}, 4, NEED_NOTHING},
	{"fib daddr type",
	 "fib_addrtype",
	 FROM_FIB,
	 {NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR},
	 4,
	 NEED_NOTHING},
	{"fib saddr . iif oif",
	 "iface_index",
	 FROM_FIB,
	 {NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF},
	 4,
	 NEED_NOTHING},
};

/* One rule being compiled. */
struct compiler {
	struct netlink_batch *batch;
	const struct nft_table *table;
	const char *at;	   /* what is left of the text */
	unsigned has_need; /* bit 1 << enum need: what was checked already */
};

/* ---- reading ---- */

/* Whether WORD stands next; if so it is behind us. */
static bool eat(struct compiler *c, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(c->at, word, len) != 0 || (c->at[len] && c->at[len] != ' '))
		return false;
	c->at += len;
	while (*c->at == ' ')
		c->at++;
	return true;
}

/* The word that stands next: its length. */
static size_t word_len(const struct compiler *c)
{
	return strcspn(c->at, " ");
}

static void skip_word(struct compiler *c)
{
	c->at += word_len(c);
	while (*c->at == ' ')
		c->at++;
}

/* ---- expressions ---- */

struct expr {
	size_t item, data;
};

static struct expr expr_begin(struct compiler *c, const char *name)
{
	struct expr e = {.item = netlink_nest(c->batch, NFTA_LIST_ELEM)};

	netlink_put_string(c->batch, NFTA_EXPR_NAME, name);
	e.data = netlink_nest(c->batch, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct compiler *c, struct expr e)
{
	netlink_nest_end(c->batch, e.data);
	netlink_nest_end(c->batch, e.item);
}

static void put_value(struct compiler *c, uint16_t type, const void *bytes, size_t len)
{
	size_t nest = netlink_nest(c->batch, type);

	netlink_put(c->batch, NFTA_DATA_VALUE, bytes, len);
	netlink_nest_end(c->batch, nest);
}

static uint32_t register_at(unsigned offset)
{
	return offset % REG_BYTES == 0 ? NFT_REG_1 + offset / REG_BYTES : NFT_REG32_00 + offset / 4;
}

static void load_payload(struct compiler *c, uint32_t base, uint32_t offset, unsigned len,
			 uint32_t reg)
{
	struct expr e = expr_begin(c, "payload");

	netlink_put_be32(c->batch, NFTA_PAYLOAD_DREG, reg);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_BASE, base);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_OFFSET, offset);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_LEN, len);
	expr_end(c, e);
}

static void load_key(struct compiler *c, const struct key *key, unsigned len, uint32_t reg)
{
	/* name, then the attributes of destination and arguments */
	static const struct {
		const char *name;
		uint16_t dreg, arg[2];
	} loads[] = {
		[FROM_META] = {"meta", NFTA_META_DREG, {NFTA_META_KEY}},
		[FROM_CT] = {"ct", NFTA_CT_DREG, {NFTA_CT_KEY}},
		[FROM_FIB] = {"fib", NFTA_FIB_DREG, {NFTA_FIB_RESULT, NFTA_FIB_FLAGS}},
	};

	if (key->source == FROM_PAYLOAD) {
		load_payload(c, key->arg[0], key->arg[1], len, reg);
		return;
	}
	struct expr e = expr_begin(c, loads[key->source].name);

	netlink_put_be32(c->batch, loads[key->source].dreg, reg);
	for (size_t i = 0; i < 2 && loads[key->source].arg[i]; i++)
		netlink_put_be32(c->batch, loads[key->source].arg[i], key->arg[i]);
	expr_end(c, e);
}

static void compare(struct compiler *c, uint32_t op, const void *bytes, size_t len)
{
	struct expr e = expr_begin(c, "cmp");

	netlink_put_be32(c->batch, NFTA_CMP_SREG, NFT_REG_1);
	netlink_put_be32(c->batch, NFTA_CMP_OP, op);
	put_value(c, NFTA_CMP_DATA, bytes, len);
	expr_end(c, e);
}

static void mask(struct compiler *c, const uint8_t *bits)
{
	static const uint8_t zero[4];
	struct expr e = expr_begin(c, "bitwise");

	netlink_put_be32(c->batch, NFTA_BITWISE_SREG, NFT_REG_1);
	netlink_put_be32(c->batch, NFTA_BITWISE_DREG, NFT_REG_1);
	netlink_put_be32(c->batch, NFTA_BITWISE_LEN, sizeof(zero));
	put_value(c, NFTA_BITWISE_MASK, bits, sizeof(zero));
	put_value(c, NFTA_BITWISE_XOR, zero, sizeof(zero));
	expr_end(c, e);
}

static void lookup(struct compiler *c, const struct nft_set *set, bool is_inverted)
{
	struct expr e = expr_begin(c, "lookup");

	netlink_put_string(c->batch, NFTA_LOOKUP_SET, set->name);
	netlink_put_be32(c->batch, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (set->data)
		netlink_put_be32(c->batch, NFTA_LOOKUP_DREG, NFT_REG_1);
	if (is_inverted)
		netlink_put_be32(c->batch, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(c, e);
}

/* ---- matches ---- */

static void check_transport(struct compiler *c, enum need need)
{
	static const struct key l4proto = {.source = FROM_META, .arg = {NFT_META_L4PROTO}};
	static const uint8_t protocols[] = {
		[NEED_ICMPV6] = IPPROTO_ICMPV6, [NEED_UDP] = IPPROTO_UDP, [NEED_TCP] = IPPROTO_TCP};

	load_key(c, &l4proto, 0, NFT_REG_1);
	compare(c, NFT_CMP_EQ, &protocols[need], sizeof(protocols[need]));
}

/* Whether the family that NEED implies was checked for another key. */
static bool has_family(const struct compiler *c, enum need need)
{
	return need != NEED_IPV4 && c->has_need & (1U << NEED_IPV6 | 1U << NEED_ICMPV6);
}

/* What nft(8) puts before a key that exists in one protocol only. */
static void check_need(struct compiler *c, enum need need)
{
	static const struct key nfproto = {.source = FROM_META, .arg = {NFT_META_NFPROTO}};
	static const struct key protocol = {.source = FROM_META, .arg = {NFT_META_PROTOCOL}};
	const int table = nft_family(c->table->family);
	const bool is_bridge = table == NFPROTO_BRIDGE;
	const uint8_t family = need == NEED_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	const uint16_t type = htons(need == NEED_IPV4 ? ETH_P_IP : ETH_P_IPV6);

	if (need == NEED_NOTHING || c->has_need & 1U << need)
		return;
	/* In a table of one family nothing else comes along. */
	if (need < NEED_UDP && table != family && !has_family(c, need)) {
		load_key(c, is_bridge ? &protocol : &nfproto, 0, NFT_REG_1);
		compare(c, NFT_CMP_EQ, is_bridge ? (const void *)&type : (const void *)&family,
			is_bridge ? sizeof(type) : sizeof(family));
	}
	c->has_need |= 1U << need;
	if (need >= NEED_ICMPV6)
		check_transport(c, need);
}

static const struct key *eat_key(struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (eat(c, keys[i].name))
			return &keys[i];
	return NULL;
}

/* "KEY . KEY ...": loads all, side by side. Returns the first. */
static const struct key *compile_keys(struct compiler *c, const struct key *first)
{
	unsigned offset = 0;
	const char *start = c->at;

	/* All checks come before all loads: they use the same registers. */
	check_need(c, first->need);
	while (eat(c, ".")) {
		const struct key *key = eat_key(c);

		if (!key)
			return NULL;
		check_need(c, key->need);
	}
	c->at = start;
	for (const struct key *key = first; key; key = eat_key(c)) {
		load_key(c, key, key->len, register_at(offset));
		offset += (key->len + 3) & ~3U;
		if (!eat(c, "."))
			break;
	}
	return first;
}

static const struct nft_set *eat_set(struct compiler *c)
{
	char name[NFT_SET_MAXNAMELEN] = "";
	size_t len = word_len(c);

	if (*c->at != '@' || len >= sizeof(name))
		return NULL;
	memcpy(name, c->at + 1, len - 1);
	skip_word(c);
	return nft_find_set(c->table, name);
}

static int compile_lookup(struct compiler *c, const struct key *first)
{
	const struct nft_set *set = NULL;
	bool is_inverted = false;

	if (!compile_keys(c, first))
		return -EINVAL;
	is_inverted = eat(c, "!=");
	set = eat_set(c);
	if (!set || set->data)
		return -EINVAL;
	lookup(c, set, is_inverted);
	return 0;
}

/* The number after the slash; it ends with the word. */
static int parse_bits(const char *text, size_t len, unsigned *ret)
{
	char number[4] = "";
	uint64_t bits = 0;

	if (!len || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	if (num_parse_u64(number, &bits) < 0)
		return -EINVAL;
	*ret = (unsigned)bits;
	return 0;
}

/* "ip daddr 127.0.0.0/8": whole bytes of the prefix are loaded and compared. */
static int compile_prefix(struct compiler *c, const struct key *key, uint32_t op, const char *slash)
{
	uint8_t bytes[NFT_MAX_VALUE];
	unsigned bits = 0;
	size_t before = (size_t)(slash - c->at);
	int len = nft_parse_value(key->type, c->at, before, bytes);

	if (len < 0 || parse_bits(slash + 1, word_len(c) - before - 1, &bits) < 0 || !bits ||
	    bits % 8 || bits / 8 >= (unsigned)len)
		return -EINVAL;
	load_key(c, key, bits / 8, NFT_REG_1);
	compare(c, op, bytes, bits / 8);
	skip_word(c);
	return 0;
}

static int compile_value(struct compiler *c, const struct key *key)
{
	static const uint8_t zero[4];
	uint8_t bytes[NFT_MAX_VALUE];
	const uint32_t op = eat(c, "!=") ? NFT_CMP_NEQ : NFT_CMP_EQ;
	const char *slash = memchr(c->at, '/', word_len(c));
	int len = 0;

	check_need(c, key->need);
	if (slash && key->source == FROM_PAYLOAD)
		return compile_prefix(c, key, op, slash);
	len = nft_parse_value(key->type, c->at, word_len(c), bytes);
	if (len < 0)
		return len;
	skip_word(c);
	load_key(c, key, key->len, NFT_REG_1);
	if (key->source != FROM_CT) {
		compare(c, op, bytes, (size_t)len);
		return 0;
	}
	/* Bits: any of them, or none. */
	mask(c, bytes);
	compare(c, op == NFT_CMP_EQ ? NFT_CMP_NEQ : NFT_CMP_EQ, zero, sizeof(zero));
	return 0;
}

/* "udp dport set 53": another value in the packet, and its checksum as the kernel corrects it. */
static int compile_change(struct compiler *c, const struct key *key)
{
	const uint32_t checksum = key->need == NEED_UDP ? 6 : 16;
	uint8_t bytes[NFT_MAX_VALUE];
	int len = nft_parse_value(key->type, c->at, word_len(c), bytes);
	struct expr e = {};

	if (len < 0 || (key->need != NEED_UDP && key->need != NEED_TCP))
		return -EINVAL;
	skip_word(c);
	check_need(c, key->need);
	e = expr_begin(c, "immediate");
	netlink_put_be32(c->batch, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(c, NFTA_IMMEDIATE_DATA, bytes, (size_t)len);
	expr_end(c, e);
	e = expr_begin(c, "payload");
	netlink_put_be32(c->batch, NFTA_PAYLOAD_SREG, NFT_REG_1);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_BASE, key->arg[0]);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_OFFSET, key->arg[1]);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_LEN, key->len);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	netlink_put_be32(c->batch, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
	expr_end(c, e);
	return 0;
}

static int compile_match(struct compiler *c, const struct key *key)
{
	const char *at = c->at;
	bool is_set = *at == '.' || *at == '@' || strncmp(at, "!= @", 4) == 0;

	if (eat(c, "set"))
		return compile_change(c, key);
	return is_set ? compile_lookup(c, key) : compile_value(c, key);
}

/* ---- statements ---- */

static void verdict(struct compiler *c, int code, const char *chain)
{
	struct expr e = expr_begin(c, "immediate");
	size_t data = 0, nest = 0;

	netlink_put_be32(c->batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = netlink_nest(c->batch, NFTA_IMMEDIATE_DATA);
	nest = netlink_nest(c->batch, NFTA_DATA_VERDICT);
	netlink_put_be32(c->batch, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		netlink_put_string(c->batch, NFTA_VERDICT_CHAIN, chain);
	netlink_nest_end(c->batch, nest);
	netlink_nest_end(c->batch, data);
	expr_end(c, e);
}

static int compile_jump(struct compiler *c)
{
	char chain[NFT_CHAIN_MAXNAMELEN] = "";
	size_t len = word_len(c);

	if (!len || len >= sizeof(chain))
		return -EINVAL;
	memcpy(chain, c->at, len);
	verdict(c, NFT_JUMP, chain);
	skip_word(c);
	return 0;
}

/* "dnat ip to KEYS map @MAP": address and port from a map. */
static int compile_dnat(struct compiler *c)
{
	const bool is_v6 = eat(c, "ip6");
	const struct key *first = (is_v6 || eat(c, "ip")) && eat(c, "to") ? eat_key(c) : NULL;
	const struct nft_set *map = NULL;
	struct expr e = {};

	if (!first || !compile_keys(c, first) || !eat(c, "map"))
		return -EINVAL;
	map = eat_set(c);
	if (!map || !map->data)
		return -EINVAL;
	lookup(c, map, false);
	e = expr_begin(c, "nat");
	netlink_put_be32(c->batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	netlink_put_be32(c->batch, NFTA_NAT_FAMILY, is_v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	netlink_put_be32(c->batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	netlink_put_be32(c->batch, NFTA_NAT_REG_PROTO_MIN, register_at(is_v6 ? 16 : 4));
	expr_end(c, e);
	return 0;
}

static int compile_masquerade(struct compiler *c)
{
	expr_end(c, expr_begin(c, "masq"));
	return 0;
}

static int compile_counter(struct compiler *c)
{
	struct expr e = expr_begin(c, "counter");

	netlink_put_be64(c->batch, NFTA_COUNTER_BYTES, 0);
	netlink_put_be64(c->batch, NFTA_COUNTER_PACKETS, 0);
	expr_end(c, e);
	return 0;
}

static int compile_verdict(struct compiler *c, int code)
{
	verdict(c, code, NULL);
	return 0;
}

static int compile_statement(struct compiler *c)
{
	static const struct {
		const char *word;
		int code;
		int (*compile)(struct compiler *c);
	} statements[] = {
		{"accept", NF_ACCEPT, NULL},	 {"drop", NF_DROP, NULL},
		{"return", NFT_RETURN, NULL},	 {"jump", 0, compile_jump},
		{"dnat", 0, compile_dnat},	 {"masquerade", 0, compile_masquerade},
		{"counter", 0, compile_counter},
	};

	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (eat(c, statements[i].word))
			return statements[i].compile ? statements[i].compile(c)
						     : compile_verdict(c, statements[i].code);
	return -EINVAL;
}

int nft_compile(struct netlink_batch *batch, const struct nft_table *table, const char *rule)
{
	struct compiler c = {.batch = batch, .table = table, .at = rule};
	int rc = 0;

	while (*c.at && rc == 0) {
		const struct key *key = eat_key(&c);

		rc = key ? compile_match(&c, key) : compile_statement(&c);
	}
	return rc;
}

uint64_t nft_rule_mark(const char *rule)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (const char *p = rule; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return hash;
}
