/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no row leads to: directories and blobs that nothing names, staging directories whose owner
 * is dead; and the rest of the state directory: its modes, index.json, the containers' directories.
 *
 * A name without a row may belong to an import that is about to name it, or to a removal that is
 * about to take it away. Importers hold the layers directory's lock, removers a staging directory.
 * So leftovers are judged only at a moment when there is neither; when there is none for two
 * seconds, somebody is at work, and at its end removes them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "oci/runtime_config.h"
#include "storage/check_private.h"
#include "storage/collect.h"
#include "storage/db.h"
#include "storage/names.h"
#include "storage/snapshot_private.h"
#include "storage/staging.h"
#include "storage/store_private.h"

#define MAX_CONFIG (4 << 20)
#define MAX_NAMES  (64 << 20)
#define CONFIG	   "config.json"

enum { TRIES = 40 };
static const struct timespec pause_between = {.tv_nsec = 50000000};

/* ---- modes ---- */

static void check_mode(struct check *c, const char *path)
{
	struct stat st;

	if (fstatat(c->store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode))
		return;
	if (!(st.st_mode & 077) && st.st_uid == geteuid())
		return;
	strv_add(&c->open_dirs, path);
	check_report(c, "mode", path, NULL, "tare system repair closes it",
		     "mode %04o, owner %u: others may look into it", st.st_mode & 07777, st.st_uid);
}

