/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_VOLUME_H
#define STORAGE_VOLUME_H
/*
 * Volumes: directories that outlive the containers that write to them.
 *
 *	ROOT/volumes/NAME/_data        the content
 *	ROOT/volumes/NAME/volume.json  the record, from which a lost index gets its rows again
 *
 * A volume exists when it has a row. It is made under a name that starts with a dot and renamed
 * when it is whole, then it gets its row; when it is removed its record is put aside, then its row
 * goes, then its files. What a death in between leaves is told apart by the record and is put right
 * by volume_sweep: content is never taken for garbage because a row is missing.
 *
 * Who uses which volume are rows too, written and removed with the container's own in one
 * transaction (storage/container.h).
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define VOLUME_DRIVER	       "local"
#define VOLUME_ANONYMOUS_LABEL "com.docker.volume.anonymous"
#define VOLUME_DATA	       "_data"

struct volume {
	char *name;
	char *labels, *options; /* JSON objects of texts, or "null" */
	int64_t created_ns;
	int64_t n_users; /* containers that have it mounted, running or not */
};

#define VOLUME_INIT \
	{           \
	}
/* Frees the strings; a zeroed one is fine. */
void volume_done(struct volume *volume);
#define cleanup_volume __attribute__((cleanup(volume_done)))

/* Whether a volume has the label of those that nobody named. */
bool volume_is_anonymous(const struct volume *volume);

/* ERR_INVALID with docker's words for a name that a volume cannot have. */
int volume_check_name(const char *name, struct err *err);

/* Ensures volume NAME, on disk when this returns: 1 when it was made, 0 when it was there, whatever
 * its labels and options. LABELS and OPTIONS are JSON objects, or "null". */
int volume_ensure(struct store *store, const char *name, const char *labels, const char *options,
		  struct err *err);

/* 1 and fills RET, or 0 when there is none. */
int volume_lookup(struct store *store, const char *name, struct volume *ret, struct err *err);
/* The same; absent is ERR_NOT_FOUND "get NAME: no such volume". */
int volume_find(struct store *store, const char *name, struct volume *ret, struct err *err);

/* Called for one volume, which is borrowed for the call. < 0 stops the listing with that error. */
typedef int (*volume_fn)(const struct volume *volume, void *data, struct err *err);
/* All volumes in the order of their bytes. */
int volume_list(struct store *store, volume_fn fn, void *data, struct err *err);

/* Appends the ids of the containers that use NAME, in the order in which they were made. */
int volume_list_users(struct store *store, const char *name, struct strv *ret, struct err *err);

/* Removes NAME with its content. ERR_NOT_FOUND as volume_find; ERR_CONFLICT "remove NAME: volume is
 * in use - [IDS]". */
int volume_remove(struct store *store, const char *name, struct err *err);
/* Gives NAME, which no container may use, another name. ERR_NOT_FOUND, ERR_CONFLICT, ERR_INVALID.
 */
int volume_rename(struct store *store, const char *name, const char *to, struct err *err);

/* Makes volume NAME with a copy of the directory CONTENT_FD (open for reading). It exists when all
 * of it is there. ERR_CONFLICT when there is one already. */
int volume_clone_files(struct store *store, int content_fd, const char *name, const char *labels,
		       struct err *err);

/* Owned path of LEAF ("" for the directory itself) in the volume's directory. */
char *volume_path(const struct store *store, const char *name, const char *leaf);
/* A descriptor of the content's directory, open for reading. What is not a directory of the
 * engine's own making, a symlink above all, is ERR_DENIED. */
int volume_open(struct store *store, const char *name, struct err *err);

/* Puts right what was cut short, and removes what removals left. Costs a few system calls for each
 * volume. Failures are only logged. */
void volume_sweep(struct store *store);

#endif
