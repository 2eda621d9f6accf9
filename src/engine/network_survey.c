/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The survey. Networks come from their rows, endpoints and ports from the same network.json files
 * that the firewall is loaded from.
 */
#include "engine/network_survey.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/list.h"
#include "engine/network.h"
#include "engine/settings.h"
#include "network/live.h"
#include "storage/container.h"
#include "sys/listen.h"
#include "sys/nft.h"
#include "sys/rtnl.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OWN_TABLES	"tare"
#define PARAMETER_LIMIT 16
#define JOIN_PREFIX	"container:"

struct survey {
	struct engine *engine;
	struct network_model *model;
	struct strv modes; /* of each container */
};

/* ---- networks ---- */

static int add_network(const struct network *network, void *data, struct err *err)
{
	struct survey *s = data;
	cleanup_free char *text = network_format(network);

	return network_parse(network->id, network->name, network->driver_name, network->created_ns,
			     text, &network_model_add_network(s->model)->network, err);
}

/* Whether the parents of macvlan and ipvlan are there. */
static void check_parents(struct network_model *model)
{
	cleanup_close int fd = -1;

	for (size_t i = 0; i < model->n_networks; i++) {
		struct model_network *n = &model->networks[i];

		if (n->network.parent[0] == '\0')
			continue;
		if (fd < 0)
			fd = netlink_open(NETLINK_ROUTE);
		n->is_missing_parent = fd >= 0 && rtnl_index(fd, n->network.parent) < 0;
	}
}

/* ---- containers ---- */

static size_t find_network(const struct network_model *model, const char *id)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (strcmp(model->networks[i].network.id, id) == 0)
			return i;
	return SIZE_MAX;
}

static void add_live(struct network_model *model, struct model_container *c,
		     const struct live_network *live)
{
	for (size_t i = 0; i < live->n_endpoints; i++) {
		const struct endpoint *from = &live->endpoints[i];
		size_t network = find_network(model, from->network_id);
		struct model_endpoint *e = NULL;

		if (network == SIZE_MAX)
			continue;
		e = model_container_add_endpoint(c);
		e->network = network;
		memcpy(e->ifname, from->ifname, sizeof e->ifname);
		e->ip4 = from->ip4;
		e->ip6 = from->ip6;
		e->is_gateway4 = from->is_gateway4;
		e->is_gateway6 = from->is_gateway6;
	}
	for (size_t i = 0; i < live->n_ports; i++)
		*model_container_add_port(c) = live->ports[i];
}

static int add_container(const struct listed_container *listed, void *data, struct err *err)
{
	struct survey *s = data;
	cleanup_live_network struct live_network live = {};
	struct model_container *c = NULL;
	cleanup_close int dir = -1;

	if (!container_has_process(&listed->state))
		return 0;
	dir = engine_open_run_dir(s->engine, listed->row->id, false);
	if (dir < 0) /* it has ended meanwhile */
		return 0;
	if (live_network_read(dir, &live, err) < 0)
		return -err->code;
	c = network_model_add_container(s->model);
	c->id = str_dup(listed->row->id);
	c->name = str_dup(listed->row->name);
	c->image = str_dup(listed->row->image_ref);
	if (strcmp(listed->row->network_mode, NETWORK_HOST_NAME) == 0)
		c->place = PLACE_HOST;
	strv_add(&s->modes, listed->row->network_mode);
	add_live(s->model, c, &live);
	return 0;
}

static size_t find_container(const struct network_model *model, const char *ref)
{
	for (size_t i = 0; i < model->n_containers; i++)
		if (strcmp(model->containers[i].id, ref) == 0 ||
		    strcmp(model->containers[i].name, ref) == 0)
			return i;
	return SIZE_MAX;
}

/* "container:X" leads to X, and on to what X itself shares. One whose X has ended has what is left
 * of X's namespace: nothing. */
static void resolve_joins(struct survey *s)
{
	struct network_model *model = s->model;

	for (size_t i = 0; i < model->n_containers; i++) {
		size_t at = i;

		for (size_t steps = 0; at != SIZE_MAX && steps <= model->n_containers &&
				       str_has_prefix(s->modes.items[at], JOIN_PREFIX);
		     steps++)
			at = find_container(model, s->modes.items[at] + strlen(JOIN_PREFIX));
		if (at == i || at == SIZE_MAX)
			continue;
		model->containers[i].place = PLACE_SHARED;
		model->containers[i].peer = at;
	}
}

/* ---- the host ---- */

struct socket_list {
	struct listening_socket *items; /* owned */
	struct str *programs;		/* owned, one for each */
	size_t n;
};

static int add_socket(const struct listening_socket *socket, void *data)
{
	struct socket_list *list = data;

	if (ip_is_loopback(&socket->addr))
		return 0;
	list->items = mem_realloc_array(list->items, list->n + 1, sizeof *list->items);
	list->items[list->n++] = *socket;
	return 0;
}

