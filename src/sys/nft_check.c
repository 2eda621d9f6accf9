/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at what the kernel has: generation, single elements, and whether a table is still what it
 * was loaded as.
 */
#include "sys/nft.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>

#define MARK_TYPE  200
#define MAX_CHAINS 32

static void question(struct netlink_batch *batch, int type, uint16_t flags,
		     const struct nft_table *table)
{
	const struct nfgenmsg header = {
		.nfgen_family = table ? (uint8_t)nft_family(table->family) : NFPROTO_UNSPEC,
		.version = NFNETLINK_V0,
	};

	netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &header,
		      sizeof(header));
}

int nft_open(void)
{
	return netlink_open(NETLINK_NETFILTER);
}

static int take_generation(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_GEN_MAX + 1];

	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_GEN_MAX);
	if (!attrs[NFTA_GEN_ID])
		return -EBADMSG;
	*(uint32_t *)data = netlink_be32(attrs[NFTA_GEN_ID], 0);
	return 0;
}

int nft_generation(int fd, uint32_t *ret)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;

	question(&batch, NFT_MSG_GETGEN, 0, NULL);
	return netlink_get(fd, &batch, take_generation, ret);
}

static int take_table(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_TABLE_MAX + 1];

	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_TABLE_MAX);
	*(uint32_t *)data = netlink_be32(attrs[NFTA_TABLE_FLAGS], 0);
	return 0;
}

/* 1 and the table's flags, 0, or -errno. */
static int get_table(int fd, const struct nft_table *table, uint32_t *ret_flags)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	int rc = 0;

	question(&batch, NFT_MSG_GETTABLE, 0, table);
	netlink_put_string(&batch, NFTA_TABLE_NAME, table->name);
	rc = netlink_get(fd, &batch, take_table, ret_flags);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

int nft_has_table(int fd, const struct nft_table *table)
{
	uint32_t flags = 0;

	return get_table(fd, table, &flags);
}

/* ---- elements ---- */

/* Compared as bytes: what is not used is zero. */
struct elements {
	struct nft_element *items; /* owned */
	size_t n, cap;
};

static void elements_done(struct elements *elements)
{
	free(elements->items);
}

static struct nft_element *elements_add(struct elements *elements)
{
	if (elements->n == elements->cap) {
		elements->cap = elements->cap ? elements->cap * 2 : 64;
		elements->items = mem_realloc_array(elements->items, elements->cap,
						    sizeof(*elements->items));
	}
	elements->items[elements->n] = (struct nft_element){};
	return &elements->items[elements->n++];
}

static unsigned take_value(const struct nlattr *attr, uint8_t *bytes)
{
	const struct nlattr *attrs[NFTA_DATA_MAX + 1];
	size_t len = 0;

	netlink_parse_nest(attr, attrs, NFTA_DATA_MAX);
	if (!attrs[NFTA_DATA_VALUE])
		return 0;
	len = netlink_len(attrs[NFTA_DATA_VALUE]);
	if (len > NFT_MAX_VALUE)
		len = NFT_MAX_VALUE;
	memcpy(bytes, netlink_data(attrs[NFTA_DATA_VALUE]), len);
	return (unsigned)len;
}

static int take_element(const struct nlattr *item, void *data)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_MAX + 1];
	struct nft_element *element = elements_add(data);

	netlink_parse_nest(item, attrs, NFTA_SET_ELEM_MAX);
	element->key_len = take_value(attrs[NFTA_SET_ELEM_KEY], element->key);
	take_value(attrs[NFTA_SET_ELEM_KEY_END], element->end);
	element->data_len = take_value(attrs[NFTA_SET_ELEM_DATA], element->data);
	return 0;
}

static int take_elements(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_LIST_MAX + 1];
	struct elements *elements = data;

	if (!message) {
		elements->n = 0;
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_SET_ELEM_LIST_MAX);
	return netlink_each(attrs[NFTA_SET_ELEM_LIST_ELEMENTS], take_element, elements);
}

static void ask_elements(struct netlink_batch *batch, uint16_t flags, const struct nft_table *table,
			 const struct nft_set *set)
{
	question(batch, NFT_MSG_GETSETELEM, flags, table);
	netlink_put_string(batch, NFTA_SET_ELEM_LIST_TABLE, table->name);
	netlink_put_string(batch, NFTA_SET_ELEM_LIST_SET, set->name);
}

