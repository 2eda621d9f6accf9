/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other people's tables: which chains drop what is forwarded, and which links they let pass.
 */
#include "sys/nft.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>

static void question(struct netlink_batch *batch, int type, const char *family)
{
	const struct nfgenmsg header = {.nfgen_family = (uint8_t)nft_family(family),
					.version = NFNETLINK_V0};

	netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, &header,
		      sizeof(header));
}

/* ---- chains ---- */

struct drops {
	const char *family;
	struct nft_drop *items;
	size_t n, max;
};

static bool is_dropping(const struct nlattr *const *attrs)
{
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];

	if (!attrs[NFTA_CHAIN_HOOK])
		return false;
	netlink_parse_nest(attrs[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
	return netlink_be32(hook[NFTA_HOOK_HOOKNUM], ~0U) == NF_INET_FORWARD &&
	       netlink_be32(attrs[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
}

static int take_chain(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1];
	struct drops *drops = data;
	struct nft_drop *drop = NULL;

	if (!message) {
		drops->n = 0;
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_CHAIN_MAX);
	if (drops->n == drops->max || !is_dropping(attrs))
		return 0;
	drop = &drops->items[drops->n++];
	drop->family = drops->family;
	snprintf(drop->table, sizeof(drop->table), "%s", netlink_string(attrs[NFTA_CHAIN_TABLE]));
	snprintf(drop->chain, sizeof(drop->chain), "%s", netlink_string(attrs[NFTA_CHAIN_NAME]));
	return 0;
}

int nft_find_drops(int fd, const char *family, struct nft_drop *ret, size_t max)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	struct drops drops = {.family = family, .items = ret, .max = max};
	int rc = 0;

	question(&batch, NFT_MSG_GETCHAIN, family);
	rc = netlink_dump(fd, &batch, take_chain, &drops);
	return rc < 0 ? rc : (int)drops.n;
}

struct wanted_chain {
	const char *table, *chain;
	bool is_there;
};

static int take_name(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1];
	struct wanted_chain *wanted = data;

	if (!message)
		return 0;
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_CHAIN_MAX);
	if (strcmp(netlink_string(attrs[NFTA_CHAIN_TABLE]), wanted->table) == 0 &&
	    strcmp(netlink_string(attrs[NFTA_CHAIN_NAME]), wanted->chain) == 0)
		wanted->is_there = true;
	return 0;
}

int nft_has_chain(int fd, const struct nft_table *table, const char *chain)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	struct wanted_chain wanted = {.table = table->name, .chain = chain};
	int rc = 0;

	question(&batch, NFT_MSG_GETCHAIN, table->family);
	rc = netlink_dump(fd, &batch, take_name, &wanted);
	return rc < 0 ? rc : wanted.is_there;
}

/* ---- rules ---- */

/* What the expressions of one rule have said so far. */
struct rule {
	enum { RULE_BEGUN, RULE_LOADED, RULE_NAMED, RULE_ACCEPTS, RULE_OTHER } state;
	struct nft_accept accept;
};

static void take_meta(struct rule *rule, const struct nlattr *data)
{
	const struct nlattr *attrs[NFTA_META_MAX + 1];
	uint32_t key = 0;

	netlink_parse_nest(data, attrs, NFTA_META_MAX);
	key = netlink_be32(attrs[NFTA_META_KEY], 0);
	rule->accept.is_in = key == NFT_META_IIFNAME;
	rule->state = rule->state == RULE_BEGUN &&
				      (key == NFT_META_IIFNAME || key == NFT_META_OIFNAME)
			      ? RULE_LOADED
			      : RULE_OTHER;
}

/* A name in full ends in a NUL; without it is what a name begins with. */
static void take_cmp(struct rule *rule, const struct nlattr *data)
{
	const struct nlattr *attrs[NFTA_CMP_MAX + 1], *value[NFTA_DATA_MAX + 1];
	const char *name = NULL;

	netlink_parse_nest(data, attrs, NFTA_CMP_MAX);
	netlink_parse_nest(attrs[NFTA_CMP_DATA], value, NFTA_DATA_MAX);
	name = netlink_string(value[NFTA_DATA_VALUE]);
	if (rule->state != RULE_LOADED || !*name ||
	    netlink_be32(attrs[NFTA_CMP_OP], NFT_CMP_NEQ) != NFT_CMP_EQ) {
		rule->state = RULE_OTHER;
		return;
	}
	snprintf(rule->accept.ifname, sizeof(rule->accept.ifname), "%s", name);
	rule->state = RULE_NAMED;
}

