/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading extended attributes. Which of them are kept is the allowlist of layer_meta.c, which sets
 * them again.
 *
 * Of overlayfs' marks only those under trusted. mean anything: the engine mounts its overlays
 * without userxattr, and then user.overlay.* is an ordinary attribute that anybody in the container
 * can set (overlayfs.rst, "User xattr").
 */
#include "storage/file_xattrs.h"

#include "archive/tar_pax.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/limits.h>
#include <sys/xattr.h>

/* With these a file's content or place is in a lower layer: the upper one alone is not all of it.
 */
static const struct mark {
	const char *name;
	const char *meaning;
} marks[] = {
	{"trusted.overlay.redirect", "a renamed directory of a lower layer (redirect_dir)"},
	{"trusted.overlay.metacopy", "a file whose content is in a lower layer (metacopy)"},
	{"trusted.overlay.whiteout", "a whiteout of another notation"},
};

static const char opaque_mark[] = "trusted.overlay.opaque";

void file_xattrs_done(struct file_xattrs *x)
{
	free(x->items);
	str_done(&x->names);
	str_done(&x->values);
	*x = (struct file_xattrs){};
}

static bool is_wanted(const char *name, bool is_file)
{
	if (strcmp(name, "security.capability") == 0)
		return is_file;
	return str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");
}

static int check_mark(struct file_xattrs *x, int fd, const char *name, struct err *err)
{
	char value[2] = {};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strcmp(name, marks[i].name) == 0)
			return err_set(err, ERR_UNSUPPORTED, "%s: %s", name, marks[i].meaning);
	if (strcmp(name, opaque_mark) != 0)
		return 0;
	if (fgetxattr(fd, name, value, sizeof(value)) != 1 || value[0] != 'y')
		return err_set(err, ERR_UNSUPPORTED, "%s: a mark of another notation", name);
	x->is_opaque = true;
	return 0;
}

static int add_name(struct file_xattrs *x, const char *name, struct err *err)
{
	if (x->n == TAR_MAX_XATTRS)
		return err_set(err, ERR_INVALID, "more than %d extended attributes",
			       TAR_MAX_XATTRS);
	if (x->n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 8;
		x->items = mem_realloc_array(x->items, x->cap, sizeof(x->items[0]));
	}
	x->items[x->n++] = (struct tar_xattr){.name = name};
	return 0;
}

static int compare_names(const void *pa, const void *pb)
{
	const struct tar_xattr *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

/* Appends the value of attribute I; an attribute removed meanwhile goes from the list: 0 then. */
static int read_value(struct file_xattrs *x, int fd, size_t i, struct err *err)
{
	char *to = str_reserve(&x->values, XATTR_SIZE_MAX);
	ssize_t n = fgetxattr(fd, x->items[i].name, to, XATTR_SIZE_MAX);

	if (n < 0 && errno == ENODATA) {
		memmove(&x->items[i], &x->items[i + 1], (--x->n - i) * sizeof(x->items[0]));
		return 0;
	}
	if (n < 0)
		return err_sys(err, errno, "read extended attribute %s", x->items[i].name);
	if (x->values.len + (size_t)n > TAR_MAX_HEADER)
		return err_set(err, ERR_INVALID, "more than %d bytes of extended attributes",
			       TAR_MAX_HEADER);
	x->items[i].len = (size_t)n;
	x->values.len += (size_t)n;
	return 1;
}

static int read_values(struct file_xattrs *x, int fd, struct err *err)
{
	size_t at = 0;

	for (size_t i = 0; i < x->n;) {
		int rc = read_value(x, fd, i, err);

		if (rc < 0)
			return rc;
		i += (size_t)rc;
	}
	/* Only now do the values stay where they are. */
	for (size_t i = 0; i < x->n; at += x->items[i++].len)
		x->items[i].value = x->values.buf + at;
	return 0;
}

int file_xattrs_read(struct file_xattrs *x, int fd, bool is_file, bool in_upper, struct err *err)
{
	char *names = str_reserve(&x->names, XATTR_LIST_MAX);
	ssize_t len = flistxattr(fd, names, XATTR_LIST_MAX);

	x->n = 0;
	x->is_opaque = false;
	str_truncate(&x->values, 0);
	if (len < 0 && errno == ENOTSUP)
		return 0;
	if (len < 0)
		return err_sys(err, errno, "list extended attributes");
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		int rc = in_upper ? check_mark(x, fd, name, err) : 0;

		if (rc >= 0 && is_wanted(name, is_file))
			rc = add_name(x, name, err);
		if (rc < 0)
			return rc;
	}
	if (x->n == 0)
		return 0;
	qsort(x->items, x->n, sizeof(x->items[0]), compare_names);
	return read_values(x, fd, err);
}
