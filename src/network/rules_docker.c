/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living beside docker. Its daemon has the policy of `filter FORWARD` drop what it does not know,
 * and no other table can undo that; but it leaves a chain to people, DOCKER-USER, that is asked
 * first. There each bridge gets two rules, so that what comes from it and what goes to it is left
 * to the engine's own table. The rules of an iptables made with nf_tables lie in nf_tables, and
 * ours are written in the form that it shows; the older one is asked by its program
 * (rules_legacy.c).
 *
 * A chain that drops everything and has nothing like DOCKER-USER before it is its owner's to
 * change: that is said, with the commands that would help.
 */
#include "network/rules.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/rules_private.h"

#include <stdio.h>

#define MAX_DROPS 8

static const struct nft_table filters[] = {
	{.family = "ip", .name = "filter"},
	{.family = "ip6", .name = "filter"},
};
static const char *const programs[] = {"iptables", "ip6tables"};

/* Where rules are to be changed: bits of families, in nf_tables and, above, in the older iptables.
 */
#define N_FAMILIES    ARRAY_LEN(filters)
#define NFT_BIT(f)    (1U << (f))
#define LEGACY_BIT(f) (1U << (8 + (f)))

/* ---- what is there ---- */

/* Whether docker's chain drops what DOCKER-USER does not accept. */
static bool is_docker_dropping(int fd, size_t family)
{
	struct nft_drop drops[MAX_DROPS];
	int n = nft_find_drops(fd, filters[family].family, drops, ARRAY_LEN(drops));
	bool is_dropping = false;

	for (int i = 0; i < n; i++)
		is_dropping |= strcmp(drops[i].table, "filter") == 0;
	return is_dropping && nft_has_chain(fd, &filters[family], RULES_USER_CHAIN) == 1;
}

/* How many of the rules of BRIDGES are in CHAIN, of two for each. */
static size_t count_rules(int fd, const struct nft_table *table, const char *chain,
			  const struct strv *bridges)
{
	cleanup_nft_accepts struct nft_accepts accepts = {};
	size_t n = 0;

	if (nft_find_accepts(fd, table, chain, &accepts) < 0)
		return 0;
	strv_foreach (i, bridges)
		for (int is_in = 0; is_in < 2; is_in++)
			n += nft_lookup_accept(&accepts, is_in, bridges->items[i]) != NULL;
	return n;
}

bool rules_user_chain_is_right(int fd, const struct strv *bridges)
{
	for (size_t f = 0; f < N_FAMILIES; f++)
		if (is_docker_dropping(fd, f) &&
		    count_rules(fd, &filters[f], RULES_USER_CHAIN, bridges) != 2 * bridges->n)
			return false;
	return true;
}

/* Where there is something to do: bits. */
static unsigned find_work(int fd, const struct strv *bridges, bool add)
{
	unsigned bits = 0;

	for (size_t f = 0; f < N_FAMILIES; f++) {
		size_t n = count_rules(fd, &filters[f], RULES_USER_CHAIN, bridges);

		if (add ? n != 2 * bridges->n && is_docker_dropping(fd, f) : n > 0)
			bits |= NFT_BIT(f);
		if (rules_legacy_is_used(f) && rules_legacy_has(f, bridges->items[0]) != add)
			bits |= LEGACY_BIT(f);
	}
	return bits;
}

/* ---- changing it ---- */

struct change {
	const struct step *step;
	int fd;
};

static int fill_bridge(struct netlink_batch *batch, const struct nft_table *table,
		       const struct nft_accepts *accepts, const char *bridge, bool add)
{
	static const char *const keys[] = {"oifname", "iifname"};
	int rc = 0;

	for (int is_in = 0; is_in < 2 && rc == 0; is_in++) {
		const struct nft_accept *found = nft_lookup_accept(accepts, is_in, bridge);
		cleanup_free char *rule = str_printf("%s \"%s\" counter accept", keys[is_in],
						     bridge);

		if (found && !add)
			nft_delete_rule(batch, table, RULES_USER_CHAIN, found->handle);
		else if (!found && add)
			rc = nft_add_rule(batch, table, RULES_USER_CHAIN, rule, true);
	}
	return rc;
}

