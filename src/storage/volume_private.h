/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_VOLUME_PRIVATE_H
#define STORAGE_VOLUME_PRIVATE_H
/* What the files about volumes share, and container.c, which makes and removes volumes with their
 * containers. Everything here is for who holds the writers' lock, but for volume_remove_files. */
#include "storage/volume.h"

#define VOLUME_RECORD	  "volume.json"
#define VOLUME_OLD_RECORD "removed.json"

/* A name that starts with a dot, of what is being made or removed. */
#define VOLUME_ASIDE_LEN 32

/* Ensures ROOT/volumes; a descriptor. */
int volume_open_parent(struct store *store, struct err *err);
/* Makes the directory of a volume, whole. DURABLE: on disk when it returns. One that is there is
 * kept with its content when it has a record, and replaced when it has none. */
int volume_make_files(struct store *store, const struct volume *volume, bool durable,
		      struct err *err);
/* Before its row goes: a directory without a row is garbage from now on. */
void volume_mark_removed(struct store *store, const char *name);
/* After that, without the lock, which it takes for a moment: its content goes. */
void volume_remove_files(struct store *store, const char *name);
/* Renames the directory, and writes the record of VOLUME in it. */
int volume_rename_files(struct store *store, const char *name, const struct volume *volume,
			struct err *err);
/* Writes the record that is missing beside the content. */
int volume_write_record(struct store *store, const struct volume *volume, struct err *err);
/* Reads the record of the directory NAME: 1, 0 when it was put aside or cannot be read. */
int volume_read_record(struct store *store, const char *name, struct volume *ret);

/* Adds the row. In a transaction. */
int volume_insert_row(struct store *store, const struct volume *volume, struct err *err);

/* In the transaction that removes container ID: takes its uses away, and the rows of the volumes
 * that WITH_VOLUMES are to go with it; their names are appended to RET_GONE for
 * volume_remove_files. */
int volume_drop_uses(struct store *store, const char *id, bool with_volumes, struct strv *ret_gone,
		     struct err *err);

#endif
