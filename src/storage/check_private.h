/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_CHECK_PRIVATE_H
#define STORAGE_CHECK_PRIVATE_H
/*
 * What a check knows, shared by its files and by repair: the rows of the index as they were at one
 * moment, and what was found about each.
 *
 *	check.c            the phases, and how a problem is told
 *	check_rows.c       the index by itself
 *	check_blobs.c      blobs/
 *	check_layers.c     layers/
 *	check_strays.c     what nothing names, modes, names, containers
 *	check_volumes.c    volumes/
 */
#include "base/str.h"
#include "storage/blob.h"
#include "storage/check.h"

#include <sys/types.h>

/* layers/<chain id>.replaced: what containers had mounted when it was repaired. */
#define CHECK_REPLACED	".replaced"
#define CHECK_MAX_TEXTS 20 /* problems told of one layer */

struct check_image {
	char id[DIGEST_HEX_LEN + 1];
	char *config; /* owned */
	int64_t created_ns;
	int64_t made_ns; /* 0: the configuration says when */
	struct strv names;
	struct strv chains; /* base first, as the rows have them */
	bool is_config_bad; /* the row's text */
};

struct check_layer {
	struct layer_info info;
	bool is_gone; /* removed while we looked */
	bool is_missing, is_tree_bad, is_list_bad, is_record_bad, is_mode_bad;
	struct strv texts;
	size_t n_more; /* problems beyond those of `texts` */
};

struct check_blob {
	char hex[DIGEST_HEX_LEN + 1];
	int64_t size;	/* -1: not known */
	uint32_t image; /* whose configuration it is; CHECK_NONE */
	uint32_t layer; /* whose blob; CHECK_NONE */
	bool is_target; /* needed by a target */
	bool is_bad;
	char *text;  /* owned; what is wrong */
	ino_t inode; /* of the file that was looked at; 0: none */
};

struct check_container {
	char id[DIGEST_HEX_LEN + 1];
	char *name;	   /* owned */
	const char *fault; /* of its directory; static text; NULL */
	bool has_bad_options;
};

#define CHECK_NONE UINT32_MAX

struct check {
	struct store *store;
	const struct check_options *options;
	check_fn fn;
	void *data;
	struct check_totals totals;
	int layers_fd, blobs_fd; /* -1 when there is none */
	struct check_image *images;
	size_t n_images;
	struct check_layer *layers; /* by chain ID */
	size_t n_layers;
	struct check_blob *blobs; /* by digest */
	size_t n_blobs;
	struct check_container *containers;
	size_t n_containers;
	/* For repair: */
	bool is_index_bad; /* the file */
	bool are_rows_bad; /* what it says */
	bool are_names_bad;
	bool has_dead_staging;
	struct strv stray_layers, stray_blobs, stray_containers, odd_files;
	struct strv stray_snapshots, lost_snapshots; /* names; keys */
	struct strv stray_volumes;		     /* names in ROOT/volumes that have no row */
	struct strv bare_volumes;		     /* that have a row and no record */
	struct strv stray_networks;		     /* records without a row, below the root */
	struct strv bare_networks;		     /* ids that have a row and no record */
	struct strv bad_networks;		     /* ids whose row cannot be read */
	struct strv open_dirs; /* paths below the root that others may enter */
};

/* Runs all phases. CHECK must be all zero but for store, options, fn and data. */
int check_run(struct check *check, struct err *err);
void check_done(struct check *check);
#define cleanup_check __attribute__((cleanup(check_done)))

/* Tells a problem. USERS may be NULL. */
void check_report(struct check *check, const char *kind, const char *id, const char *users,
		  const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 6, 7), nonnull(6)));

/* NULL when the index has none. */
struct check_layer *check_lookup_layer(const struct check *check, const char *chain_hex);
struct check_blob *check_lookup_blob(const struct check *check, const char *hex);
/* Owned names of the images that need a layer or a blob: "debian:12, 3f2a1b4c5d6e". */
char *check_users_of_layer(const struct check *check, const char *chain_hex);
char *check_users_of_blob(const struct check *check, const struct check_blob *blob);
char *check_name_of_image(const struct check_image *image);
/* Whether a blob is as it should be, as far as is known; false without one. */
bool check_has_good_blob(const struct check *check, const struct check_layer *layer);

/* Appends what is in the directory at PATH, below the store's root; nothing if there is none. */
void check_list_names(const struct check *check, const char *path, struct strv *ret);
/* Whether SQL finds ID; -code. */
int check_is_named(struct store *store, const char *sql, const char *id, struct err *err);
#define CHECK_SQL_LAYER "SELECT 1 FROM layer WHERE chain_id=?"
#define CHECK_SQL_BLOB                                 \
	"SELECT 1 FROM image WHERE id=?1"              \
	" UNION ALL SELECT 1 FROM layer WHERE blob=?1" \
	" UNION ALL SELECT 1 FROM target_blob WHERE digest=?1 LIMIT 1"

/* Whether a bad blob is in its place as it was seen and something still names it: not when somebody
 * has brought it again, or removed it. */
int check_is_still_bad(struct check *check, const struct check_blob *blob, struct err *err);

/* Makes a problem of an error that says that the index is damaged; other errors stay. */
int check_take_damage(struct check *check, struct err *err);

/* The phases; the first returns 1 when nothing more can be known. -code only where going on makes
 * no sense. */
int check_read_rows(struct check *check, struct err *err);
int check_compare_rows(struct check *check, struct err *err);
int check_look_at_blobs(struct check *check, struct err *err);
int check_look_at_layers(struct check *check, struct err *err);
int check_look_at_strays(struct check *check, struct err *err);
int check_look_at_volumes(struct check *check, struct err *err);
int check_look_at_networks(struct check *check, struct err *err);

/* Whether both would have the same record. */
bool check_is_same_info(const struct layer_info *a, const struct layer_info *b);
/* Puts what is wrong with one layer's directory into LAYER; for repair, to see whether it helped.
 */
void check_one_layer(int layers_fd, struct check_layer *layer, bool full);

#endif
