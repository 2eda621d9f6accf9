/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes are read by name; one call says for almost every file that there is none. */
#include "build/copy_xattr.h"

#include "base/mem.h"
#include "storage/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

static const char *const of_the_host[] = {"trusted.overlay.", "security.selinux",
					  "security.ima",     "security.evm",
					  "security.SMACK64", "security.apparmor"};

static bool is_copied(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(of_the_host); i++)
		if (str_has_prefix(name, of_the_host[i]))
			return false;
	return true;
}

/* 0 with the names that count, sorted, or -errno. */
static int list_names(int fd, struct strv *ret)
{
	char few[256];
	cleanup_free char *many = NULL;
	char *names = few;
	ssize_t len = flistxattr(fd, few, sizeof(few));

	if (len < 0 && errno == ERANGE) {
		names = many = mem_alloc(XATTR_LIST_MAX);
		len = flistxattr(fd, many, XATTR_LIST_MAX);
	}
	if (len < 0)
		return errno == ENOTSUP || errno == EBADF ? 0 : -errno;
	for (const char *p = names; p < names + len; p += strlen(p) + 1)
		if (is_copied(p))
			strv_add(ret, p);
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Owned; NULL when it is gone or cannot be read. */
static char *read_value(int fd, const char *name, size_t *ret_len)
{
	cleanup_free char *value = mem_alloc(XATTR_SIZE_MAX);
	ssize_t len = fgetxattr(fd, name, value, XATTR_SIZE_MAX);

	if (len < 0)
		return NULL;
	*ret_len = (size_t)len;
	return take_ptr(value);
}

void copy_xattr_describe(int fd, struct str *ret)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (list_names(fd, &names) < 0 || names.n == 0)
		return;
	qsort(names.items, names.n, sizeof(names.items[0]), compare_texts);
	strv_foreach (i, &names) {
		size_t len = 0;
		cleanup_free char *value = NULL;

		/* Times do not count. */
		if (strcmp(names.items[i], SNAPSHOT_TIME_NOTE) == 0)
			continue;
		value = read_value(fd, names.items[i], &len);
		if (!value)
			continue;
		str_addf(ret, "%s=%zu:", names.items[i], len);
		str_add_bytes(ret, value, len);
	}
}

int copy_xattr_copy(int from, int to)
{
	cleanup_strv struct strv names = STRV_INIT;
	int rc = list_names(from, &names);

	if (rc < 0)
		return rc;
	strv_foreach (i, &names) {
		size_t len = 0;
		cleanup_free char *value = read_value(from, names.items[i], &len);

		if (value && fsetxattr(to, names.items[i], value, len, 0) < 0 && errno != ENOTSUP)
			return -errno;
	}
	return 0;
}

/* Attributes of links can be reached by paths alone. */
int copy_xattr_note(int from_dir, const char *from, int to_dir, const char *to)
{
	char path[PATH_MAX];
	char value[64];
	ssize_t len = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", from_dir, from);
	len = lgetxattr(path, SNAPSHOT_TIME_NOTE, value, sizeof(value));
	if (len < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", to_dir, to);
	return lsetxattr(path, SNAPSHOT_TIME_NOTE, value, (size_t)len, 0) < 0 ? -errno : 0;
}
