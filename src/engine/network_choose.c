/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which subnet a new network gets, and its row. The rows of other networks are read in the
 * transaction that inserts the new one; what the host and other engines have is asked then, too,
 * under a lock that all engines of the host share.
 */
/* lint file: paths chosen by the engine */
#include "engine/network_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/network_request.h"
#include "engine/settings.h"
#include "network/pools.h"
#include "storage/network.h"
#include "sys/rtnl.h"

#define DEFAULT_ROOT   "/var/lib/tare"
#define DEFAULT_BRIDGE "tare0"
#define LINK_DIGITS    10

/* What is left are the built-in ones. */
#define MAX_TYPED_SPACES (NETWORK_MAX_SPACES - NETWORK_DEFAULT_SPACES - 1)

void network_set_link(const struct engine *engine, struct network *network)
{
	if (network->driver != NETWORK_BRIDGE || *network->bridge)
		return;
	if (network->is_predefined && strcmp(engine->root, DEFAULT_ROOT) == 0)
		snprintf(network->bridge, sizeof(network->bridge), DEFAULT_BRIDGE);
	else
		snprintf(network->bridge, sizeof(network->bridge), "tare-%.*s", LINK_DIGITS,
			 network->id);
}

struct choice {
	struct engine *engine;
	int lock_fd;
	struct network *networks;
	struct network_row *rows;
	char **texts; /* owned configurations */
	size_t n;
	struct ip_prefix *taken; /* owned: the subnets of other networks, then of the host */
	size_t n_taken, n_others;
	struct ip_prefix *own; /* owned: all subnets of this engine */
	size_t n_own;
	struct network_space spaces[NETWORK_MAX_SPACES];
	size_t n_spaces;
};

static void choice_done(struct choice *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->texts[i]);
	free(c->texts);
	free(c->rows);
	free(c->taken);
	free(c->own);
}

static void add_taken(struct choice *c, const struct ip_prefix *subnet)
{
	c->taken = mem_realloc_array(c->taken, c->n_taken + 1, sizeof(*c->taken));
	c->taken[c->n_taken++] = *subnet;
}

static void add_own(struct choice *c, const struct network *network)
{
	if (!network->n_pools)
		return;
	c->own = mem_realloc_array(c->own, c->n_own + network->n_pools, sizeof(*c->own));
	for (size_t i = 0; i < network->n_pools; i++)
		c->own[c->n_own++] = network->pools[i].subnet;
}

/* ---- what is taken ---- */

static int check_link(struct choice *c, const struct network *other, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct network *n = &c->networks[i];

		if (*n->bridge && strcmp(n->bridge, other->bridge) == 0)
			return err_set(err, ERR_CONFLICT,
				       "cannot create network %s (%s): conflicts with network %s "
				       "(%s): networks have same bridge name",
				       n->id, n->bridge, other->id, other->bridge);
	}
	return 0;
}

static int see(const struct network_row *row, void *data, struct err *err)
{
	struct choice *c = data;
	cleanup_network struct network other = {};
	struct err why = ERR_INIT;

	if (network_parse(row->id, row->name, row->driver, row->created_ns, row->config, &other,
			  &why) < 0)
		return 0; /* told by lists */
	if (check_link(c, &other, err) < 0)
		return -err->code;
	for (size_t i = 0; i < other.n_pools; i++)
		add_taken(c, &other.pools[i].subnet);
	c->n_others = c->n_taken;
	add_own(c, &other);
	return 0;
}

static void see_registered(const struct ip_prefix *subnet, void *data)
{
	add_taken(data, subnet);
}

/* Everything that the host has an address in or a route to, but for default routes. */
static int see_host(struct choice *c, struct err *err)
{
	cleanup_free struct ip_prefix *subnets = NULL;
	size_t n = 0;
	int rc = rtnl_list_subnets(&subnets, &n);

	if (rc < 0)
		return err_sys(err, -rc, "list the host's addresses and routes");
	for (size_t i = 0; i < n; i++)
		if (subnets[i].len > 0)
			add_taken(c, &subnets[i]);
	registry_read(c->lock_fd, c->engine->root, see_registered, c);
	return 0;
}

/* ---- choosing ---- */

/* What the host's owner has said; docker's where that is nothing of IPv4; then the unique local
 * addresses of this engine. */
static int set_spaces(struct choice *c, struct err *err)
{
	cleanup_settings struct settings settings = {};
	cleanup_str struct str machine = STR_INIT;
	cleanup_free char *seed = NULL;
	bool has_ipv4 = false;

	if (settings_load(&settings, err) < 0)
		return -err->code;
	for (size_t i = 0; i < settings.n_pools && i < MAX_TYPED_SPACES; i++) {
		const struct settings_pool *pool = &settings.pools[i];

		c->spaces[c->n_spaces++] = (struct network_space){.base = pool->base,
								  .len = pool->size};
		has_ipv4 |= pool->base.addr.family == IP_V4;
	}
	if (!has_ipv4)
		c->n_spaces += network_default_spaces(c->spaces + c->n_spaces);
	/* Without an id of the machine, two of them might meet; a random one would not stay. */
	if (fd_read_file_at(AT_FDCWD, "/etc/machine-id", 64, &machine) < 0)
		str_truncate(&machine, 0);
	seed = str_printf("%s %s", str_get(&machine), c->engine->root);
	c->spaces[c->n_spaces++] = network_local_space(seed);
	return 0;
}

