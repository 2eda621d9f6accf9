/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACKETS_H
#define PACKETS_H
/* Queries as bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKET_MAX 1024

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t len;
};

static inline void put(struct packet *p, const void *bytes, size_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static inline void put16(struct packet *p, unsigned value)
{
	put(p, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

/* NAME's labels stand between dots. */
static inline void put_name(struct packet *p, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		put(p, (uint8_t[]){(uint8_t)n}, 1);
		put(p, name, n);
		name += n + (name[n] == '.');
	}
	put(p, "", 1);
}

static inline void put_header(struct packet *p, unsigned id, unsigned flags, unsigned questions,
			      unsigned more)
{
	put16(p, id);
	put16(p, flags);
	put16(p, questions);
	put16(p, 0);
	put16(p, 0);
	put16(p, more);
}

static inline void put_question(struct packet *p, const char *name, unsigned type)
{
	put_name(p, name);
	put16(p, type);
	put16(p, 1);
}

static inline void put_opt(struct packet *p, unsigned size)
{
	put(p, "", 1);
	put16(p, 41);
	put16(p, size);
	put(p, "\0\0\0\0\0\0", 6);
}

/* A question as a resolver asks it; SIZE of EDNS, 0 without. */
static inline struct packet make_query(const char *name, unsigned type, unsigned size)
{
	struct packet p = {};

	put_header(&p, 0x1234, 0x0100, 1, size ? 1 : 0);
	put_question(&p, name, type);
	if (size)
		put_opt(&p, size);
	return p;
}

/* Numbers that are the same in each run. */
static inline uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* A query of some kind with something wrong: bits turned, cut short, or with bytes in it that mean
 * something. */
static inline struct packet make_malformed(uint64_t *state)
{
	static const char *const names[] = {"web", "db_1.x", "2.0.18.172.in-addr.arpa", "",
					    "a.very.long.name.of.some.length.example.org"};
	static const unsigned types[] = {1, 28, 12, 15, 41, 255};
	static const uint8_t special[] = {0x00, 0x01, 0x3f, 0x40, 0x80, 0xc0, 0xff, 0x29};
	struct packet p = make_query(names[next_random(state) % 5], types[next_random(state) % 6],
				     next_random(state) % 2 ? 4096 : 0);

	for (uint32_t n = next_random(state) % 5; n > 0; n--) {
		size_t at = next_random(state) % p.len;

		if (next_random(state) % 2)
			p.bytes[at] ^= (uint8_t)(1U << next_random(state) % 8);
		else
			p.bytes[at] = special[next_random(state) % sizeof(special)];
	}
	if (next_random(state) % 4 == 0)
		p.len = next_random(state) % (p.len + 1);
	return p;
}

#endif