static void check_modes(struct check *c)
{
	static const char *const paths[] = {
		".",	       "tare.db",      "tare.db-wal", "tare.db-shm",   "tare.lock",
		"blobs",       STORE_BLOBS,    STORE_LAYERS,  STORE_STAGING,   STORE_CONTAINERS,
		STORE_VOLUMES, STORE_NETWORKS, NAMES_FILE,    STORE_SNAPSHOTS, STORE_CACHES,
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		check_mode(c, paths[i]);
	for (size_t i = 0; i < c->n_blobs; i++) {
		cleanup_free char *path = str_printf(STORE_BLOBS "/%s", c->blobs[i].hex);

		if (hex_is_valid(c->blobs[i].hex, DIGEST_HEX_LEN))
			check_mode(c, path);
	}
}

/* ---- leftovers ---- */

/* Names in DIR_FD: digests go to DIGESTS, others to ODD as FOLDER/NAME. */
static int list_names(int dir_fd, const char *folder, struct strv *digests, struct strv *odd,
		      struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e = NULL;

	if (!dir) {
		int errnum = errno;

		fd_cleanup_close(&fd);
		return err_sys(err, errnum, "list %s", folder);
	}
	while ((e = readdir(dir))) {
		if (hex_is_valid(e->d_name, DIGEST_HEX_LEN))
			strv_add(digests, e->d_name);
		else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			strv_addf(odd, "%s/%s", folder, e->d_name);
	}
	closedir(dir);
	return 0;
}

struct leftovers {
	struct strv layers, blobs, odd;
	struct strv snapshots, lost; /* names without a row; keys of rows without files */
	bool has_dead;
};

static void leftovers_done(struct leftovers *l)
{
	strv_done(&l->layers);
	strv_done(&l->blobs);
	strv_done(&l->odd);
	strv_done(&l->snapshots);
	strv_done(&l->lost);
	*l = (struct leftovers){};
}
#define cleanup_leftovers __attribute__((cleanup(leftovers_done)))

static int drop_named(struct check *c, const char *sql, struct strv *names, struct err *err)
{
	for (size_t i = names->n; i > 0; i--) {
		int rc = check_is_named(c->store, sql, names->items[i - 1], err);

		if (rc < 0)
			return rc;
		if (rc > 0)
			strv_remove(names, i - 1);
	}
	return 0;
}

static int find_leftovers(struct check *c, struct leftovers *ret, struct err *err)
{
	leftovers_done(ret);
	if (c->layers_fd >= 0 &&
	    list_names(c->layers_fd, STORE_LAYERS, &ret->layers, &ret->odd, err) < 0)
		return -err->code;
	if (c->blobs_fd >= 0 &&
	    list_names(c->blobs_fd, STORE_BLOBS, &ret->blobs, &ret->odd, err) < 0)
		return -err->code;
	if (snapshot_find_strays(c->store, &ret->snapshots, &ret->lost, err) < 0)
		return -err->code;
	ret->has_dead = staging_has_dead(c->store);
	return drop_named(c, CHECK_SQL_LAYER, &ret->layers, err) < 0 ||
			       drop_named(c, CHECK_SQL_BLOB, &ret->blobs, err) < 0
		       ? -err->code
		       : 0;
}

static bool has_leftovers(const struct leftovers *l)
{
	return l->layers.n + l->blobs.n + l->odd.n + l->snapshots.n + l->lost.n > 0 || l->has_dead;
}

/* Looks at a moment at which nobody changes anything: 1, or 0 when there was none. */
static int look_alone(struct check *c, struct leftovers *ret, struct err *err)
{
	bool is_quiet = c->layers_fd < 0 || flock(c->layers_fd, LOCK_EX | LOCK_NB) == 0;
	int rc = find_leftovers(c, ret, err);

	is_quiet = is_quiet && !staging_has_live(c->store);
	if (c->layers_fd >= 0)
		flock(c->layers_fd, LOCK_UN);
	return rc < 0 ? rc : is_quiet;
}

static int judge_leftovers(struct check *c, struct leftovers *ret, struct err *err)
{
	int rc = 0;

	for (int i = 0; i < TRIES; i++) {
		/* Asked before and after: a mark counts as leftovers itself, and may go meanwhile.
		 */
		bool was_marked = storage_has_leftovers(c->store);

		rc = look_alone(c, ret, err);
		if (rc < 0 || !has_leftovers(ret))
			return rc;
		if (rc > 0 && !was_marked && !storage_has_leftovers(c->store))
			return rc;
		nanosleep(&pause_between, NULL);
	}
	if (rc == 0)
		leftovers_done(ret);
	return rc;
}

/* The tree that a repair replaced while a container had it mounted; see repair_layers.c. */
static bool is_replaced_in_use(struct check *c, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	bool is_replaced = str_has_suffix(name, CHECK_REPLACED);

	for (size_t i = 0; is_replaced && i < c->n_containers; i++)
		if (c->options->is_running &&
		    c->options->is_running(c->containers[i].id, c->options->data))
			return true;
	return false;
}

static int check_leftovers(struct check *c, struct err *err)
{
	static const char next[] = "tare system repair, or the next import, removes it";
	cleanup_leftovers struct leftovers l = {};

	if (judge_leftovers(c, &l, err) < 0)
		return -err->code;
	strv_foreach (i, &l.layers)
		check_report(c, "leftover", l.layers.items[i], NULL, next,
			     "a layer that no image needs");
	strv_foreach (i, &l.blobs)
		check_report(c, "leftover", l.blobs.items[i], NULL, next,
			     "a blob that nothing names");
	strv_foreach (i, &l.snapshots)
		check_report(c, "leftover", l.snapshots.items[i], NULL, next,
			     "what a step of a build left, and nothing names");
	strv_foreach (i, &l.lost)
		check_report(c, "cache", l.lost.items[i], NULL,
			     "tare system repair forgets it; the next build makes it again",
			     "the files of this step are missing");
	strv_foreach (i, &l.odd) {
		if (is_replaced_in_use(c, l.odd.items[i]))
			continue;
		strv_add(&c->odd_files, l.odd.items[i]);
		check_report(c, "leftover", l.odd.items[i], NULL,
			     str_has_suffix(l.odd.items[i], CHECK_REPLACED)
				     ? "tare system repair removes it"
				     : "tare system repair moves it to damaged/",
			     "does not belong there");
	}
	if (l.has_dead)
		check_report(c, "leftover", STORE_STAGING, NULL, next,
			     "what an operation cut short has left");
	strv_add_all(&c->stray_layers, &l.layers);
	strv_add_all(&c->stray_blobs, &l.blobs);
	strv_add_all(&c->stray_snapshots, &l.snapshots);
	strv_add_all(&c->lost_snapshots, &l.lost);
	c->has_dead_staging = l.has_dead;
	return 0;
}

/* ---- names ---- */

/* 1 when index.json is what the index says. */
static int compare_names(struct check *c, struct err *err)
{
	cleanup_str struct str wanted = STR_INIT;
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	if (names_format(c->store, &wanted, err) < 0)
		return -err->code;
	rc = fd_read_file_at(c->store->root_fd, NAMES_FILE, MAX_NAMES, &text);
	if (rc == -ENOENT)
		return check_is_named(c->store, "SELECT 1 FROM tag WHERE reference<>? LIMIT 1", "",
				      err) == 0;
	return rc >= 0 && text.len == wanted.len &&
	       memcmp(str_get(&text), wanted.buf, wanted.len) == 0;
}

/* It is written a moment after the index. */
static int check_names(struct check *c, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		int rc = compare_names(c, err);

		if (rc != 0)
			return rc < 0 ? rc : 0;
		nanosleep(&pause_between, NULL);
	}
	c->are_names_bad = true;
	check_report(c, "name", NAMES_FILE, NULL, "tare system repair writes it again",
		     "is not what the index says");
	return 0;
}

