/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes of what times were before they became the epoch: an attribute at each file, and, for a
 * cache that goes elsewhere, a list. Most of what a step leaves it has made itself; the list names
 * the others: {"usr/bin/x": "1700000000.500000000", "etc/y": null}, null for what has no note,
 * because its time is the epoch and was never another.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/snapshot_private.h"
#include "storage/tree_walk.h"

enum {
	NOTE_LEN = 48,
	NS_DIGITS = 9,
	LINK_LEN = 32 + 256,
	MAX_LISTED = 10000, /* a list has to fit in a document */
	MAX_LIST_LEN = 1 << 20
};

/* Attributes of links can be reached by paths alone. */
static void note_path(int dir_fd, const char *name, char ret[static LINK_LEN])
{
	snprintf(ret, LINK_LEN, "/proc/self/fd/%d/%s", dir_fd, name);
}

static bool write_text(int dir_fd, const char *name, const char *text)
{
	char path[LINK_LEN];

	note_path(dir_fd, name, path);
	return lsetxattr(path, SNAPSHOT_TIME_NOTE, text, strlen(text), 0) == 0;
}

bool snapshot_note_write(int dir_fd, const char *name, const struct timespec *t)
{
	char text[NOTE_LEN] = "";

	if (t)
		snprintf(text, sizeof(text), "%lld.%09ld", (long long)t->tv_sec, t->tv_nsec);
	return write_text(dir_fd, name, text);
}

bool snapshot_note_read(int dir_fd, const char *name, struct timespec *ret)
{
	char path[LINK_LEN];
	char text[NOTE_LEN] = "";
	char *point = NULL;
	int64_t second = 0;
	uint64_t ns = 0;
	ssize_t len = 0;

	note_path(dir_fd, name, path);
	len = lgetxattr(path, SNAPSHOT_TIME_NOTE, text, sizeof(text) - 1);
	if (len < 0)
		return false;
	*ret = (struct timespec){.tv_sec = SNAPSHOT_OWN_TIME};
	if (len == 0)
		return true;
	point = strchr(text, '.');
	if (!point)
		return false;
	*point = '\0';
	/* Digits as they are written above: "1700000000.000000007". */
	if (num_parse_i64(text, &second) < 0 || num_parse_base(point + 1, 10, &ns) < 0 ||
	    strlen(point + 1) != NS_DIGITS)
		return false;
	*ret = (struct timespec){.tv_sec = second, .tv_nsec = (long)ns};
	return true;
}

/* ---- lists ---- */

struct listing {
	int64_t epoch_s;
	struct str path; /* of the current directory, with a slash at the end */
	json_t *list;	 /* written, or read */
	size_t len;
	bool has_failed;
};

static void on_enter(int dir_fd, const char *name, void *data)
{
	struct listing *l = data;

	(void)dir_fd;
	str_add(&l->path, name);
	str_add_char(&l->path, '/');
}

static void on_leave(void *data)
{
	struct listing *l = data;
	size_t len = l->path.len ? l->path.len - 1 : 0;

	while (len > 0 && l->path.buf[len - 1] != '/')
		len--;
	str_truncate(&l->path, len);
}

static void on_failure(int errnum, void *data)
{
	struct listing *l = data;

	(void)errnum;
	l->has_failed = true;
}

static bool has_note(const struct listing *l, const struct stat *st)
{
	return st->st_mtim.tv_sec == l->epoch_s && st->st_mtim.tv_nsec == 0 &&
	       !(S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0));
}

/* What is not in UTF-8 cannot be named in a document. */
static void list_one(struct listing *l, const char *name, json_t *value)
{
	cleanup_free char *path = str_printf("%s%s", str_get(&l->path), name);

	l->len += strlen(path) + NOTE_LEN;
	if (json_object_size(l->list) >= MAX_LISTED || l->len > MAX_LIST_LEN ||
	    json_object_set_new(l->list, path, value) < 0)
		l->has_failed = true;
}

static void on_entry_to_list(int dir_fd, const char *name, const struct stat *st, void *data)
{
	struct listing *l = data;
	char text[NOTE_LEN];
	struct timespec t;

	if (!has_note(l, st) || l->has_failed)
		return;
	if (!snapshot_note_read(dir_fd, name, &t)) {
		list_one(l, name, json_null());
	} else if (t.tv_sec != SNAPSHOT_OWN_TIME) {
		snprintf(text, sizeof(text), "%lld.%09ld", (long long)t.tv_sec, t.tv_nsec);
		list_one(l, name, json_string(text));
	}
}

static void on_entry_to_note(int dir_fd, const char *name, const struct stat *st, void *data)
{
	struct listing *l = data;
	cleanup_free char *path = NULL;
	const json_t *value = NULL;

	if (!has_note(l, st))
		return;
	path = str_printf("%s%s", str_get(&l->path), name);
	value = json_object_get(l->list, path);
	if (json_is_null(value))
		return;
	l->has_failed |= !write_text(dir_fd, name, value ? json_string_value(value) : "");
}

static bool walk(int dir_fd, struct listing *l,
		 void (*entry)(int dir_fd, const char *name, const struct stat *st, void *data))
{
	const struct tree_walk how = {.entry = entry,
				      .enter = on_enter,
				      .leave = on_leave,
				      .failed = on_failure,
				      .data = l};
	struct stat st;

	/* The directory itself is called ".". */
	if (fstat(dir_fd, &st) < 0)
		return false;
	entry(dir_fd, ".", &st, l);
	if (tree_walk(dir_fd, ".", &how) < 0)
		l->has_failed = true;
	str_done(&l->path);
	return !l->has_failed;
}

json_t *snapshot_notes_list(int dir_fd, int64_t epoch_s)
{
	struct listing l = {.epoch_s = epoch_s, .path = STR_INIT, .list = json_object()};

	if (walk(dir_fd, &l, on_entry_to_list))
		return l.list;
	json_decref(l.list);
	return NULL;
}

bool snapshot_notes_write(int dir_fd, int64_t epoch_s, const json_t *list)
{
	struct listing l = {.epoch_s = epoch_s, .path = STR_INIT};
	const char *path = NULL;
	json_t *value = NULL;

	l.list = (json_t *)(uintptr_t)list;
	json_object_foreach (l.list, path, value)
		if (!json_is_null(value) &&
		    (!json_is_string(value) || json_string_length(value) >= NOTE_LEN))
			return false;
	return walk(dir_fd, &l, on_entry_to_note);
}
