/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unpacked layers, each against its row, its record and its listing. A full check compares two
 * trees at a time: only this part of it has threads, and they touch nothing but directories. Then
 * blobs and layers are told of together, because what mends the one is the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "storage/check_private.h"
#include "storage/layer.h"
#include "storage/tree_list.h"

#define N_THREADS 2
enum { CONFIRM_TRIES = 10, MISSING_TRIES = 3 };
static const struct timespec confirm_pause = {.tv_nsec = 20000000};
#define MAX_TRIES  3
#define MAX_RECORD 65536
#define MAX_LIST   ((off_t)1 << 32)

static void __attribute__((format(printf, 3, 4)))
found(struct check_layer *l, bool *flag, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	*flag = true;
	if (l->texts.n < CHECK_MAX_TEXTS)
		strv_add(&l->texts, text);
	else
		l->n_more++;
}

/* ---- one layer ---- */

bool check_is_same_info(const struct layer_info *a, const struct layer_info *b)
{
	cleanup_str struct str text_a = STR_INIT;
	cleanup_str struct str text_b = STR_INIT;

	layer_format_record(a, &text_a);
	layer_format_record(b, &text_b);
	return strcmp(str_get(&text_a), str_get(&text_b)) == 0;
}

/* Text or fields: a record of version 0.1.0 has another form. */
static bool is_record_right(const struct layer_info *info, int layers_fd, const struct str *text)
{
	cleanup_str struct str wanted = STR_INIT;
	struct layer_info record = {};
	struct err ignored = ERR_INIT;

	layer_format_record(info, &wanted);
	if (text->len == wanted.len && memcmp(text->buf, wanted.buf, wanted.len) == 0)
		return true;
	return !*info->list_hex && !*info->blob_hex &&
	       layer_read_record(layers_fd, info->chain_hex, &record, &ignored) >= 0 &&
	       strcmp(record.diff_hex, info->diff_hex) == 0 && record.size == info->size &&
	       record.entries == info->entries;
}

static void check_record(int layers_fd, int fd, struct check_layer *l)
{
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(fd, LAYER_RECORD, MAX_RECORD, &text);

	if (rc == -ENOENT)
		found(l, &l->is_record_bad, "its record is missing");
	else if (rc < 0)
		found(l, &l->is_record_bad, "its record cannot be read: %s", strerrordesc_np(-rc));
	else if (!is_record_right(&l->info, layers_fd, &text))
		found(l, &l->is_record_bad, "its record is not what the index says");
}

struct list {
	const char *text;
	void *map; /* NULL for an empty one */
	size_t len;
};

static void unmap_list(struct list *list)
{
	if (list->map)
		munmap(list->map, list->len);
}
#define cleanup_list __attribute__((cleanup(unmap_list)))

