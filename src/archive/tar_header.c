/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar header blocks (POSIX.1-1988 ustar; tar(5) for v7 and GNU).
 *
 * The checksum is the sum of all bytes with the checksum field taken as blanks. Old programs summed
 * signed chars, so either sum is accepted. Which fields exist depends on the magic: without one it
 * is a v7 header whose bytes from 257 on mean nothing; GNU's "ustar  " has device numbers but
 * keeps times and the sparse map where POSIX has the name's prefix.
 */
#include "archive/tar_header.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* Offsets and lengths of tar(5). */
enum {
	AT_NAME = 0,
	AT_CHECKSUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_UNAME = 265,
	AT_GNAME = 297,
	AT_PREFIX = 345,
	AT_STAR_MAGIC = 508,
	LEN_NAME = 100,
	LEN_PREFIX = 155,
	LEN_PREFIX_STAR = 131, /* star keeps access and change time behind a shorter prefix */
	LEN_OWNER = 32,
	LEN_CHECKSUM = 8,
};

enum { DIALECT_V7 = 1, DIALECT_USTAR = 2, DIALECT_GNU = 4, DIALECT_ALL = 7 };

static const struct number_field {
	const char *name;
	size_t at, len;
	size_t member;
	unsigned dialects;
} number_fields[] = {
	{"mode", 100, 8, offsetof(struct tar_header, mode), DIALECT_ALL},
	{"uid", 108, 8, offsetof(struct tar_header, uid), DIALECT_ALL},
	{"gid", 116, 8, offsetof(struct tar_header, gid), DIALECT_ALL},
	{"size", 124, 12, offsetof(struct tar_header, size), DIALECT_ALL},
	{"mtime", 136, 12, offsetof(struct tar_header, mtime), DIALECT_ALL},
	{"devmajor", 329, 8, offsetof(struct tar_header, dev_major), DIALECT_USTAR | DIALECT_GNU},
	{"devminor", 337, 8, offsetof(struct tar_header, dev_minor), DIALECT_USTAR | DIALECT_GNU},
};

static int parse_base256(const uint8_t *field, size_t len, int64_t *ret)
{
	bool negative = field[0] & 0x40;
	/* The mark bit goes; the next one is the sign and is spread over it. */
	uint64_t value = negative ? UINT64_MAX << 7 | (field[0] & 0x7f) : field[0] & 0x7f;

	for (size_t i = 1; i < len; i++) {
		uint64_t top = value >> 55;

		if (top != (negative ? 0x1ff : 0))
			return -ERANGE;
		value = value << 8 | field[i];
	}
	*ret = (int64_t)value;
	return 0;
}

int tar_number_parse(const uint8_t *field, size_t len, int64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	if (field[0] & 0x80)
		return parse_base256(field, len, ret);
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 60)
			return -ERANGE;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	/* What follows the digits ends the field: NUL or blank, and nothing after it counts. */
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return -EINVAL;
	*ret = (int64_t)value;
	return 0;
}

static bool is_zero_block(const uint8_t block[TAR_BLOCK])
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

static bool is_checksum_right(const uint8_t block[TAR_BLOCK])
{
	int64_t want = 0, sum_unsigned = 0, sum_signed = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool blank = i >= AT_CHECKSUM && i < AT_CHECKSUM + LEN_CHECKSUM;
		uint8_t byte = blank ? ' ' : block[i];

		sum_unsigned += byte;
		sum_signed += (int8_t)byte;
	}
	if (tar_number_parse(block + AT_CHECKSUM, LEN_CHECKSUM, &want) < 0)
		return false;
	return want == sum_unsigned || want == sum_signed;
}

/* Copies a field that ends at LEN bytes or at its first NUL. */
static void copy_text(char *to, const uint8_t *field, size_t len)
{
	size_t n = strnlen((const char *)field, len);

	memcpy(to, field, n);
	to[n] = '\0';
}

static unsigned find_dialect(const uint8_t block[TAR_BLOCK])
{
	if (memcmp(block + AT_MAGIC, "ustar ", 6) == 0)
		return DIALECT_GNU;
	if (memcmp(block + AT_MAGIC, "ustar", 6) == 0)
		return DIALECT_USTAR;
	return DIALECT_V7;
}

static void copy_path(struct tar_header *h, const uint8_t block[TAR_BLOCK], unsigned dialect)
{
	bool star = memcmp(block + AT_STAR_MAGIC, "tar", 4) == 0;
	size_t used = 0;

	if (dialect == DIALECT_USTAR && block[AT_PREFIX]) {
		copy_text(h->path, block + AT_PREFIX, star ? LEN_PREFIX_STAR : LEN_PREFIX);
		used = strlen(h->path);
		h->path[used++] = '/';
	}
	copy_text(h->path + used, block + AT_NAME, LEN_NAME);
}

int tar_header_parse(const uint8_t block[TAR_BLOCK], struct tar_header *ret, struct err *err)
{
	struct tar_header h = {};
	unsigned dialect = find_dialect(block);

	if (is_zero_block(block))
		return 0;
	if (!is_checksum_right(block))
		return err_set(err, ERR_INVALID, "wrong checksum in a tar header");
	for (size_t i = 0; i < ARRAY_LEN(number_fields); i++) {
		const struct number_field *f = &number_fields[i];
		int64_t *to = (int64_t *)(void *)((char *)&h + f->member);

		if (!(f->dialects & dialect))
			continue;
		if (tar_number_parse(block + f->at, f->len, to) < 0)
			return err_set(err, ERR_INVALID, "wrong number in tar header field %s",
				       f->name);
	}
	copy_path(&h, block, dialect);
	copy_text(h.link, block + AT_LINK, LEN_NAME);
	if (dialect != DIALECT_V7) {
		copy_text(h.uname, block + AT_UNAME, LEN_OWNER);
		copy_text(h.gname, block + AT_GNAME, LEN_OWNER);
	}
	h.type = block[AT_TYPE] ? (char)block[AT_TYPE] : '0';
	h.is_gnu = dialect == DIALECT_GNU;
	*ret = h;
	return 1;
}
