/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables over netlink: transactions, and the text of a table.
 */
#include "sys/nft.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* Elements in one message: an attribute takes 64 KiB, an element at most 160 bytes. */
#define ELEMENTS_PER_MESSAGE 256
/* Type and length of the mark in a rule's user data, where nft(8) skips what it does not know. */
#define MARK_TYPE  200
#define MAX_FIELDS 8

static const struct {
	const char *name;
	int number;
} families[] =
	{
		{"inet", NFPROTO_INET},
		{"ip", NFPROTO_IPV4},
		{"ip6", NFPROTO_IPV6},
		{"bridge", NFPROTO_BRIDGE},
},
  hooks[] = {
	  {"prerouting", NF_INET_PRE_ROUTING},	 {"input", NF_INET_LOCAL_IN},
	  {"forward", NF_INET_FORWARD},		 {"output", NF_INET_LOCAL_OUT},
	  {"postrouting", NF_INET_POST_ROUTING},
};

int nft_family(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(families[i].name, name) == 0)
			return families[i].number;
	return -EINVAL;
}

int nft_hook(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
		if (strcmp(hooks[i].name, name) == 0)
			return hooks[i].number;
	return -EINVAL;
}

const struct nft_set *nft_find_set(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_sets; i++)
		if (strcmp(table->sets[i].name, name) == 0)
			return &table->sets[i];
	return NULL;
}

/* ---- messages ---- */

static void message(struct netlink_batch *batch, int type, uint16_t flags, const char *family)
{
	const struct nfgenmsg header = {
		.nfgen_family = (uint8_t)nft_family(family),
		.version = NFNETLINK_V0,
	};

	netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &header,
		      sizeof(header));
}

void nft_begin(struct netlink_batch *batch, uint32_t generation)
{
	const struct nfgenmsg header = {.version = NFNETLINK_V0,
					.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	netlink_begin(batch, NFNL_MSG_BATCH_BEGIN, 0, &header, sizeof(header));
	if (generation)
		netlink_put_be32(batch, NFNL_BATCH_GENID, generation);
}

void nft_end(struct netlink_batch *batch)
{
	const struct nfgenmsg header = {.version = NFNETLINK_V0,
					.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	/* The last message before the end answers for all: older kernels do not answer the end. */
	netlink_ack_here(batch);
	netlink_begin(batch, NFNL_MSG_BATCH_END, 0, &header, sizeof(header));
}

void nft_add_table(struct netlink_batch *batch, const struct nft_table *table)
{
	message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table->family);
	netlink_put_string(batch, NFTA_TABLE_NAME, table->name);
	netlink_put_be32(batch, NFTA_TABLE_FLAGS, 0);
}

void nft_delete_table(struct netlink_batch *batch, const struct nft_table *table)
{
	message(batch, NFT_MSG_DELTABLE, 0, table->family);
	netlink_put_string(batch, NFTA_TABLE_NAME, table->name);
}

/* Where nft(8) finds the byte order of a set's keys (libnftnl's NFTNL_UDATA_SET_KEYBYTEORDER): it
 * cannot show names of interfaces without. */
static void put_byte_order(struct netlink_batch *batch, const struct nft_set *set)
{
	enum { KEY_BYTE_ORDER = 0, HOST = 1 };
	const struct {
		uint8_t type, len;
		uint8_t order[sizeof(uint32_t)];
	} data = {.type = KEY_BYTE_ORDER, .len = sizeof(data.order), .order = {HOST}};

	if (nft_is_host_order(set->key))
		netlink_put(batch, NFTA_SET_USERDATA, &data, sizeof(data));
}

/* The widths of what is concatenated: the kernel compares intervals of each. */
static void put_fields(struct netlink_batch *batch, const struct nft_set *set)
{
	unsigned lens[MAX_FIELDS];
	int n = nft_type_lengths(set->key, lens, ARRAY_LEN(lens));
	size_t desc = netlink_nest(batch, NFTA_SET_DESC);
	size_t concat = netlink_nest(batch, NFTA_SET_DESC_CONCAT);

	for (int i = 0; i < n; i++) {
		size_t item = netlink_nest(batch, NFTA_LIST_ELEM);

		netlink_put_be32(batch, NFTA_SET_FIELD_LEN, lens[i]);
		netlink_nest_end(batch, item);
	}
	netlink_nest_end(batch, concat);
	netlink_nest_end(batch, desc);
}

static int add_set(struct netlink_batch *batch, const struct nft_table *table,
		   const struct nft_set *set)
{
	uint32_t type = 0;
	unsigned len = 0;

	if (nft_parse_types(set->key, &type, &len) < 0)
		return -EINVAL;
	message(batch, NFT_MSG_NEWSET, NLM_F_CREATE, table->family);
	netlink_put_string(batch, NFTA_SET_TABLE, table->name);
	netlink_put_string(batch, NFTA_SET_NAME, set->name);
	netlink_put_be32(batch, NFTA_SET_FLAGS,
			 (set->data ? NFT_SET_MAP : 0) |
				 (set->is_interval ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0));
	netlink_put_be32(batch, NFTA_SET_KEY_TYPE, type);
	netlink_put_be32(batch, NFTA_SET_KEY_LEN, len);
	netlink_put_be32(batch, NFTA_SET_ID, (uint32_t)(set - table->sets) + 1);
	put_byte_order(batch, set);
	if (set->is_interval)
		put_fields(batch, set);
	if (!set->data)
		return 0;
	if (nft_parse_types(set->data, &type, &len) < 0)
		return -EINVAL;
	netlink_put_be32(batch, NFTA_SET_DATA_TYPE, type);
	netlink_put_be32(batch, NFTA_SET_DATA_LEN, len);
	return 0;
}

static void add_chain(struct netlink_batch *batch, const struct nft_table *table,
		      const struct nft_chain *chain)
{
	size_t hook = 0;

	message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, table->family);
	netlink_put_string(batch, NFTA_CHAIN_TABLE, table->name);
	netlink_put_string(batch, NFTA_CHAIN_NAME, chain->name);
	if (!chain->type)
		return;
	hook = netlink_nest(batch, NFTA_CHAIN_HOOK);
	netlink_put_be32(batch, NFTA_HOOK_HOOKNUM, (uint32_t)nft_hook(chain->hook));
	netlink_put_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
	netlink_nest_end(batch, hook);
	netlink_put_be32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
	netlink_put_string(batch, NFTA_CHAIN_TYPE, chain->type);
}

