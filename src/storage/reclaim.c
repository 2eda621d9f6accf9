/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring before and looking afterwards. */
#include "storage/reclaim.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/digest.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/store_private.h"

void reclaim_done(struct reclaim *reclaim)
{
	strv_done(&reclaim->paths);
	free(reclaim->bytes);
	disk_usage_done(&reclaim->disk);
	*reclaim = (struct reclaim)RECLAIM_INIT;
}

void reclaim_add_path(struct reclaim *reclaim, const struct store *store, const char *path)
{
	if (strv_has(&reclaim->paths, path))
		return;
	reclaim->bytes = mem_realloc_array(reclaim->bytes, reclaim->paths.n + 1,
					   sizeof(*reclaim->bytes));
	reclaim->bytes[reclaim->paths.n] = disk_usage_add(&reclaim->disk, store->root_fd, path);
	strv_add(&reclaim->paths, path);
}

static void add(struct reclaim *r, const struct store *store, const char *dir, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", dir, name);

	reclaim_add_path(r, store, path);
}

void reclaim_add_garbage(struct reclaim *reclaim, struct store *store,
			 const struct garbage *garbage)
{
	strv_foreach (i, &garbage->layers)
		add(reclaim, store, STORE_LAYERS, garbage->layers.items[i]);
	strv_foreach (i, &garbage->blobs)
		add(reclaim, store, STORE_BLOBS, garbage->blobs.items[i]);
}

static bool is_named(struct store *store, const char *sql, const char *name)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err ignored = ERR_INIT;

	/* What the index cannot tell counts as needed. */
	return db_prepare(store, &stmt, &ignored, sql, "t", name) < 0 ||
	       db_step(store, stmt, &ignored) != 0;
}

static void add_unnamed(struct reclaim *r, struct store *store, const char *path, const char *sql)
{
	int fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_cleanup_close(&fd);
		return;
	}
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (hex_is_valid(e->d_name, DIGEST_HEX_LEN) && !is_named(store, sql, e->d_name))
			add(r, store, path, e->d_name);
	closedir(dir);
}

void reclaim_add_unnamed(struct reclaim *reclaim, struct store *store)
{
	add_unnamed(reclaim, store, STORE_LAYERS, "SELECT 1 FROM layer WHERE chain_id=?");
	add_unnamed(reclaim, store, STORE_BLOBS,
		    "SELECT 1 FROM image WHERE id=?1"
		    " UNION ALL SELECT 1 FROM layer WHERE blob=?1"
		    " UNION ALL SELECT 1 FROM target_blob WHERE digest=?1 LIMIT 1");
}

int64_t reclaim_get_bytes(const struct reclaim *reclaim, const struct store *store)
{
	int64_t total = 0;

	strv_foreach (i, &reclaim->paths)
		if (faccessat(store->root_fd, reclaim->paths.items[i], F_OK, AT_SYMLINK_NOFOLLOW) <
		    0)
			total += reclaim->bytes[i];
	return total;
}
