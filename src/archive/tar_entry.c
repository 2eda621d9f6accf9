/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From collected headers to one entry.
 *
 * Each phase settles one group of fields: a pax value wins over a GNU long name, which wins over
 * the header's own field, and everything is checked against what the kernel can take. The last
 * phase makes the map of extents; the pax 1.0 notation keeps it in the first blocks of the data,
 * which are read here, so that what is left of the stored bytes is the file's.
 */
#include "archive/tar_reader.h"

#include "base/err.h"
#include "base/mem.h"

/* Linux packs devices into 12 and 20 bits (MAJOR and MINOR of linux/kdev_t.h). */
enum { MAX_MAJOR = (1 << 12) - 1, MAX_MINOR = (1 << 20) - 1 };

/* Offsets in an old GNU sparse header and in its extension blocks. */
enum {
	GNU_SPARSE_AT = 386,
	GNU_SPARSE_N = 4,
	GNU_EXTENDED_AT = 482,
	GNU_REAL_SIZE_AT = 483,
	GNU_REAL_SIZE_LEN = 12,
	GNU_EXTENSION_N = 21,
	GNU_EXTENSION_MORE_AT = 504,
};

static const struct type_flag {
	char flag;
	enum tar_type type;
	bool has_data; /* else the size field means nothing, whatever it says */
} type_flags[] = {
	{'0', TAR_FILE, true},		{'7', TAR_FILE, true},	   {'S', TAR_FILE, true},
	{'1', TAR_HARD_LINK, false},	{'2', TAR_SYMLINK, false}, {'3', TAR_CHAR, false},
	{'4', TAR_BLOCK_DEVICE, false}, {'5', TAR_DIR, false},	   {'6', TAR_FIFO, false},
	{'D', TAR_DIR, true}, /* GNU incremental: a list of names, skipped */
};

static const struct type_flag *lookup_type(char flag)
{
	for (size_t i = 0; i < ARRAY_LEN(type_flags); i++)
		if (type_flags[i].flag == flag)
			return &type_flags[i];
	return NULL;
}

static int set_name(struct str *to, const char *what, const char *name, struct err *err)
{
	size_t len = strlen(name);

	str_truncate(to, 0);
	str_add_bytes(to, name, len < TAR_MAX_PATH ? len : TAR_MAX_PATH);
	if (len > TAR_MAX_PATH)
		return err_set(err, ERR_INVALID, "%s longer than %d bytes", what, TAR_MAX_PATH);
	return 0;
}

/* A pax value wins over a GNU long name, that over the header. */
static const char *pick(const struct tar_reader *r, unsigned bit, const struct str *pax,
			const struct str *gnu, const char *header)
{
	if (r->local.set & bit)
		return str_get(pax);
	return gnu && gnu->len ? gnu->buf : header;
}

static int merge_names(struct tar_reader *r, struct err *err)
{
	const struct tar_pax *p = &r->local;
	const char *path = pick(r, PAX_PATH, &p->path, &r->long_path, r->header.path);
	const char *link = pick(r, PAX_LINK, &p->link, &r->long_link, r->header.link);
	int rc = 0;

	/* With pax sparse formats 0.1 and 1.0 the name in the header is a stand-in. */
	if (p->set & PAX_SPARSE_NAME)
		path = str_get(&p->sparse_name);
	rc = set_name(&r->path, "name", path, err);
	if (rc >= 0)
		rc = set_name(&r->link, "link target", link, err);
	r->entry.path = str_get(&r->path);
	r->entry.link = str_get(&r->link);
	r->entry.uname = pick(r, PAX_UNAME, &p->uname, NULL, r->header.uname);
	r->entry.gname = pick(r, PAX_GNAME, &p->gname, NULL, r->header.gname);
	return rc;
}

static int merge_owner(struct tar_reader *r, struct err *err)
{
	int64_t uid = r->local.set & PAX_UID ? r->local.uid : r->header.uid;
	int64_t gid = r->local.set & PAX_GID ? r->local.gid : r->header.gid;

	/* UINT32_MAX means "leave it" to chown(2): nobody can own a file under that number. */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "owner %lld:%lld out of range", (long long)uid,
			       (long long)gid);
	r->entry.uid = (uid_t)uid;
	r->entry.gid = (gid_t)gid;
	r->entry.mode = (mode_t)(r->header.mode & 07777);
	return 0;
}