int nft_add_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		 const char *rule, bool first)
{
	struct {
		uint8_t type, len;
		uint8_t mark[sizeof(uint64_t)];
	} data = {.type = MARK_TYPE, .len = sizeof(data.mark)};
	const uint64_t mark = nft_rule_mark(rule);
	size_t nest = 0;
	int rc = 0;

	message(batch, NFT_MSG_NEWRULE, (uint16_t)(NLM_F_CREATE | (first ? 0 : NLM_F_APPEND)),
		table->family);
	netlink_put_string(batch, NFTA_RULE_TABLE, table->name);
	netlink_put_string(batch, NFTA_RULE_CHAIN, chain);
	nest = netlink_nest(batch, NFTA_RULE_EXPRESSIONS);
	rc = nft_compile(batch, table, rule);
	netlink_nest_end(batch, nest);
	memcpy(data.mark, &mark, sizeof(mark));
	netlink_put(batch, NFTA_RULE_USERDATA, &data, sizeof(data));
	return rc;
}

void nft_delete_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		     uint64_t handle)
{
	message(batch, NFT_MSG_DELRULE, 0, table->family);
	netlink_put_string(batch, NFTA_RULE_TABLE, table->name);
	netlink_put_string(batch, NFTA_RULE_CHAIN, chain);
	netlink_put_be64(batch, NFTA_RULE_HANDLE, handle);
}

int nft_add_content(struct netlink_batch *batch, const struct nft_table *table)
{
	int rc = 0;

	for (size_t i = 0; i < table->n_sets && rc == 0; i++)
		rc = add_set(batch, table, &table->sets[i]);
	for (size_t i = 0; i < table->n_chains; i++)
		add_chain(batch, table, &table->chains[i]);
	for (size_t i = 0; i < table->n_chains; i++)
		for (const char *const *rule = table->chains[i].rules; *rule && rc == 0; rule++)
			rc = nft_add_rule(batch, table, table->chains[i].name, *rule, false);
	return rc;
}