static int fill(struct netlink_batch *batch, void *data)
{
	const struct change *change = data;
	const struct strv *bridges = &change->step->words;
	int rc = 0;

	for (size_t f = 0; f < N_FAMILIES && rc == 0; f++) {
		cleanup_nft_accepts struct nft_accepts accepts = {};

		if (!(change->step->number[0] & NFT_BIT(f)) ||
		    nft_has_chain(change->fd, &filters[f], RULES_USER_CHAIN) != 1)
			continue;
		rc = nft_find_accepts(change->fd, &filters[f], RULES_USER_CHAIN, &accepts);
		for (size_t i = 0; i < bridges->n && rc == 0; i++)
			rc = fill_bridge(batch, &filters[f], &accepts, bridges->items[i],
					 change->step->number[1]);
	}
	return rc;
}

static int run_user_chain(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_rules_session struct rules_session session = RULES_SESSION_INIT;
	struct change change = {.step = step};
	int rc = rules_session_begin(&session, step->path, err);

	if (rc < 0)
		return rc;
	change.fd = session.fd;
	rc = rules_send(&session, fill, &change);
	if (rc < 0)
		return err_sys(err, -rc, "change the chain " RULES_USER_CHAIN);
	for (size_t f = 0; f < N_FAMILIES; f++)
		for (size_t i = 0; step->number[0] & LEGACY_BIT(f) && i < step->words.n; i++)
			rules_legacy_change(f, step->words.items[i], step->number[1]);
	return 0;
}

static void explain_rules(const struct step *step, const char *program, const char *suffix,
			  struct str *out)
{
	static const char *const directions[] = {"-i", "-o"};

	strv_foreach (i, &step->words) {
		for (size_t d = 0; d < ARRAY_LEN(directions); d++) {
			str_addf(out, "%s%s%s -w %s " RULES_USER_CHAIN " %s ", out->len ? "\n" : "",
				 program, suffix, step->number[1] ? "-I" : "-D", directions[d]);
			str_add_shell(out, step->words.items[i]);
			str_add(out, " -j ACCEPT");
		}
	}
}

static void explain_user_chain(const struct step *step, enum step_text mode, struct str *out)
{
	for (size_t f = 0; f < N_FAMILIES; f++) {
		if (step->number[0] & NFT_BIT(f))
			explain_rules(step, programs[f], "", out);
		if (step->number[0] & LEGACY_BIT(f))
			explain_rules(step, programs[f], "-legacy", out);
	}
}

static const struct step_op step_user_chain = {"firewall of docker", run_user_chain,
					       explain_user_chain};

/* ---- planning it ---- */

/* Chains that drop what is forwarded, and that we must not change. */
static void warn_of(int fd, const char *family, const struct strv *bridges)
{
	struct nft_drop drops[MAX_DROPS];
	int n = nft_find_drops(fd, family, drops, ARRAY_LEN(drops));

	for (int i = 0; i < n; i++) {
		const struct nft_table table = {.family = family, .name = drops[i].table};

		if (nft_has_chain(fd, &table, RULES_USER_CHAIN) == 1 ||
		    count_rules(fd, &table, drops[i].chain, bridges) == 2 * bridges->n)
			continue;
		log_warn("the host's chain \"%s %s %s\" drops what is forwarded, also for "
			 "containers; to let them out: nft insert rule %s %s %s iifname \"%s\" "
			 "accept; nft insert rule %s %s %s oifname \"%s\" accept",
			 family, drops[i].table, drops[i].chain, family, drops[i].table,
			 drops[i].chain, bridges->items[0], family, drops[i].table, drops[i].chain,
			 bridges->items[0]);
	}
}

void rules_plan_user_chain(struct plan *plan, enum step_where where, const struct strv *bridges,
			   bool add, const char *runroot)
{
	static const char *const families[] = {"ip", "inet"};
	int fd = bridges->n ? nft_open() : -1;
	unsigned work = 0;
	struct step *step = NULL;

	if (fd < 0)
		return;
	work = find_work(fd, bridges, add);
	for (size_t i = 0; add && i < ARRAY_LEN(families); i++)
		warn_of(fd, families[i], bridges);
	fd_cleanup_close(&fd);
	if (!work)
		return;
	step = plan_add(plan, &step_user_chain, where);
	step->path = str_dup(runroot);
	strv_add_all(&step->words, bridges);
	step->number[0] = work;
	step->number[1] = add;
}