static int merge_device(struct tar_reader *r, struct err *err)
{
	const struct tar_header *h = &r->header;

	if (r->entry.type != TAR_CHAR && r->entry.type != TAR_BLOCK_DEVICE)
		return 0;
	if (h->dev_major < 0 || h->dev_major > MAX_MAJOR || h->dev_minor < 0 ||
	    h->dev_minor > MAX_MINOR)
		return err_set(err, ERR_INVALID, "device number %lld:%lld out of range",
			       (long long)h->dev_major, (long long)h->dev_minor);
	r->entry.dev_major = (unsigned)h->dev_major;
	r->entry.dev_minor = (unsigned)h->dev_minor;
	return 0;
}

static int merge_times_and_xattrs(struct tar_reader *r, struct err *err)
{
	const struct tar_pax *p = &r->local;

	r->entry.mtime.tv_sec = p->set & PAX_MTIME ? p->mtime_sec : r->header.mtime;
	r->entry.mtime.tv_nsec = p->set & PAX_MTIME ? p->mtime_nsec : 0;
	for (size_t i = 0; i < p->n_xattrs; i++) {
		r->xattrs[i].name = p->bytes.buf + p->xattrs[i].name_at;
		r->xattrs[i].value = p->bytes.buf + p->xattrs[i].value_at;
		r->xattrs[i].len = p->xattrs[i].value_len;
	}
	r->entry.xattrs = r->xattrs;
	r->entry.n_xattrs = p->n_xattrs;
	return 0;
}

static int merge_type(struct tar_reader *r, struct err *err)
{
	const struct type_flag *t = lookup_type(r->header.type);
	int64_t size = r->local.set & PAX_SIZE ? r->local.size : r->header.size;

	if (!t)
		return err_set(err, ERR_UNSUPPORTED, "unknown type of entry (flag \\%03o)",
			       (unsigned char)r->header.type);
	if (t->has_data && size < 0)
		return err_set(err, ERR_INVALID, "negative size");
	r->entry.type = t->type;
	r->stored_left = t->has_data ? (uint64_t)size : 0;
	r->padding = tar_padding(r->stored_left);
	/* Before there was a type for directories, a name that ends in a slash meant one. */
	if (t->type == TAR_FILE && r->path.len && r->path.buf[r->path.len - 1] == '/')
		r->entry.type = TAR_DIR;
	return 0;
}

static int read_old_gnu_map(struct tar_reader *r, int64_t *ret_size, struct err *err)
{
	uint8_t block[TAR_BLOCK] = {};
	bool more = r->block[GNU_EXTENDED_AT];
	int rc = tar_map_add_old_gnu(&r->map, r->block + GNU_SPARSE_AT, GNU_SPARSE_N, err);

	if (rc >= 0 &&
	    tar_number_parse(r->block + GNU_REAL_SIZE_AT, GNU_REAL_SIZE_LEN, ret_size) < 0)
		return err_set(err, ERR_INVALID, "wrong size of a sparse file");
	while (rc >= 0 && more) {
		rc = tar_reader_count_metadata(r, TAR_BLOCK, err);
		if (rc >= 0)
			rc = tar_reader_need(r, block, TAR_BLOCK, err);
		if (rc >= 0)
			rc = tar_map_add_old_gnu(&r->map, block, GNU_EXTENSION_N, err);
		more = block[GNU_EXTENSION_MORE_AT];
	}
	return rc;
}

/* Decimal lines in the first blocks of the data (pax sparse 1.0). */
struct map_lines {
	uint8_t block[TAR_BLOCK];
	size_t at;
};