static void name_socket(uint32_t inode, const char *name, void *data)
{
	struct socket_list *list = data;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].inode == inode && list->programs[i].len == 0)
			str_add(&list->programs[i], name);
}

/* A published port is no service of the host: its monitor holds sockets of it. */
static bool is_published(const struct network_model *model, const char *proto, uint16_t port)
{
	for (size_t i = 0; i < model->n_containers; i++)
		for (size_t k = 0; k < model->containers[i].n_ports; k++)
			if (model->containers[i].ports[k].host_port == port &&
			    strcmp(model->containers[i].ports[k].proto, proto) == 0)
				return true;
	return false;
}

static void add_listeners(struct network_model *model)
{
	struct socket_list list = {};
	int rc = listening_list(add_socket, &list);

	if (rc < 0)
		log_warn("list the host's sockets: %s", strerror(-rc));
	list.programs = mem_zalloc(list.n * sizeof *list.programs);
	if (list.n > 0)
		(void)socket_owners_list(name_socket, &list); /* what is missing has no name */
	for (size_t i = 0; i < list.n; i++) {
		const struct listening_socket *from = &list.items[i];
		const char *proto = from->protocol == IPPROTO_UDP ? "udp" : "tcp";
		struct model_listener *to = NULL;

		if (!is_published(model, proto, from->port)) {
			to = model_host_add_listener(&model->host);
			snprintf(to->proto, sizeof to->proto, "%s", proto);
			to->addr = from->addr;
			to->is_dual = from->is_dual;
			to->port = from->port;
			to->program = str_take(&list.programs[i]);
		}
		str_done(&list.programs[i]);
	}
	free(list.programs);
	free(list.items);
}

static bool read_switch(const char *path)
{
	cleanup_str struct str text = STR_INIT;

	return fd_read_kernel_file(path, PARAMETER_LIMIT, &text) >= 0 && text.len > 0 &&
	       text.buf[0] != '0';
}

/* Whether the firewall is what it must be. */
static int add_rules(struct survey *s, struct err *err)
{
	struct rules_state *state = engine_rules_state(s->engine, NULL, err);

	if (!state)
		return -err->code;
	s->model->host.has_rules = state->n_networks == 0 ||
				   rules_are_current(s->engine->runroot) ||
				   rules_compare(state, s->engine->runroot);
	engine_rules_state_free(state);
	return 0;
}

#define MAX_DROPS 8

/* The first chain that drops what is forwarded and is neither ours nor one that docker lets others
 * into. A host without nf_tables has no chains in it. */
static void add_foreign(struct model_host *host)
{
	static const char *const families[] = {"ip", "inet"};
	cleanup_close int fd = nft_open();

	for (size_t f = 0; fd >= 0 && f < ARRAY_LEN(families) && !host->foreign_drop; f++) {
		struct nft_drop drops[MAX_DROPS];
		int n = nft_find_drops(fd, families[f], drops, MAX_DROPS);

		for (int i = 0; i < n && !host->foreign_drop; i++) {
			const struct nft_table table = {.family = drops[i].family,
							.name = drops[i].table};

			if (!str_has_prefix(drops[i].table, OWN_TABLES) &&
			    nft_has_chain(fd, &table, "DOCKER-USER") <= 0)
				host->foreign_drop = str_printf(
					"the policy of chain %s in table %s %s", drops[i].chain,
					drops[i].family, drops[i].table);
		}
	}
}

static int add_host(struct survey *s, struct err *err)
{
	struct model_host *host = &s->model->host;
	cleanup_settings struct settings settings = {};

	if (settings_load(&settings, err) < 0)
		return -err->code;
	host->respects_firewall = settings.is_firewall_respected;
	host->is_forwarding4 = read_switch("/proc/sys/net/ipv4/ip_forward");
	host->is_forwarding6 = read_switch("/proc/sys/net/ipv6/conf/all/forwarding");
	add_listeners(s->model);
	add_foreign(host);
	return add_rules(s, err);
}

int engine_survey_networks(struct engine *engine, bool with_host, struct network_model *ret,
			   struct err *err)
{
	const struct list_options options = {};
	cleanup_network_model struct network_model model = {};
	struct survey s = {.engine = engine, .model = &model};
	int rc = 0;

	if (engine_list_networks(engine, add_network, &s, err) < 0)
		return -err->code;
	check_parents(&model);
	rc = list_containers(engine, &options, NULL, add_container, &s, err);
	if (rc >= 0) {
		resolve_joins(&s);
		rc = with_host ? add_host(&s, err) : 0;
	}
	strv_done(&s.modes);
	if (rc < 0)
		return rc;
	network_model_sort(&model);
	*ret = model;
	model = (struct network_model){};
	return 0;
}
