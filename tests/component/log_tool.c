/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that can be told apart, for tests of logs:
 *
 *	tare-log-tool write COUNT SEED		writes COUNT lines, and on stderr how long that took
 *	tare-log-tool check COUNT SEED [tail]	reads them: each exactly once, in order, whole
 *
 * A line is its number, a checksum, and text; 1 in 100 is up to 64 KiB long, the median is 120
 * bytes. Text, length and checksum follow from number and seed, so a line that is torn, lost,
 * doubled or made up is found. With "tail" the first lines may be missing, as after a rotation.
 */
#include "base/num.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POOL_LEN (1 << 20)
#define LINE_MAX 65536
#define HEAD_LEN 26 /* "%08x %016x " */
#define BUF_LEN	 (1 << 20)

static char pool[POOL_LEN + LINE_MAX];
static char buf[BUF_LEN + LINE_MAX];

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/* Text as programs write it: words, now and then what JSON escapes, and other alphabets. */
static void fill_pool(uint64_t seed)
{
	static const char *const odd[] = {
		"\"",	   "\\", "\t", "<a&b>", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x8b",
		"\x1b[1m", "\r"};
	static const char letters[] = "etaoinshrdlucmfwypvbgkqjxz0123456789.:/-=";
	size_t at = 0;

	for (uint64_t i = 0; at < sizeof(pool) - 8; i++) {
		uint64_t r = mix(seed + i);

		if (r % 97 == 0) {
			const char *s = odd[(r >> 8) % (sizeof(odd) / sizeof(*odd))];

			memcpy(pool + at, s, strlen(s));
			at += strlen(s);
		} else {
			pool[at++] = r % 6 == 0 ? ' ' : letters[(r >> 8) % (sizeof(letters) - 1)];
		}
	}
	memset(pool + at, '.', sizeof(pool) - at);
}

static uint64_t checksum(const char *p, size_t len, uint64_t number)
{
	uint64_t h = number + len;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	for (; len > 0; p++, len--)
		h = (h ^ (unsigned char)*p) * 0x9e3779b97f4a7c15ULL;
	return mix(h);
}

/* The text of line NUMBER; never cut within a character. */
static const char *text_of(uint64_t number, uint64_t seed, size_t *ret_len)
{
	uint64_t r = mix(mix(seed) + number);
	size_t len = (r >> 40) % 100 == 0 ? (r >> 20) % (LINE_MAX - HEAD_LEN) : (r >> 20) % 188;
	const char *p = pool + r % POOL_LEN;

	while (((unsigned char)*p & 0xc0) == 0x80)
		p++;
	while (len > 0 && ((unsigned char)p[len] & 0xc0) == 0x80)
		len--;
	*ret_len = len;
	return p;
}

static size_t format_line(uint64_t number, uint64_t seed, char *to)
{
	static const char hex[] = "0123456789abcdef";
	size_t len;
	const char *text = text_of(number, seed, &len);
	uint64_t sum = checksum(text, len, number);

	for (int i = 0; i < 8; i++)
		to[i] = hex[number >> (28 - 4 * i) & 15];
	to[8] = ' ';
	for (int i = 0; i < 16; i++)
		to[9 + i] = hex[sum >> (60 - 4 * i) & 15];
	to[25] = ' ';
	memcpy(to + HEAD_LEN, text, len);
	to[HEAD_LEN + len] = '\n';
	return HEAD_LEN + len + 1;
}

static int write_all(const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_lines(uint64_t count, uint64_t seed)
{
	struct timespec a;
	struct timespec b;
	uint64_t total = 0;
	size_t len = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint64_t i = 0; i < count; i++) {
		len += format_line(i, seed, buf + len);
		if (len < 65536 && i + 1 < count)
			continue;
		if (write_all(buf, len) < 0)
			return 1;
		total += len;
		len = 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	fprintf(stderr, "%" PRIu64 " bytes %" PRIu64 " ms\n", total,
		(uint64_t)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000));
	return 0;
}

struct check {
	uint64_t count, seed, next, bytes;
	int is_tail, has_begun, n_skipped;
};

/* The number that the line begins with; UINT64_MAX for none. */
static uint64_t number_of(const char *p, size_t len)
{
	char digits[9] = "";
	uint64_t number = 0;

	if (len > HEAD_LEN)
		memcpy(digits, p, 8);
	return num_parse_base(digits, 16, &number) == 0 ? number : UINT64_MAX;
}

/* One line with its newline; 0 when it is the one that was due. */
static int check_line(struct check *c, const char *p, size_t len)
{
	static char want[LINE_MAX + HEAD_LEN];
	uint64_t number = number_of(p, len);
	size_t n;

	/* Where the first lines are missing, one may be the end of a line; the next one counts. */
	if (c->is_tail && !c->has_begun) {
		if (number < c->count && format_line(number, c->seed, want) == len &&
		    memcmp(p, want, len) == 0) {
			c->has_begun = 1;
			c->next = number;
		} else if (c->n_skipped++ == 0) {
			return 0;
		}
	}
	n = format_line(c->next, c->seed, want);
	if (n != len || memcmp(p, want, n) != 0) {
		printf("line %" PRIu64 " of %" PRIu64 ": got %.*s\n", c->next, c->count,
		       (int)(len > 80 ? 80 : len), p);
		return 1;
	}
	c->next++;
	c->bytes += len;
	return 0;
}

static int check_lines(struct check *c)
{
	size_t have = 0;
	ssize_t n = 0;

	while ((n = read(STDIN_FILENO, buf + have, sizeof(buf) - have)) > 0) {
		char *p = buf;
		char *end = buf + have + n;
		char *nl;

		while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
			if (check_line(c, p, (size_t)(nl + 1 - p)))
				return 1;
			p = nl + 1;
		}
		have = (size_t)(end - p);
		if (have == sizeof(buf)) {
			printf("line %" PRIu64 " does not end\n", c->next);
			return 1;
		}
		memmove(buf, p, have);
	}
	if (n < 0 || have > 0 || c->next != c->count) {
		printf("ends after line %" PRIu64 " of %" PRIu64 " with %zu bytes more\n", c->next,
		       c->count, have);
		return 1;
	}
	printf("ok %" PRIu64 " lines %" PRIu64 " bytes\n", c->next, c->bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct check c = {0};

	if (argc < 4 || num_parse_u64(argv[2], &c.count) < 0 || num_parse_u64(argv[3], &c.seed) < 0)
		return 2;
	c.is_tail = argc > 4 && strcmp(argv[4], "tail") == 0;
	fill_pool(c.seed);
	if (strcmp(argv[1], "write") == 0)
		return write_lines(c.count, c.seed);
	return strcmp(argv[1], "check") == 0 ? check_lines(&c) : 2;
}
