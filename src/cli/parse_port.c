/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports. A published one is split from the right (protocol, container port, host port, address),
 * since the address may be IPv6.
 */
#include "cli/parse_port.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/parse_mount.h"
#include "cli/quote.h"
#include "engine/port_text.h"
#include "engine/spec.h"
#include "sys/ip.h"

#include <errno.h>
#include <strings.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

static int port_parse(const char *text, uint64_t *ret)
{
	/* Digits alone: no sign, no blank. */
	return text[0] && !text[strspn(text, "0123456789")] && num_parse_u64(text, ret) == 0 &&
			       *ret <= UINT16_MAX
		       ? 0
		       : -EINVAL;
}

int expose_parse(struct container_spec *spec, const char *value, struct err *err)
{
	const char *proto = NULL;
	cleanup_free char *ports = port_split_proto(value, &proto);
	struct port_range r = {};

	if (strchr(value, ':'))
		return fail("invalid port format for --expose: %s", value);
	if (port_range_parse(ports, &r, err) < 0)
		return err_wrap(err, "invalid range format for --expose: %s, error", value);
	for (uint32_t port = r.first; port <= r.last; port++)
		strv_addf(&spec->expose, "%u/%s", port, proto);
	return 0;
}

int private_port_parse(const char *value, uint16_t *ret_port, const char **ret_proto,
		       struct err *err)
{
	cleanup_free char *digits = port_split_proto(value, ret_proto);
	cleanup_free char *quoted = str_go_quote(digits);
	uint64_t port = 0;

	if (port_parse(digits, &port) < 0)
		return fail("invalid port (%s): strconv.ParseUint: parsing %s: %s", digits, quoted,
			    digits[0] && !digits[strspn(digits, "0123456789")]
				    ? "value out of range"
				    : "invalid syntax");
	*ret_port = (uint16_t)port;
	return 0;
}

/* ---- --publish ---- */

/* A published port while it is taken apart; the strings are owned, NULL for what was not said. */
struct publish {
	char *ip, *host, *container, *proto;
	char *whole; /* as docker quotes it */
};

static void publish_done(struct publish *p)
{
	free(p->ip);
	free(p->host);
	free(p->container);
	free(p->proto);
	free(p->whole);
}

/* published=8080,target=80,protocol=tcp,host_ip=127.0.0.1; docker takes all other keys and ignores
 * them. host_ip it ignores, too, which opens to everybody what was meant for one address. */
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
		{"host_ip", &ret->ip},
	};

	if (csv_split(value, &fields, err) < 0)
		return -err->code;
	strv_foreach (i, &fields) {
		size_t len = strcspn(fields.items[i], "=");

		if (!fields.items[i][len])
			return fail("invalid publish opts format (should be name=value but got "
				    "'%s')",
				    fields.items[i]);
		for (size_t j = 0; j < ARRAY_LEN(keys); j++)
			if (strlen(keys[j].name) == len &&
			    memcmp(fields.items[i], keys[j].name, len) == 0)
				str_replace(keys[j].to, fields.items[i] + len + 1);
	}
	ret->whole = str_printf("%s:%s/%s", ret->host ? ret->host : "",
				ret->container ? ret->container : "",
				ret->proto ? ret->proto : "tcp");
	return 0;
}

static void publish_split(const char *value, struct publish *ret)
{
	size_t len = strcspn(value, "/");
	cleanup_free char *rest = str_ndup(value, len);
	char *colon = strrchr(rest, ':');

	ret->whole = str_dup(value);
	if (value[len])
		ret->proto = str_ndup(value + len + 1, strcspn(value + len + 1, "/"));
	ret->container = str_dup(colon ? colon + 1 : rest);
	if (!colon)
		return;
	*colon = '\0';
	colon = strrchr(rest, ':');
	ret->host = str_dup(colon ? colon + 1 : rest);
	if (!colon)
		return;
	*colon = '\0';
	ret->ip = str_dup(rest);
}

/* Takes the brackets of "[::1]" away. */
static int check_address(struct publish *p, struct err *err)
{
	size_t len = p->ip ? strlen(p->ip) : 0;
	char *bare = NULL;
	struct ip_addr addr;

	if (len > 0 && p->ip[0] == '[') {
		if (p->ip[len - 1] != ']')
			return fail("invalid IP address %s: address %s:: missing ']' in address",
				    p->ip, p->ip);
		bare = str_ndup(p->ip + 1, len - 2);
		free(p->ip);
		p->ip = bare;
	}
	if (p->ip && p->ip[0] && ip_parse(p->ip, &addr) < 0)
		return fail("invalid IP address: %s", p->ip);
	return 0;
}

static bool is_proto(const char *text)
{
	static const char *const protos[] = {"tcp", "udp", "sctp"};

	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (strcasecmp(text, protos[i]) == 0)
			return true;
	return false;
}

static int publish_check(struct publish *p, struct port_range *host, struct port_range *inside,
			 struct err *err)
{
	bool has_host = p->host && p->host[0];

	if (!p->proto || !p->proto[0])
		str_replace(&p->proto, "tcp");
	if (!p->container || !p->container[0])
		return fail("no port specified: %s<empty>", p->whole);
	if (check_address(p, err) < 0)
		return -err->code;
	if (port_range_parse(p->container, inside, err) < 0)
		return fail("invalid containerPort: %s", p->container);
	if (has_host && port_range_parse(p->host, host, err) < 0)
		return fail("invalid hostPort: %s", p->host);
	if (!is_proto(p->proto))
		return fail("invalid proto: %s", p->proto);
	if (has_host && inside->first != inside->last &&
	    host->last - host->first != inside->last - inside->first)
		return fail("invalid ranges specified for container and host Ports: %s and %s",
			    p->container, p->host);
	return 0;
}

/* One binding for each container port of the range INSIDE. */
static void publish_add(struct container_spec *spec, const struct publish *p,
			struct port_range host, struct port_range inside)
{
	bool has_host = p->host && p->host[0];
	bool is_paired = inside.first != inside.last;

	for (uint32_t port = inside.first; port <= inside.last; port++) {
		uint16_t offset = is_paired && has_host ? (uint16_t)(port - inside.first) : 0;
		struct port_spec item = {
			.host_ip = p->ip && p->ip[0] ? str_dup(p->ip) : NULL,
			.has_host = has_host,
			.host_first = (uint16_t)(host.first + offset),
			.host_last = is_paired ? (uint16_t)(host.first + offset) : host.last,
			.container_port = (uint16_t)port,
		};

		for (size_t i = 0; i < sizeof(item.proto) - 1 && p->proto[i]; i++)
			item.proto[i] = (char)(p->proto[i] | 0x20);
		spec_add_port(spec, &item);
	}
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
	if (publish_check(&p, &host, &inside, err) < 0)
		return -err->code;
	publish_add(spec, &p, host, inside);
	return 0;
}
