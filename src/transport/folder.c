/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and archives behind one lookup by name. */
#include "transport/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/tar_read.h"
#include "base/fd.h"
#include "storage/store.h"
#include "sys/path.h"
#include "transport/blob_at.h"
#include "transport/report.h"

int folder_open_dir(const char *path, struct folder *ret, struct err *err)
{
	/* lint: path typed by the user */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	ret->dir_fd = fd;
	return 0;
}

int folder_open_archive(const struct store *store, int archive_fd,
			const struct transport_report *report, struct folder *ret, struct err *err)
{
	cleanup_close int spool_fd = openat(store_get_root_fd(store), ".",
					    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (spool_fd < 0)
		return err_sys(err, errno, "open the state directory");
	return archive_index_open(store, archive_fd, spool_fd, report ? report->progress : NULL,
				  report ? report->data : NULL, &ret->index, err);
}

int folder_open_file(const struct store *store, const char *path,
		     const struct transport_report *report, struct folder *ret, struct err *err)
{
	/* lint: path typed by the user */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st = {};

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "read %s", path);
	return folder_open_archive(store, fd, report, ret, err);
}

void folder_done(struct folder *folder)
{
	fd_cleanup_close(&folder->dir_fd);
	archive_index_done(&folder->index);
	*folder = (struct folder)FOLDER_INIT;
}

static bool is_dots(const char *part, size_t len)
{
	return (len == 1 || len == 2) && strspn(part, ".") >= len;
}

/* Whether NAME is relative and goes down at each step: no "..", no empty part. */
static bool is_clean(const char *name)
{
	if (strlen(name) > TAR_MAX_PATH)
		return false;
	for (;;) {
		size_t len = strcspn(name, "/");

		if (len == 0 || is_dots(name, len))
			return false;
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

static int not_found(const char *name, struct err *err)
{
	char quoted[TAR_QUOTE_LEN];

	return err_set(err, ERR_NOT_FOUND, "%s is missing", tar_quote(name, quoted));
}

static int open_member(const struct archive_index *index, const struct archive_member *m,
		       struct blob_at *ret, struct err *err)
{
	ret->fd = fcntl(index->fd, F_DUPFD_CLOEXEC, 3);
	if (ret->fd < 0)
		return err_sys(err, errno, "open %s", m->name);
	ret->offset = m->offset;
	ret->size = m->size;
	return 0;
}

static int find_in_archive(const struct archive_index *index, const char *name, struct blob_at *ret,
			   struct err *err)
{
	const struct archive_member *m = archive_index_lookup(index, name);

	if (!m || m->type != MEMBER_FILE)
		return not_found(name, err);
	return open_member(index, m, ret, err);
}

static int find_in_dir(int dir_fd, const char *name, struct blob_at *ret, struct err *err)
{
	cleanup_close int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
						 0);
	struct stat st = {};

	if (fd == -ENOENT || fd == -ENOTDIR)
		return not_found(name, err);
	if (fd < 0)
		return err_sys(err, -fd, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", name);
	ret->fd = take_fd(fd);
	ret->offset = 0;
	ret->size = (uint64_t)st.st_size;
	return 0;
}

int folder_find(const struct folder *folder, const char *name, struct blob_at *ret, struct err *err)
{
	char quoted[TAR_QUOTE_LEN];

	if (!is_clean(name))
		return err_set(err, ERR_INVALID, "\"%s\" is no name of a file inside",
			       tar_quote(name, quoted));
	return folder->dir_fd >= 0 ? find_in_dir(folder->dir_fd, name, ret, err)
				   : find_in_archive(&folder->index, name, ret, err);
}

bool folder_has(const struct folder *folder, const char *name)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	struct err ignored = ERR_INIT;

	return folder_find(folder, name, &at, &ignored) == 0;
}

int folder_read(const struct folder *folder, const char *name, struct str *ret, struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;

	if (folder_find(folder, name, &at, err) < 0)
		return -err->code;
	return blob_at_read(&at, name, ret, err);
}

int folder_read_member(const struct folder *folder, size_t i, struct str *ret, struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	const struct archive_member *m = &folder->index.members[i];

	if (m->type != MEMBER_FILE)
		return folder_read(folder, m->name, ret, err);
	if (open_member(&folder->index, m, &at, err) < 0)
		return -err->code;
	return blob_at_read(&at, m->name, ret, err);
}