/* Maps a listing into memory; 0 or -errno. */
static int map_list(int fd, struct list *ret)
{
	cleanup_close int list_fd = openat(fd, LAYER_LIST,
					   O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *p = NULL;

	if (list_fd < 0 || fstat(list_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_LIST)
		return -EINVAL;
	*ret = (struct list){.text = ""};
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, list_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = (struct list){.text = p, .map = p, .len = (size_t)st.st_size};
	return 0;
}

static void compare_tree(int fd, struct check_layer *l, const struct list *list)
{
	cleanup_close int diff = openat(fd, LAYER_DIFF,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_strv struct strv texts = STRV_INIT;
	struct err err = ERR_INIT;
	int n = 0;

	if (diff < 0)
		return; /* told already */
	n = tree_list_compare(diff, list->text, list->len, 1, CHECK_MAX_TEXTS, &texts, &err);
	if (n < 0 && err.code == ERR_INVALID)
		found(l, &l->is_list_bad, "its listing is damaged: %s", err.msg);
	else if (n < 0)
		found(l, &l->is_tree_bad, "%s", err.msg);
	strv_foreach (i, &texts)
		found(l, &l->is_tree_bad, "%s", texts.items[i]);
	if (n > (int)texts.n)
		l->n_more += (size_t)n - texts.n;
}

/* The listing must be the one that the index knows, or it says nothing about the tree. */
static void check_content(int fd, struct check_layer *l)
{
	cleanup_list struct list list = {};
	char hex[DIGEST_HEX_LEN + 1];
	int rc = map_list(fd, &list);

	if (rc < 0) {
		found(l, &l->is_list_bad, "its listing cannot be read: %s", strerrordesc_np(-rc));
		return;
	}
	sha256_hex(list.text, list.len, hex);
	if (strcmp(hex, l->info.list_hex) != 0)
		found(l, &l->is_list_bad, "its listing is damaged: its digest is %.12s", hex);
	else
		compare_tree(fd, l, &list);
}

static void check_parts(int layers_fd, int fd, struct check_layer *l, bool full)
{
	struct stat st;

	if (fstatat(fd, LAYER_DIFF, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		found(l, &l->is_tree_bad, "its files are missing");
	if (fstat(fd, &st) < 0 || st.st_mode & 077 || st.st_uid != geteuid())
		found(l, &l->is_mode_bad, "others may enter its directory");
	check_record(layers_fd, fd, l);
	if (!*l->info.list_hex)
		return;
	if (full)
		check_content(fd, l);
	else if (fstatat(fd, LAYER_LIST, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		found(l, &l->is_list_bad, "its listing is missing");
}

static void forget(struct check_layer *l)
{
	const struct layer_info info = l->info;

	strv_done(&l->texts);
	*l = (struct check_layer){.info = info};
}

/* Whether the name still stands for what FD is (-1: for nothing). */
static bool is_same(int layers_fd, const char *chain_hex, int fd)
{
	struct stat by_name, by_fd;
	int rc = fstatat(layers_fd, chain_hex, &by_name, AT_SYMLINK_NOFOLLOW);

	if (fd < 0)
		return rc < 0 || !S_ISDIR(by_name.st_mode);
	return rc == 0 && fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
	       by_name.st_dev == by_fd.st_dev;
}

static bool has_problem(const struct check_layer *l)
{
	return l->is_missing || l->is_tree_bad || l->is_list_bad || l->is_record_bad ||
	       l->is_mode_bad;
}

static bool is_only_record(const struct check_layer *l)
{
	return l->is_record_bad && !l->is_missing && !l->is_tree_bad && !l->is_list_bad;
}

void check_one_layer(int layers_fd, struct check_layer *l, bool full)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		cleanup_close int fd = hex_is_valid(l->info.chain_hex, DIGEST_HEX_LEN)
					       ? openat(layers_fd, l->info.chain_hex,
							O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
								O_CLOEXEC)
					       : -1;

		forget(l);
		if (fd < 0)
			found(l, &l->is_missing, "is missing");
		else
			check_parts(layers_fd, fd, l, full);
		if (!has_problem(l) || is_same(layers_fd, l->info.chain_hex, fd))
			return;
	}
}

/* ---- all of them ---- */

struct work {
	struct check *check;
	atomic_size_t next;
};

static void *run_thread(void *data)
{
	struct work *w = data;
	struct check *c = w->check;

	for (size_t i = w->next++; i < c->n_layers; i = w->next++)
		check_one_layer(c->layers_fd, &c->layers[i], c->options->full);
	return NULL;
}

static void check_all(struct check *c)
{
	struct work w = {.check = c};
	pthread_t threads[N_THREADS - 1];
	size_t n = 0;

	if (c->options->full && c->n_layers > 1)
		while (n < N_THREADS - 1 && pthread_create(&threads[n], NULL, run_thread, &w) == 0)
			n++;
	run_thread(&w);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* ---- telling ---- */

static const char *layer_remedy(const struct check *c, const struct check_layer *l)
{
	bool has_blob = check_has_good_blob(c, l);

	if (l->is_missing || l->is_tree_bad || l->is_list_bad) {
		if (has_blob)
			return "tare system repair restores it from the blob";
		if (!l->is_missing && !l->is_tree_bad)
			return "its files cannot be verified any more: load or pull the image "
			       "again";
		return *l->info.blob_hex
			       ? "lost: its blob is damaged too; load or pull the image again, "
				 "then "
				 "tare system repair"
			       : "lost: no blob of it was kept; load or pull the image again, then "
				 "tare system repair";
	}
	return l->is_record_bad ? "tare system repair writes it again"
				: "tare system repair closes it";
}

static void tell_layer(struct check *c, const struct check_layer *l)
{
	cleanup_free char *users = check_users_of_layer(c, l->info.chain_hex);
	const char *remedy = layer_remedy(c, l);

	strv_foreach (i, &l->texts)
		check_report(c, "layer", l->info.chain_hex, users, remedy, "%s", l->texts.items[i]);
	if (l->n_more)
		check_report(c, "layer", l->info.chain_hex, users, remedy, "%zu more like these",
			     l->n_more);
}

static const char *blob_remedy(const struct check *c, const struct check_blob *b)
{
	const struct check_layer *l = b->layer == CHECK_NONE ? NULL : &c->layers[b->layer];

	if (b->image != CHECK_NONE)
		return c->images[b->image].is_config_bad ? "lost: the index's copy is damaged too; "
							   "load or pull the image again"
							 : "tare system repair writes it again";
	if (!l)
		return "lost: the image cannot be handed out as it came; load or pull it again";
	if (l->is_missing || l->is_tree_bad)
		return "lost: its files are damaged too; load or pull the image again, then tare "
		       "system repair";
	return "lost: the image runs, but cannot be saved or copied as it came; load or pull it "
	       "again";
}

static void tell_blob(struct check *c, const struct check_blob *b)
{
	cleanup_free char *users = check_users_of_blob(c, b);

	check_report(c, "blob", b->hex, users, blob_remedy(c, b), "%s", b->text);
}

/* Whether another look at a layer that has the row NOW could find something else: one that was
 * missing may have been removed and brought again in between. */
static bool is_settled(const struct check_layer *l, const struct layer_info *now, int n_looks)
{
	return check_is_same_info(now, &l->info) && !l->is_record_bad &&
	       (!l->is_missing || n_looks >= MISSING_TRIES);
}

/* Looks at a layer again with the row that it has now: one that was removed is no problem, and an
 * import that brings a blob back writes the record a moment before the row. */
static int confirm(struct check *c, struct check_layer *l, struct err *err)
{
	int rc = 0;

	for (int i = 0; i < CONFIRM_TRIES && has_problem(l); i++) {
		struct layer_info now = {};

		rc = layer_info_lookup(c->store, l->info.chain_hex, &now, err);
		l->is_gone = rc == 0;
		if (rc <= 0)
			return rc;
		if (is_settled(l, &now, i))
			return 0;
		l->info = now;
		nanosleep(&confirm_pause, NULL);
		check_one_layer(c->layers_fd, l, c->options->full && !is_only_record(l));
	}
	return 0;
}

int check_look_at_layers(struct check *c, struct err *err)
{
	check_all(c);
	c->totals.n_layers = c->n_layers;
	for (size_t i = 0; i < c->n_layers; i++) {
		struct check_layer *l = &c->layers[i];

		if (confirm(c, l, err) < 0)
			return -err->code;
		if (has_problem(l) && !l->is_gone)
			tell_layer(c, l);
	}
	for (size_t i = 0; i < c->n_blobs; i++)
		if (c->blobs[i].is_bad)
			tell_blob(c, &c->blobs[i]);
	return 0;
}
