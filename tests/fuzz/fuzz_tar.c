/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a tar archive. The first byte chooses the size of the source's pieces
 * and how content is read; the rest is the archive. Beyond not crashing, the reader must keep what
 * its header promises.
 */
#include "archive/tar_read.h"
#include "base/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holes are as large as the archive claims: read no more than this of one entry. */
#define READ_MAX (1 << 20)

#define require(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_entry(const struct tar_entry *e)
{
	require(strlen(e->path) <= TAR_MAX_PATH && strlen(e->link) <= TAR_MAX_PATH);
	require(e->mode <= 07777 && e->uid != (uid_t)-1 && e->gid != (gid_t)-1);
	require(e->mtime.tv_nsec >= 0 && e->mtime.tv_nsec < 1000000000);
	require(e->type == TAR_FILE || (e->size == 0 && e->stored == 0));
	require(e->stored <= e->size);
	for (size_t i = 0; i < e->n_xattrs; i++)
		require(*e->xattrs[i].name && (e->xattrs[i].value || !e->xattrs[i].len));
}

static ssize_t read_extents(struct tar_reader *r, const struct tar_entry *e, struct err *err)
{
	const uint8_t *bytes = NULL;
	uint64_t offset = 0, end = 0;
	ssize_t n = 0;

	while ((n = tar_reader_data(r, &bytes, &offset, err)) > 0) {
		require(offset >= end && (uint64_t)n <= e->size - offset);
		end = offset + (uint64_t)n;
		require(bytes[0] + bytes[n - 1] <= 2 * UINT8_MAX); /* both ends can be read */
	}
	return n;
}

static ssize_t read_content(struct tar_reader *r, const struct tar_entry *e, struct err *err)
{
	char buf[3000];
	uint64_t sum = 0;
	ssize_t n = 0;

	while (sum < READ_MAX && (n = tar_reader_read(r, buf, sizeof(buf), err)) > 0)
		sum += (uint64_t)n;
	require(n < 0 || sum >= READ_MAX || sum == e->size);
	return n < 0 ? n : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mem_source src;
	struct tar_entry e = {};
	struct err err = ERR_INIT;
	struct tar_reader *r = NULL;
	ssize_t rc = 0;

	if (!size)
		return 0;
	mem_source_init(&src, data + 1, size - 1, data[0] & 0x7f);
	r = tar_reader_new(&src.base);
	while ((rc = tar_reader_next(r, &e, &err)) > 0) {
		check_entry(&e);
		rc = data[0] & 0x80 ? read_extents(r, &e, &err) : read_content(r, &e, &err);
		if (rc < 0)
			break;
	}
	require(rc >= 0 || (err.code && *err.msg));
	tar_reader_free(r);
	return 0;
}
