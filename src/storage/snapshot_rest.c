/* SPDX-License-Identifier: Apache-2.0 */
/* What of the build cache is still to come, refused by name. */
#include "storage/snapshot.h"

int snapshot_export(struct store *store, const char *const *keys, size_t n, const char *dest,
		    bool with_mounts, const char *compression, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "the build cache cannot be exported yet");
}

int snapshot_import(struct store *store, const char *source, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "a build cache cannot be imported yet");
}
