/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of published ports, and docker's PortBindings.
 */
#include "engine/ports.h"

#include "base/mem.h"
#include "base/num.h"
#include "json/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STORED ((size_t)8 << 20)
#define KEY_LEN	   24

void port_list_done(struct port_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		port_spec_done(&list->items[i]);
	free(list->items);
	*list = (struct port_list){};
}

void port_list_add(struct port_list *list, const struct port_spec *port)
{
	struct port_spec copy = *port;

	copy.host_ip = port->host_ip ? str_dup(port->host_ip) : NULL;
	list->items = mem_realloc_array(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = copy;
}

/* "80/tcp"; RET gets port and protocol. */
static bool read_key(const char *key, struct port_spec *ret)
{
	size_t len = strcspn(key, "/");
	cleanup_free char *digits = str_ndup(key, len);
	uint64_t port = 0;

	if (num_parse_u64(digits, &port) < 0 || port > UINT16_MAX)
		return false;
	ret->container_port = (uint16_t)port;
	snprintf(ret->proto, sizeof(ret->proto), "%s", key[len] ? key + len + 1 : "tcp");
	return true;
}

static bool is_bound(const struct port_spec *ports, size_t n, const struct port_spec *port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].container_port == port->container_port &&
		    strcmp(ports[i].proto, port->proto) == 0)
			return true;
	return false;
}

void port_list_fill(struct port_list *ret, const struct port_spec *ports, size_t n, bool all,
		    const struct strv *exposed)
{
	for (size_t i = 0; i < n; i++)
		port_list_add(ret, &ports[i]);
	if (!all)
		return;
	strv_foreach (i, exposed) {
		struct port_spec port = {};

		if (read_key(exposed->items[i], &port) && !is_bound(ports, n, &port))
			port_list_add(ret, &port);
	}
}

/* "", "0", "8080" or "8080-8090". */
static bool read_host_port(const char *text, struct port_spec *ret)
{
	size_t len = strcspn(text, "-");
	cleanup_free char *digits = str_ndup(text, len);
	uint64_t first = 0, last = 0;

	ret->has_host = *text != '\0';
	if (!*text)
		return true;
	if (num_parse_u64(digits, &first) < 0 || first > UINT16_MAX)
		return false;
	last = first;
	if (text[len] && (num_parse_u64(text + len + 1, &last) < 0 || last > UINT16_MAX))
		return false;
	ret->host_first = (uint16_t)first;
	ret->host_last = (uint16_t)last;
	return last >= first;
}

void port_list_read_bindings(struct port_list *ret, const json_t *host)
{
	const char *key = NULL;
	json_t *bindings = NULL;

	json_object_foreach (json_object_get(host, "PortBindings"), key, bindings) {
		json_t *item = NULL;
		size_t i = 0;

		json_array_foreach (bindings, i, item) {
			const char *ip = json_get_string(item, "HostIp", "");
			struct port_spec port = {.host_ip = *ip ? (char *)(uintptr_t)ip : NULL};

			if (read_key(key, &port) &&
			    read_host_port(json_get_string(item, "HostPort", ""), &port))
				port_list_add(ret, &port);
		}
	}
}

static int read_exposed(const char *config, struct strv *ret, struct err *err)
{
	cleanup_json json_t *tree = NULL;
	const char *key = NULL;
	json_t *value = NULL;

	if (!strstr(config, "\"ExposedPorts\":"))
		return 0;
	if (json_parse(config, strlen(config), MAX_STORED, "Config", &tree, err) < 0)
		return -err->code;
	json_object_foreach (json_object_get(tree, "ExposedPorts"), key, value)
		strv_add(ret, key);
	return 0;
}

int port_list_read(struct port_list *ret, const char *host, const char *config,
		   struct strv *ret_exposed, struct err *err)
{
	cleanup_json json_t *tree = NULL;
	cleanup_port_list struct port_list bound = {};
	/* What stands there is our own compact text. */
	bool all = strstr(host, "\"PublishAllPorts\":true") != NULL;
	int rc = read_exposed(config, ret_exposed, err);

	if (rc < 0 || (!all && strstr(host, "\"PortBindings\":{}")))
		return rc;
	if (json_parse(host, strlen(host), MAX_STORED, "HostConfig", &tree, err) < 0)
		return -err->code;
	port_list_read_bindings(&bound, tree);
	port_list_fill(ret, bound.items, bound.n, json_get_bool(tree, "PublishAllPorts", false),
		       ret_exposed);
	return 0;
}

static void format_host_port(const struct port_spec *port, char buf[static KEY_LEN])
{
	buf[0] = '\0';
	if (port->host_last > port->host_first)
		snprintf(buf, KEY_LEN, "%u-%u", port->host_first, port->host_last);
	else if (port->has_host)
		snprintf(buf, KEY_LEN, "%u", port->host_first);
}

json_t *port_list_to_json(const struct port_list *list)
{
	json_t *all = json_object();

	for (size_t i = 0; i < list->n; i++) {
		const struct port_spec *port = &list->items[i];
		json_t *binding = json_object();
		char key[KEY_LEN];
		char host[KEY_LEN];

		snprintf(key, sizeof(key), "%u/%s", port->container_port, port->proto);
		format_host_port(port, host);
		if (!json_object_get(all, key))
			json_object_set_new(all, key, json_array());
		json_set_text(binding, "HostIp", port->host_ip ? port->host_ip : "");
		json_set_text(binding, "HostPort", host);
		json_array_append_new(json_object_get(all, key), binding);
	}
	return all;
}

bool port_spec_is_equal(const struct port_spec *a, const struct port_spec *b)
{
	return a->container_port == b->container_port && strcmp(a->proto, b->proto) == 0 &&
	       a->host_first == b->host_first && a->host_last == b->host_last &&
	       str_is_equal(a->host_ip ? a->host_ip : "", b->host_ip ? b->host_ip : "");
}

char *port_spec_format(const struct port_spec *port)
{
	bool is_ip6 = port->host_ip && strchr(port->host_ip, ':');
	char host[KEY_LEN];

	format_host_port(port, host);
	if (!port->host_ip)
		return str_printf("%s%s%u/%s", host, *host ? ":" : "", port->container_port,
				  port->proto);
	return str_printf("%s%s%s:%s:%u/%s", is_ip6 ? "[" : "", port->host_ip, is_ip6 ? "]" : "",
			  host, port->container_port, port->proto);
}
