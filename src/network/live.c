/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of what is alive. network.json is for the engine's own commands; the endpoint files are
 * what a name server may read, and so hold nothing but names and addresses.
 */
/* lint file: the engine's own directories below its runroot, and ids in them */
#include "network/live.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/lease.h"
#include "json/dump.h"
#include "json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE      ((size_t)4 << 20)
#define MAX_ENDPOINTS 256
#define MAX_PORTS     65536

void live_network_done(struct live_network *live)
{
	for (size_t i = 0; i < live->n_endpoints; i++)
		endpoint_done(&live->endpoints[i]);
	free(live->endpoints);
	free(live->ports);
	*live = (struct live_network){};
}

struct endpoint *live_network_find(const struct live_network *live, const char *network_id)
{
	for (size_t i = 0; i < live->n_endpoints; i++)
		if (strcmp(live->endpoints[i].network_id, network_id) == 0)
			return &live->endpoints[i];
	return NULL;
}

void live_network_remove(struct live_network *live, size_t index)
{
	endpoint_done(&live->endpoints[index]);
	live->n_endpoints--;
	memmove(&live->endpoints[index], &live->endpoints[index + 1],
		(live->n_endpoints - index) * sizeof(*live->endpoints));
}

/* ---- writing ---- */

static void member_text(struct str *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	str_addf(out, "\"%s\":", key);
	json_dump_string(out, value, strlen(value), 0);
	str_add_char(out, ',');
}

static void member_list(struct str *out, const char *key, const struct strv *list)
{
	if (!list->n)
		return;
	str_addf(out, "\"%s\":[", key);
	strv_foreach (i, list) {
		if (i)
			str_add_char(out, ',');
		json_dump_string(out, list->items[i], strlen(list->items[i]), 0);
	}
	str_add(out, "],");
}

static void add_endpoint(struct str *out, const struct endpoint *e)
{
	char text[IP_PREFIX_TEXT_LEN];
	char mac[MAC_TEXT_LEN];

	str_add_char(out, '{');
	member_text(out, "Network", e->network_id);
	member_text(out, "Name", e->network_name);
	member_text(out, "Id", e->id);
	member_text(out, "Host", e->host_ifname);
	member_text(out, "Mac", mac_is_set(e->mac) ? mac_format(e->mac, mac) : "");
	if (e->ip4.addr.family)
		member_text(out, "IPv4", ip_prefix_format(&e->ip4, text));
	if (e->ip6.addr.family)
		member_text(out, "IPv6", ip_prefix_format(&e->ip6, text));
	member_text(out, "Gateway4", ip_format(&e->gateway4, text));
	member_text(out, "Gateway6", ip_format(&e->gateway6, text));
	if (e->is_gateway4)
		str_add(out, "\"IsGateway4\":true,");
	if (e->is_gateway6)
		str_add(out, "\"IsGateway6\":true,");
	member_list(out, "Names", &e->names);
	member_list(out, "Links", &e->links);
	member_list(out, "Sysctls", &e->sysctls);
	member_list(out, "LinkLocal", &e->link_local);
	/* Last, and always there: no comma is left over. */
	str_addf(out, "\"Ifname\":\"%s\"}", e->ifname);
}

static void add_port(struct str *out, const struct published_port *p)
{
	char text[IP_TEXT_LEN];

	str_addf(out, "{\"Proto\":\"%s\",\"HostIp\":\"%s\",\"HostPort\":%u,\"Port\":%u%s}",
		 p->proto, ip_format(&p->host_ip, text), p->host_port, p->container_port,
		 p->is_relayed ? ",\"IsRelayed\":true" : "");
}

int live_network_write(int state_dir, const struct live_network *live, struct err *err)
{
	cleanup_str struct str out = STR_INIT;
	int rc = 0;

	str_add(&out, "{\"Endpoints\":[");
	for (size_t i = 0; i < live->n_endpoints; i++) {
		str_add(&out, i ? "," : "");
		add_endpoint(&out, &live->endpoints[i]);
	}
	str_add(&out, "],\"Ports\":[");
	for (size_t i = 0; i < live->n_ports; i++) {
		str_add(&out, i ? "," : "");
		add_port(&out, &live->ports[i]);
	}
	str_add(&out, "]}\n");
	rc = fd_replace_file_at(state_dir, LIVE_NETWORK_FILE, out.buf, out.len, 0600, false);
	return rc < 0 ? err_sys(err, -rc, "write down the container's addresses") : 0;
}

/* ---- reading ---- */

static void copy_text(char *buf, size_t size, const json_t *o, const char *key)
{
	snprintf(buf, size, "%s", json_get_string(o, key, ""));
}

static void read_prefix(const json_t *o, const char *key, struct ip_prefix *ret)
{
	if (ip_prefix_parse(json_get_string(o, key, ""), ret) < 0)
		*ret = (struct ip_prefix){};
}

static void read_addr(const json_t *o, const char *key, struct ip_addr *ret)
{
	if (ip_parse(json_get_string(o, key, ""), ret) < 0)
		*ret = (struct ip_addr){};
}

static void read_endpoint(const json_t *o, struct endpoint *e)
{
	copy_text(e->network_id, sizeof(e->network_id), o, "Network");
	copy_text(e->id, sizeof(e->id), o, "Id");
	copy_text(e->ifname, sizeof(e->ifname), o, "Ifname");
	copy_text(e->host_ifname, sizeof(e->host_ifname), o, "Host");
	e->network_name = str_dup(json_get_string(o, "Name", ""));
	if (mac_parse(json_get_string(o, "Mac", ""), e->mac) < 0)
		memset(e->mac, 0, sizeof(e->mac));
	read_prefix(o, "IPv4", &e->ip4);
	read_prefix(o, "IPv6", &e->ip6);
	read_addr(o, "Gateway4", &e->gateway4);
	read_addr(o, "Gateway6", &e->gateway6);
	e->is_gateway4 = json_get_bool(o, "IsGateway4", false);
	e->is_gateway6 = json_get_bool(o, "IsGateway6", false);
	json_get_strv(o, "Names", &e->names);
	json_get_strv(o, "Links", &e->links);
	json_get_strv(o, "Sysctls", &e->sysctls);
	json_get_strv(o, "LinkLocal", &e->link_local);
}

