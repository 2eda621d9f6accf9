/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing and sorting one directory.
 *
 * The names lie one behind another in one growing string and are sorted by their places in it: a
 * directory of a million names costs two allocations. getdents64(2) is called with a buffer of our
 * own, because opendir(3) would take the descriptor over.
 */
#include "storage/dir_names.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct dirent_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

#define DIRENTS_SIZE (32 * 1024)

static int add_name(struct dir_names *d, const struct dirent_raw *e)
{
	if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return 0;
	if (d->n == DIR_MAX_NAMES)
		return -E2BIG;
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 16;
		d->items = mem_realloc_array(d->items, d->cap, sizeof(d->items[0]));
	}
	d->items[d->n++] = (struct dir_name){.at = d->bytes.len, .type = e->type};
	str_add_bytes(&d->bytes, e->name, strlen(e->name) + 1);
	return 0;
}

int dir_names_read(struct dir_names *d, int dir_fd)
{
	_Alignas(struct dirent_raw) char buf[DIRENTS_SIZE];

	for (;;) {
		long n = syscall(SYS_getdents64, dir_fd, buf, sizeof(buf));

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (long at = 0; at < n;) {
			const struct dirent_raw *e = (const struct dirent_raw *)(void *)(buf + at);
			int rc = add_name(d, e);

			if (rc < 0)
				return rc;
			at += e->reclen;
		}
	}
}

static int compare_names(const void *pa, const void *pb, void *bytes)
{
	const struct dir_name *a = pa, *b = pb;

	return strcmp((const char *)bytes + a->at, (const char *)bytes + b->at);
}

void dir_names_sort(struct dir_names *d)
{
	if (d->n > 1)
		qsort_r(d->items, d->n, sizeof(d->items[0]), compare_names, d->bytes.buf);
}

void dir_names_done(struct dir_names *d)
{
	str_done(&d->bytes);
	free(d->items);
	*d = (struct dir_names){};
}

const char *dir_names_get(const struct dir_names *d, size_t i)
{
	return d->bytes.buf + d->items[i].at;
}

void dir_names_prefix(struct dir_names *d, size_t i, const char *prefix)
{
	cleanup_free char *name = str_printf("%s%s", prefix, dir_names_get(d, i));

	d->items[i].at = d->bytes.len;
	str_add_bytes(&d->bytes, name, strlen(name) + 1);
}
