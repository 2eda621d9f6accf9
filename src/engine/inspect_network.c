/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NetworkSettings. Requests come from the index, addresses from the run directory: a network that a
 * container is not in yet, or not any more, has members without a value.
 */
#include "engine/inspect_network.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/network.h"
#include "engine/network_plan.h"
#include "engine/spec.h"
#include "engine/state.h"
#include "network/live.h"
#include "storage/container.h"
#include "json/dump.h"
#include "json/value.h"

struct settings {
	struct engine *engine;
	const struct container_row *row;
	struct live_network live;
	struct endpoint_request *requests; /* owned */
	size_t n_requests;
	json_t *result; /* owned */
};

static void settings_done(struct settings *s)
{
	live_network_done(&s->live);
	endpoint_requests_free(s->requests, s->n_requests);
	json_decref(s->result);
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

static void set_addr(json_t *object, const char *key, const struct ip_addr *addr)
{
	char text[IP_TEXT_LEN];

	/* the link itself is no address */
	set(object, key, json_string(ip_is_any(addr) ? "" : ip_format(addr, text)));
}

static void set_mac(json_t *object, const uint8_t mac[static 6])
{
	char text[MAC_TEXT_LEN];

	set(object, "MacAddress", json_string(mac_is_set(mac) ? mac_format(mac, text) : ""));
}

static json_t *strings_or_null(const struct strv *list)
{
	return list && list->n ? json_new_strv(list) : json_null();
}

/* ---- one network ---- */

/* What was asked for; null when nothing was. */
static json_t *ipam_to_json(const struct endpoint_request *r)
{
	json_t *o = NULL;

	if (!r || (!r->ip4.family && !r->ip6.family && !r->link_local.n))
		return json_null();
	o = json_object();
	if (r->ip4.family)
		set_addr(o, "IPv4Address", &r->ip4);
	if (r->ip6.family)
		set_addr(o, "IPv6Address", &r->ip6);
	if (r->link_local.n)
		set(o, "LinkLocalIPs", json_new_strv(&r->link_local));
	return o;
}

static json_t *options_to_json(const struct endpoint_request *r)
{
	json_t *o = NULL;

	if (!r || !r->driver_options.n)
		return json_null();
	o = json_object();
	strv_foreach (i, &r->driver_options) {
		const char *text = r->driver_options.items[i];
		size_t len = strcspn(text, "=");
		cleanup_free char *key = str_ndup(text, len);

		json_set_text(o, key, text[len] ? text + len + 1 : "");
	}
	return o;
}

/* Only a network whose names are answered to has any. */
static json_t *names_to_json(const struct endpoint *e)
{
	return e->names.n > 1 ? json_new_strv(&e->names) : json_null();
}

static json_t *endpoint_to_json(const struct endpoint_request *r, const struct endpoint *live)
{
	const struct endpoint none = {};
	const struct endpoint *e = live ? live : &none;
	json_t *o = json_object();

	set(o, "IPAMConfig", ipam_to_json(r));
	set(o, "Links", strings_or_null(r ? &r->links : NULL));
	set(o, "Aliases", strings_or_null(r ? &r->aliases : NULL));
	set_mac(o, e->mac);
	set(o, "DriverOpts", options_to_json(r));
	set(o, "GwPriority", json_integer(r ? r->gateway_priority : 0));
	json_set_text(o, "NetworkID", e->network_id);
	json_set_text(o, "EndpointID", e->id);
	set_addr(o, "Gateway", &e->gateway4);
	set_addr(o, "IPAddress", &e->ip4.addr);
	set(o, "IPPrefixLen", json_integer(e->ip4.len));
	set_addr(o, "IPv6Gateway", &e->gateway6);
	set_addr(o, "GlobalIPv6Address", &e->ip6.addr);
	set(o, "GlobalIPv6PrefixLen", json_integer(e->ip6.len));
	set(o, "DNSNames", names_to_json(e));
	return o;
}

/* The live endpoint that request R has led to: the network may have been named by its id. */
static const struct endpoint *find_live(const struct settings *s, const struct endpoint_request *r)
{
	for (size_t i = 0; i < s->live.n_endpoints; i++) {
		const struct endpoint *e = &s->live.endpoints[i];

		if (endpoint_request_is_of(r, e->network_name, e->network_id))
			return e;
	}
	return NULL;
}

static void add_one(struct settings *s, json_t *networks, const char *name,
		    const struct endpoint_request *r, const struct endpoint *live)
{
	cleanup_network struct network network = {};
	struct err ignored = ERR_INIT;
	json_t *o = endpoint_to_json(r, live);

	if (!live && engine_find_network(s->engine, name, &network, &ignored) == 0) {
		json_set_text(o, "NetworkID", network.id);
		name = network.name;
	}
	set(networks, name, o);
}

/* As docker shows a map. */
static json_t *sort_members(json_t *object)
{
	size_t n = 0;
	const char **keys = json_sorted_keys(object, &n);
	json_t *sorted = json_object();

	for (size_t i = 0; i < n; i++)
		set(sorted, keys[i], json_incref(json_object_get(object, keys[i])));
	free(keys);
	json_decref(object);
	return sorted;
}

static json_t *networks_to_json(struct settings *s)
{
	const char *mode = s->row->network_mode;
	json_t *networks = json_object();

	for (size_t i = 0; i < s->n_requests; i++) {
		const struct endpoint_request *r = &s->requests[i];
		const struct endpoint *live = find_live(s, r);

		add_one(s, networks, live ? live->network_name : r->network, r, live);
	}
	/* Modes without links are shown as networks, too; "default" is of a container that was made
	 * when there was no bridge. */
	if (!s->n_requests && !*s->row->networks && !str_has_prefix(mode, "container:"))
		add_one(s, networks, strcmp(mode, "default") == 0 ? NETWORK_NONE_NAME : mode, NULL,
			NULL);
	return sort_members(networks);
}

/* ---- ports ---- */

static json_t *ports_to_json(const struct settings *s, const json_t *config)
{
	json_t *ports = json_object();
	json_t *ignored = NULL;
	const char *exposed = NULL;
	char text[IP_TEXT_LEN];

	json_object_foreach (json_object_get(config, "ExposedPorts"), exposed, ignored)
		set(ports, exposed, json_null());
	for (size_t i = 0; i < s->live.n_ports; i++) {
		const struct published_port *p = &s->live.ports[i];
		cleanup_free char *key = str_printf("%u/%s", p->container_port, p->proto);
		cleanup_free char *number = str_printf("%u", p->host_port);
		json_t *list = json_object_get(ports, key);
		json_t *o = json_object();

		if (!json_is_array(list)) {
			list = json_array();
			set(ports, key, list);
		}
		json_set_text(o, "HostIp", ip_format(&p->host_ip, text));
		json_set_text(o, "HostPort", number);
		json_array_append_new(list, o);
	}
	return ports;
}

/* ---- the whole ---- */

/* What clients of before networks had names look at: those of the default bridge. */
static void add_default_bridge(struct settings *s)
{
	const struct endpoint none = {};
	const struct endpoint *e = &none;

	for (size_t i = 0; i < s->live.n_endpoints; i++)
		if (strcmp(s->live.endpoints[i].network_name, NETWORK_DEFAULT_NAME) == 0)
			e = &s->live.endpoints[i];
	json_set_text(s->result, "EndpointID", e->id);
	set_addr(s->result, "Gateway", &e->gateway4);
	set_addr(s->result, "GlobalIPv6Address", &e->ip6.addr);
	set(s->result, "GlobalIPv6PrefixLen", json_integer(e->ip6.len));
	set_addr(s->result, "IPAddress", &e->ip4.addr);
	set(s->result, "IPPrefixLen", json_integer(e->ip4.len));
	set_addr(s->result, "IPv6Gateway", &e->gateway6);
	set_mac(s->result, e->mac);
}

static void add_sandbox(struct settings *s, const struct container_state *state)
{
	bool has_own = state->pid && !str_has_prefix(s->row->network_mode, "container:");
	cleanup_free char *key = has_own ? str_printf("/proc/%d/ns/net", state->pid) : NULL;

	json_set_text(s->result, "Bridge", "");
	json_set_text(s->result, "SandboxID", has_own ? s->row->id : "");
	json_set_text(s->result, "SandboxKey", key ? key : "");
}

static int load(struct settings *s, const struct container_state *state, struct err *err)
{
	cleanup_close int dir = state->pid ? engine_open_run_dir(s->engine, s->row->id, false) : -1;
	int rc = network_requests_read(s->row->network_mode, s->row->networks, &s->requests,
				       &s->n_requests, err);

	if (rc == 0 && dir >= 0)
		rc = live_network_read(dir, &s->live, err);
	return rc < 0 ? err_wrap(err, "container %.12s", s->row->id) : 0;
}

int network_settings_to_json(struct engine *engine, const struct container_row *row,
			     const json_t *config, const struct container_state *state,
			     json_t **ret, struct err *err)
{
	cleanup_with(settings_done) struct settings s = {.engine = engine, .row = row};

	if (load(&s, state, err) < 0)
		return -err->code;
	s.result = json_object();
	add_sandbox(&s, state);
	set(s.result, "Ports",
	    state->pid && s.live.n_endpoints ? ports_to_json(&s, config) : json_object());
	set(s.result, "HairpinMode", json_false());
	json_set_text(s.result, "LinkLocalIPv6Address", "");
	set(s.result, "LinkLocalIPv6PrefixLen", json_integer(0));
	set(s.result, "SecondaryIPAddresses", json_null());
	set(s.result, "SecondaryIPv6Addresses", json_null());
	add_default_bridge(&s);
	set(s.result, "Networks", networks_to_json(&s));
	*ret = take_ptr(s.result);
	return 0;
}
