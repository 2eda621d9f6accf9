/* SPDX-License-Identifier: Apache-2.0 */
/* Tar blocks in memory. */
#include "tar_build.h"

#include "base/mem.h"

#include <stdio.h>

static void put_octal(uint8_t *field, size_t len, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)len - 1, (unsigned long long)value);
	memcpy(field, text, len);
}

static void put_text(uint8_t *field, size_t len, const char *text)
{
	if (text)
		memcpy(field, text, strnlen(text, len));
}

void tar_sign(uint8_t *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	put_octal(block + 148, 8, sum);
}

static void pad(struct str *out)
{
	static const char zeros[512];

	str_add_bytes(out, zeros, (512 - out->len % 512) % 512);
}

void tar_add(struct str *out, const struct tar_spec *s)
{
	uint8_t block[512] = {};

	put_text(block, 100, s->name);
	put_octal(block + 100, 8, s->mode);
	put_octal(block + 108, 8, s->uid);
	put_octal(block + 116, 8, s->gid);
	put_octal(block + 124, 12, (uint64_t)s->size);
	put_octal(block + 136, 12, (uint64_t)s->mtime);
	block[156] = (uint8_t)s->type;
	put_text(block + 157, 100, s->link);
	if (s->dialect == TAR_USTAR)
		memcpy(block + 257, "ustar\00000", 8);
	if (s->dialect == TAR_GNU)
		memcpy(block + 257, "ustar  ", 8);
	if (s->dialect != TAR_V7) {
		put_octal(block + 329, 8, s->dev_major);
		put_octal(block + 337, 8, s->dev_minor);
	}
	if (s->dialect == TAR_USTAR)
		put_text(block + 345, 155, s->prefix);
	tar_sign(block);
	str_add_bytes(out, block, sizeof(block));
	if (s->data)
		str_add_bytes(out, s->data, (size_t)s->size);
	pad(out);
}

void tar_add_body(struct str *out, char type, const void *body, size_t len)
{
	tar_add(out, &(struct tar_spec){.dialect = TAR_USTAR,
					.type = type,
					.name = "././@ext",
					.size = (int64_t)len,
					.data = body});
}

void tar_add_pax(struct str *out, char type, const char *const *records)
{
	cleanup_str struct str body = STR_INIT;

	for (; records[0]; records += 2) {
		size_t rest = strlen(records[0]) + strlen(records[1]) + 3;
		size_t len = rest + 1;

		while (len != rest + (size_t)snprintf(NULL, 0, "%zu", len))
			len++;
		str_addf(&body, "%zu %s=%s\n", len, records[0], records[1]);
	}
	tar_add_body(out, type, str_get(&body), body.len);
}

void tar_add_end(struct str *out)
{
	static const char zeros[1024];

	str_add_bytes(out, zeros, sizeof(zeros));
}