static int choose_pool(struct choice *c, struct network *network, int family, struct err *err)
{
	struct ip_prefix subnet = {};

	if (network_choose_subnet(c->spaces, c->n_spaces, family, c->taken, c->n_taken, &subnet) <
	    0) {
		err_set(err, ERR_UNAVAILABLE,
			"all predefined address pools have been fully subnetted");
		return err_hint(err, "say one with --subnet, remove networks with tare network "
				     "prune, or set network.pools in tare.conf");
	}
	network_add_pool(network, &subnet);
	add_taken(c, &subnet);
	return 0;
}

/* IPv4 first, as docker shows them. */
static int compare_pools(const void *a, const void *b)
{
	const struct network_pool *x = a;
	const struct network_pool *y = b;

	return x->subnet.addr.family - y->subnet.addr.family;
}

static int check_overlap(const struct choice *c, const struct network *network, struct err *err)
{
	for (size_t i = 0; i < network->n_pools; i++)
		for (size_t k = 0; k < c->n_others; k++)
			if (ip_is_overlapping(&network->pools[i].subnet, &c->taken[k]))
				return err_set(err, ERR_CONFLICT,
					       "invalid pool request: Pool overlaps with other one "
					       "on this address space");
	return 0;
}

static int complete_pools(struct network *network, struct err *err)
{
	for (size_t i = 0; i < network->n_pools; i++) {
		struct network_pool *pool = &network->pools[i];
		bool is_typed = pool->gateway.family;

		if (network_complete_pool(network, pool, err) < 0)
			return -err->code;
		pool->is_gateway_implied = !is_typed;
	}
	return 0;
}

static bool has_pool(const struct network *network, int family)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (network->pools[i].subnet.addr.family == family)
			return true;
	return false;
}

static int choose_for(struct choice *c, struct network *network, struct err *err)
{
	size_t n_typed = network->n_pools;

	if (network->driver == NETWORK_HOST || network->driver == NETWORK_NULL)
		return 0;
	if (check_overlap(c, network, err) < 0 || complete_pools(network, err) < 0 ||
	    (network->is_ipv4 && !has_pool(network, IP_V4) &&
	     choose_pool(c, network, IP_V4, err) < 0) ||
	    (network->is_ipv6 && !has_pool(network, IP_V6) &&
	     choose_pool(c, network, IP_V6, err) < 0))
		return -err->code;
	for (size_t i = n_typed; i < network->n_pools; i++) {
		network->pools[i].is_chosen = true;
		if (network_complete_pool(network, &network->pools[i], err) < 0)
			return -err->code;
	}
	qsort(network->pools, network->n_pools, sizeof(*network->pools), compare_pools);
	return 0;
}

static int choose(void *data, struct err *err)
{
	struct choice *c = data;
	int rc = 0;

	if (see_host(c, err) < 0)
		return -err->code;
	for (size_t i = 0; i < c->n; i++) {
		if (choose_for(c, &c->networks[i], err) < 0)
			return -err->code;
		add_own(c, &c->networks[i]);
		c->texts[i] = network_format(&c->networks[i]);
		c->rows[i].config = c->texts[i];
	}
	rc = registry_write(c->lock_fd, c->engine->root, c->own, c->n_own);
	return rc < 0 ? err_sys(err, -rc, "write down which subnets are taken") : 0;
}

int network_insert_chosen(struct engine *engine, int lock_fd, struct network *networks, size_t n,
			  struct err *err)
{
	cleanup_with(choice_done) struct choice c = {
		.engine = engine,
		.lock_fd = lock_fd,
		.networks = networks,
		.rows = mem_realloc_array(NULL, n, sizeof(*c.rows)),
		.texts = mem_zalloc(n * sizeof(*c.texts)),
		.n = n,
	};
	const struct network_insertion insertion = {.rows = c.rows,
						    .n = n,
						    .has_record = !networks[0].is_predefined,
						    .see = see,
						    .choose = choose,
						    .data = &c};

	for (size_t i = 0; i < n; i++)
		c.rows[i] = (struct network_row){.id = networks[i].id,
						 .name = networks[i].name,
						 .driver = networks[i].driver_name,
						 .created_ns = networks[i].created_ns};
	if (set_spaces(&c, err) < 0)
		return -err->code;
	return network_insert(engine->store, &insertion, err);
}

static int collect_own(struct network *network, void *data, struct err *err)
{
	add_own(data, network);
	return 0;
}

void network_tell_subnets(struct engine *engine, bool waiting)
{
	cleanup_with(choice_done) struct choice c = {.engine = engine};
	struct err err = ERR_INIT;
	cleanup_close int lock_fd = waiting ? engine_lock_pools(&err) : registry_try_lock(&err);
	int rc = lock_fd;

	if (rc >= 0)
		rc = engine_take_networks(engine, collect_own, &c, &err);
	if (rc >= 0)
		rc = registry_write(lock_fd, engine->root, c.own, c.n_own);
	if (rc < 0)
		log_debug("other engines are not told which subnets are taken: %s", err.msg);
}
