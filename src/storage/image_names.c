/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of a repository, and what a tag is handed out as. */
#include "storage/image_names.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/image.h"

int image_list_names(struct store *store, const char *repository, struct strv *ret, struct err *err)
{
	cleanup_free char *first = str_printf("%s:", repository);
	cleanup_free char *end = str_printf("%s;", repository); /* ';' follows ':' */
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT reference FROM tag WHERE reference>=? AND reference<?"
			    " ORDER BY reference",
			    "tt", first, end);

	if (rc < 0)
		return rc;
	for (rc = db_step(store, stmt, err); rc > 0; rc = db_step(store, stmt, err))
		strv_add(ret, db_text(stmt, 0));
	return rc;
}

int image_get_target(struct store *store, const struct image *image,
		     char ret_hex[static DIGEST_HEX_LEN + 1], struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err,
			    "SELECT target FROM tag WHERE image_id=?1 AND target IS NOT NULL"
			    " AND (?2 IS NULL OR reference=?2) ORDER BY reference LIMIT 1",
			    "tt", image->id, image->reference);

	if (rc < 0)
		return rc;
	rc = db_step(store, stmt, err);
	if (rc < 0)
		return rc;
	snprintf(ret_hex, DIGEST_HEX_LEN + 1, "%s", rc > 0 ? db_text(stmt, 0) : "");
	return 0;
}
