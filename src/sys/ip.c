/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses are kept in network byte order, so comparing and masking go byte by byte. */
#include "sys/ip.h"

#include "base/num.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

unsigned ip_size(const struct ip_addr *addr)
{
	return addr->family == IP_V4 ? 4 : addr->family == IP_V6 ? 16 : 0;
}

int ip_parse(const char *text, struct ip_addr *ret)
{
	*ret = (struct ip_addr){};
	if (inet_pton(AF_INET, text, ret->bytes) == 1)
		ret->family = IP_V4;
	else if (inet_pton(AF_INET6, text, ret->bytes) == 1)
		ret->family = IP_V6;
	return ret->family ? 0 : -EINVAL;
}

char *ip_format(const struct ip_addr *addr, char buf[static IP_TEXT_LEN])
{
	buf[0] = '\0';
	if (addr->family)
		inet_ntop(addr->family == IP_V4 ? AF_INET : AF_INET6, addr->bytes, buf,
			  IP_TEXT_LEN);
	return buf;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret)
{
	size_t at = strcspn(text, "/");
	char addr[IP_TEXT_LEN];
	uint64_t len = 0;

	*ret = (struct ip_prefix){};
	if (!text[at] || at >= sizeof(addr) || num_parse_u64(text + at + 1, &len) < 0)
		return -EINVAL;
	memcpy(addr, text, at);
	addr[at] = '\0';
	if (ip_parse(addr, &ret->addr) < 0 || len > 8 * ip_size(&ret->addr))
		return -EINVAL;
	ret->len = (uint8_t)len;
	return 0;
}

char *ip_prefix_format(const struct ip_prefix *prefix, char buf[static IP_PREFIX_TEXT_LEN])
{
	char addr[IP_TEXT_LEN];

	if (!prefix->addr.family) {
		buf[0] = '\0';
		return buf;
	}
	snprintf(buf, IP_PREFIX_TEXT_LEN, "%s/%u", ip_format(&prefix->addr, addr), prefix->len);
	return buf;
}

int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, ip_size(a));
}

bool ip_is_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_compare(a, b) == 0;
}

/* The bits of byte I that belong to a prefix of LEN. */
static uint8_t mask(unsigned len, unsigned i)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	return len <= 8 * i ? 0 : (uint8_t)(0xff << (8 * (i + 1) - len));
}

bool ip_is_in(const struct ip_addr *addr, const struct ip_prefix *subnet)
{
	if (!addr->family || addr->family != subnet->addr.family)
		return false;
	for (unsigned i = 0; i < ip_size(addr); i++)
		if ((addr->bytes[i] ^ subnet->addr.bytes[i]) & mask(subnet->len, i))
			return false;
	return true;
}

bool ip_is_overlapping(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len < b->len ? ip_is_in(&b->addr, a) : ip_is_in(&a->addr, b);
}

struct ip_addr ip_first(const struct ip_prefix *subnet)
{
	struct ip_addr ret = subnet->addr;

	for (unsigned i = 0; i < ip_size(&ret); i++)
		ret.bytes[i] &= mask(subnet->len, i);
	return ret;
}

struct ip_addr ip_last(const struct ip_prefix *subnet)
{
	struct ip_addr ret = subnet->addr;

	for (unsigned i = 0; i < ip_size(&ret); i++)
		ret.bytes[i] |= (uint8_t)~mask(subnet->len, i);
	return ret;
}

struct ip_addr ip_add(const struct ip_addr *addr, uint64_t n)
{
	struct ip_addr ret = *addr;

	for (unsigned i = ip_size(&ret); i-- > 0 && n;) {
		n += ret.bytes[i];
		ret.bytes[i] = (uint8_t)n;
		n >>= 8;
	}
	return ret;
}

bool ip_is_loopback(const struct ip_addr *addr)
{
	static const uint8_t v6[16] = {[15] = 1};

	if (addr->family == IP_V4)
		return addr->bytes[0] == 127;
	return addr->family == IP_V6 && memcmp(addr->bytes, v6, sizeof(v6)) == 0;
}

bool ip_is_any(const struct ip_addr *addr)
{
	static const uint8_t zero[16];

	return addr->family && memcmp(addr->bytes, zero, ip_size(addr)) == 0;
}

socklen_t ip_to_sockaddr(const struct ip_addr *addr, uint16_t port, union ip_sockaddr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (addr->family == IP_V4) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		memcpy(&ret->v4.sin_addr, addr->bytes, 4);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	memcpy(&ret->v6.sin6_addr, addr->bytes, 16);
	return sizeof(ret->v6);
}