int nft_find_element(int fd, const struct nft_table *table, const struct nft_set *set,
		     const char *text)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_with(elements_done) struct elements found = {};
	struct nft_element wanted;
	size_t list = 0, item = 0, key = 0;
	int rc = 0;

	if (nft_parse_element(set, text, &wanted) < 0)
		return -EINVAL;
	ask_elements(&batch, 0, table, set);
	list = netlink_nest(&batch, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = netlink_nest(&batch, NFTA_LIST_ELEM);
	key = netlink_nest(&batch, NFTA_SET_ELEM_KEY);
	netlink_put(&batch, NFTA_DATA_VALUE, wanted.key, wanted.key_len);
	netlink_nest_end(&batch, key);
	if (set->is_interval) {
		key = netlink_nest(&batch, NFTA_SET_ELEM_KEY_END);
		netlink_put(&batch, NFTA_DATA_VALUE, wanted.end, wanted.key_len);
		netlink_nest_end(&batch, key);
	}
	netlink_nest_end(&batch, item);
	netlink_nest_end(&batch, list);
	rc = netlink_get(fd, &batch, take_elements, &found);
	if (rc < 0)
		return rc == -ENOENT ? NFT_FOUND_NONE : rc;
	if (found.n != 1)
		return NFT_FOUND_NONE;
	return memcmp(found.items[0].data, wanted.data, sizeof(wanted.data)) == 0 ? NFT_FOUND_SAME
										  : NFT_FOUND_OTHER;
}

int nft_list_names(int fd, const struct nft_table *table, const struct nft_set *set,
		   struct strv *ret)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_with(elements_done) struct elements found = {};
	int rc = 0;

	ask_elements(&batch, NLM_F_DUMP, table, set);
	rc = netlink_dump(fd, &batch, take_elements, &found);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	for (size_t i = 0; i < found.n; i++) {
		found.items[i].key[NFT_MAX_VALUE - 1] = 0;
		strv_add(ret, (const char *)found.items[i].key);
	}
	return 0;
}

static int compare_elements(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nft_element));
}

static void sort_elements(struct elements *elements)
{
	if (elements->n > 1)
		qsort(elements->items, elements->n, sizeof(*elements->items), compare_elements);
}

/* Two published ports of one container may need the same element. */
static void unique_elements(struct elements *elements)
{
	size_t n = 0;

	for (size_t i = 0; i < elements->n; i++)
		if (!n || compare_elements(&elements->items[n - 1], &elements->items[i]) != 0)
			elements->items[n++] = elements->items[i];
	elements->n = n;
}

static int is_same_set(int fd, const struct nft_table *table, const struct nft_set *set,
		       const struct strv *texts)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_with(elements_done) struct elements found = {}, wanted = {};
	int rc = 0;

	for (size_t i = 0; i < texts->n; i++) {
		struct nft_element *element = elements_add(&wanted);

		if (nft_parse_element(set, texts->items[i], element) < 0)
			return -EINVAL;
	}
	ask_elements(&batch, NLM_F_DUMP, table, set);
	rc = netlink_dump(fd, &batch, take_elements, &found);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	sort_elements(&found);
	sort_elements(&wanted);
	unique_elements(&wanted);
	return found.n == wanted.n &&
	       (!found.n || memcmp(found.items, wanted.items, found.n * sizeof(*found.items)) == 0);
}

/* ---- sets, chains, rules ---- */

/* What a walk through the kernel's table has seen of ours. */
struct walk {
	const struct nft_table *table;
	size_t n;		    /* of sets, chains or rules */
	size_t n_rules[MAX_CHAINS]; /* of each chain */
	bool is_different;
};

static void walk_begin(struct walk *walk, const struct nft_table *table)
{
	*walk = (struct walk){.table = table};
}

static bool is_ours(const struct walk *walk, const struct nlattr *name)
{
	return strcmp(netlink_string(name), walk->table->name) == 0;
}

static int take_set(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_SET_MAX + 1];
	struct walk *walk = data;

	if (!message) {
		walk_begin(walk, walk->table);
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_SET_MAX);
	if (!is_ours(walk, attrs[NFTA_SET_TABLE]))
		return 0;
	walk->n++;
	if (!nft_find_set(walk->table, netlink_string(attrs[NFTA_SET_NAME])))
		walk->is_different = true;
	return 0;
}

static size_t find_chain(const struct nft_table *table, const char *name)
{
	size_t i = 0;

	while (i < table->n_chains && strcmp(table->chains[i].name, name) != 0)
		i++;
	return i;
}