static int next_map_block(struct tar_reader *r, struct map_lines *lines, struct err *err)
{
	int rc = 0;

	if (r->stored_left < TAR_BLOCK)
		return err_set(err, ERR_INVALID, "sparse map is cut off");
	rc = tar_reader_count_metadata(r, TAR_BLOCK, err);
	if (rc >= 0)
		rc = tar_reader_need(r, lines->block, TAR_BLOCK, err);
	r->stored_left -= TAR_BLOCK;
	lines->at = 0;
	return rc;
}

static int next_map_number(struct tar_reader *r, struct map_lines *lines, int64_t *ret,
			   struct err *err)
{
	const int max_digits = 18; /* fits an int64_t */
	int64_t value = 0;

	for (int digits = 0;; digits++) {
		int rc = lines->at == TAR_BLOCK ? next_map_block(r, lines, err) : 0;
		uint8_t c = 0;

		if (rc < 0)
			return rc;
		c = lines->block[lines->at++];
		if (c == '\n' && digits) {
			*ret = value;
			return 0;
		}
		if (c < '0' || c > '9' || digits == max_digits)
			return err_set(err, ERR_INVALID, "sparse map with a wrong number");
		value = value * 10 + (c - '0');
	}
}

static int read_data_map(struct tar_reader *r, struct err *err)
{
	struct map_lines lines = {.at = TAR_BLOCK};
	int64_t n = 0;
	int rc = next_map_number(r, &lines, &n, err);

	for (int64_t i = 0; rc >= 0 && i < n; i++) {
		int64_t offset = 0, len = 0;

		rc = next_map_number(r, &lines, &offset, err);
		if (rc >= 0)
			rc = next_map_number(r, &lines, &len, err);
		if (rc >= 0)
			rc = tar_map_add(&r->map, offset, len, err);
	}
	return rc;
}

static int read_pax_map(struct tar_reader *r, int64_t *ret_size, struct err *err)
{
	struct tar_pax *p = &r->local;

	if (p->set & PAX_SPARSE_MAJOR && p->sparse_major != 0) {
		if (p->sparse_major != 1 || !(p->set & PAX_SPARSE_REALSIZE))
			return err_set(err, ERR_UNSUPPORTED, "unknown format of a sparse file");
		*ret_size = p->sparse_realsize;
		return read_data_map(r, err);
	}
	for (size_t i = 0; i < p->map.n; i++) {
		const struct tar_extent *e = &p->map.extents[i];
		int rc = tar_map_add(&r->map, (int64_t)e->offset, (int64_t)e->len, err);

		if (rc < 0)
			return rc;
	}
	*ret_size = p->set & PAX_SPARSE_SIZE ? p->sparse_size : -1;
	return 0;
}

static int merge_map(struct tar_reader *r, struct err *err)
{
	const unsigned any_pax = PAX_SPARSE_SIZE | PAX_SPARSE_REALSIZE | PAX_SPARSE_MAP |
				 PAX_SPARSE_MAJOR;
	bool old_gnu = r->header.type == 'S';
	int64_t size = 0;
	int rc = 0;

	tar_map_clear(&r->map);
	r->extent = 0;
	r->extent_done = 0;
	r->read_at = 0;
	r->entry.size = r->stored_left;
	if (r->entry.type != TAR_FILE) {
		r->entry.size = 0;
		return 0;
	}
	if (!old_gnu && !(r->local.set & any_pax)) {
		r->entry.stored = r->stored_left;
		return r->stored_left ? tar_map_add(&r->map, 0, (int64_t)r->stored_left, err) : 0;
	}
	rc = old_gnu ? read_old_gnu_map(r, &size, err) : read_pax_map(r, &size, err);
	if (rc < 0)
		return rc;
	if (size < 0)
		return err_set(err, ERR_INVALID, "wrong size of a sparse file");
	r->entry.size = (uint64_t)size;
	r->entry.stored = r->stored_left;
	return tar_map_check(&r->map, (uint64_t)size, r->stored_left, err);
}

int tar_entry_merge(struct tar_reader *r, struct err *err)
{
	static int (*const phases[])(struct tar_reader * r, struct err * err) = {
		merge_names, merge_type, merge_owner, merge_device, merge_times_and_xattrs,
		merge_map,
	};

	r->entry = (struct tar_entry){};
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		int rc = phases[i](r, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}