static void put_value(struct netlink_batch *batch, uint16_t type, const uint8_t *bytes,
		      unsigned len)
{
	size_t nest = netlink_nest(batch, type);

	netlink_put(batch, NFTA_DATA_VALUE, bytes, len);
	netlink_nest_end(batch, nest);
}

static int put_element(struct netlink_batch *batch, const struct nft_set *set, const char *text,
		       bool with_data)
{
	struct nft_element element;
	size_t item = 0;

	if (nft_parse_element(set, text, &element) < 0)
		return -EINVAL;
	item = netlink_nest(batch, NFTA_LIST_ELEM);
	put_value(batch, NFTA_SET_ELEM_KEY, element.key, element.key_len);
	if (set->is_interval)
		put_value(batch, NFTA_SET_ELEM_KEY_END, element.end, element.key_len);
	if (set->data && with_data)
		put_value(batch, NFTA_SET_ELEM_DATA, element.data, element.data_len);
	netlink_nest_end(batch, item);
	return 0;
}

static size_t elements_begin(struct netlink_batch *batch, int type, uint16_t flags,
			     const struct nft_table *table, const struct nft_set *set)
{
	message(batch, type, flags, table->family);
	netlink_put_string(batch, NFTA_SET_ELEM_LIST_TABLE, table->name);
	netlink_put_string(batch, NFTA_SET_ELEM_LIST_SET, set->name);
	return netlink_nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static int put_elements(struct netlink_batch *batch, int type, const struct nft_table *table,
			const struct nft_set *set, const char *const *elements, size_t n)
{
	const bool is_new = type == NFT_MSG_NEWSETELEM;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0;) {
		size_t nest = elements_begin(batch, type, is_new ? NLM_F_CREATE | NLM_F_EXCL : 0,
					     table, set);

		for (size_t k = 0; k < ELEMENTS_PER_MESSAGE && i < n && rc == 0; k++, i++)
			rc = put_element(batch, set, elements[i], is_new);
		netlink_nest_end(batch, nest);
	}
	return rc;
}

int nft_add_elements(struct netlink_batch *batch, const struct nft_table *table,
		     const struct nft_set *set, const char *const *elements, size_t n)
{
	return put_elements(batch, NFT_MSG_NEWSETELEM, table, set, elements, n);
}

int nft_delete_elements(struct netlink_batch *batch, const struct nft_table *table,
			const struct nft_set *set, const char *const *elements, size_t n)
{
	return put_elements(batch, NFT_MSG_DELSETELEM, table, set, elements, n);
}

/* ---- texts ---- */

static void format_set(const struct nft_set *set, const struct strv *elements, struct str *out)
{
	str_addf(out, "\t%s %s {\n\t\ttype %s%s%s\n%s", set->data ? "map" : "set", set->name,
		 set->key, set->data ? " : " : "", set->data ? set->data : "",
		 set->is_interval ? "\t\tflags interval\n" : "");
	for (size_t i = 0; elements && i < elements->n; i++)
		str_addf(out, "%s%s%s", i ? ",\n\t\t\t     " : "\t\telements = { ",
			 elements->items[i], i + 1 == elements->n ? " }\n" : "");
	str_add(out, "\t}\n");
}

static void format_chain(const struct nft_chain *chain, struct str *out)
{
	str_addf(out, "\tchain %s {\n", chain->name);
	if (chain->type)
		str_addf(out, "\t\ttype %s hook %s priority %d; policy accept;\n", chain->type,
			 chain->hook, chain->priority);
	for (const char *const *rule = chain->rules; *rule; rule++)
		str_addf(out, "\t\t%s\n", *rule);
	str_add(out, "\t}\n");
}

void nft_format(const struct nft_table *table, const struct strv *elements, struct str *out)
{
	str_addf(out, "table %s %s {\n", table->family, table->name);
	for (size_t i = 0; i < table->n_sets; i++)
		format_set(&table->sets[i], elements ? &elements[i] : NULL, out);
	for (size_t i = 0; i < table->n_chains; i++)
		format_chain(&table->chains[i], out);
	str_add(out, "}\n");
}
