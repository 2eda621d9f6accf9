/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that steps of builds keep for the next ones:
 *
 *	caches/<digest of the id>/id		the id, as text
 *	caches/<digest of the id>/uses		a byte for each use; its time is that of the last
 *	caches/<digest of the id>/<n>/data	the files; <n> is locked while somebody has them
 *
 * All share the first; private ones, for steps that run at the same time, have a number of their
 * own. Nothing here is synced: what is in a cache may go at any time.
 */
#include "storage/cache_mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/dir_names.h"
#include "storage/disk_usage.h"
#include "storage/snapshot_private.h"
#include "storage/store_private.h"

#define DATA   "data"
#define ID     "id"
#define USES   "uses"
#define NEW    ".new"
#define MAX_ID 65536

enum { MAX_PRIVATE = 1000, MAX_TRIES = 100 };

/* What a new one is made with. */
struct owner {
	uint32_t mode, uid, gid;
};

void cache_mount_done(struct cache_mount *m)
{
	fd_cleanup_close(&m->lock_fd);
	free(m->dir);
	m->dir = NULL;
}

static void count_use(int cache_fd)
{
	cleanup_close int fd = openat(cache_fd, USES,
				      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "", 1) < 0)
		log_debug("count the use of a cache: %m");
}

/* The directory of the cache called ID. */
static int open_cache(struct store *store, const char *id, const char *hash, struct err *err)
{
	cleanup_free char *path = str_printf(STORE_CACHES "/%s", hash);
	cleanup_close int fd = store_open_dir(store, path, err);
	int rc = 0;

	if (fd < 0)
		return -err->code;
	if (faccessat(fd, ID, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return take_fd(fd);
	rc = fd_replace_file_at(fd, ID, id, strlen(id), 0600, false);
	return rc < 0 ? err_sys(err, -rc, "write %s/" ID, path) : take_fd(fd);
}

/* One try to make N/data, which gets its mode and owner before it has the name: 0, -EAGAIN when
 * somebody else is at it, or was and died. */
static int make_data(int number_fd, const struct owner *owner)
{
	int rc = 0;

	if (mkdirat(number_fd, NEW, 0700) < 0) {
		if (errno == EEXIST)
			unlinkat(number_fd, NEW, AT_REMOVEDIR);
		return errno == EEXIST || errno == ENOENT ? -EAGAIN : -errno;
	}
	if (fchownat(number_fd, NEW, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(number_fd, NEW, owner->mode & 07777, 0) < 0 ||
	    renameat2(number_fd, NEW, number_fd, DATA, RENAME_NOREPLACE) < 0)
		rc = errno == ENOENT || errno == EEXIST ? -EAGAIN : -errno;
	if (rc < 0)
		unlinkat(number_fd, NEW, AT_REMOVEDIR);
	return rc;
}

static int ensure_data(int number_fd, const struct owner *owner)
{
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++) {
		if (faccessat(number_fd, DATA, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		rc = make_data(number_fd, owner);
	}
	return rc;
}

/* Whether NAME in DIR_FD, in the cache called HASH, is the directory FD: a prune takes it away as a
 * whole. */
static bool is_in_place(struct store *store, const char *hash, const char *name, int fd)
{
	cleanup_free char *path = str_printf(STORE_CACHES "/%s/%s", hash, name);
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(store->root_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

struct request {
	struct store *store;
	const char *id;
	char hash[DIGEST_HEX_LEN + 1];
	int operation; /* of flock(2) */
	struct owner owner;
};

/* One look at number N: 0 it is ours, 1 somebody has it, 2 it was taken away meanwhile. */
static int try_number(const struct request *r, int n, struct cache_mount *ret, struct err *err)
{
	cleanup_close int cache_fd = open_cache(r->store, r->id, r->hash, err);
	cleanup_close int fd = -1;
	char name[16];
	int rc = 0;

	if (cache_fd < 0 && err->errnum == ENOENT) {
		err_clear(err);
		return 2;
	}
	if (cache_fd < 0)
		return -err->code;
	snprintf(name, sizeof(name), "%d", n);
	if (mkdirat(cache_fd, name, 0700) < 0 && errno != EEXIST)
		return errno == ENOENT ? 2 : err_sys(err, errno, "create the cache %s", r->id);
	fd = openat(cache_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 2 : err_sys(err, errno, "open the cache %s", r->id);
	if (flock(fd, r->operation | LOCK_NB) < 0)
		return 1;
	if (!is_in_place(r->store, r->hash, name, fd))
		return 2;
	rc = ensure_data(fd, &r->owner);
	if (rc < 0)
		return err_sys(err, -rc, "create the cache %s", r->id);
	count_use(cache_fd);
	ret->lock_fd = take_fd(fd);
	ret->dir = str_printf("%s/" STORE_CACHES "/%s/%s/" DATA, r->store->root, r->hash, name);
	return 0;
}

static int take_number(const struct request *r, int n, struct cache_mount *ret, struct err *err)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		int rc = try_number(r, n, ret, err);

		if (rc != 2)
			return rc;
	}
	return err_set(err, ERR_UNAVAILABLE, "the cache %s is removed again and again", r->id);
}

int cache_mount_open(struct store *store, const char *id, bool locked, bool private_one,
		     uint32_t mode, uint32_t uid, uint32_t gid, struct cache_mount *ret,
		     struct err *err)
{
	struct request r = {.store = store,
			    .id = id,
			    .operation = locked || private_one ? LOCK_EX : LOCK_SH,
			    .owner = {mode, uid, gid}};
	int rc = 0;

	*ret = (struct cache_mount){.lock_fd = -1};
	sha256_hex(id, strlen(id), r.hash);
	for (int n = 0; n < MAX_PRIVATE; n++) {
		rc = take_number(&r, n, ret, err);
		if (rc != 1 || !private_one)
			return rc;
	}
	return err_set(err, ERR_UNAVAILABLE, "more than %d steps have a private cache %s",
		       MAX_PRIVATE, id);
}

bool cache_mount_is_empty(int dir_fd)
{
	cleanup_with(dir_names_done) struct dir_names names = {};
	cleanup_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && dir_names_read(&names, fd) == 0 && names.n == 0;
}

/* ---- looking after them ---- */

static void read_info(int cache_fd, const char *hash, struct snapshot_info *ret)
{
	cleanup_str struct str id = STR_INIT;
	struct stat st;

	*ret = (struct snapshot_info){.kind = SNAPSHOT_CACHE_MOUNT};
	memcpy(ret->key, hash, sizeof(ret->key));
	memcpy(ret->result, hash, sizeof(ret->result));
	fd_read_file_at(cache_fd, ID, MAX_ID, &id);
	ret->description = str_printf("cached mount with id \"%s\"", str_get(&id));
	if (fstatat(cache_fd, USES, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		ret->n_uses = st.st_size;
		ret->used_ns = st.st_mtim.tv_sec * CLOCK_NS_PER_S + st.st_mtim.tv_nsec;
	}
	if (fstatat(cache_fd, ID, &st, AT_SYMLINK_NOFOLLOW) == 0)
		ret->created_ns = st.st_mtim.tv_sec * CLOCK_NS_PER_S + st.st_mtim.tv_nsec;
}

int cache_mount_lock_alone(struct store *store, const char *hash, struct cache_locks *ret)
{
	cleanup_free char *path = str_printf(STORE_CACHES "/%s", hash);
	int dir_fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	bool is_free = true;

	if (!dir) {
		fd_cleanup_close(&dir_fd);
		return 0;
	}
	for (const struct dirent *e = readdir(dir); e && is_free; e = readdir(dir)) {
		int fd = e->d_name[0] < '0' || e->d_name[0] > '9'
				 ? -1
				 : openat(dir_fd, e->d_name,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			continue;
		is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
		ret->fds = mem_realloc_array(ret->fds, ret->n + 1, sizeof(*ret->fds));
		ret->fds[ret->n++] = fd;
	}
	closedir(dir);
	return is_free;
}

void cache_locks_done(struct cache_locks *locks)
{
	for (size_t i = 0; i < locks->n; i++)
		fd_cleanup_close(&locks->fds[i]);
	free(locks->fds);
	*locks = (struct cache_locks){};
}

int cache_mount_discard(struct store *store, const char *hash, int trash_fd, struct err *err)
{
	cleanup_close int dir_fd = store_open_dir(store, STORE_CACHES, err);
	cleanup_free char *name = str_printf("cache-%s", hash);
	int rc = 0;

	if (dir_fd < 0)
		return -err->code;
	if (trash_fd < 0 || renameat(dir_fd, hash, trash_fd, name) < 0)
		rc = fd_remove_tree_at(dir_fd, hash);
	return rc < 0 ? err_sys(err, -rc, "remove " STORE_CACHES "/%s", hash) : 0;
}

int cache_mount_list(struct store *store, cache_mount_fn fn, void *data, struct err *err)
{
	int dir_fd = openat(store->root_fd, STORE_CACHES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	cleanup_disk_usage struct disk_usage disk = DISK_USAGE_INIT;
	int rc = 0;

	if (!dir) {
		fd_cleanup_close(&dir_fd);
		return 0;
	}
	for (const struct dirent *e = readdir(dir); e && rc >= 0; e = readdir(dir)) {
		cleanup_close int fd = -1;
		struct snapshot_info info;

		if (!hex_is_valid(e->d_name, DIGEST_HEX_LEN))
			continue;
		fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		read_info(fd, e->d_name, &info);
		info.size = disk_usage_add(&disk, dir_fd, e->d_name);
		rc = fn(&info, data, err);
		snapshot_info_done(&info);
	}
	closedir(dir);
	return rc < 0 ? rc : 0;
}
