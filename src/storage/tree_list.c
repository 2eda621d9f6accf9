/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a layer's listing.
 *
 * Every field is there in every line, so that a line is split at its spaces and nothing else: a
 * name has none left in it. The root's own name is ".", which no clean path is. The target of a
 * symlink is its text, that of a hard link the clean path of the other name, that of a device
 * "MAJOR:MINOR".
 */
#include "storage/tree_list.h"

#include "archive/crc64.h"
#include "archive/tar_read.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

/* Attributes of one entry are few; their order is found by looking for the next name again. */
static const struct tar_xattr *find_next_xattr(const struct tar_entry *e, const char *after)
{
	const struct tar_xattr *next = NULL;

	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct tar_xattr *x = &e->xattrs[i];

		if (after && strcmp(x->name, after) <= 0)
			continue;
		if (!next || strcmp(x->name, next->name) < 0)
			next = x;
	}
	return next;
}

/* Of each attribute its name with the NUL, the length of its value in decimal with the NUL, and its
 * value. */
static void add_xattrs(struct str *list, const struct tar_entry *e)
{
	uint64_t crc = 0;

	if (!e->n_xattrs) {
		str_add(list, "-");
		return;
	}
	for (const struct tar_xattr *x = find_next_xattr(e, NULL); x;
	     x = find_next_xattr(e, x->name)) {
		cleanup_free char *len = str_printf("%zu", x->len);

		crc = tree_list_crc(crc, x->name, strlen(x->name) + 1);
		crc = tree_list_crc(crc, len, strlen(len) + 1);
		crc = tree_list_crc(crc, x->value, x->len);
	}
	str_addf(list, "%016" PRIx64, crc);
}

static void add_name(struct str *list, const char *name)
{
	str_add_char(list, ' ');
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c > ' ' && c <= '~' && c != '%')
			str_add_char(list, (char)c);
		else
			str_addf(list, "%%%02X", c);
	}
}

void tree_list_add(struct str *list, char type, const char *path, const char *link,
		   const struct tar_entry *e, uint64_t crc)
{
	str_addf(list, "%c %04o %u %u %lld.%09ld %" PRIu64 " %016" PRIx64 " ", type,
		 (unsigned)e->mode, e->uid, e->gid, (long long)e->mtime.tv_sec, e->mtime.tv_nsec,
		 e->size, crc);
	add_xattrs(list, e);
	add_name(list, *path ? path : ".");
	if (type == 'c' || type == 'b')
		str_addf(list, " %u:%u", e->dev_major, e->dev_minor);
	else if (link)
		add_name(list, link);
	str_add_char(list, '\n');
}

uint64_t tree_list_crc(uint64_t crc, const void *bytes, size_t len)
{
	return crc64_update(crc, bytes, len);
}