static bool is_same_hook(const struct nft_chain *chain, const struct nlattr *const *attrs)
{
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];

	if (!chain->type)
		return !attrs[NFTA_CHAIN_HOOK];
	netlink_parse_nest(attrs[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
	return strcmp(netlink_string(attrs[NFTA_CHAIN_TYPE]), chain->type) == 0 &&
	       netlink_be32(attrs[NFTA_CHAIN_POLICY], NF_DROP) == NF_ACCEPT &&
	       netlink_be32(hook[NFTA_HOOK_HOOKNUM], ~0U) == (uint32_t)nft_hook(chain->hook) &&
	       netlink_be32(hook[NFTA_HOOK_PRIORITY], ~0U) == (uint32_t)chain->priority;
}

static int take_chain(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1];
	struct walk *walk = data;
	size_t i = 0;

	if (!message) {
		walk_begin(walk, walk->table);
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_CHAIN_MAX);
	if (!is_ours(walk, attrs[NFTA_CHAIN_TABLE]))
		return 0;
	walk->n++;
	i = find_chain(walk->table, netlink_string(attrs[NFTA_CHAIN_NAME]));
	if (i == walk->table->n_chains || !is_same_hook(&walk->table->chains[i], attrs))
		walk->is_different = true;
	return 0;
}

/* The mark in a rule's user data; 0 for none. */
static uint64_t read_mark(const struct nlattr *attr)
{
	const uint8_t *bytes = attr ? netlink_data(attr) : NULL;
	uint64_t mark = 0;

	if (!attr || netlink_len(attr) != 2 + sizeof(mark) || bytes[0] != MARK_TYPE)
		return 0;
	memcpy(&mark, bytes + 2, sizeof(mark));
	return mark;
}

static int take_rule(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_RULE_MAX + 1];
	struct walk *walk = data;
	const struct nft_table *table = walk->table;
	size_t chain = 0, i = 0;

	if (!message) {
		walk_begin(walk, table);
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_RULE_MAX);
	if (!is_ours(walk, attrs[NFTA_RULE_TABLE]))
		return 0;
	walk->n++;
	chain = find_chain(table, netlink_string(attrs[NFTA_RULE_CHAIN]));
	if (chain == table->n_chains || chain >= MAX_CHAINS) {
		walk->is_different = true;
		return 0;
	}
	while (i < walk->n_rules[chain] && table->chains[chain].rules[i])
		i++;
	walk->n_rules[chain]++;
	if (!table->chains[chain].rules[i] ||
	    nft_rule_mark(table->chains[chain].rules[i]) != read_mark(attrs[NFTA_RULE_USERDATA]))
		walk->is_different = true;
	return 0;
}

static size_t count_rules(const struct nft_table *table)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_chains; i++)
		for (const char *const *rule = table->chains[i].rules; *rule; rule++)
			n++;
	return n;
}

/* Everything of one kind, compared: as many as there must be, and none of them different. */
static int is_same_kind(int fd, const struct nft_table *table, int type, uint16_t name,
			netlink_fn take, size_t n)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	struct walk walk;
	int rc = 0;

	walk_begin(&walk, table);
	question(&batch, type, NLM_F_DUMP, table);
	if (name)
		netlink_put_string(&batch, name, table->name);
	rc = netlink_dump(fd, &batch, take, &walk);
	return rc < 0 ? rc : walk.n == n && !walk.is_different;
}

int nft_is_same(int fd, const struct nft_table *table, const struct strv *elements)
{
	const struct {
		int type;
		uint16_t name; /* the attribute by which the kernel chooses; 0: it gives all */
		netlink_fn take;
		size_t n;
	} kinds[] = {
		{NFT_MSG_GETCHAIN, 0, take_chain, table->n_chains},
		{NFT_MSG_GETRULE, NFTA_RULE_TABLE, take_rule, count_rules(table)},
		{NFT_MSG_GETSET, NFTA_SET_TABLE, take_set, table->n_sets},
	};
	uint32_t flags = 0;
	int rc = get_table(fd, table, &flags);

	if (rc <= 0 || flags)
		return rc < 0 ? rc : 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 1; i++)
		rc = is_same_kind(fd, table, kinds[i].type, kinds[i].name, kinds[i].take,
				  kinds[i].n);
	for (size_t i = 0; i < table->n_sets && rc == 1; i++)
		rc = is_same_set(fd, table, &table->sets[i], &elements[i]);
	return rc == -ENOENT ? 0 : rc;
}
