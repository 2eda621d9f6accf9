/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the store's blobs, and what the index knows of layers. */
#include "storage/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "storage/db.h"
#include "storage/store_private.h"
#include "sys/path.h"

int blob_open(struct store *store, const char *hex, int64_t *ret_size, struct err *err)
{
	cleanup_close int fd = -1;
	char path[sizeof(STORE_BLOBS) + 1 + DIGEST_HEX_LEN];
	struct stat st = {};

	snprintf(path, sizeof(path), STORE_BLOBS "/%.*s", DIGEST_HEX_LEN, hex);
	fd = path_open_beneath(store->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd == -ENOENT) {
		err_set(err, ERR_NOT_FOUND, "blob %s is missing", hex);
		return err_hint(err, "tare system check shows what is lost");
	}
	if (fd < 0)
		return err_sys(err, -fd, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_NOT_FOUND, "blob %s is not a regular file", hex);
	if (ret_size)
		*ret_size = st.st_size;
	return take_fd(fd);
}

int blob_read(struct store *store, const char *hex, struct str *ret, struct err *err)
{
	cleanup_close int fd = blob_open(store, hex, NULL, err);
	int rc = 0;

	if (fd < 0)
		return fd;
	rc = fd_read_all(fd, DOCUMENT_MAX_SIZE, ret);
	if (rc < 0)
		return err_sys(err, -rc, "read blob %s", hex);
	if (digest_is_of(hex, str_get(ret), ret->len))
		return 0;
	err_set(err, ERR_SYSTEM, "blob %s is damaged: its digest is another", hex);
	return err_hint(err, "tare system repair");
}

static void copy_hex(char to[static DIGEST_HEX_LEN + 1], sqlite3_stmt *stmt, int column)
{
	snprintf(to, DIGEST_HEX_LEN + 1, "%s", db_text(stmt, column));
}

static void read_info(sqlite3_stmt *stmt, struct layer_info *info)
{
	*info = (struct layer_info){
		.blob_size = sqlite3_column_int64(stmt, 3),
		.size = sqlite3_column_int64(stmt, 5),
		.plain_size = sqlite3_column_int64(stmt, 6),
		.entries = sqlite3_column_int64(stmt, 7),
	};
	copy_hex(info->chain_hex, stmt, 0);
	copy_hex(info->diff_hex, stmt, 1);
	copy_hex(info->blob_hex, stmt, 2);
	snprintf(info->blob_format, sizeof(info->blob_format), "%s", db_text(stmt, 4));
	copy_hex(info->list_hex, stmt, 8);
}

#define INFO_COLUMNS                                                                             \
	"l.chain_id,l.diff_id,l.blob,l.blob_size,l.blob_format,l.size,l.plain_size,l.entries,l." \
	"tree_hash"

int layer_info_list(struct store *store, const char *image_id, struct layer_info **ret,
		    size_t *ret_n, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free struct layer_info *infos = NULL;
	size_t n = 0;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT " INFO_COLUMNS " FROM image_layer i JOIN layer l"
			    " ON l.chain_id=i.chain_id WHERE i.image_id=? ORDER BY i.idx",
			    "t", image_id);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0) {
		infos = mem_realloc_array(infos, n + 1, sizeof(*infos));
		read_info(stmt, &infos[n++]);
	}
	if (rc < 0)
		return rc;
	*ret = take_ptr(infos);
	*ret_n = n;
	return 0;
}

int layer_info_lookup(struct store *store, const char *chain_hex, struct layer_info *ret,
		      struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT " INFO_COLUMNS " FROM layer l WHERE l.chain_id=?", "t",
			    chain_hex);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_info(stmt, ret);
	return rc;
}
