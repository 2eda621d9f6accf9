/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names as an OCI index. Who writes it holds a lock (that of the file oci-layout) from reading
 * the names to the rename, so that the last writer is the one who knows the latest. Under that lock
 * the temporary name is always the same: what a killed writer left, the next one takes.
 */
#include "storage/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/digest.h"
#include "oci/document.h"
#include "storage/db.h"
#include "storage/store_private.h"

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}\n"
#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define TEMPORARY   NAMES_FILE "~"
#define MAX_FILE    (64 << 20)

static json_t *digest_json(const char *hex)
{
	return json_sprintf(DIGEST_PREFIX "%s", hex);
}

/* reference, image, target, size of the configuration, size and media type of the target */
static json_t *descriptor(sqlite3_stmt *stmt)
{
	const char *target = db_text(stmt, 2);
	json_t *annotations = json_object();
	json_t *d = json_object();

	json_object_set_new(d, "mediaType",
			    json_string(*target ? db_text(stmt, 5) : NAMES_MEDIA_CONFIG));
	json_object_set_new(d, "digest", digest_json(*target ? target : db_text(stmt, 1)));
	json_object_set_new(d, "size", json_integer(sqlite3_column_int64(stmt, *target ? 4 : 3)));
	json_object_set_new(annotations, NAMES_NAME, json_string(db_text(stmt, 0)));
	json_object_set_new(annotations, NAMES_IMAGE, digest_json(db_text(stmt, 1)));
	json_object_set_new(d, "annotations", annotations);
	return d;
}

int names_format(struct store *store, struct str *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_json json_t *doc = json_object();
	cleanup_free char *text = NULL;
	json_t *list = json_array();
	int rc = 0;

	json_object_set_new(doc, "schemaVersion", json_integer(2));
	json_object_set_new(doc, "mediaType", json_string(MEDIA_INDEX));
	json_object_set_new(doc, "manifests", list);
	rc = db_prepare(
		store, &stmt, err,
		"SELECT t.reference,t.image_id,t.target,length(CAST(i.config AS BLOB)),b.size,"
		"b.media_type FROM tag t LEFT JOIN image i ON i.id=t.image_id LEFT JOIN"
		" target_blob b ON b.target=t.target AND b.digest=t.target ORDER BY t.reference",
		"");
	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		json_array_append_new(list, descriptor(stmt));
	if (rc < 0)
		return rc;
	text = json_dumps(doc, JSON_INDENT(1));
	if (!text)
		return err_set(err, ERR_SYSTEM, "format " NAMES_FILE);
	str_add(ret, text);
	str_add_char(ret, '\n');
	return 0;
}

/* The lock, whose file says what the directory is. */
static int lock_names(struct store *store, struct err *err)
{
	cleanup_close int fd = openat(store->root_fd, LAYOUT_FILE,
				      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st = {};
	int rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "open " LAYOUT_FILE);
	if (store_lock(fd, LOCK_EX, NAMES_FILE, err) < 0)
		return -err->code;
	if (fstat(fd, &st) == 0 && st.st_size == 0)
		rc = fd_write_full(fd, LAYOUT_TEXT, strlen(LAYOUT_TEXT));
	return rc < 0 ? err_sys(err, -rc, "write " LAYOUT_FILE) : take_fd(fd);
}

static int replace_names(struct store *store, const struct str *text, struct err *err)
{
	cleanup_str struct str now = STR_INIT;
	int rc = fd_read_file_at(store->root_fd, NAMES_FILE, MAX_FILE, &now);

	if (rc >= 0 && now.len == text->len && memcmp(str_get(&now), str_get(text), now.len) == 0) {
		unlinkat(store->root_fd, TEMPORARY, 0);
		return 0;
	}
	rc = fd_write_file_at(store->root_fd, TEMPORARY, str_get(text), text->len, 0600);
	if (rc >= 0 && renameat(store->root_fd, TEMPORARY, store->root_fd, NAMES_FILE) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(store->root_fd, TEMPORARY, 0);
	return rc < 0 ? err_sys(err, -rc, "write " NAMES_FILE) : 0;
}

void names_save(struct store *store)
{
	cleanup_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	cleanup_close int lock = lock_names(store, &err);

	if (lock < 0 || names_format(store, &text, &err) < 0 ||
	    replace_names(store, &text, &err) < 0)
		log_debug("%s: %s", store->root, err.msg);
}
