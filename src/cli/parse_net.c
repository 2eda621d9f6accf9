/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network options. A published port is split from the right (protocol, container port, host port,
 * address), since the address may be IPv6.
 */
#include "cli/parse_net.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/parse_mount.h"
#include "cli/quote.h"
#include "engine/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

static bool is_address(const char *s)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, s, &addr) == 1 || inet_pton(AF_INET6, s, &addr) == 1;
}

/* Owned copy without the brackets of "[::1]". */
static char *strip_brackets(const char *s)
{
	size_t len = strlen(s);

	return len > 2 && s[0] == '[' && s[len - 1] == ']' ? str_ndup(s + 1, len - 2) : str_dup(s);
}

int dns_option_check(void *field, const char *value, struct err *err)
{
	return is_address(value) ? 0 : fail("IP address is not correctly formatted: %s", value);
}

int dns_search_option_check(void *field, const char *value, struct err *err)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (strcmp(value, ".") == 0)
		return 0;
	if (!value[0] || value[strspn(value, chars)] || value[0] == '-' || value[0] == '.' ||
	    strlen(value) > 253)
		return fail("%s is not a valid domain", value);
	return 0;
}

int host_option_set(void *strv, const char *value, struct err *err)
{
	cleanup_free char *address = NULL;
	cleanup_free char *quoted = NULL;
	size_t len = strchr(value, '=') ? strcspn(value, "=") : strcspn(value, ":");

	if (len == 0 || !value[len]) {
		quoted = str_go_quote(value);
		return fail("bad format for add-host: %s", quoted);
	}
	address = strip_brackets(value + len + 1);
	if (strcmp(address, "host-gateway") != 0 && !is_address(address)) {
		quoted = str_go_quote(value + len + 1);
		return fail("invalid IP address in add-host: %s", quoted);
	}
	strv_addf(strv, "%.*s:%s", (int)len, value, address);
	return 0;
}