/* ---- containers ---- */

static bool is_busy(const struct check *c, const char *id)
{
	return c->options->is_busy && c->options->is_busy(id, c->options->data);
}

/* What is wrong with a container's directory; NULL. */
static const char *find_fault(struct check *c, const char *id)
{
	cleanup_free char *dir = str_printf(STORE_CONTAINERS "/%s", id);
	cleanup_free char *config = str_printf("%s/" CONFIG, dir);
	cleanup_free char *upper = str_printf("%s/upper", dir);
	cleanup_oci_config struct oci_runtime_config parsed = OCI_RUNTIME_CONFIG_INIT;
	cleanup_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	struct stat st;

	if (fstatat(c->store->root_fd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return "its directory is missing";
	if (fstatat(c->store->root_fd, upper, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return "its writable layer is missing";
	if (fd_read_file_at(c->store->root_fd, config, MAX_CONFIG, &text) < 0)
		return CONFIG " cannot be read";
	return oci_config_parse(str_get(&text), text.len, &parsed, &ignored) < 0 ? CONFIG
		       " is damaged"
										 : NULL;
}

static int check_container(struct check *c, struct check_container *k, struct err *err)
{
	static const char lost[] = "lost: it cannot be started; tare rm removes it";
	const char *fault = is_busy(c, k->id) ? NULL : find_fault(c, k->id);
	int rc = 0;

	if (!fault) {
		cleanup_free char *dir = str_printf(STORE_CONTAINERS "/%s", k->id);

		check_mode(c, dir);
		return 0;
	}
	rc = check_is_named(c->store, "SELECT 1 FROM container WHERE id=?", k->id, err);
	if (rc > 0 && !is_busy(c, k->id)) {
		k->fault = fault;
		check_report(c, "container", k->id, NULL, lost, "%s (%s)", fault, k->name);
	}
	return rc < 0 ? rc : 0;
}

/* A directory without a row. It is there still, and nobody is making or removing it. */
static int check_stray_container(struct check *c, int dir_fd, const char *id, struct err *err)
{
	int rc = is_busy(c, id)
			 ? 1
			 : check_is_named(c->store, "SELECT 1 FROM container WHERE id=?", id, err);

	if (rc != 0 || faccessat(dir_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return rc < 0 ? rc : 0;
	strv_add(&c->stray_containers, id);
	check_report(c, "leftover", id, NULL, "tare system repair moves its files to damaged/",
		     "the directory of a container that does not exist");
	return 0;
}

static int check_containers(struct check *c, struct err *err)
{
	cleanup_close int fd = openat(c->store->root_fd, STORE_CONTAINERS,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv odd = STRV_INIT;

	for (size_t i = 0; i < c->n_containers; i++)
		if (check_container(c, &c->containers[i], err) < 0)
			return -err->code;
	if (fd >= 0 && list_names(fd, STORE_CONTAINERS, &ids, &odd, err) < 0)
		return -err->code;
	strv_foreach (i, &ids) {
		if (check_stray_container(c, fd, ids.items[i], err) < 0)
			return -err->code;
	}
	return 0;
}

int check_look_at_strays(struct check *c, struct err *err)
{
	check_modes(c);
	return check_leftovers(c, err) < 0 || check_names(c, err) < 0 ||
			       check_containers(c, err) < 0 || check_look_at_volumes(c, err) < 0 ||
			       check_look_at_networks(c, err) < 0
		       ? -err->code
		       : 0;
}
