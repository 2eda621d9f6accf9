/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names come out clean. What a symlink means is found by its text alone, from the directory of its
 * name: an archive of blobs has no directories that are links. A hard link's name counts from the
 * archive's root. Devices and pipes are left out: they hold no bytes.
 */
#include "unpack/index.h"

#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/layer_tree.h"
#include "storage/unpack.h"
#include "storage/unpack_protocol.h"

#include <stdbool.h>

enum { PIECE = 64 << 10 };

struct index {
	int fd;
	struct str records, name, link;
	size_t n_members, n_bytes;
};

static void index_done(struct index *x)
{
	str_done(&x->records);
	str_done(&x->name);
	str_done(&x->link);
}

static int flush(struct index *x, size_t above, struct err *err)
{
	int rc = 0;

	if (x->records.len <= above)
		return 0;
	x->n_bytes += x->records.len;
	if (x->n_bytes > UNPACK_INDEX_MAX)
		return err_set(err, ERR_INVALID, "more than %d MiB of names",
			       UNPACK_INDEX_MAX >> 20);
	rc = fd_write_full(x->fd, x->records.buf, x->records.len);
	str_truncate(&x->records, 0);
	return rc < 0 ? err_sys(err, -rc, "write the index") : 0;
}

/* Cuts the last component of the clean PATH off; false when there is none. */
static bool go_up(struct str *path)
{
	const char *slash = NULL;

	if (!path->len)
		return false;
	slash = strrchr(path->buf, '/');
	str_truncate(path, slash ? (size_t)(slash - path->buf) : 0);
	return true;
}

/* The clean name that TEXT means from the directory RET; "" when it leads out. */
static void resolve(const char *text, struct str *ret)
{
	if (*text == '/')
		str_truncate(ret, 0);
	while (*text) {
		size_t len = strcspn(text, "/");

		if (len == 2 && memcmp(text, "..", 2) == 0) {
			if (!go_up(ret))
				return;
		} else if (len && !(len == 1 && *text == '.')) {
			if (ret->len)
				str_add_char(ret, '/');
			str_add_bytes(ret, text, len);
		}
		text += len + (text[len] == '/');
	}
}

static void set_link(struct index *x, const struct tar_entry *e)
{
	str_truncate(&x->link, 0);
	if (e->type == TAR_SYMLINK) {
		str_add(&x->link, str_get(&x->name));
		go_up(&x->link);
	}
	if (e->type == TAR_SYMLINK || e->type == TAR_HARD_LINK)
		resolve(e->link, &x->link);
}

static int add_member(struct index *x, const struct tar_reader *reader, const struct tar_entry *e,
		      struct err *err)
{
	static const char types[] = {
		[TAR_FILE] = 'f', [TAR_HARD_LINK] = 'l', [TAR_SYMLINK] = 'l', [TAR_DIR] = 'd'};
	char type = (size_t)e->type < sizeof(types) ? types[e->type] : '\0';

	if (!type)
		return 0;
	if (x->n_members++ == ARCHIVE_MAX_MEMBERS)
		return err_set(err, ERR_INVALID, "more than %d members", ARCHIVE_MAX_MEMBERS);
	if (layer_name_clean(e->path, &x->name, err) < 0)
		return -err->code;
	if (e->size != e->stored)
		return err_set(err, ERR_UNSUPPORTED, "a sparse file is no blob");
	set_link(x, e);
	str_addf(&x->records, "%c %llu %llu ", type, (unsigned long long)tar_reader_offset(reader),
		 (unsigned long long)e->size);
	str_add_bytes(&x->records, str_get(&x->name), x->name.len + 1);
	str_add_bytes(&x->records, str_get(&x->link), x->link.len + 1);
	return flush(x, PIECE, err);
}

int index_write(struct byte_source *src, int fd, struct err *err)
{
	struct index x cleanup_with(index_done) = {.fd = fd};
	cleanup_tar_reader struct tar_reader *reader = tar_reader_new(src);
	struct tar_entry e = {};
	int rc = 0;

	while ((rc = tar_reader_next(reader, &e, err)) > 0) {
		char quoted[TAR_QUOTE_LEN];

		if (add_member(&x, reader, &e, err) < 0)
			return err_wrap(err, "entry %s", tar_quote(e.path, quoted));
	}
	return rc < 0 ? rc : flush(&x, 0, err);
}