int filter_option_set(void *strv, const char *value, struct err *err)
{
	cleanup_free char *copy = str_dup(value);
	char *equals = strchr(copy, '=');
	char *key = NULL;

	if (!value[0])
		return 0;
	if (!equals)
		return fail("bad format of filter (expected name=value)");
	*equals = '\0';
	key = str_trim(copy);
	for (char *p = key; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	strv_addf(strv, "%s=%s", key, str_trim(equals + 1));
	return 0;
}

/* ---- ports ---- */

struct port_range {
	uint16_t first, last;
};

/* "N" or "N-M"; 0, -ERANGE when M is below N, -EINVAL otherwise. */
static int range_parse(const char *text, struct port_range *ret)
{
	cleanup_strv struct strv parts = STRV_INIT;
	uint64_t first = 0, last = 0;

	strv_split(&parts, text, '-');
	if (parts.n > 2 || num_parse_u64(parts.items[0], &first) < 0 ||
	    num_parse_u64(parts.items[parts.n - 1], &last) < 0 || first > 65535 || last > 65535)
		return -EINVAL;
	if (last < first)
		return -ERANGE;
	*ret = (struct port_range){.first = (uint16_t)first, .last = (uint16_t)last};
	return 0;
}

int expose_parse(struct container_spec *spec, const char *value, struct err *err)
{
	size_t len = strcspn(value, "/");
	cleanup_free char *ports = str_ndup(value, len);
	cleanup_free char *quoted = str_go_quote(ports);
	const char *proto = value[len] ? value + len + 1 : "tcp";
	struct port_range r = {};
	int rc = range_parse(ports, &r);

	if (strchr(value, ':'))
		return fail("invalid port format for --expose: %s", value);
	if (rc == -ERANGE)
		return fail(
			"invalid range format for --expose: %s, error: invalid range specified for "
			"port: %s",
			value, ports);
	if (rc < 0)
		return fail(
			"invalid range format for --expose: %s, error: strconv.ParseUint: parsing "
			"%s: invalid syntax",
			value, quoted);
	for (uint32_t port = r.first; port <= r.last; port++)
		strv_addf(&spec->expose, "%u/%s", port, proto);
	return 0;
}

/* A published port while it is taken apart; the strings are owned. */
struct publish {
	char *ip, *host, *container, *proto;
};

static void publish_done(struct publish *p)
{
	free(p->ip);
	free(p->host);
	free(p->container);
	free(p->proto);
}

/* published=8080,target=80,protocol=tcp,mode=host */
static int publish_split_long(const char *value, struct publish *ret, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;
	struct {
		const char *name;
		char **to;
	} const keys[] = {
		{"published", &ret->host},
		{"target", &ret->container},
		{"protocol", &ret->proto},
	};

	if (csv_split(value, &fields, err) < 0)
		return -err->code;
	strv_foreach (i, &fields) {
		size_t len = strcspn(fields.items[i], "=");

		for (size_t j = 0; fields.items[i][len] && j < ARRAY_LEN(keys); j++)
			if (strlen(keys[j].name) == len &&
			    memcmp(fields.items[i], keys[j].name, len) == 0)
				str_replace(keys[j].to, fields.items[i] + len + 1);
	}
	return 0;
}

static void publish_split(const char *value, struct publish *ret)
{
	size_t len = strcspn(value, "/");
	cleanup_free char *rest = str_ndup(value, len);
	char *colon = strrchr(rest, ':');

	if (value[len])
		ret->proto = str_dup(value + len + 1);
	ret->container = str_dup(colon ? colon + 1 : rest);
	if (!colon)
		return;
	*colon = '\0';
	colon = strrchr(rest, ':');
	ret->host = str_dup(colon ? colon + 1 : rest);
	if (!colon)
		return;
	*colon = '\0';
	ret->ip = strip_brackets(rest);
}

static int publish_check(struct publish *p, const char *value, struct port_range *host,
			 struct port_range *inside, struct err *err)
{
	static const char *const protos[] = {"tcp", "udp", "sctp"};
	bool known = false;

	if (!p->proto)
		p->proto = str_dup("tcp");
	if (!p->container || !p->container[0])
		return fail("no port specified: %s<empty>", value);
	if (p->ip && p->ip[0] && !is_address(p->ip))
		return fail("invalid IP address: %s", p->ip);
	if (range_parse(p->container, inside) < 0)
		return fail("invalid containerPort: %s", p->container);
	if (p->host && p->host[0] && range_parse(p->host, host) < 0)
		return fail("invalid hostPort: %s", p->host);
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		known |= strcasecmp(p->proto, protos[i]) == 0;
	if (!known)
		return fail("invalid proto: %s", p->proto);
	if (p->host && p->host[0] && inside->first != inside->last &&
	    host->last - host->first != inside->last - inside->first)
		return fail("invalid ranges specified for container and host Ports: %s and %s",
			    p->container, p->host);
	return 0;
}

int publish_parse(struct container_spec *spec, const char *value, struct err *err)
{
	cleanup_with(publish_done) struct publish p = {};
	struct port_range host = {}, inside = {};
	bool is_long = strchr(value, '=') != NULL;

	if (is_long && publish_split_long(value, &p, err) < 0)
		return -err->code;
	if (!is_long)
		publish_split(value, &p);
	if (publish_check(&p, value, &host, &inside, err) < 0)
		return -err->code;
	for (uint32_t port = inside.first; port <= inside.last; port++) {
		bool many = inside.first != inside.last;
		uint16_t offset = (uint16_t)(port - inside.first);
		struct port_spec item = {.container_port = (uint16_t)port};

		item.host_first = host.first ? (uint16_t)(host.first + (many ? offset : 0)) : 0;
		item.host_last = many ? item.host_first : host.last;
		item.host_ip = p.ip && p.ip[0] ? str_dup(p.ip) : NULL;
		for (size_t i = 0; i < sizeof(item.proto) - 1 && p.proto[i]; i++)
			item.proto[i] = (char)(p.proto[i] | 0x20);
		spec_add_port(spec, &item);
	}
	return 0;
}
