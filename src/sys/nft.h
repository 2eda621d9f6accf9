/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_NFT_H
#define SYS_NFT_H
/*
 * nf_tables, told in the words of nft(8) and spoken over netlink.
 *
 * A table is described once, by texts: the types of its sets, its rules, the elements. Those texts
 * are compiled here into what the kernel takes, and the same texts are what is shown to people: so
 * what is shown cannot differ from what was loaded. Of nft's language only what the engine's own
 * tables need is understood; anything else is -EINVAL, which a test finds.
 *
 *	rule	 {MATCH} {STATEMENT}
 *	match	 KEY {" . " KEY} [" !="] (" @SET" | " VALUE")
 *	statement  accept, drop, return, jump CHAIN, masquerade, counter,
 *		 dnat ip|ip6 to KEY {" . " KEY} map @MAP, KEY set VALUE (of UDP and TCP)
 *	element	 VALUE {" . " VALUE} [" : " VALUE {" . " VALUE}]; in sets of intervals also
 *		 ADDRESS/BITS
 *
 * Keys and types are the tables in nft_rule.c and nft_value.c.
 */
#include "base/str.h"
#include "sys/netlink.h"

#include <stdbool.h>
#include <stdint.h>

#define NFT_ELEMENT_LEN 192 /* the longest text of an element, with its NUL */
#define NFT_MAX_VALUE	64  /* bytes of the largest key and data */

/* A set of keys, or, with DATA, a map from them. */
struct nft_set {
	const char *name;
	const char *key;  /* types: "inet_proto . inet_service" */
	const char *data; /* types, NULL for a set */
	bool is_interval; /* values may be subnets; of concatenations only */
};

/* A chain with its rules. TYPE NULL: one that is only jumped to. */
struct nft_chain {
	const char *name;
	const char *type; /* "filter", "nat" */
	const char *hook; /* "prerouting", "input", "forward", "output", "postrouting" */
	int priority;
	const char *const *rules; /* NULL at the end */
};

struct nft_table {
	const char *family; /* "inet", "ip", "ip6", "bridge" */
	const char *name;
	const struct nft_set *sets;
	size_t n_sets;
	const struct nft_chain *chains;
	size_t n_chains;
};

/* The netlink socket of nf_tables in the network namespace the caller is in. The descriptor, or
 * -errno: -EPROTONOSUPPORT, -EINVAL from a kernel without it. */
int nft_open(void);
/* How often the tables of this network namespace have been changed, by anybody: 0 or -errno. */
int nft_generation(int fd, uint32_t *ret);

/* ---- transactions: begin, anything, end, netlink_send ---- */

/* Opens a transaction. GENERATION not 0: the kernel refuses it with -ERESTART unless that is still
 * the current one. */
void nft_begin(struct netlink_batch *batch, uint32_t generation);
void nft_end(struct netlink_batch *batch);

/* An empty table; one that is there stays as it is. */
void nft_add_table(struct netlink_batch *batch, const struct nft_table *table);
/* Deletes the table with all that is in it. It must be there. */
void nft_delete_table(struct netlink_batch *batch, const struct nft_table *table);
/* Adds sets, chains and rules of a table that has none of them. 0, or -EINVAL. */
int nft_add_content(struct netlink_batch *batch, const struct nft_table *table);
/* Adds a rule behind the others of CHAIN, or before them. */
int nft_add_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		 const char *rule, bool first);
/* Deletes the rule of this HANDLE. */
void nft_delete_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		     uint64_t handle);
/* Adds or deletes ELEMENTS of one set. Adding what is there fails with -EEXIST or, when it is
 * mapped to something else, -EBUSY; deleting what is not there with -ENOENT. A transaction that
 * succeeds has therefore changed something, and the generation is the next one. */
int nft_add_elements(struct netlink_batch *batch, const struct nft_table *table,
		     const struct nft_set *set, const char *const *elements, size_t n);
int nft_delete_elements(struct netlink_batch *batch, const struct nft_table *table,
			const struct nft_set *set, const char *const *elements, size_t n);

/* ---- looking ---- */

