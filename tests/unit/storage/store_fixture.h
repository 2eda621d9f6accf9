/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H
/*
 * A store in a directory of its own, and a stand-in for the unpacking helper: a shell script that
 * takes any bytes for an archive, unpacks them as one file named "content" and answers as the real
 * one does, whatever outputs are wanted.
 */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/image_config.h"
#include "storage/import.h"
#include "storage/store.h"

struct fixture {
	char path[64];
	char *root;
	struct store *store;
};

/* Options name descriptors, as for the real one. A range is read from the file anew, so that
 * nobody's offset moves; the blob is the archive packed by gzip. */
static const char fake_helper[] =
	"#!/bin/sh\n"
	"PATH=/usr/bin:/bin\n"
	"offset=0 length= progress= dir= list= blob= raw= plain= index=\n"
	"while [ $# -gt 1 ]; do\n"
	"	case $1 in\n"
	"	--*-*-fd) ;;\n"
	"	--*-fd) n=${1#--}; eval \"${n%-fd}=$2\" ;;\n"
	"	--offset) offset=$2 ;;\n"
	"	--length) length=$2 ;;\n"
	"	esac\n"
	"	shift 2\n"
	"done\n"
	"in=$(mktemp -d) || exit 1\n"
	"trap 'rm -rf $in' EXIT\n"
	"if [ -n \"$length\" ]; then\n"
	"	tail -c +$((offset + 1)) </proc/self/fd/0 | head -c $length >$in/content\n"
	"else\n"
	"	cat >$in/content\n"
	"fi\n"
	"case $(head -c 3 $in/content) in bad) echo 'entry x: truncated' >&2; exit 65 ;; esac\n"
	"sum() { sha256sum <$1 | cut -d' ' -f1; }\n"
	"n=$(wc -c <$in/content) d=$(sum $in/content) more=\n"
	"[ -z \"$progress\" ] || printf '\\014\\0\\0\\0\\0\\0\\0\\0' >/proc/self/fd/$progress\n"
	"[ -z \"$dir\" ] || cp $in/content /proc/self/fd/$dir/content || exit 1\n"
	"[ -z \"$raw\" ] || cat $in/content >/proc/self/fd/$raw || exit 1\n"
	"[ -z \"$plain\" ] || cat $in/content >/proc/self/fd/$plain || exit 1\n"
	"if [ -n \"$list\" ]; then\n"
	"	echo \"f 0600 0 0 0.000000000 $n 0000000000000000 - content\" >$in/list\n"
	"	cat $in/list >/proc/self/fd/$list || exit 1\n"
	"	more=$more'\"listDigest\":\"sha256:'$(sum $in/list)'\",'\n"
	"fi\n"
	"if [ -n \"$blob\" ]; then\n"
	"	gzip -nc $in/content >$in/blob && cat $in/blob >/proc/self/fd/$blob || exit 1\n"
	"	more=$more'\"blobDigest\":\"sha256:'$(sum $in/blob)'\",\"blobFormat\":\"gzip\",'\n"
	"	more=$more'\"blobSize\":'$(wc -c <$in/blob)','\n"
	"fi\n"
	"[ -z \"$index\" ] || printf 'f 0 %d content\\0\\0' $n >/proc/self/fd/$index\n"
	"printf '{\"rawDigest\":\"sha256:%s\",\"diffID\":\"sha256:%s\",%s\"rawFormat\":\"plain\",' "
	"$d $d "
	"$more\n"
	"printf '\"rawSize\":%d,\"plainSize\":%d,\"size\":%d,\"entries\":1}\\n' $n $n $n\n";

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

/* "ENV a=b", "LABEL a=b" or "CMD text": as much of a Dockerfile as the store's tests need. */
static inline void set_change(const char *change, struct image_run *run)
{
	const char *rest = strchr(change, ' ') + 1;
	const char *value = strchr(rest, '=');
	cleanup_free char *key = value ? str_ndup(rest, (size_t)(value - rest)) : NULL;

	if (str_has_prefix(change, "ENV ")) {
		image_run_set_env(run, key, value + 1);
	} else if (str_has_prefix(change, "LABEL ")) {
		image_run_set_label(run, key, value + 1);
	} else {
		strv_split(&run->cmd, "/bin/sh -c", ' ');
		strv_add(&run->cmd, rest);
		run->has_cmd = true;
	}
}

/* Imports TEXT as REFERENCE with the instruction CHANGE (NULL for none). */
static inline void import_image(const struct fixture *f, const char *text, const char *reference,
				const char *change, char ret_id[static DIGEST_HEX_LEN + 1])
{
	cleanup_close int fd = archive_of(f, text);
	cleanup_image_run struct image_run run = {};
	struct import_request request = {.archive_fd = fd, .reference = reference, .run = &run};
	struct err err = ERR_INIT;

	if (change)
		set_change(change, &run);
	if (image_import(f->store, &request, ret_id, &err) < 0)
		fail_msg("import: %s", err.msg);
}

#endif
