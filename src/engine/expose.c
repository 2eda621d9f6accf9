/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of EXPOSE. What stands before the container's port is checked, and has no effect. */
#include "engine/expose.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "engine/port_text.h"

/* "[::1]" or "127.0.0.1" */
static int check_address(const char *text, struct err *err)
{
	size_t len = strlen(text);
	bool bracketed = len > 1 && text[0] == '[' && text[len - 1] == ']';
	cleanup_free char *bare = bracketed ? str_ndup(text + 1, len - 2) : str_dup(text);
	unsigned char bytes[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, bare, bytes) != 1 && inet_pton(AF_INET6, bare, bytes) != 1)
		return err_set(err, ERR_INVALID, "invalid IP address: %s", text);
	return 0;
}

static int parse_range(const char *what, const char *text, struct port_range *ret, struct err *err)
{
	const char *dash = strchr(text, '-');
	struct err why = ERR_INIT;

	if ((dash && strchr(dash + 1, '-')) || port_range_parse(text, ret, &why) < 0)
		return err_set(err, ERR_INVALID, "invalid %s: %s", what, text);
	return 0;
}

/* What "ADDRESS:PORT:" says before the container's own port. */
static int check_host(const char *text, const char *inside, const struct port_range *range,
		      struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon ? colon + 1 : text;
	cleanup_free char *address = colon ? str_ndup(text, (size_t)(colon - text)) : NULL;
	struct port_range outside = {};

	if (address && *address && check_address(address, err) < 0)
		return -err->code;
	if (!*port)
		return 0;
	if (parse_range("hostPort", port, &outside, err) < 0)
		return -err->code;
	if (range->last != range->first &&
	    range->last - range->first != outside.last - outside.first)
		return err_set(err, ERR_INVALID,
			       "invalid ranges specified for container and host Ports: %s and %s",
			       inside, port);
	return 0;
}

static int parse_protocol(const char *text, char **ret, struct err *err)
{
	static const char *const known[] = {"tcp", "udp", "sctp"};
	char *lower = str_dup(*text ? text : "tcp");

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(lower, known[i]) == 0) {
			*ret = lower;
			return 0;
		}
	}
	err_set(err, ERR_INVALID, "invalid proto: %s", lower);
	free(lower);
	return -err->code;
}

int expose_ports_parse(const char *spec, struct strv *ret, struct err *err)
{
	const char *colon = strrchr(spec, ':');
	const char *inside = colon ? colon + 1 : spec;
	size_t len = strcspn(inside, "/");
	cleanup_free char *port = str_ndup(inside, len);
	cleanup_free char *host = colon ? str_ndup(spec, (size_t)(colon - spec)) : NULL;
	cleanup_free char *proto = NULL;
	struct port_range range = {};

	if (!len)
		return err_set(err, ERR_INVALID, "no port specified: %s<empty>", inside);
	if (parse_protocol(inside[len] ? inside + len + 1 : "", &proto, err) < 0 ||
	    parse_range("containerPort", port, &range, err) < 0)
		return -err->code;
	if (host && check_host(host, port, &range, err) < 0)
		return -err->code;
	for (unsigned n = range.first; n <= range.last; n++)
		strv_addf(ret, "%u/%s", n, proto);
	return 0;
}
