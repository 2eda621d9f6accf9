/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: rows without a directory, directories without a row. What is in a volume is nobody's
 * business here, and no content is ever called a leftover that has a record.
 */
#include "storage/check_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/db.h"
#include "storage/store_private.h"
#include "storage/volume_private.h"

/* What is wrong with a volume's directory; NULL. */
static const char *find_fault(const struct check *c, const char *name, bool *ret_mendable)
{
	cleanup_free char *dir = str_printf(STORE_VOLUMES "/%s", name);
	cleanup_free char *data = str_printf("%s/" VOLUME_DATA, dir);
	cleanup_free char *record = str_printf("%s/" VOLUME_RECORD, dir);
	struct stat st;

	*ret_mendable = false;
	if (fstatat(c->store->root_fd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return "its directory is missing";
	if (fstatat(c->store->root_fd, data, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return "its content is missing";
	if (!S_ISDIR(st.st_mode))
		return "its content is no directory";
	*ret_mendable = true;
	return faccessat(c->store->root_fd, record, F_OK, AT_SYMLINK_NOFOLLOW) < 0
		       ? "its record is missing"
		       : NULL;
}

static int check_volume(const struct volume *volume, void *data, struct err *err)
{
	struct check *c = data;
	bool mendable = false;
	const char *fault = find_fault(c, volume->name, &mendable);
	int rc = 0;

	if (!fault)
		return 0;
	rc = check_is_named(c->store, "SELECT 1 FROM volume WHERE name=?", volume->name, err);
	if (rc <= 0)
		return rc;
	if (mendable)
		strv_add(&c->bare_volumes, volume->name);
	check_report(c, "volume", volume->name, NULL,
		     mendable ? "tare system repair" : "lost: tare volume rm removes its name",
		     "%s", fault);
	return 0;
}

/* Whoever makes a volume has the writers' lock until it has its row. */
static void wait_for_writer(struct check *c)
{
	struct err ignored = ERR_INIT;

	if (db_begin(c->store, false, &ignored) == 0)
		db_rollback(c->store);
}

static int check_stray(struct check *c, const char *name, struct err *err)
{
	static const char sql[] = "SELECT 1 FROM volume WHERE name=?";
	cleanup_free char *path = str_printf(STORE_VOLUMES "/%s", name);
	cleanup_volume struct volume record = VOLUME_INIT;
	int rc = check_is_named(c->store, sql, name, err);

	if (rc == 0) {
		wait_for_writer(c);
		rc = check_is_named(c->store, sql, name, err);
	}
	if (rc != 0 || faccessat(c->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return rc < 0 ? rc : 0;
	strv_add(&c->stray_volumes, name);
	if (name[0] != '.' && volume_read_record(c->store, name, &record))
		check_report(c, "volume", name, NULL, "tare system repair",
			     "it is not in the index");
	else
		check_report(c, "leftover", path, NULL, "tare system repair removes it",
			     "of a volume that was removed, or never made");
	return 0;
}

int check_look_at_volumes(struct check *c, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	check_list_names(c, STORE_VOLUMES, &names);
	if (volume_list(c->store, check_volume, c, err) < 0)
		return -err->code;
	strv_foreach (i, &names)
		if (check_stray(c, names.items[i], err) < 0)
			return -err->code;
	return 0;
}
