/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an entry to its header blocks.
 *
 * Each field is tried in ustar (POSIX.1-1988) first. What does not fit becomes a record of a pax
 * header (POSIX.1-2001), in a fixed order, so that the same entry gives the same bytes; ustar then
 * holds a stand-in that fits: a name cut short, a number 0. Bytes beyond ASCII go to pax too, where
 * readers expect UTF-8. Names that are not UTF-8 are written as they are, without hdrcharset: that
 * is what Go's archive/tar writes, and it, GNU tar and libarchive read them back unchanged.
 *
 * Times are exact: "-1.25" is 1.25 s before 1970, as Go and GNU tar have it.
 */
#include "archive/tar_format.h"

#include "archive/tar_header.h"
#include "archive/tar_pax.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char dev_major[8];
	char dev_minor[8];
	char prefix[155];
	char unused[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

/* The name of the pax header itself; Python's tarfile has the same. */
static const char pax_name[] = "././@PaxHeader";
static const char sparse_dir[] = "GNUSparseFile.0/";

static const char type_flags[] = {
	[TAR_FILE] = '0', [TAR_HARD_LINK] = '1',    [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
	[TAR_DIR] = '5',  [TAR_BLOCK_DEVICE] = '4', [TAR_FIFO] = '6',
};

/* ---- numbers and text in a header ---- */

/* VALUE in octal digits and a NUL; false, with 0 written, when it needs more. */
static bool put_octal(char *field, size_t len, uint64_t value)
{
	bool fits = value >> 3 * (len - 1) == 0;

	if (!fits)
		value = 0;
	field[len - 1] = '\0';
	for (size_t i = len - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
	return fits;
}

/* Binary numbers (GNU) are for devices that no Linux has: a reader that does not know them refuses,
 * and one that ignored a pax record would make a device 0:0, a whiteout. */
static void put_device(char field[static 8], unsigned value)
{
	if (put_octal(field, 8, value))
		return;
	field[0] = (char)0x80;
	for (size_t i = 7; i > 0; i--, value >>= 8)
		field[i] = (char)(value & 0xff);
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* TEXT as far as it fits, other than ASCII as "_"; false when that is not all of it. The field need
 * not be terminated. */
static bool put_text(char *field, size_t len, const char *text)
{
	size_t text_len = strlen(text);
	size_t n = text_len < len ? text_len : len;

	for (size_t i = 0; i < n; i++)
		field[i] = (unsigned char)text[i] < 0x80 ? text[i] : '_';
	return n == text_len && is_ascii(text);
}

/* Where PATH can be cut into prefix and name: a slash, that neither part has; NULL for nowhere. */
static const char *find_split(const char *path, size_t len)
{
	const size_t max_prefix = sizeof(((struct ustar *)0)->prefix);
	const size_t max_name = sizeof(((struct ustar *)0)->name);
	size_t at = len - 1 < max_prefix ? len - 1 : max_prefix;

	/* The slash at the end of a directory's name belongs to the name. */
	if (at == len - 1)
		at--;
	while (at > 0 && path[at] != '/')
		at--;
	return at > 0 && len - at - 1 <= max_name ? path + at : NULL;
}

static bool put_path(struct ustar *h, const char *path)
{
	size_t len = strlen(path);
	const char *slash = len > sizeof(h->name) ? find_split(path, len) : NULL;

	if (!slash || !is_ascii(path))
		return put_text(h->name, sizeof(h->name), path);
	memcpy(h->prefix, path, (size_t)(slash - path));
	return put_text(h->name, sizeof(h->name), slash + 1);
}

static void sign(struct ustar *h)
{
	const uint8_t *bytes = (const uint8_t *)h;
	unsigned sum = 0;

	memcpy(h->magic, "ustar", sizeof(h->magic));
	memcpy(h->version, "00", sizeof(h->version));
	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	/* Six digits, a NUL, a blank, by tradition. */
	put_octal(h->checksum, sizeof(h->checksum) - 1, sum);
}

/* ---- pax records ---- */

static void add_record(struct str *pax, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3; /* blank, "=", newline */
	size_t total = rest + 1;

	/* The length counts its own digits. */
	while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
		total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
	str_addf(pax, "%zu %s=", total, key);
	str_add_bytes(pax, value, len);
	str_add_char(pax, '\n');
}

static void add_text_record(struct str *pax, const char *key, const char *value)
{
	add_record(pax, key, value, strlen(value));
}

static void add_number_record(struct str *pax, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	add_text_record(pax, key, text);
}

static void add_time_record(struct str *pax, const struct timespec *t)
{
	bool before = t->tv_sec < 0;
	bool borrow = before && t->tv_nsec;
	/* No overflow: one is added before the sign is taken away. */
	uint64_t sec = borrow ? (uint64_t) - (t->tv_sec + 1)
			      : (before ? 0 - (uint64_t)t->tv_sec : (uint64_t)t->tv_sec);
	long nsec = borrow ? 1000000000 - t->tv_nsec : t->tv_nsec;
	char text[48];
	int len = snprintf(text, sizeof(text), "%s%llu.%09ld", before ? "-" : "",
			   (unsigned long long)sec, nsec);

	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
	add_text_record(pax, "mtime", text);
}

static void add_base64(struct str *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned bits = (unsigned)bytes[i] << 16 | (n > 1 ? bytes[i + 1] : 0u) << 8 |
				(n > 2 ? bytes[i + 2] : 0u);

		for (size_t d = 0; d < n + 1; d++)
			str_add_char(out, digits[bits >> (18 - 6 * d) & 63]);
	}
}

static void add_xattr_record(struct str *pax, const struct tar_xattr *x)
{
	cleanup_str struct str key = STR_INIT;
	cleanup_str struct str value = STR_INIT;

	if (!strchr(x->name, '=')) {
		str_addf(&key, "SCHILY.xattr.%s", x->name);
		add_record(pax, key.buf, x->value, x->len);
		return;
	}
	/* A key ends at the first "=". libarchive's notation is the only one that can say this
	 * name.
	 */
	str_add(&key, "LIBARCHIVE.xattr.");
	for (const char *c = x->name; *c; c++)
		str_addf(&key, *c == '=' || *c == '%' ? "%%%02X" : "%c", (unsigned char)*c);
	add_base64(&value, x->value, x->len);
	add_record(pax, key.buf, str_get(&value), value.len);
}

static void add_sparse_records(struct str *pax, const struct tar_entry *e)
{
	add_text_record(pax, "GNU.sparse.major", "1");
	add_text_record(pax, "GNU.sparse.minor", "0");
	add_text_record(pax, "GNU.sparse.name", e->path);
	add_number_record(pax, "GNU.sparse.realsize", e->size);
}

/* ---- an entry ---- */

/* A sparse file goes under a stand-in, so that a reader that knows no maps does not take the map
 * for the file's content. */
static void put_sparse_name(struct ustar *h, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t used = sizeof(sparse_dir) - 1;

	memcpy(h->name, sparse_dir, used);
	put_text(h->name + used, sizeof(h->name) - used, slash ? slash + 1 : path);
}

static void put_names(struct ustar *h, struct str *pax, const struct tar_entry *e, bool sparse)
{
	const char *uname = e->uname ? e->uname : "", *gname = e->gname ? e->gname : "";

	if (sparse)
		put_sparse_name(h, e->path);
	else if (!put_path(h, e->path))
		add_text_record(pax, "path", e->path);
	if (e->link && !put_text(h->link, sizeof(h->link), e->link))
		add_text_record(pax, "linkpath", e->link);
	if (!put_text(h->uname, sizeof(h->uname), uname))
		add_text_record(pax, "uname", uname);
	if (!put_text(h->gname, sizeof(h->gname), gname))
		add_text_record(pax, "gname", gname);
}

static void put_numbers(struct ustar *h, struct str *pax, const struct tar_entry *e,
			uint64_t stored)
{
	bool is_device = e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE;
	uint64_t seconds = e->mtime.tv_sec < 0 ? 0 : (uint64_t)e->mtime.tv_sec;

	put_octal(h->mode, sizeof(h->mode), e->mode & 07777);
	if (!put_octal(h->size, sizeof(h->size), e->type == TAR_FILE ? stored : 0))
		add_number_record(pax, "size", stored);
	if (!put_octal(h->uid, sizeof(h->uid), e->uid))
		add_number_record(pax, "uid", e->uid);
	if (!put_octal(h->gid, sizeof(h->gid), e->gid))
		add_number_record(pax, "gid", e->gid);
	if (!put_octal(h->mtime, sizeof(h->mtime), seconds) || e->mtime.tv_sec < 0 ||
	    e->mtime.tv_nsec)
		add_time_record(pax, &e->mtime);
	put_device(h->dev_major, is_device ? e->dev_major : 0);
	put_device(h->dev_minor, is_device ? e->dev_minor : 0);
}

static int check_entry(const struct tar_entry *e, struct err *err)
{
	if (strlen(e->path) > TAR_MAX_PATH)
		return err_set(err, ERR_INVALID, "name longer than %d bytes", TAR_MAX_PATH);
	if (e->link && strlen(e->link) > TAR_MAX_PATH)
		return err_set(err, ERR_INVALID, "link target longer than %d bytes", TAR_MAX_PATH);
	if (e->n_xattrs > TAR_MAX_XATTRS)
		return err_set(err, ERR_INVALID, "more than %d extended attributes",
			       TAR_MAX_XATTRS);
	return 0;
}

static void pad_to_block(struct str *s)
{
	size_t n = (TAR_BLOCK - s->len % TAR_BLOCK) % TAR_BLOCK;

	memset(str_reserve(s, n), 0, n);
	s->len += n;
	s->buf[s->len] = '\0';
}

static void add_pax_header(struct str *ret, const struct str *pax)
{
	struct ustar h = {.type = 'x'};

	put_text(h.name, sizeof(h.name), pax_name);
	put_octal(h.mode, sizeof(h.mode), 0644);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), pax->len);
	put_octal(h.mtime, sizeof(h.mtime), 0);
	put_device(h.dev_major, 0);
	put_device(h.dev_minor, 0);
	sign(&h);
	str_add_bytes(ret, &h, sizeof(h));
	str_add_bytes(ret, pax->buf, pax->len);
	pad_to_block(ret);
}

int tar_format_headers(struct str *ret, const struct tar_entry *e, uint64_t stored, bool sparse,
		       struct err *err)
{
	cleanup_str struct str pax = STR_INIT;
	struct ustar h = {.type = type_flags[e->type]};
	int rc = check_entry(e, err);

	if (rc < 0)
		return rc;
	put_names(&h, &pax, e, sparse);
	put_numbers(&h, &pax, e, stored);
	for (size_t i = 0; i < e->n_xattrs; i++)
		add_xattr_record(&pax, &e->xattrs[i]);
	if (sparse)
		add_sparse_records(&pax, e);
	if (pax.len > TAR_MAX_HEADER)
		return err_set(err, ERR_INVALID,
			       "more than %d bytes of names and extended attributes",
			       TAR_MAX_HEADER);
	if (pax.len)
		add_pax_header(ret, &pax);
	sign(&h);
	str_add_bytes(ret, &h, sizeof(h));
	return 0;
}

void tar_format_map(struct str *ret, uint64_t size, const struct tar_extent *extents, size_t n)
{
	uint64_t end = n ? extents[n - 1].offset + extents[n - 1].len : 0;
	bool hole_at_end = end < size;

	str_addf(ret, "%zu\n", n + hole_at_end);
	for (size_t i = 0; i < n; i++)
		str_addf(ret, "%llu\n%llu\n", (unsigned long long)extents[i].offset,
			 (unsigned long long)extents[i].len);
	if (hole_at_end)
		str_addf(ret, "%llu\n0\n", (unsigned long long)size);
	pad_to_block(ret);
}