static void read_port(const json_t *o, struct published_port *p)
{
	copy_text(p->proto, sizeof(p->proto), o, "Proto");
	read_addr(o, "HostIp", &p->host_ip);
	p->host_port = (uint16_t)json_get_int(o, "HostPort", 0);
	p->container_port = (uint16_t)json_get_int(o, "Port", 0);
	p->is_relayed = json_get_bool(o, "IsRelayed", false);
}

int live_network_read(int state_dir, struct live_network *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *all = NULL;
	const json_t *endpoints = NULL;
	const json_t *ports = NULL;
	int rc = fd_read_file_at(state_dir, LIVE_NETWORK_FILE, MAX_FILE, &text);

	*ret = (struct live_network){};
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "read the container's addresses");
	rc = json_parse(str_get(&text), text.len, MAX_FILE, LIVE_NETWORK_FILE, &all, err);
	if (rc < 0)
		return rc;
	endpoints = json_object_get(all, "Endpoints");
	ports = json_object_get(all, "Ports");
	if (json_array_size(endpoints) > MAX_ENDPOINTS || json_array_size(ports) > MAX_PORTS)
		return err_set(err, ERR_INVALID, "%s: more than anybody has", LIVE_NETWORK_FILE);
	ret->n_endpoints = json_array_size(endpoints);
	ret->endpoints = mem_zalloc((ret->n_endpoints + 1) * sizeof(*ret->endpoints));
	for (size_t i = 0; i < ret->n_endpoints; i++)
		read_endpoint(json_array_get(endpoints, i), &ret->endpoints[i]);
	ret->n_ports = json_array_size(ports);
	ret->ports = mem_zalloc((ret->n_ports + 1) * sizeof(*ret->ports));
	for (size_t i = 0; i < ret->n_ports; i++)
		read_port(json_array_get(ports, i), &ret->ports[i]);
	return 0;
}

/* ---- endpoint files ---- */

/* What holds an end of line is no name. */
static void add_lines(const char *key, const struct strv *words, struct str *out)
{
	strv_foreach (i, words)
		if (!strpbrk(words->items[i], "\r\n"))
			str_addf(out, "%s %s\n", key, words->items[i]);
}

static void format_endpoint(const struct endpoint *e, struct str *out)
{
	char text[IP_TEXT_LEN];
	char mac[MAC_TEXT_LEN];

	add_lines("name", &e->names, out);
	str_addf(out, "network %s\n", e->network_name);
	add_lines("link", &e->links, out);
	if (e->ip4.addr.family)
		str_addf(out, "ip4 %s\n", ip_format(&e->ip4.addr, text));
	if (e->ip6.addr.family)
		str_addf(out, "ip6 %s\n", ip_format(&e->ip6.addr, text));
	str_addf(out, "mac %s\nifname %s\n", mac_format(e->mac, mac), e->ifname);
	if (*e->host_ifname)
		str_addf(out, "host %s\n", e->host_ifname);
	str_addf(out, "endpoint %s\n", e->id);
}

static int write_endpoint(const char *dir, const char *container, const struct str *text)
{
	/* Readers pass over names with a dot; one writer at a time holds the container's entry. */
	cleanup_free char *temp = str_printf("%s/.%s", dir, container);
	cleanup_free char *path = str_printf("%s/%s", dir, container);
	int rc = fd_write_file_at(AT_FDCWD, temp, text->buf, text->len, 0644);

	/* The name server is nobody; what it may not see is behind the runroot, which is shut. */
	if (rc == 0 && chmod(temp, 0644) < 0)
		rc = -errno;
	if (rc == 0 && rename(temp, path) < 0)
		rc = -errno;
	return rc;
}

/* Makes DIR, and lets everybody look into it and what it is in. */
static int make_readable(const char *dir)
{
	cleanup_free char *parent = str_ndup(dir, (size_t)(strrchr(dir, '/') - dir));
	int rc = fd_mkdir_p(dir, 0755);

	if (rc == 0 && (chmod(dir, 0755) < 0 || chmod(parent, 0755) < 0))
		rc = -errno;
	return rc;
}

int live_endpoint_write(const char *runroot, const char *container, const struct endpoint *endpoint,
			struct err *err)
{
	cleanup_free char *dir = str_printf("%s/networks/%s/endpoints", runroot,
					    endpoint->network_id);
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	format_endpoint(endpoint, &text);
	rc = write_endpoint(dir, container, &text);
	if (rc == -ENOENT) {
		rc = make_readable(dir);
		if (rc == 0)
			rc = write_endpoint(dir, container, &text);
	}
	return rc < 0 ? err_sys(err, -rc, "write %s/%s", dir, container) : 0;
}

void live_endpoint_remove(const char *runroot, const char *container,
			  const struct endpoint *endpoint)
{
	cleanup_free char *path = str_printf("%s/networks/%s/endpoints/%s", runroot,
					     endpoint->network_id, container);

	if (unlink(path) < 0 && errno != ENOENT)
		log_debug("remove %s: %m", path);
	lease_release(runroot, endpoint->network_id, container, &endpoint->ip4.addr);
	lease_release(runroot, endpoint->network_id, container, &endpoint->ip6.addr);
}
