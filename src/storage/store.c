/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory's frame: where things are, who may see them, and the locks on its folders.
 */
/* lint file: paths chosen by the engine */
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/store_private.h"

#define LOCK_DEADLINE_NS 60000000000ull
#define LOCK_POLL_NS	 2000000
/* Many times what the index needs to forget a container: pages of its log, and of its own. */
#define RESERVE_LEN (1 << 20)
/* Enough for one removal. */
#define RESERVE_LEAST (1 << 16)

static int open_root(struct store *store, struct err *err)
{
	int rc = fd_mkdir_p(store->root, 0700);

	if (rc == 0) {
		store->root_fd = open(store->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		rc = store->root_fd < 0 ? -errno : 0;
	}
	if (rc == 0)
		return 0;
	err_sys(err, -rc, "state directory %s", store->root);
	return err_hint(err, "choose another with --root DIR or TARE_ROOT");
}

int storage_open(const char *root, const char *runroot, const char *helper_dir, struct store **ret,
		 struct err *err)
{
	cleanup_store struct store *store = mem_zalloc(sizeof(*store));

	store->root_fd = -1;
	store->lock_fd = -1;
	store->db_sync = -1;
	store->root = str_dup(root);
	store->runroot = str_dup(runroot);
	store->helper_dir = str_dup(helper_dir);
	if (open_root(store, err) < 0)
		return -err->code;
	*ret = take_ptr(store);
	return 0;
}

void storage_close(struct store *store)
{
	if (!store)
		return;
	db_close(store);
	fd_cleanup_close(&store->root_fd);
	fd_cleanup_close(&store->lock_fd);
	free(store->root);
	free(store->runroot);
	free(store->helper_dir);
	free(store);
}

void store_cleanup(struct store **store)
{
	storage_close(*store);
	*store = NULL;
}

int store_get_root_fd(const struct store *store)
{
	return store->root_fd;
}

void store_ensure_reserve(struct store *store)
{
	cleanup_close int fd = openat(store->root_fd, STORE_RESERVE,
				      O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	/* On a disk that is almost full a smaller one is still worth having; it grows later. */
	for (off_t len = RESERVE_LEN; len >= RESERVE_LEAST && len > st.st_size; len /= 2)
		if (fallocate(fd, 0, 0, len) == 0)
			return;
	if (st.st_size == 0)
		unlinkat(store->root_fd, STORE_RESERVE, 0);
}

bool store_release_reserve(struct store *store)
{
	return unlinkat(store->root_fd, STORE_RESERVE, 0) == 0;
}

char *store_container_path(const struct store *store, const char *id, const char *leaf)
{
	return str_printf("%s/" STORE_CONTAINERS "/%s%s%s", store->root, id, *leaf ? "/" : "",
			  leaf);
}

int store_open_dir(struct store *store, const char *path, struct err *err)
{
	cleanup_free char *full = str_printf("%s/%s", store->root, path);
	int rc = fd_mkdir_p(full, 0700);
	int fd = -1;

	if (rc < 0)
		return err_sys(err, -rc, "create %s", full);
	fd = open(full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", full);
	return fd;
}

int store_get_boot_id(struct store *store, const char **ret, struct err *err)
{
	cleanup_str struct str s = STR_INIT;
	int rc = 0;

	*ret = store->boot_id;
	if (*store->boot_id)
		return 0;
	rc = fd_read_kernel_file("/proc/sys/kernel/random/boot_id", 256, &s);
	if (rc < 0)
		return err_sys(err, -rc, "read the boot id");
	if (s.len < STORE_BOOT_ID_LEN)
		return err_set(err, ERR_SYSTEM, "the boot id is too short");
	memcpy(store->boot_id, s.buf, STORE_BOOT_ID_LEN);
	return 0;
}

int store_lock(int dir_fd, int operation, const char *what, struct err *err)
{
	uint64_t deadline = clock_mono_ns() + LOCK_DEADLINE_NS;
	const struct timespec pause = {.tv_nsec = LOCK_POLL_NS};

	while (flock(dir_fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock %s", what);
		if (clock_mono_ns() > deadline)
			return err_set(err, ERR_UNAVAILABLE, "%s is locked by another process",
				       what);
		nanosleep(&pause, NULL);
	}
	return 0;
}
