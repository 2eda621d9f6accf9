/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index is made of, and what makes an older one of it. A new version adds its own upgrade;
 * the texts of older ones stay as they are.
 */
#include "storage/db_schema.h"

#define TARGET_BLOB_TABLE                                                                       \
	"CREATE TABLE target_blob(target TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT," \
	" size INTEGER NOT "                                                                    \
	"NULL,"                                                                                 \
	" PRIMARY KEY(target, digest)) WITHOUT ROWID;"

/* Children are looked for whenever an image is listed or removed; most images have no parent. */
#define PARENT_INDEX "CREATE INDEX image_parent ON image(parent) WHERE parent IS NOT NULL;"

/* An object is "volume:NAME" or "image:ID"; anonymous: the container asked for a volume without a
 * name. */
#define VOLUME_TABLES                                                                           \
	"CREATE TABLE volume(name TEXT PRIMARY KEY,driver TEXT NOT NULL,"                       \
	"created_ns INTEGER NOT NULL,labels TEXT NOT NULL,options TEXT NOT NULL)WITHOUT ROWID;" \
	"CREATE TABLE mount_use(object TEXT NOT NULL,container TEXT NOT NULL,"                  \
	"target TEXT NOT NULL,anonymous INTEGER NOT NULL,"                                      \
	"PRIMARY KEY(object,container,target))WITHOUT ROWID;"                                   \
	"CREATE INDEX mount_user ON mount_use(container);"

/* What a network's config says is the network module's; who is connected is not here. */
#define NETWORK_TABLE                                                         \
	"CREATE TABLE network(id TEXT PRIMARY KEY,name TEXT NOT NULL UNIQUE," \
	"driver TEXT NOT NULL,created_ns INTEGER NOT NULL,config TEXT NOT NULL)WITHOUT ROWID;"

/*
 * The cache of builds. A snapshot has its files in snapshots/DIR, or in the layer CHAIN that it has
 * become, or in neither when its step changed nothing. BOOT is the boot in which it was made, NULL
 * once it is on the disk. RESULT stands for it in the keys of the steps above; NULL: its own key.
 * What changes with each use is small and apart: the numbers of one build's
 * steps follow each other, so that a build that changes nothing writes a page or two.
 */
#define SNAPSHOT_TABLES                                                                    \
	"CREATE TABLE snapshot(seq INTEGER PRIMARY KEY,key TEXT NOT NULL UNIQUE,dir TEXT," \
	"chain TEXT,boot TEXT,result TEXT,kind INTEGER NOT NULL,description TEXT NOT "     \
	"NULL,"                                                                            \
	"parent TEXT,size INTEGER NOT NULL,created_ns INTEGER NOT NULL);"                  \
	"CREATE INDEX snapshot_chain ON snapshot(chain) WHERE chain IS NOT NULL;"          \
	"CREATE TABLE snapshot_use(seq INTEGER PRIMARY KEY,used_ns INTEGER NOT NULL,"      \
	"n_uses INTEGER NOT NULL);"                                                        \
	"CREATE TABLE snapshot_alias(key TEXT PRIMARY KEY,target TEXT NOT NULL)WITHOUT ROWID;"

/* EPOCH: no time in the files is later than that second. LATE: whether times became it, and whether
 * what they were is noted at the files (enum snapshot_late). LATEST: no time is later than that
 * second. VARIANT_OF: the key of the same result with another epoch. */
#define SNAPSHOT_EPOCHS                                    \
	"ALTER TABLE snapshot ADD COLUMN epoch INTEGER;"   \
	"ALTER TABLE snapshot ADD COLUMN late INTEGER;"    \
	"ALTER TABLE snapshot ADD COLUMN latest INTEGER;"  \
	"ALTER TABLE snapshot ADD COLUMN variant_of TEXT;" \
	"PRAGMA user_version=6;"

