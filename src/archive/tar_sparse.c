/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse maps (tar(5) "GNU tar archives", GNU tar manual "Storing Sparse Files").
 *
 * Everything about a map comes from the archive, so each extent is checked as it is added: in
 * order, not overlapping, within 63 bits. Once the map is whole its sum must be what is stored
 * and its end must lie in the file: then the copy loop needs no checks of its own.
 */
#include "archive/tar_sparse.h"

#include "archive/tar_header.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdbool.h>

enum { OLD_GNU_ENTRY = 24, OLD_GNU_NUMBER = 12 };

void tar_map_clear(struct tar_map *m)
{
	m->n = 0;
}

void tar_map_done(struct tar_map *m)
{
	free(m->extents);
	*m = (struct tar_map){};
}

int tar_map_add(struct tar_map *m, int64_t offset, int64_t len, struct err *err)
{
	uint64_t end = m->n ? m->extents[m->n - 1].offset + m->extents[m->n - 1].len : 0;

	if (offset < 0 || len < 0 || offset > INT64_MAX - len)
		return err_set(err, ERR_INVALID, "sparse map with an impossible extent");
	if ((uint64_t)offset < end)
		return err_set(err, ERR_INVALID, "sparse map with overlapping extents");
	if (m->n == TAR_MAX_EXTENTS)
		return err_set(err, ERR_INVALID, "sparse map with more than %d extents",
			       TAR_MAX_EXTENTS);
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->extents = mem_realloc_array(m->extents, m->cap, sizeof(m->extents[0]));
	}
	m->extents[m->n++] = (struct tar_extent){(uint64_t)offset, (uint64_t)len};
	return 0;
}

int tar_map_add_old_gnu(struct tar_map *m, const uint8_t *entries, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *entry = entries + i * OLD_GNU_ENTRY;
		int64_t offset = 0, len = 0;
		int rc = 0;

		if (!entry[0] && !entry[OLD_GNU_NUMBER])
			break;
		if (tar_number_parse(entry, OLD_GNU_NUMBER, &offset) < 0 ||
		    tar_number_parse(entry + OLD_GNU_NUMBER, OLD_GNU_NUMBER, &len) < 0)
			return err_set(err, ERR_INVALID, "sparse map with a wrong number");
		rc = tar_map_add(m, offset, len, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int tar_map_parse_list(struct tar_map *m, const char *list, struct err *err)
{
	int64_t pair[2] = {};
	size_t have = 0;

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ",");
		char digits[24];
		int rc = 0;

		if (len >= sizeof(digits))
			return err_set(err, ERR_INVALID, "sparse map with a wrong number");
		memcpy(digits, p, len);
		digits[len] = '\0';
		if (num_parse_i64(digits, &pair[have++]) < 0)
			return err_set(err, ERR_INVALID, "sparse map with a wrong number");
		p += len + (p[len] == ',');
		if (have < 2)
			continue;
		have = 0;
		rc = tar_map_add(m, pair[0], pair[1], err);
		if (rc < 0)
			return rc;
	}
	if (have)
		return err_set(err, ERR_INVALID, "sparse map with an odd count of numbers");
	return 0;
}

int tar_map_check(const struct tar_map *m, uint64_t real_size, uint64_t stored, struct err *err)
{
	uint64_t sum = 0, end = 0;

	for (size_t i = 0; i < m->n; i++) {
		/* No overflow: the extents do not overlap and end within 63 bits. */
		sum += m->extents[i].len;
		end = m->extents[i].offset + m->extents[i].len;
	}
	if (end > real_size)
		return err_set(err, ERR_INVALID, "sparse map reaches beyond the end of the file");
	if (sum != stored)
		return err_set(err, ERR_INVALID, "sparse map does not match the stored size");
	return 0;
}
