/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_SNAPSHOT_H
#define STORAGE_SNAPSHOT_H
/*
 * The build cache: what the steps of builds left, by key. A key is a digest over everything that
 * decides what the step does, so a snapshot needs no other name and two builds that make the same
 * one share it.
 *
 *	ROOT/snapshots/<random>/diff	the upper directory that a step left
 *
 * A snapshot becomes a layer when an image needs it: then its directory moves to the layers, once,
 * and the cache's row says so. Until a build ends well nothing of it is synced: a row names the
 *boot it was made in, and one of another boot is not believed.
 */
#include "base/err.h"
#include "oci/digest.h"
#include "storage/staging.h"

#include <stdbool.h>
#include <stdint.h>

struct incoming;
struct store;
struct strv;

/* Of steps, and, in lists only, the caches that are mounted. */
enum snapshot_kind { SNAPSHOT_RUN, SNAPSHOT_COPY, SNAPSHOT_OTHER, SNAPSHOT_CACHE_MOUNT };

/* What became of times that were later than the epoch. */
enum snapshot_late {
	SNAPSHOT_LATE_NONE,   /* there were none */
	SNAPSHOT_LATE_NOTED,  /* what they were is noted at the files */
	SNAPSHOT_LATE_UNKNOWN /* and is not: with a later epoch the step has to be made again */
};

#define SNAPSHOT_NO_EPOCH INT64_MAX
/* An attribute of files whose time became the epoch: what it was, nothing for what the step made.
 */
#define SNAPSHOT_TIME_NOTE "trusted.tare.mtime"

#define SNAPSHOT_ID_LEN 25 /* digits of a key that are shown */

struct snapshot_info {
	char key[DIGEST_HEX_LEN + 1];
	char chain_hex[DIGEST_HEX_LEN + 1]; /* of the layer it has become; "" */
	char diff_hex[DIGEST_HEX_LEN + 1];  /* of its archive, when known; "" */
	/* What stands for it in the keys of steps above it, and of those that copy from it: KEY, or
	 * another digest where a build without the cache has made it anew, so that nothing that was
	 * made on top of the old files is taken together with the new ones. */
	char result[DIGEST_HEX_LEN + 1];
	bool is_empty; /* the step changed nothing: there is no directory */
	/* For snapshot_publish: takes the place of one that is there (a build without the cache).
	 */
	bool replaces;
	/* No file time is later than this, in seconds; SNAPSHOT_NO_EPOCH: that is not known. For
	 * snapshot_publish: later ones are set to it, and what they were is noted. */
	int64_t epoch_s;
	enum snapshot_late late; /* for snapshot_publish: LATE_UNKNOWN when it is that, else 0 */
	int64_t latest_s;	 /* no time is later than this second */
	/* For snapshot_publish: when the step began. Later times are of its own making and are the
	 * epoch's whatever that is; 0: nothing is. */
	int64_t began_ns;
	enum snapshot_kind kind;
	char *description; /* owned: "[2/3] RUN make" */
	char *parent;	   /* owned: key of the step below; NULL */
	int64_t size;	   /* bytes */
	int64_t created_ns, used_ns, n_uses;
};
/* Frees what it owns. */
void snapshot_info_done(struct snapshot_info *info);

/* A use of a snapshot: nobody removes it while this lives (a shared lock on its directory). */
struct snapshot {
	struct snapshot_info info;
	int lock_fd; /* -1 for an empty one */
	char *dir;   /* owned, absolute: its files; NULL for an empty one. Another build may move it
			(see snapshot_locate) */
};
#define SNAPSHOT_INIT          \
	{                      \
		.lock_fd = -1, \
	}
/* Ends the use. */
void snapshot_done(struct snapshot *s);
#define cleanup_snapshot __attribute__((cleanup(snapshot_done)))

/* Looks KEY up and takes it into use: 1, or 0 when there is none, none that can be believed, or its
 * files are gone. Also looks an alias up. */
int snapshot_open(struct store *store, const char *key, struct snapshot *ret, struct err *err);
/* The same for a build with EPOCH_S: also 0 when its times can be no others than those of another
 * epoch. When they can be, but are not yet, snapshot_fits says so, and snapshot_retime makes them.
 */
int snapshot_open_for(struct store *store, const char *key, int64_t epoch_s, struct snapshot *ret,
		      struct err *err);
/* Whether the times of its files are those that they have with the epoch EPOCH_S. */
bool snapshot_fits(const struct snapshot_info *info, int64_t epoch_s);
/* Has S, which does not fit, be what its step leaves with EPOCH_S: a copy of the files (blocks are
 * shared where the file system can) in the directory DIR of STAGING, that does not exist yet, is
 * published. What there was stays, as one of a few of other epochs, for whoever needs it again. */
int snapshot_retime(struct store *store, const struct staging *staging, const char *dir,
		    int64_t epoch_s, struct snapshot *s, struct err *err);
/* Where it is now. While the lease is held no snapshot moves: take it, locate, mount, release. */
int snapshot_locate(struct store *store, struct snapshot *s, struct err *err);
int snapshot_lease(struct store *store, struct err *err); /* a descriptor to close, or -code */

