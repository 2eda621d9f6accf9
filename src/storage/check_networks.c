/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks: rows that cannot be read, rows without a record, records without a row. The networks
 * that every engine has need no record.
 */
#include "storage/check_private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/db.h"
#include "storage/network.h"
#include "storage/store_private.h"
#include "json/value.h"

static bool has_record(const struct check *c, const char *id)
{
	cleanup_free char *path = str_printf(STORE_NETWORKS "/%s.json", id);

	return faccessat(c->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int check_network(const struct network_row *row, void *data, struct err *err)
{
	struct check *c = data;
	cleanup_json json_t *config = json_loads(row->config, 0, NULL);

	if (!json_is_object(config)) {
		strv_add(&c->bad_networks, row->id);
		check_report(c, "network", row->name, NULL,
			     has_record(c, row->id) ? "tare system repair"
						    : "lost: tare system repair removes its name",
			     "what the index says of it is damaged");
	} else if (!json_get_bool(config, "Predefined", false) && !has_record(c, row->id)) {
		strv_add(&c->bare_networks, row->id);
		check_report(c, "network", row->name, NULL, "tare system repair",
			     "its record is missing");
	}
	return 0;
}

/* Whoever makes or removes a network has the writers' lock while its row and record differ. */
static void wait_for_writer(struct check *c)
{
	struct err ignored = ERR_INIT;

	if (db_begin(c->store, false, &ignored) == 0)
		db_rollback(c->store);
}

static int check_stray(struct check *c, const char *name, struct err *err)
{
	static const char sql[] = "SELECT 1 FROM network WHERE id=?";
	cleanup_free char *id = str_ndup(name, ID_LEN);
	cleanup_free char *path = str_printf(STORE_NETWORKS "/%s", name);
	int rc = check_is_named(c->store, sql, id, err);

	if (rc == 0) {
		wait_for_writer(c);
		rc = check_is_named(c->store, sql, id, err);
	}
	if (rc != 0 || faccessat(c->store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return rc < 0 ? rc : 0;
	strv_add(&c->stray_networks, path);
	check_report(c, "leftover", path, NULL, "tare system repair removes it",
		     "of a network that was removed, or never made");
	return 0;
}

int check_look_at_networks(struct check *c, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	check_list_names(c, STORE_NETWORKS, &names);
	if (network_list(c->store, check_network, c, err) < 0)
		return -err->code;
	strv_foreach (i, &names)
		if (check_stray(c, names.items[i], err) < 0)
			return -err->code;
	return 0;
}
