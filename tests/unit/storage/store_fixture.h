/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H
/*
 * A store in a directory of its own, and a stand-in for the unpacking helper: a shell script that
 * takes any bytes for an archive, keeps them as one file and answers with their digest.
 */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/import.h"
#include "storage/store.h"

struct fixture {
	char path[64];
	char *root;
	struct store *store;
};

static const char fake_helper[] =
	"#!/bin/sh\n"
	"PATH=/usr/bin:/bin\n"
	"cat >/proc/self/fd/3/content || exit 1\n"
	"d=$(sha256sum </proc/self/fd/3/content | cut -d' ' -f1)\n"
	"n=$(wc -c </proc/self/fd/3/content)\n"
	"case $(head -c 3 /proc/self/fd/3/content) in bad) echo 'entry x: truncated' >&2; exit 1;; "
	"esac\n"
	"[ $# = 2 ] || printf '\\014\\0\\0\\0\\0\\0\\0\\0' >&4\n"
	"printf "
	"'{\"diffID\":\"sha256:%s\",\"size\":%d,\"entries\":1,\"compressedDigest\":\"sha256:%s\","
	"\"compressedSize\":%d}\\n' $d $n $d $n\n";

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	cleanup_free char *helper = NULL;
	struct err err = ERR_INIT;

	snprintf(f->path, sizeof(f->path), "/tmp/tare-store-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	helper = str_printf("%s/tare-unpack", f->path);
	assert_int_equal(
		fd_write_file_at(AT_FDCWD, helper, fake_helper, sizeof(fake_helper) - 1, 0700), 0);
	f->root = str_printf("%s/a/root", f->path);
	assert_int_equal(storage_open(f->root, "/run/x", f->path, &f->store, &err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	storage_close(f->store);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f->root);
	free(f);
	return 0;
}

/* An open file with TEXT in it. */
static inline int archive_of(const struct fixture *f, const char *text)
{
	cleanup_free char *path = str_printf("%s/archive", f->path);

	assert_int_equal(fd_write_file_at(AT_FDCWD, path, text, strlen(text), 0600), 0);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Imports TEXT as REFERENCE with the instruction CHANGE (NULL for none). */
static inline void import_image(const struct fixture *f, const char *text, const char *reference,
				const char *change, char ret_id[static DIGEST_HEX_LEN + 1])
{
	cleanup_close int fd = archive_of(f, text);
	cleanup_strv struct strv changes = STRV_INIT;
	struct import_request request = {
		.archive_fd = fd, .reference = reference, .changes = &changes};
	struct err err = ERR_INIT;

	if (change)
		strv_add(&changes, change);
	if (image_import(f->store, &request, ret_id, &err) < 0)
		fail_msg("import: %s", err.msg);
}

#endif