/* Whether the set has this element; -errno. A table or a set that is not there has none. */
enum nft_found { NFT_FOUND_NONE, NFT_FOUND_SAME, NFT_FOUND_OTHER /* mapped to something else */ };
int nft_find_element(int fd, const struct nft_table *table, const struct nft_set *set,
		     const char *element);
/* Appends the names in a set of interfaces: 0 (also when there is no such set) or -errno. */
int nft_list_names(int fd, const struct nft_table *table, const struct nft_set *set,
		   struct strv *ret);
/* Whether the kernel's table is exactly TABLE with ELEMENTS (one vector for each of its sets): 1,
 * 0 or -errno. Rules are compared by a mark that each carries, made of its text. */
int nft_is_same(int fd, const struct nft_table *table, const struct strv *elements);
/* Whether there is such a table: 1, 0 or -errno. */
int nft_has_table(int fd, const struct nft_table *table);

/* ---- other people's tables ---- */

/* A chain that drops what is forwarded, unless one of its rules accepts it. */
struct nft_drop {
	const char *family; /* as given */
	char table[64], chain[64];
};
/* The first MAX of them in tables of FAMILY: how many, or -errno. */
int nft_find_drops(int fd, const char *family, struct nft_drop *ret, size_t max);
/* 1, 0 or -errno. */
int nft_has_chain(int fd, const struct nft_table *table, const char *chain);

/* Rules that accept all that comes in, or goes out, by one link. */
struct nft_accept {
	bool is_in;
	char ifname[16];
	uint64_t handle;
};
struct nft_accepts {
	const char *table, *chain; /* borrowed */
	struct nft_accept *items;  /* owned */
	size_t n;
};
/* All of them in CHAIN, whoever made them: 0 or -errno. */
int nft_find_accepts(int fd, const struct nft_table *table, const char *chain,
		     struct nft_accepts *ret);
void nft_accepts_done(struct nft_accepts *accepts);
#define cleanup_nft_accepts __attribute__((cleanup(nft_accepts_done)))
/* The first for this link and direction; NULL. */
const struct nft_accept *nft_lookup_accept(const struct nft_accepts *accepts, bool is_in,
					   const char *ifname);

/* ---- texts ---- */

/* Appends the table as nft(8) reads it; ELEMENTS may be NULL. */
void nft_format(const struct nft_table *table, const struct strv *elements, struct str *out);

/* ---- between the parts of this module ---- */

/* The number of a family ("inet": NFPROTO_INET), a hook; -EINVAL. */
int nft_family(const char *name);
int nft_hook(const char *name);
/* The set of this name; NULL. */
const struct nft_set *nft_find_set(const struct nft_table *table, const char *name);
/* Types of a concatenation: their number as nft(8) keeps it, and the bytes it takes. 0 or -EINVAL.
 */
int nft_parse_types(const char *types, uint32_t *ret_type, unsigned *ret_len);
/* Whether TYPES is one type, whose values are in the host's byte order. */
bool nft_is_host_order(const char *types);
/* The length of each type in RET[0..MAX): how many there are, or -EINVAL. */
int nft_type_lengths(const char *types, unsigned *ret, unsigned max);
/* The bytes of a concatenation of values, each padded to 4: their number, or -EINVAL. END gets the
 * last ones of intervals; NULL: there may be none. */
int nft_parse_values(const char *types, const char *text, size_t len,
		     uint8_t bytes[static NFT_MAX_VALUE], uint8_t *end);
/* One value of one type; its number of bytes (not padded), or -EINVAL. */
int nft_parse_value(const char *type, const char *text, size_t len,
		    uint8_t bytes[static NFT_MAX_VALUE]);
/* A rule's expressions, as the content of NFTA_RULE_EXPRESSIONS; 0 or -EINVAL. */
int nft_compile(struct netlink_batch *batch, const struct nft_table *table, const char *rule);
/* Key and data of an element of SET: 0 or -EINVAL. */
struct nft_element {
	uint8_t key[NFT_MAX_VALUE], data[NFT_MAX_VALUE];
	uint8_t end[NFT_MAX_VALUE]; /* of intervals: the last key */
	unsigned key_len, data_len;
};
int nft_parse_element(const struct nft_set *set, const char *text, struct nft_element *ret);
/* What marks a rule of this text. */
uint64_t nft_rule_mark(const char *rule);

#endif