/* Only one process makes a key at a time: 1 with a descriptor to close when it is ours to make; 0
 * and RET_FD waits (a descriptor that becomes lockable) when somebody else does. */
int snapshot_claim(struct store *store, const char *key, int *ret_fd, struct err *err);
/* Gives up what snapshot_claim gave when it returned 1, after the publication or without one; else
 * its file stays until the next collection. Who waits looks the key up again. -1 is fine. */
void snapshot_unclaim(struct store *store, const char *key, int *fd);

/* Publishes DIR/upper of STAGING (a directory of a live staging directory) as KEY, once its step
 * has ended and nothing is mounted on it. INFO: key, kind, description, parent, replaces, epoch_s;
 * the size, and whether it is empty, is found out. When there is one already, that stays (unless it
 * is to be replaced). The caller opens what it needs of it. */
int snapshot_publish(struct store *store, const struct staging *staging, const char *dir,
		     const struct snapshot_info *info, struct err *err);
/* KEY is another key of the snapshot TARGET: a step whose inputs turned out to be the same. */
int snapshot_add_alias(struct store *store, const char *key, const char *target, struct err *err);
/* Times and counts of use, in one transaction, for the N keys of a build; unsynced. */
int snapshot_touch(struct store *store, const char *const *keys, size_t n, struct err *err);

/* ---- becoming layers (storage/incoming.h has the rest of an image) ---- */

/* Adds the N snapshots, bottom first, on top of what IN has; empty ones add no layer. They stay in
 * use until IN is freed, and nobody here may hold a lease from now to then. Those that are no
 * layers yet are read once, all processors at work: digest, listing, blob. All of them fit the
 * epoch (snapshot_fits). COMPRESSION of new blobs is "gzip", else
 * zstd. RET_DIFFS gets "sha256:..." for each that adds a layer, in order. */
int incoming_add_snapshots(struct incoming *in, struct snapshot *const *snapshots, size_t n,
			   const char *compression, struct strv *ret_diffs, struct err *err);

/* ---- looking after it ---- */

typedef int (*snapshot_fn)(const struct snapshot_info *info, bool in_use, bool shared, void *data,
			   struct err *err);
/* Every snapshot and cache mount that FILTERS (NULL: none; as in struct snapshot_prune) let pass,
 * oldest use first. `shared`: it is a layer of an image. */
int snapshot_list(struct store *store, const struct strv *filters, snapshot_fn fn, void *data,
		  struct err *err);

struct snapshot_prune {
	bool all;	  /* also what is younger than a moment or in the way of others */
	int64_t until_ns; /* used before this; INT64_MAX any */
	/* 0: not said; with any of them the most recently used may stay. What images have does not
	 * count: it takes its room with or without the cache. */
	int64_t max_bytes;	    /* the most that may stay */
	int64_t min_free_bytes;	    /* of the disk, what shall be free */
	int64_t reserved_bytes;	    /* so much may stay, whatever the others say */
	const struct strv *filters; /* "type=...", "id=..." */
	bool is_verbose;	    /* lines say what it was, too */
};
/* Removes what may go and nobody uses, the least recently used first. RET_LINES gets the ids of
 * what went (NULL: nobody wants to know), RET_RECLAIMED the bytes that are free now. */
int snapshot_prune_run(struct store *store, const struct snapshot_prune *how,
		       struct strv *ret_lines, int64_t *ret_reclaimed, struct err *err);

/* ---- cache mounts ---- */

struct cache_mount {
	int lock_fd; /* shared, or exclusive: "locked" */
	char *dir;   /* owned, absolute: its files */
};
/* Opens (making it with MODE:UID:GID) the cache called ID. With LOCKED nobody else may have it;
 * with PRIVATE one that nobody has is chosen or made. 0; 1 and nothing opened when somebody has it
 * and it must be had alone, or has it alone: another step of this process counts as well; or -code.
 */
int cache_mount_open(struct store *store, const char *id, bool locked, bool private_one,
		     uint32_t mode, uint32_t uid, uint32_t gid, struct cache_mount *ret,
		     struct err *err);
/* Ends the use. */
void cache_mount_done(struct cache_mount *m);

/* ---- elsewhere ---- */

/* Writes the snapshots KEYS (all that a build used) with their keys, aliases and layers' blobs, and
 * the caches whose ids are MOUNTS (NULL: none), to the directory DEST, an OCI layout. */
int snapshot_export(struct store *store, const char *const *keys, size_t n, const char *dest,
		    const struct strv *mounts, const char *compression, struct err *err);
/* Takes in what SOURCE, such a directory, has and is not here; digests are checked. ERR_NOT_FOUND
 * when there is none. */
int snapshot_import(struct store *store, const char *source, struct err *err);

/* The same within an image: an owned text for image_config.build_cache that says which of its
 * layers come of the N snapshots, above N_BELOW others, with the times of EPOCH_S. */
char *snapshot_describe_inline(struct snapshot *const *snapshots, size_t n, size_t n_below,
			       int64_t epoch_s);
/* Makes the layers of the image REF known to the cache, as it says itself. ERR_NOT_FOUND when there
 * is no such image, or nothing of that in it. */
int snapshot_import_inline(struct store *store, const char *ref, struct err *err);

#endif
