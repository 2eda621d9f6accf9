/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pax records (POSIX.1-2001 pax "Extended Header"; tar(5) for the vendors' keys).
 *
 * One table maps keys to setters. Extended attributes come under two prefixes: SCHILY.xattr. with
 * the bytes as they are, LIBARCHIVE.xattr. with an URL-encoded name and a base64 value; bsdtar
 * writes both, and the later one of a name wins.
 */
#include "archive/tar_pax.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>

struct value {
	const char *text; /* NUL-terminated */
	size_t len;	  /* may hold NULs before that */
};

void tar_pax_clear(struct tar_pax *p)
{
	p->set = 0;
	p->has_sparse_offset = false;
	p->n_xattrs = 0;
	str_truncate(&p->bytes, 0);
	tar_map_clear(&p->map);
}

void tar_pax_done(struct tar_pax *p)
{
	str_done(&p->path);
	str_done(&p->link);
	str_done(&p->uname);
	str_done(&p->gname);
	str_done(&p->sparse_name);
	str_done(&p->bytes);
	tar_map_done(&p->map);
}

static void copy_str(struct str *to, const struct str *from)
{
	str_truncate(to, 0);
	str_add_bytes(to, str_get(from), from->len);
}

void tar_pax_copy(struct tar_pax *p, const struct tar_pax *from)
{
	tar_pax_clear(p);
	if (!from->set && !from->n_xattrs)
		return;
	p->set = from->set;
	copy_str(&p->path, &from->path);
	copy_str(&p->link, &from->link);
	copy_str(&p->uname, &from->uname);
	copy_str(&p->gname, &from->gname);
	copy_str(&p->bytes, &from->bytes);
	p->size = from->size;
	p->uid = from->uid;
	p->gid = from->gid;
	p->mtime_sec = from->mtime_sec;
	p->mtime_nsec = from->mtime_nsec;
	memcpy(p->xattrs, from->xattrs, sizeof(p->xattrs[0]) * from->n_xattrs);
	p->n_xattrs = from->n_xattrs;
}

static int set_text(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	struct str *to = (struct str *)(void *)((char *)p + member);

	if (memchr(v.text, '\0', v.len))
		return err_set(err, ERR_INVALID, "a NUL byte in a pax name");
	str_truncate(to, 0);
	str_add_bytes(to, v.text, v.len);
	return 0;
}

static int set_number(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	int64_t *to = (int64_t *)(void *)((char *)p + member);

	if (strlen(v.text) != v.len || num_parse_i64(v.text, to) < 0)
		return err_set(err, ERR_INVALID, "wrong number in a pax header");
	return 0;
}

/* "-1.25" is 1.25 s before the epoch: the nanoseconds always count forward from the second. */
static int set_time(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	size_t whole = strcspn(v.text, ".");
	char seconds[24];
	long nsec = 0, unit = 100000000;
	int64_t sec = 0;

	if (strlen(v.text) != v.len || whole >= sizeof(seconds))
		return err_set(err, ERR_INVALID, "wrong time in a pax header");
	memcpy(seconds, v.text, whole);
	seconds[whole] = '\0';
	if (num_parse_i64(seconds, &sec) < 0)
		return err_set(err, ERR_INVALID, "wrong time in a pax header");
	for (const char *d = v.text + whole + (v.text[whole] == '.'); *d; d++, unit /= 10) {
		if (*d < '0' || *d > '9')
			return err_set(err, ERR_INVALID, "wrong time in a pax header");
		nsec += (*d - '0') * unit;
	}
	if (v.text[0] == '-' && nsec) {
		if (sec == INT64_MIN)
			return err_set(err, ERR_INVALID, "wrong time in a pax header");
		sec--;
		nsec = 1000000000 - nsec;
	}
	p->mtime_sec = sec;
	p->mtime_nsec = nsec;
	return 0;
}

static int set_sparse_offset(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	int rc = set_number(p, offsetof(struct tar_pax, sparse_offset), v, err);

	if (rc >= 0 && p->has_sparse_offset)
		return err_set(err, ERR_INVALID, "sparse map with an odd count of numbers");
	p->has_sparse_offset = true;
	return rc;
}

static int set_sparse_len(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	int64_t len = 0;

	if (strlen(v.text) != v.len || num_parse_i64(v.text, &len) < 0 || !p->has_sparse_offset)
		return err_set(err, ERR_INVALID, "sparse map with a wrong number");
	p->has_sparse_offset = false;
	return tar_map_add(&p->map, p->sparse_offset, len, err);
}

static int set_sparse_map(struct tar_pax *p, size_t member, struct value v, struct err *err)
{
	if (strlen(v.text) != v.len)
		return err_set(err, ERR_INVALID, "sparse map with a wrong number");
	tar_map_clear(&p->map);
	return tar_map_parse_list(&p->map, v.text, err);
}

#define AT(member) offsetof(struct tar_pax, member)

static const struct pax_key {
	const char *key;
	int (*set)(struct tar_pax *p, size_t member, struct value v, struct err *err);
	size_t member;
	unsigned bit;
} pax_keys[] = {
	{"path", set_text, AT(path), PAX_PATH},
	{"linkpath", set_text, AT(link), PAX_LINK},
	{"uname", set_text, AT(uname), PAX_UNAME},
	{"gname", set_text, AT(gname), PAX_GNAME},
	{"size", set_number, AT(size), PAX_SIZE},
	{"uid", set_number, AT(uid), PAX_UID},
	{"gid", set_number, AT(gid), PAX_GID},
	{"mtime", set_time, 0, PAX_MTIME},
	{"GNU.sparse.name", set_text, AT(sparse_name), PAX_SPARSE_NAME},
	{"GNU.sparse.size", set_number, AT(sparse_size), PAX_SPARSE_SIZE},
	{"GNU.sparse.realsize", set_number, AT(sparse_realsize), PAX_SPARSE_REALSIZE},
	{"GNU.sparse.major", set_number, AT(sparse_major), PAX_SPARSE_MAJOR},
	{"GNU.sparse.minor", set_number, AT(sparse_minor), PAX_SPARSE_MINOR},
	{"GNU.sparse.offset", set_sparse_offset, 0, PAX_SPARSE_MAP},
	{"GNU.sparse.numbytes", set_sparse_len, 0, PAX_SPARSE_MAP},
	{"GNU.sparse.map", set_sparse_map, 0, PAX_SPARSE_MAP},
};

static void drop_xattr(struct tar_pax *p, const char *name)
{
	for (size_t i = 0; i < p->n_xattrs; i++) {
		if (strcmp(str_get(&p->bytes) + p->xattrs[i].name_at, name) != 0)
			continue;
		p->xattrs[i] = p->xattrs[--p->n_xattrs];
		return;
	}
}

static int add_xattr(struct tar_pax *p, const char *name, struct value v, struct err *err)
{
	struct tar_xattr_at x = {};

	if (!*name)
		return err_set(err, ERR_INVALID, "extended attribute without a name");
	drop_xattr(p, name);
	if (p->n_xattrs == TAR_MAX_XATTRS)
		return err_set(err, ERR_INVALID, "more than %d extended attributes",
			       TAR_MAX_XATTRS);
	x.name_at = p->bytes.len;
	str_add_bytes(&p->bytes, name, strlen(name) + 1);
	x.value_at = p->bytes.len;
	x.value_len = v.len;
	str_add_bytes(&p->bytes, v.text, v.len);
	p->xattrs[p->n_xattrs++] = x;
	return 0;
}

/* "%41" to "A"; anything else as it stands. */
static void decode_url(const char *text, struct str *ret)
{
	for (; *text; text++) {
		int hi = *text == '%' ? num_hex_digit(text[1]) : -1;
		int lo = hi >= 0 ? num_hex_digit(text[2]) : -1;

		if (lo < 0) {
			str_add_char(ret, *text);
			continue;
		}
		str_add_char(ret, (char)(hi << 4 | lo));
		text += 2;
	}
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int decode_base64(struct value v, struct str *ret)
{
	unsigned bits = 0, n_bits = 0;

	for (size_t i = 0; i < v.len && v.text[i] != '='; i++) {
		int d = base64_digit(v.text[i]);

		if (d < 0)
			return -EINVAL;
		bits = (bits << 6 | (unsigned)d) & 0xffff;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		str_add_char(ret, (char)(bits >> n_bits & 0xff));
	}
	return 0;
}

static int add_libarchive_xattr(struct tar_pax *p, const char *name, struct value v,
				struct err *err)
{
	cleanup_str struct str plain_name = STR_INIT;
	cleanup_str struct str plain = STR_INIT;

	decode_url(name, &plain_name);
	if (decode_base64(v, &plain) < 0)
		return err_set(err, ERR_INVALID, "extended attribute %s is not base64", name);
	return add_xattr(p, str_get(&plain_name), (struct value){str_get(&plain), plain.len}, err);
}

static int apply_record(struct tar_pax *p, const char *key, struct value v, struct err *err)
{
	static const char schily[] = "SCHILY.xattr.";
	static const char libarchive[] = "LIBARCHIVE.xattr.";

	for (size_t i = 0; i < ARRAY_LEN(pax_keys); i++) {
		const struct pax_key *k = &pax_keys[i];
		int rc = 0;

		if (strcmp(k->key, key) != 0)
			continue;
		if (v.len)
			rc = k->set(p, k->member, v, err);
		p->set = v.len ? p->set | k->bit : p->set & ~k->bit;
		return rc;
	}
	if (str_has_prefix(key, schily))
		return add_xattr(p, key + sizeof(schily) - 1, v, err);
	if (str_has_prefix(key, libarchive))
		return add_libarchive_xattr(p, key + sizeof(libarchive) - 1, v, err);
	return 0;
}

/* The record at TEXT: its length with all of it, or 0 when it is malformed. Ends key and value. */
static size_t split_record(char *text, size_t left, const char **ret_key, struct value *ret_value)
{
	size_t digits = 0, len = 0;
	char *key = NULL, *equals = NULL;

	while (digits < left && text[digits] >= '0' && text[digits] <= '9' && len <= left)
		len = len * 10 + (size_t)(text[digits++] - '0');
	if (digits == 0 || digits == left || text[digits] != ' ')
		return 0;
	if (len > left || len < digits + 3 || text[len - 1] != '\n')
		return 0;
	key = text + digits + 1;
	equals = memchr(key, '=', len - digits - 2);
	if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
		return 0;
	*equals = '\0';
	text[len - 1] = '\0';
	*ret_key = key;
	*ret_value = (struct value){equals + 1, (size_t)(text + len - 1 - (equals + 1))};
	return len;
}

int tar_pax_parse(struct tar_pax *p, char *text, size_t len, struct err *err)
{
	while (len) {
		const char *key = NULL;
		struct value v = {};
		size_t n = split_record(text, len, &key, &v);
		int rc = 0;

		if (n == 0)
			return err_set(err, ERR_INVALID, "malformed pax header");
		rc = apply_record(p, key, v, err);
		if (rc < 0)
			return rc;
		text += n;
		len -= n;
	}
	if (p->has_sparse_offset)
		return err_set(err, ERR_INVALID, "sparse map with an odd count of numbers");
	return 0;
}
