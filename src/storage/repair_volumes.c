/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes are put right as every command that makes one does it (volume_sweep); here it is told.
 */
#include "storage/repair_private.h"

#include "base/mem.h"
#include "storage/volume_private.h"

static void tell_strays(struct repair *r)
{
	strv_foreach (i, &r->check.stray_volumes) {
		const char *name = r->check.stray_volumes.items[i];
		cleanup_volume struct volume record = VOLUME_INIT;

		if (name[0] != '.' && volume_read_record(r->store, name, &record))
			repair_done(r, "volume", name, "is in the index again");
		else
			repair_done(r, "leftover", name, "removed, of a volume");
	}
}

static int write_record(struct repair *r, const char *name, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	int rc = volume_lookup(r->store, name, &volume, err);

	if (rc > 0 && !r->options->dry_run)
		rc = volume_write_record(r->store, &volume, err);
	if (rc >= 0)
		repair_done(r, "volume", name, "its record is written again");
	return rc;
}

int repair_volumes(struct repair *r, struct err *err)
{
	tell_strays(r);
	if (r->check.stray_volumes.n && !r->options->dry_run)
		volume_sweep(r->store);
	strv_foreach (i, &r->check.bare_volumes)
		if (write_record(r, r->check.bare_volumes.items[i], err) < 0)
			return -err->code;
	return 0;
}
