/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others let nothing pass with: base chains on the forward hook whose policy is to drop. A
 * packet must be accepted by every base chain of a hook, so ours cannot make up for them.
 */
#include "sys/nft_foreign.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define DOCKER_CHAIN "DOCKER-USER"

struct chains {
	const char *own;     /* tables whose names begin so are ours */
	struct strv drops;   /* "ip filter" TAB "FORWARD" */
	struct strv dockers; /* "ip filter": tables where docker lets others in */
};

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_INET:
		return "inet";
	default:
		return NULL; /* IPv6 alone, frames, ...: not what is asked */
	}
}

static bool is_forward_drop(const struct nlattr *const *attrs)
{
	const struct nlattr *hook[NFTA_HOOK_MAX + 1] = {};

	netlink_parse_nest(attrs[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
	return attrs[NFTA_CHAIN_HOOK] &&
	       netlink_be32(hook[NFTA_HOOK_HOOKNUM], UINT32_MAX) == NF_INET_FORWARD &&
	       netlink_be32(attrs[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
}

static int add_chain(const struct nlmsghdr *message, void *data)
{
	struct chains *chains = data;
	const struct nfgenmsg *header = NULL;
	const struct nlattr *attrs[NFTA_CHAIN_MAX + 1] = {};
	const char *family = NULL, *table = NULL, *name = NULL;

	if (!message) { /* all of it comes again */
		strv_done(&chains->drops);
		strv_done(&chains->dockers);
		return 0;
	}
	header = netlink_header(message, sizeof *header);
	family = header ? family_name(header->nfgen_family) : NULL;
	if (!family)
		return 0;
	netlink_parse(message, sizeof *header, attrs, NFTA_CHAIN_MAX);
	table = netlink_string(attrs[NFTA_CHAIN_TABLE]);
	name = netlink_string(attrs[NFTA_CHAIN_NAME]);
	if (str_has_prefix(table, chains->own))
		return 0;
	if (strcmp(name, DOCKER_CHAIN) == 0)
		strv_addf(&chains->dockers, "%s %s", family, table);
	else if (is_forward_drop(attrs))
		strv_addf(&chains->drops, "%s %s\t%s", family, table, name);
	return 0;
}

/* The first that docker has no door in; owned, NULL: none. */
static char *choose(const struct chains *chains)
{
	strv_foreach (i, &chains->drops) {
		const char *text = chains->drops.items[i];
		const char *tab = strchr(text, '\t');
		cleanup_free char *table = str_ndup(text, (size_t)(tab - text));

		if (!strv_has(&chains->dockers, table))
			return str_printf("the policy of chain %s in table %s", tab + 1, table);
	}
	return NULL;
}

int nft_find_foreign_drop(int fd, const char *own, char **ret)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	const struct nfgenmsg header = {.nfgen_family = NFPROTO_UNSPEC};
	struct chains chains = {.own = own};
	int rc = 0;

	netlink_begin(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, &header,
		      sizeof header);
	rc = netlink_dump(fd, &batch, add_chain, &chains);
	if (rc >= 0)
		*ret = choose(&chains);
	strv_done(&chains.drops);
	strv_done(&chains.dockers);
	return rc < 0 ? rc : 0;
}
