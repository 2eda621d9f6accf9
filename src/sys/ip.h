/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_IP_H
#define SYS_IP_H
/* Addresses and subnets of IPv4 and IPv6 as plain values. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

/* An address; all zero (IP_NONE) is "none". */
struct ip_addr {
	uint8_t family;	   /* IP_V4, IP_V6 or IP_NONE */
	uint8_t bytes[16]; /* network byte order; the first 4 for IPv4 */
};

/* An address with the length of its subnet's prefix: a subnet, or a host in one. */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len; /* bits */
};

#define IP_TEXT_LEN	   48
#define IP_PREFIX_TEXT_LEN 52

/* 4 or 16 bytes; 0 for none. */
unsigned ip_size(const struct ip_addr *addr);
/* "192.0.2.1", "2001:db8::1"; 0 or -EINVAL. No brackets, no zone. */
int ip_parse(const char *text, struct ip_addr *ret);
/* The canonical text; "" for none. Returns BUF. */
char *ip_format(const struct ip_addr *addr, char buf[static IP_TEXT_LEN]);
/* "192.0.2.0/24"; 0 or -EINVAL. Bits beyond the prefix are kept. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret);
char *ip_prefix_format(const struct ip_prefix *prefix, char buf[static IP_PREFIX_TEXT_LEN]);

/* As memcmp; the families first. */
int ip_compare(const struct ip_addr *a, const struct ip_addr *b);
bool ip_is_equal(const struct ip_addr *a, const struct ip_addr *b);
/* Whether ADDR is in SUBNET; false across families. */
bool ip_is_in(const struct ip_addr *addr, const struct ip_prefix *subnet);
/* Whether the subnets have an address in common. */
bool ip_is_overlapping(const struct ip_prefix *a, const struct ip_prefix *b);
/* The first address of the subnet (the network itself), and the last (of IPv4: its broadcast). */
struct ip_addr ip_first(const struct ip_prefix *subnet);
struct ip_addr ip_last(const struct ip_prefix *subnet);
/* ADDR plus N, carrying; wraps round at the end of the family. */
struct ip_addr ip_add(const struct ip_addr *addr, uint64_t n);
/* 127.0.0.0/8 and ::1. */
bool ip_is_loopback(const struct ip_addr *addr);
/* 0.0.0.0 and ::. */
bool ip_is_any(const struct ip_addr *addr);

/* An address with a port as the socket calls take it. */
union ip_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
/* Fills RET from ADDR (of a family); its length. */
socklen_t ip_to_sockaddr(const struct ip_addr *addr, uint16_t port, union ip_sockaddr *ret);

#endif
