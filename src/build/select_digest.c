/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of a selection, for the cache: everything that what is copied depends on, and nothing
 * else. First the contents that are not known, on all processors, then one digest over all nodes in
 * their order. Each text in it ends with a NUL and each number has a fixed size, so that no two
 * selections read alike.
 */
#include "build/copy_parallel.h"
#include "build/copy_xattr.h"
#include "build/select.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* A file to be read. */
struct piece {
	struct select_source *source;
	size_t node;
};

struct pieces {
	struct piece *items; /* owned */
	size_t n, cap;
};

static void pieces_done(struct pieces *p)
{
	free(p->items);
}

static bool is_to_read(const struct select_source *source, const struct select_node *node)
{
	return source->tree && !node->is_known && node->same == SELECT_NONE &&
	       (S_ISREG(node->st.st_mode) || S_ISDIR(node->st.st_mode));
}

static void collect(struct build_selection *s, struct pieces *ret)
{
	for (size_t i = 0; i < s->n_sources; i++)
		for (size_t k = 0; k < s->sources[i].n_nodes; k++) {
			if (!is_to_read(&s->sources[i], &s->sources[i].nodes[k]))
				continue;
			if (ret->n == ret->cap) {
				ret->cap = ret->cap ? 2 * ret->cap : 64;
				ret->items = mem_realloc_array(ret->items, ret->cap,
							       sizeof(*ret->items));
			}
			ret->items[ret->n++] = (struct piece){&s->sources[i], k};
		}
}

/* Without a memory of digests. */
static int hash_content(int fd, unsigned char ret[32], struct err *err)
{
	const size_t size = (size_t)256 << 10;
	cleanup_free char *buf = mem_alloc(size);
	struct sha256 h;

	sha256_init(&h);
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, size);

		if (n < 0)
			return err_sys(err, (int)-n, "read");
		if (n == 0)
			break;
		sha256_update(&h, buf, (size_t)n);
	}
	sha256_final(&h, ret);
	return 0;
}

/* Where they cannot be read there are none. */
static void read_xattrs(int fd, struct select_node *node)
{
	struct str text = STR_INIT;

	copy_xattr_describe(fd, &text);
	node->xattrs_len = text.len;
	node->xattrs = text.len ? str_take(&text) : NULL;
}

static int read_content(const struct select_source *source, struct select_node *node, int fd,
			const struct stat *st, struct err *err)
{
	struct file_digests *digests = source->tree->digests;
	struct stat now;
	int rc = digests ? file_digests_get(digests, fd, st, node->digest, err)
			 : hash_content(fd, node->digest, err);

	if (rc < 0)
		return rc;
	/* What was read belongs to what was seen only if it is still that. */
	if (fstat(fd, &now) < 0 || !select_is_unchanged(&node->st, &now))
		return err_set(err, ERR_UNAVAILABLE, "%s was changed while it was read",
			       *node->name ? node->name : source->path);
	return 0;
}

static int read_piece(void *ctx, size_t i, struct err *err)
{
	const struct piece *piece = &((const struct pieces *)ctx)->items[i];
	struct select_node *node = &piece->source->nodes[piece->node];
	struct stat st;
	cleanup_close int fd = select_open(piece->source, piece->node, &st, err);

	if (fd < 0)
		return fd;
	read_xattrs(fd, node);
	if (S_ISREG(node->st.st_mode) && read_content(piece->source, node, fd, &st, err) < 0)
		return -err->code;
	node->is_known = true;
	return 0;
}

/* ---- the sum ---- */

static void add_text(struct sha256 *h, const char *text)
{
	sha256_update(h, text, strlen(text) + 1);
}

static void add_number(struct sha256 *h, uint64_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(n >> 8 * i);
	sha256_update(h, bytes, sizeof(bytes));
}

static void add_owner(struct sha256 *h, const struct select_source *source,
		      const struct select_node *node)
{
	bool counts = source->tree && !source->tree->is_context;

	add_number(h, counts ? node->st.st_uid : 0);
	add_number(h, counts ? node->st.st_gid : 0);
}

static void add_content(struct sha256 *h, const struct select_source *source,
			const struct select_node *node)
{
	if (S_ISLNK(node->st.st_mode))
		add_text(h, node->link);
	if (S_ISCHR(node->st.st_mode) || S_ISBLK(node->st.st_mode))
		add_number(h, node->st.st_rdev);
	if (!S_ISREG(node->st.st_mode))
		return;
	add_number(h, node->same == SELECT_NONE ? 0 : node->same);
	sha256_update(h, node->digest, sizeof(node->digest));
	if (source->kind == SELECT_INLINE)
		add_text(h, source->item->content);
}

static void add_node(struct sha256 *h, const struct select_source *source, size_t i)
{
	const struct select_node *node = &source->nodes[i];
	cleanup_str struct str path = STR_INIT;

	select_add_path(source, i, &path);
	add_text(h, str_get(&path));
	add_number(h, node->st.st_mode);
	add_number(h, node->is_way);
	add_owner(h, source, node);
	add_number(h, node->xattrs_len);
	sha256_update(h, node->xattrs ? node->xattrs : "", node->xattrs_len);
	add_content(h, source, node);
}

/* Its first bytes tell versions of what is summed apart. */
int build_selection_digest(struct build_selection *s, char ret[static DIGEST_HEX_LEN + 1],
			   struct err *err)
{
	cleanup_with(pieces_done) struct pieces pieces = {};
	unsigned char digest[SHA256_LEN];
	struct sha256 h;

	collect(s, &pieces);
	if (copy_parallel(pieces.n, read_piece, &pieces, err) < 0)
		return -err->code;
	sha256_init(&h);
	add_text(&h, "selection 1");
	add_text(&h, s->op->target);
	for (size_t i = 0; i < s->n_sources; i++) {
		const struct select_source *source = &s->sources[i];

		add_number(&h, source->kind);
		add_text(&h, source->base);
		add_number(&h, source->n_nodes);
		for (size_t k = 0; k < source->n_nodes; k++)
			add_node(&h, source, k);
	}
	sha256_final(&h, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}
