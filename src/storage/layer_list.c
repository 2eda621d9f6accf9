/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines are those of layer_apply.c, which is the one that knows what entries mean; here each is
 * only said, since what it is about was there before the archive.
 */
#include "storage/layer_list.h"

#include "archive/crc64.h"
#include "archive/tar_read.h"
#include "base/err.h"
#include "base/str.h"
#include "storage/layer_meta.h"
#include "storage/layer_tree.h"
#include "storage/tree_list.h"

#include <string.h>

enum { PIECE = 64 << 10 };

static const char whiteout_prefix[] = ".wh.";
static const char opaque_marker[] = ".wh..wh..opq";

static const char letters[] = {
	[TAR_FILE] = 'f', [TAR_HARD_LINK] = 'h',    [TAR_SYMLINK] = 'l', [TAR_DIR] = 'd',
	[TAR_CHAR] = 'c', [TAR_BLOCK_DEVICE] = 'b', [TAR_FIFO] = 'p',
};

struct lister {
	struct tar_reader *reader;
	struct layer_listing *listing;
	struct layer_result result;
	struct str path, link, lines;
	struct tar_xattr xattrs[TAR_MAX_XATTRS];
};

static void lister_done(struct lister *l)
{
	str_done(&l->path);
	str_done(&l->link);
	str_done(&l->lines);
}

static int read_content(struct lister *l, const struct tar_entry *e, uint64_t *ret_crc,
			struct err *err)
{
	uint64_t end = 0, offset = 0, crc = 0;
	const uint8_t *bytes = NULL;
	ssize_t n = 0;

	while ((n = tar_reader_data(l->reader, &bytes, &offset, err)) > 0) {
		crc = crc64_update_fast(crc64_update_zeros(crc, offset - end), bytes, (size_t)n);
		end = offset + (uint64_t)n;
	}
	*ret_crc = crc64_update_zeros(crc, e->size - end);
	return (int)n;
}

/* The directory is opaque, or the name without its prefix hides what is below. */
static void list_marker(struct lister *l, const struct tar_entry *e, size_t parent_len)
{
	char *name = l->path.buf + parent_len;
	size_t prefix_len = sizeof(whiteout_prefix) - 1;
	bool is_opaque = strcmp(name, opaque_marker) == 0;

	if (is_opaque) {
		str_truncate(&l->path, parent_len ? parent_len - 1 : 0);
	} else {
		l->path.len -= prefix_len;
		memmove(name, name + prefix_len, l->path.len - parent_len + 1);
	}
	tree_list_add(&l->lines, is_opaque ? 'o' : 'w', str_get(&l->path), NULL, e, 0);
}

static int list_entry(struct lister *l, struct tar_entry *e, struct err *err)
{
	const char *slash = NULL;
	size_t parent_len = 0;
	uint64_t crc = 0;

	if (layer_name_clean(e->path, &l->path, err) < 0 ||
	    (e->type == TAR_HARD_LINK && layer_name_clean(e->link, &l->link, err) < 0))
		return -err->code;
	layer_meta_select(e, l->xattrs);
	slash = strrchr(str_get(&l->path), '/');
	parent_len = slash ? (size_t)(slash + 1 - l->path.buf) : 0;
	if (str_has_prefix(str_get(&l->path) + parent_len, whiteout_prefix)) {
		list_marker(l, e, parent_len);
		return 0;
	}
	if (e->type == TAR_FILE && read_content(l, e, &crc, err) < 0)
		return -err->code;
	tree_list_add(&l->lines, letters[e->type], str_get(&l->path),
		      e->type == TAR_HARD_LINK ? str_get(&l->link)
		      : e->type == TAR_SYMLINK ? e->link
					       : NULL,
		      e, crc);
	l->result.n_bytes += e->stored;
	return 0;
}

static int flush(struct lister *l, size_t above, struct err *err)
{
	int rc = 0;

	if (l->lines.len <= above)
		return 0;
	rc = l->listing->write(l->listing, &l->lines, err);
	str_truncate(&l->lines, 0);
	return rc;
}

int layer_list(struct tar_reader *reader, struct layer_listing *listing, struct layer_result *ret,
	       struct err *err)
{
	__attribute__((cleanup(lister_done))) struct lister l = {.reader = reader,
								 .listing = listing};
	struct tar_entry e = {};
	int rc = 0;

	while ((rc = tar_reader_next(reader, &e, err)) > 0) {
		char quoted[TAR_QUOTE_LEN];

		rc = list_entry(&l, &e, err);
		if (rc >= 0)
			rc = flush(&l, PIECE, err);
		if (rc < 0 && str_has_prefix(err->msg, "entry "))
			return rc;
		if (rc < 0)
			return err_wrap(err, "entry %s", tar_quote(e.path, quoted));
		l.result.n_entries++;
	}
	if (rc < 0 || flush(&l, 0, err) < 0)
		return -err->code;
	*ret = l.result;
	return 0;
}
