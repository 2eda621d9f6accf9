/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in networks. docker's command line sends addresses on as they were typed, so it is the
 * engine that refuses them: what is wrong is noted until then.
 */
#include "cli/parse_endpoint.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/parse_mount.h"
#include "engine/spec.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

void endpoint_options_done(struct endpoint_options *options)
{
	free(options->ip4);
	free(options->ip6);
	free(options->mac);
	strv_done(&options->aliases);
	strv_done(&options->link_local);
	*options = (struct endpoint_options){};
}

static void set_ip(struct endpoint_request *request, struct ip_addr *to, int family,
		   const char *text)
{
	struct ip_addr addr = {};

	if (!text || !*text)
		return;
	if (ip_parse(text, &addr) < 0 || addr.family != family) {
		free(request->wrong);
		request->wrong = str_printf("invalid IPv%d address: %s", family, text);
		return;
	}
	*to = addr;
}

void endpoint_set_ip4(struct endpoint_request *request, const char *text)
{
	set_ip(request, &request->ip4, IP_V4, text);
}

void endpoint_set_ip6(struct endpoint_request *request, const char *text)
{
	set_ip(request, &request->ip6, IP_V6, text);
}

void endpoint_add_link_local(struct endpoint_request *request, const struct strv *texts)
{
	strv_foreach (i, texts) {
		struct ip_addr addr = {};

		if (ip_parse(texts->items[i], &addr) < 0) {
			free(request->wrong);
			request->wrong = str_printf("Invalid link-local IP address: [%s]",
						    texts->items[i]);
		}
		strv_add(&request->link_local, texts->items[i]);
	}
}

int endpoint_add_driver_option(struct endpoint_request *request, const char *text, struct err *err)
{
	cleanup_free char *copy = str_dup(text);
	char *equals = strchr(copy, '=');
	char *key = NULL;

	if (!equals)
		return fail("invalid key value pair format in driver options");
	*equals = '\0';
	key = str_trim(copy);
	if (!*key)
		return fail("invalid key value pair format in driver options");
	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	strv_addf(&request->driver_options, "%s=%s", key, str_trim(equals + 1));
	return 0;
}

/* ---- the long form ---- */

static int set_name(struct endpoint_request *r, const char *value, struct err *err)
{
	str_replace(&r->network, value);
	return 0;
}

static int add_alias(struct endpoint_request *r, const char *value, struct err *err)
{
	strv_add(&r->aliases, value);
	return 0;
}

static int set_ip4(struct endpoint_request *r, const char *value, struct err *err)
{
	endpoint_set_ip4(r, value);
	return 0;
}

static int set_ip6(struct endpoint_request *r, const char *value, struct err *err)
{
	endpoint_set_ip6(r, value);
	return 0;
}

static int add_link_local(struct endpoint_request *r, const char *value, struct err *err)
{
	const struct strv one = {.items = (char *[]){(char *)(uintptr_t)value, NULL}, .n = 1};

	endpoint_add_link_local(r, &one);
	return 0;
}

/* docker says it when all options are read. */
static void set_mac(struct endpoint_request *r, const char *value)
{
	/* No link can have the address of a group. */
	if (!value || !*value || (mac_parse(value, r->mac) == 0 && !(r->mac[0] & 1)))
		return;
	free(r->wrong);
	r->wrong = str_printf("%s is not a valid mac address", value);
	r->is_mac_wrong = true;
}

static int set_mac_field(struct endpoint_request *r, const char *value, struct err *err)
{
	set_mac(r, value);
	return 0;
}

static int set_priority(struct endpoint_request *r, const char *value, struct err *err)
{
	int rc = num_parse_i64(value, &r->gateway_priority);

	if (rc < 0)
		return fail("invalid gw-priority (%s): %s", value,
			    rc == -ERANGE ? "value out of range" : "invalid syntax");
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct endpoint_request *r, const char *value, struct err *err);
} fields[] = {
	{"name", set_name},
	{"alias", add_alias},
	{"ip", set_ip4},
	{"ip6", set_ip6},
	{"mac-address", set_mac_field},
	{"link-local-ip", add_link_local},
	{"driver-opt", endpoint_add_driver_option},
	{"gw-priority", set_priority},
};

static int set_field(struct endpoint_request *r, const char *field, struct err *err)
{
	cleanup_free char *copy = str_dup(field);
	char *equals = strchr(copy, '=');
	const char *key = NULL;

	if (!equals || equals == copy)
		return fail("invalid field %s", field);
	*equals = '\0';
	key = str_trim(copy);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcasecmp(fields[i].key, key) == 0)
			return fields[i].set(r, str_trim(equals + 1), err);
	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return fail("invalid field key %s", key);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* docker's rule: a letter on both sides of some equals sign. */
static bool is_long_form(const char *value)
{
	for (const char *p = strchr(value, '='); p; p = strchr(p + 1, '='))
		if (p > value && is_word(p[-1]) && is_word(p[1]))
			return true;
	return false;
}

int network_option_set(void *field, const char *value, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_with(endpoint_request_done) struct endpoint_request r = {};
	int rc = 0;

	if (!is_long_form(value)) {
		r.network = str_dup(value);
		spec_add_network(field, &r);
		return 0;
	}
	if (csv_split(value, &parts, err) < 0)
		return -err->code;
	for (size_t i = 0; rc == 0 && i < parts.n; i++)
		rc = set_field(&r, parts.items[i], err);
	if (rc < 0)
		return rc;
	if (!r.network || !*r.network)
		return fail("network name/id is not specified");
	spec_add_network(field, &r);
	return 0;
}

/* ---- flags of run ---- */

static int check_once(const struct endpoint_request *r, const struct endpoint_options *o,
		      const struct strv *links, struct err *err)
{
	const struct {
		bool is_both;
		const char *flag, *field;
	} pairs[] = {
		{r->aliases.n && o->aliases.n, "network-alias", "alias"},
		{r->links.n && links->n, "link", "links"},
		{r->ip4.family && o->ip4 && *o->ip4, "ip", "IPv4 address"},
		{r->ip6.family && o->ip6 && *o->ip6, "ip6", "IPv6 address"},
		{mac_is_set(r->mac) && o->mac && *o->mac, "mac-address", "MAC address"},
		{r->link_local.n && o->link_local.n, "link-local-ip", "link-local IP addresses"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i].is_both)
			return fail("conflicting options: cannot specify both --%s and per-network "
				    "%s",
				    pairs[i].flag, pairs[i].field);
	return 0;
}

int endpoint_options_apply(struct container_spec *spec, const struct endpoint_options *options,
			   struct err *err)
{
	struct endpoint_request *r = NULL;

	if (!spec->n_networks) {
		struct endpoint_request first = {.network = str_dup(NETWORK_DEFAULT_NAME)};

		spec_add_network(spec, &first);
	}
	r = &spec->networks[0];
	if (check_once(r, options, &spec->links, err) < 0)
		return -err->code;
	strv_add_all(&r->aliases, &options->aliases);
	/* On the default bridge a link is a line of /etc/hosts. */
	if (network_mode_is_user_defined(r->network))
		strv_add_all(&r->links, &spec->links);
	endpoint_set_ip4(r, options->ip4);
	endpoint_set_ip6(r, options->ip6);
	set_mac(r, options->mac);
	endpoint_add_link_local(r, &options->link_local);
	return 0;
}