static void take_immediate(struct rule *rule, const struct nlattr *data)
{
	const struct nlattr *attrs[NFTA_IMMEDIATE_MAX + 1], *value[NFTA_DATA_MAX + 1];
	const struct nlattr *verdict[NFTA_VERDICT_MAX + 1];

	netlink_parse_nest(data, attrs, NFTA_IMMEDIATE_MAX);
	netlink_parse_nest(attrs[NFTA_IMMEDIATE_DATA], value, NFTA_DATA_MAX);
	netlink_parse_nest(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX);
	rule->state = rule->state == RULE_NAMED &&
				      netlink_be32(verdict[NFTA_VERDICT_CODE], NF_DROP) == NF_ACCEPT
			      ? RULE_ACCEPTS
			      : RULE_OTHER;
}

static int take_expression(const struct nlattr *item, void *data)
{
	const struct nlattr *attrs[NFTA_EXPR_MAX + 1];
	struct rule *rule = data;
	const char *name = NULL;

	netlink_parse_nest(item, attrs, NFTA_EXPR_MAX);
	name = netlink_string(attrs[NFTA_EXPR_NAME]);
	if (strcmp(name, "meta") == 0)
		take_meta(rule, attrs[NFTA_EXPR_DATA]);
	else if (strcmp(name, "cmp") == 0)
		take_cmp(rule, attrs[NFTA_EXPR_DATA]);
	else if (strcmp(name, "immediate") == 0)
		take_immediate(rule, attrs[NFTA_EXPR_DATA]);
	else if (strcmp(name, "counter") != 0)
		rule->state = RULE_OTHER;
	return 0;
}

static int take_rule(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attrs[NFTA_RULE_MAX + 1];
	struct nft_accepts *accepts = data;
	struct rule rule = {};

	if (!message) {
		accepts->n = 0;
		return 0;
	}
	netlink_parse(message, sizeof(struct nfgenmsg), attrs, NFTA_RULE_MAX);
	/* Older kernels do not choose by table and chain. */
	if (strcmp(netlink_string(attrs[NFTA_RULE_TABLE]), accepts->table) != 0 ||
	    strcmp(netlink_string(attrs[NFTA_RULE_CHAIN]), accepts->chain) != 0)
		return 0;
	(void)netlink_each(attrs[NFTA_RULE_EXPRESSIONS], take_expression, &rule);
	if (rule.state != RULE_ACCEPTS)
		return 0;
	rule.accept.handle = netlink_be64(attrs[NFTA_RULE_HANDLE], 0);
	accepts->items = mem_realloc_array(accepts->items, accepts->n + 1, sizeof(rule.accept));
	accepts->items[accepts->n++] = rule.accept;
	return 0;
}

int nft_find_accepts(int fd, const struct nft_table *table, const char *chain,
		     struct nft_accepts *ret)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;

	*ret = (struct nft_accepts){.table = table->name, .chain = chain};
	question(&batch, NFT_MSG_GETRULE, table->family);
	netlink_put_string(&batch, NFTA_RULE_TABLE, table->name);
	netlink_put_string(&batch, NFTA_RULE_CHAIN, chain);
	return netlink_dump(fd, &batch, take_rule, ret);
}

void nft_accepts_done(struct nft_accepts *accepts)
{
	free(accepts->items);
	*accepts = (struct nft_accepts){};
}

const struct nft_accept *nft_lookup_accept(const struct nft_accepts *accepts, bool is_in,
					   const char *ifname)
{
	for (size_t i = 0; i < accepts->n; i++)
		if (accepts->items[i].is_in == is_in &&
		    strcmp(accepts->items[i].ifname, ifname) == 0)
			return &accepts->items[i];
	return NULL;
}
