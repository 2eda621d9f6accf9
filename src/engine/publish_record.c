/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on record of a container's published ports, and what a change makes of it.
 */
#include "engine/publish_live.h"

#include "base/mem.h"
#include "engine/publish_private.h"
#include "storage/container.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

#define MAX_STORED ((size_t)8 << 20)

void port_outcome_done(struct port_outcome *outcome)
{
	port_list_done(&outcome->bindings);
	port_list_done(&outcome->added);
	strv_done(&outcome->exposed);
}

static bool is_inside(const struct port_spec *a, uint16_t port, const char *proto)
{
	return a->container_port == port && strcmp(a->proto, proto) == 0;
}

/* Whether BINDING is one that REMOVED names. */
static bool names_binding(const struct port_spec *removed, const struct port_spec *binding)
{
	if (!is_inside(removed, binding->container_port, binding->proto))
		return false;
	if (!removed->has_host)
		return true;
	if (removed->host_ip &&
	    !str_is_equal(removed->host_ip, binding->host_ip ? binding->host_ip : ""))
		return false;
	return binding->host_first && binding->host_first <= removed->host_first &&
	       removed->host_first <= binding->host_last;
}

bool publish_names_port(const struct port_spec *removed, const struct published_port *port)
{
	struct ip_addr ip = {};

	if (!is_inside(removed, port->container_port, port->proto))
		return false;
	if (!removed->has_host)
		return true;
	if (removed->host_ip)
		ip_parse(removed->host_ip, &ip);
	return port->host_port == removed->host_first &&
	       (ip.family == IP_NONE || ip_is_equal(&ip, &port->host_ip));
}

bool publish_is_on_record(const struct port_list *bindings, const struct published_port *port)
{
	for (size_t i = 0; i < bindings->n; i++) {
		const struct port_spec *b = &bindings->items[i];
		struct ip_addr ip = {};

		if (!is_inside(b, port->container_port, port->proto))
			continue;
		if (b->host_ip && *b->host_ip)
			ip_parse(b->host_ip, &ip);
		if (ip.family != IP_NONE && !ip_is_equal(&ip, &port->host_ip))
			continue;
		if (!b->host_first ||
		    (b->host_first <= port->host_port && port->host_port <= b->host_last))
			return true;
	}
	return false;
}

static void take_out(struct port_list *list, size_t i)
{
	port_spec_done(&list->items[i]);
	list->n--;
	memmove(&list->items[i], &list->items[i + 1], (list->n - i) * sizeof(*list->items));
}

/* Takes out of LIST what REMOVED names: the number of bindings. */
static size_t remove_named(struct port_list *list, const struct port_spec *removed)
{
	size_t n = 0;

	for (size_t i = list->n; i-- > 0;) {
		if (!names_binding(removed, &list->items[i]))
			continue;
		take_out(list, i);
		n++;
	}
	return n;
}

/* The number was the kernel's choice: a binding without one goes. */
static void remove_unnumbered(struct port_list *list, const struct port_spec *removed)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!is_inside(removed, list->items[i].container_port, list->items[i].proto) ||
		    list->items[i].host_first)
			continue;
		take_out(list, i);
		return;
	}
}

static bool has_named(const struct live_network *live, const struct port_spec *removed)
{
	for (size_t i = 0; i < live->n_ports; i++)
		if (publish_names_port(removed, &live->ports[i]))
			return true;
	return false;
}

int publish_remove(struct port_outcome *out, const struct port_list *removed,
		   const struct live_network *live, const char *name, struct err *err)
{
	for (size_t i = 0; i < removed->n; i++) {
		const struct port_spec *one = &removed->items[i];
		size_t n = remove_named(&out->bindings, one);
		bool is_live = has_named(live, one);
		cleanup_free char *text = NULL;

		if (n == 0 && is_live)
			remove_unnumbered(&out->bindings, one);
		if (n > 0 || is_live) {
			out->has_changed = true;
			continue;
		}
		text = port_spec_format(one);
		err_set(err, ERR_NOT_FOUND, "No public port '%s' published for %s", text, name);
		return err_hint(err, "the number is the container's, or both: 8080:80");
	}
	return 0;
}

void publish_add(struct port_outcome *out, const struct port_changes *changes)
{
	for (size_t i = 0; i < changes->n_add; i++) {
		const struct port_spec *port = &changes->add[i];
		char key[32];
		bool is_there = false;

		for (size_t k = 0; k < out->bindings.n; k++)
			is_there |= port_spec_is_equal(&out->bindings.items[k], port);
		if (is_there)
			continue;
		snprintf(key, sizeof(key), "%u/%s", port->container_port, port->proto);
		if (!strv_has(&out->exposed, key))
			strv_add(&out->exposed, key);
		port_list_add(&out->bindings, port);
		port_list_add(&out->added, port);
		out->has_changed = true;
	}
}

int publish_read_record(const struct container_row *row, const struct port_changes *changes,
			struct port_outcome *ret, struct err *err)
{
	cleanup_json json_t *host = NULL;
	int rc = json_parse(row->host, strlen(row->host), MAX_STORED, "HostConfig", &host, err);

	if (rc < 0)
		return rc;
	ret->is_publish_all = json_get_bool(host, "PublishAllPorts", false);
	if (ret->is_publish_all && !changes->remove->n) {
		cleanup_port_list struct port_list all = {};

		port_list_read_bindings(&ret->bindings, host);
		return port_list_read(&all, row->host, row->config, &ret->exposed, err);
	}
	ret->is_publish_all = false;
	return port_list_read(&ret->bindings, row->host, row->config, &ret->exposed, err);
}

void port_outcome_store(const struct port_outcome *outcome, json_t *host, json_t *config)
{
	json_t *exposed = json_object_get(config, "ExposedPorts");

	json_object_set_new(host, "PortBindings", port_list_to_json(&outcome->bindings));
	json_object_set_new(host, "PublishAllPorts", json_boolean(outcome->is_publish_all));
	if (!exposed && outcome->exposed.n) {
		exposed = json_object();
		json_object_set_new(config, "ExposedPorts", exposed);
	}
	strv_foreach (i, &outcome->exposed)
		json_object_set_new(exposed, outcome->exposed.items[i], json_object());
}
