/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the firewall must say, from the index and from what is alive: the networks that are up, and
 * the published ports of running containers. Needed only when somebody else has changed the rules.
 */
/* lint file: paths below the engine's own directories, of ids that were checked */
#include "engine/network.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/network_private.h"
#include "engine/pending.h"

#define DOCKER_ID_LEN 12

/* The state first, so that one is the other. */
struct full_state {
	struct rules_state rules;
	struct engine *engine;
	char also[ID_LEN + 1];	  /* counts as up; "" for none */
	struct network *networks; /* owned */
	size_t n_networks;
};

static void empty(struct full_state *s)
{
	for (size_t i = 0; i < s->n_networks; i++)
		network_done(&s->networks[i]);
	free(s->networks);
	free(s->rules.networks);
	free(s->rules.ports);
	strv_done(&s->rules.others);
	s->rules.others = (struct strv)STRV_INIT;
	s->networks = NULL;
	s->rules.networks = NULL;
	s->rules.ports = NULL;
	s->n_networks = s->rules.n_networks = s->rules.n_ports = 0;
}

/* ---- networks ---- */

static int add_network(struct network *network, void *data, struct err *err)
{
	struct full_state *s = data;
	cleanup_free char *up = network_up_path(s->engine, network->id);

	if (!network_has_bridge(network) ||
	    (strcmp(network->id, s->also) != 0 && access(up, F_OK) < 0))
		return 0;
	s->networks = mem_realloc_array(s->networks, s->n_networks + 1, sizeof(*s->networks));
	s->networks[s->n_networks++] = *network;
	*network = (struct network){};
	return 0;
}

static void list_networks(struct full_state *s)
{
	s->rules.networks = mem_zalloc((s->n_networks + 1) * sizeof(*s->rules.networks));
	for (size_t i = 0; i < s->n_networks; i++)
		s->rules.networks[s->rules.n_networks++].network = &s->networks[i];
}

static const struct network *find_network(const struct full_state *s, const char *id)
{
	for (size_t i = 0; i < s->n_networks; i++)
		if (strcmp(s->networks[i].id, id) == 0)
			return &s->networks[i];
	return NULL;
}

/* ---- ports ---- */

/* The endpoint that has the container's default route of FAMILY. */
static const struct endpoint *find_way(const struct live_network *live, int family)
{
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (family == IP_V4 ? live->endpoints[i].is_gateway4
				    : live->endpoints[i].is_gateway6)
			return &live->endpoints[i];
	return NULL;
}

static void add_port(struct full_state *s, const struct live_network *live,
		     const struct published_port *port)
{
	int family = port->host_ip.family;
	const struct endpoint *way = find_way(live, family);
	const struct network *network = way ? find_network(s, way->network_id) : NULL;
	const struct ip_prefix *addr = NULL;
	struct rules_state *rules = &s->rules;

	/* IPv6 to a container that has none of it is relayed by its monitor. */
	if (!network || port->is_relayed)
		return;
	addr = family == IP_V4 ? &way->ip4 : &way->ip6;
	rules->ports = mem_realloc_array(rules->ports, rules->n_ports + 1, sizeof(*rules->ports));
	rules->ports[rules->n_ports++] = (struct rules_port){
		.port = *port,
		.container_ip = addr->addr,
		.bridge = network->bridge,
		.mode = network_gateway_mode(network, family),
	};
}

static void add_ports_of(struct full_state *s, int dir_fd, const char *container)
{
	cleanup_close int state_dir = openat(dir_fd, container,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_live_network struct live_network live = {};
	struct err err = ERR_INIT;

	if (state_dir < 0 || faccessat(state_dir, LIVE_NETWORK_FILE, F_OK, 0) < 0 ||
	    !pending_is_running(container, s->engine))
		return;
	if (live_network_read(state_dir, &live, &err) < 0) {
		log_warn("container %.12s: %s", container, err.msg);
		return;
	}
	for (size_t i = 0; i < live.n_ports; i++)
		add_port(s, &live, &live.ports[i]);
}

static void list_ports(struct full_state *s)
{
	cleanup_free char *path = str_printf("%s/containers", s->engine->runroot);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (hex_is_valid(e->d_name, ID_LEN))
			add_ports_of(s, fd, e->d_name);
	if (dir)
		closedir(dir);
}

/* ---- bridges of docker's ---- */

/* "docker0", or "br-" and twelve digits of a network's id. */
static bool is_dockers(const char *name)
{
	return strcmp(name, "docker0") == 0 ||
	       (str_has_prefix(name, "br-") && hex_is_valid(name + 3, DOCKER_ID_LEN));
}

static bool is_ours(const struct full_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_networks; i++)
		if (strcmp(s->networks[i].bridge, name) == 0)
			return true;
	return false;
}

static void list_others(struct full_state *s)
{
	struct if_nameindex *links = if_nameindex();

	for (const struct if_nameindex *l = links; l && l->if_index; l++)
		if (is_dockers(l->if_name) && !is_ours(s, l->if_name))
			strv_add(&s->rules.others, l->if_name);
	if (links)
		if_freenameindex(links);
}

/* ---- all of it ---- */

static int fill(struct full_state *s, struct err *err)
{
	empty(s);
	if (engine_take_networks(s->engine, add_network, s, err) < 0)
		return -err->code;
	list_networks(s);
	list_ports(s);
	list_others(s);
	return 0;
}

static int refill(struct rules_state *state, struct err *err)
{
	return fill(state->data, err);
}

struct rules_state *engine_rules_state(struct engine *engine, const struct network *also,
				       struct err *err)
{
	struct full_state *s = mem_zalloc(sizeof(*s));

	s->engine = engine;
	if (also)
		memcpy(s->also, also->id, sizeof(s->also));
	rules_table_name(engine->root, s->rules.table);
	s->rules.refill = refill;
	s->rules.data = s;
	if (fill(s, err) == 0)
		return &s->rules;
	engine_rules_state_free(&s->rules);
	return NULL;
}

void engine_rules_state_free(struct rules_state *state)
{
	if (!state)
		return;
	empty(state->data);
	free(state->data);
}