/*
 * container: what lists need, small rows; container_json: what one container's inspect and start
 * need. seq grows with each container, so the newest are at the end without a sort. A hidden image
 * was removed by force while a container still needs its layers; a parent is the image that one was
 * committed from. A target is the manifest or index as which a name came in and goes out again;
 * target_blob names every blob it needs, itself included. n_uses are the container's rows of
 * mount_use, n_volumes those of volumes: who has none is not looked for. networks is a JSON array
 * of what was asked of networks, NULL for nothing but the default one. made_ns is when an image was
 * built here, which its configuration does not say; then created_ns is that.
 */
const char db_schema[] =
	"CREATE TABLE layer(chain_id TEXT PRIMARY KEY, diff_id TEXT NOT NULL, size INTEGER NOT "
	"NULL,"
	" entries INTEGER NOT NULL, tree_hash TEXT, blob TEXT, blob_size INTEGER, blob_format "
	"TEXT,"
	" plain_size INTEGER) WITHOUT ROWID;"
	"CREATE TABLE image(id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, size INTEGER NOT "
	"NULL,"
	" hidden INTEGER NOT NULL DEFAULT 0, config TEXT NOT NULL, parent TEXT, made_ns INTEGER)"
	" WITHOUT ROWID;"
	"CREATE TABLE image_layer(image_id TEXT NOT NULL, idx INTEGER NOT NULL, chain_id TEXT NOT "
	"NULL,"
	" PRIMARY KEY(image_id, idx)) WITHOUT ROWID;"
	"CREATE TABLE tag(reference TEXT PRIMARY KEY, image_id TEXT NOT NULL, tagged_ns INTEGER "
	"NOT NULL,"
	" target TEXT) WITHOUT ROWID;" TARGET_BLOB_TABLE PARENT_INDEX
	"CREATE TABLE container(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL UNIQUE, image_id TEXT, image_ref TEXT, image_name TEXT,"
	" created_ns INTEGER NOT NULL, auto_remove INTEGER NOT NULL, command TEXT, labels TEXT,"
	" network_mode TEXT, mounts TEXT, n_uses INTEGER NOT NULL DEFAULT 0,"
	" n_volumes INTEGER NOT NULL DEFAULT 0, networks TEXT);"
	"CREATE TABLE container_json(seq INTEGER PRIMARY KEY, config TEXT, host TEXT, extra "
	"TEXT);" VOLUME_TABLES NETWORK_TABLE SNAPSHOT_TABLES SNAPSHOT_EPOCHS;

/* Version 1 kept no blobs of layers, no targets and no parents. */
const char db_upgrade_from_1[] =
	"ALTER TABLE layer ADD COLUMN blob TEXT;"
	"ALTER TABLE layer ADD COLUMN blob_size INTEGER;"
	"ALTER TABLE layer ADD COLUMN blob_format TEXT;"
	"ALTER TABLE layer ADD COLUMN plain_size INTEGER;"
	"ALTER TABLE image ADD COLUMN parent TEXT;"
	"ALTER TABLE tag ADD COLUMN target TEXT;" TARGET_BLOB_TABLE PARENT_INDEX;

/* Version 2 had no volumes. */
const char db_upgrade_from_2[] =
	"ALTER TABLE container ADD COLUMN n_uses INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE container ADD COLUMN n_volumes INTEGER NOT NULL DEFAULT 0;" VOLUME_TABLES;

/* Version 3 had no networks. */
const char db_upgrade_from_3[] = "ALTER TABLE container ADD COLUMN networks TEXT;" NETWORK_TABLE;

/* Version 4 had no cache of builds. */
const char db_upgrade_from_4[] = "ALTER TABLE image ADD COLUMN made_ns INTEGER;" SNAPSHOT_TABLES
				 "PRAGMA user_version=5;";

/* Version 5 did not know with which epoch a snapshot was settled. */
const char db_upgrade_from_5[] = SNAPSHOT_EPOCHS;
