/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked of networks, as the JSON text that the index keeps; and hardware addresses. What
 * was not said is left out.
 */
#include "network/endpoint.h"

#include "base/err.h"
#include "base/mem.h"
#include "json/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT     ((size_t)1 << 20)
#define MAX_REQUESTS 256

/* ---- hardware addresses ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint8_t ret[static 6])
{
	uint8_t mac[6];
	size_t len = strlen(text);
	/* Bytes between two separators. */
	size_t group = len == 17 ? 1 : len == 14 ? 2 : 0;
	char separator = group == 1 ? text[2] : '.';

	if (!group || (group == 1 && separator != ':' && separator != '-'))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac); i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (i + 1 < sizeof(mac) && (i + 1) % group == 0 && *text++ != separator)
			return -EINVAL;
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

char *mac_format(const uint8_t mac[static 6], char buf[static MAC_TEXT_LEN])
{
	snprintf(buf, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return buf;
}

bool mac_is_set(const uint8_t mac[static 6])
{
	static const uint8_t none[6];

	return memcmp(mac, none, sizeof(none)) != 0;
}

/* ---- requests ---- */

/* The lists of a request, by their keys. */
static const struct {
	const char *key;
	size_t offset;
} lists[] = {
	{"Aliases", offsetof(struct endpoint_request, aliases)},
	{"Links", offsetof(struct endpoint_request, links)},
	{"LinkLocalIPs", offsetof(struct endpoint_request, link_local)},
	{"DriverOpts", offsetof(struct endpoint_request, driver_options)},
};

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

static json_t *request_to_json(const struct endpoint_request *r)
{
	json_t *o = json_object();
	char text[IP_TEXT_LEN];
	char mac[MAC_TEXT_LEN];

	json_set_text(o, "Network", r->network);
	if (r->ip4.family)
		json_set_text(o, "IPv4", ip_format(&r->ip4, text));
	if (r->ip6.family)
		json_set_text(o, "IPv6", ip_format(&r->ip6, text));
	if (mac_is_set(r->mac))
		json_set_text(o, "Mac", mac_format(r->mac, mac));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct strv *list = (const void *)((const char *)r + lists[i].offset);

		if (list->n)
			set(o, lists[i].key, json_new_strv(list));
	}
	if (r->gateway_priority)
		set(o, "GwPriority", json_integer(r->gateway_priority));
	return o;
}

char *endpoint_requests_format(const struct endpoint_request *items, size_t n)
{
	cleanup_json json_t *array = json_array();
	char *text = NULL;

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(array, request_to_json(&items[i])) < 0)
			abort();
	text = json_dumps(array, JSON_COMPACT);
	if (!text)
		abort();
	return text;
}

static int request_of_json(const json_t *o, struct endpoint_request *r, struct err *err)
{
	const char *network = json_get_string(o, "Network", "");
	const char *ip4 = json_get_string(o, "IPv4", NULL);
	const char *ip6 = json_get_string(o, "IPv6", NULL);
	const char *mac = json_get_string(o, "Mac", NULL);

	if (!*network || (ip4 && ip_parse(ip4, &r->ip4) < 0) ||
	    (ip6 && ip_parse(ip6, &r->ip6) < 0) || (mac && mac_parse(mac, r->mac) < 0))
		return err_set(err, ERR_INVALID, "not the networks of a container");
	r->network = str_dup(network);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (json_get_strv(o, lists[i].key, (void *)((char *)r + lists[i].offset)) < 0)
			return err_set(err, ERR_INVALID, "not the networks of a container: %s",
				       lists[i].key);
	r->gateway_priority = json_get_int(o, "GwPriority", 0);
	return 0;
}

int endpoint_requests_parse(const char *text, struct endpoint_request **ret, size_t *ret_n,
			    struct err *err)
{
	cleanup_json json_t *array = NULL;
	struct endpoint_request *items = NULL;
	size_t n = 0;
	int rc = json_parse(text, strlen(text), MAX_TEXT, "networks", &array, err);

	if (rc < 0)
		return rc;
	n = json_array_size(array);
	if (!json_is_array(array) || n > MAX_REQUESTS)
		return err_set(err, ERR_INVALID, "not the networks of a container");
	items = mem_zalloc((n + 1) * sizeof(*items));
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = request_of_json(json_array_get(array, i), &items[i], err);
	if (rc < 0) {
		endpoint_requests_free(items, n);
		return rc;
	}
	*ret = items;
	*ret_n = n;
	return 0;
}
