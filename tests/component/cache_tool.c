/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The build cache as a program, for tests that kill it, trace it, or look at what it has made.
 *
 *	tare-cache-tool ROOT RUNROOT HELPERS VERB ...
 *
 * The verbs:
 *
 *	publish KEY UPPER [replace]	UPPER, which is moved, becomes KEY
 *	open KEY [FIFO]		where it is; held until FIFO ends, then looked for again
 *	adopt NAME FORMAT BASE KEY...	an image of BASE ("-": none) and these
 *	list			key, kind, state, bytes, uses
 *	prune all|some KEEP [FILTER]...	what went, then bytes
 *	mount ID SHARING [FIFO]	the directory of a cache, or "busy"
 *	alias KEY TARGET		another key of TARGET
 *	export DIR FORMAT KEY|mount:ID...
 *	import DIR
 *
 * A KEY is any word, whose digest is the key. Times are clamped to 2020-01-01.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/image.h"
#include "storage/incoming.h"
#include "storage/snapshot.h"
#include "storage/store.h"

#define EPOCH	   1577836800
#define MAX_KEYS   64
#define EPOCH_TEXT "2020-01-01T00:00:00Z"

static struct store *store;

static void key_of(const char *word, char ret[static DIGEST_HEX_LEN + 1])
{
	sha256_hex(word, strlen(word), ret);
}

static int publish(int argc, char **argv, struct err *err)
{
	cleanup_staging struct staging staging = STAGING_INIT;
	struct snapshot_info info = {.kind = SNAPSHOT_RUN,
				     .description = argv[0],
				     .epoch_s = EPOCH,
				     .replaces = argc > 2};

	key_of(argv[0], info.key);
	if (staging_create(store, &staging, err) < 0)
		return -err->code;
	if (mkdirat(staging.fd, "step", 0700) < 0 ||
	    renameat(AT_FDCWD, argv[1], staging.fd, "step/upper") < 0)
		return err_sys(err, errno, "rename %s", argv[1]);
	return snapshot_publish(store, &staging, "step", &info, err);
}

static void hold(const char *fifo)
{
	cleanup_close int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	char byte;

	while (read(fd, &byte, 1) > 0)
		continue;
}

static int open_key(int argc, char **argv, struct err *err)
{
	struct snapshot s = SNAPSHOT_INIT;
	char key[DIGEST_HEX_LEN + 1];
	int rc = 0;

	key_of(argv[0], key);
	rc = snapshot_open(store, key, &s, err);
	if (rc < 0)
		return rc;
	printf("%s\n", rc == 0 ? "none" : s.info.is_empty ? "empty" : s.dir);
	fflush(stdout);
	if (argc > 1 && rc > 0) {
		hold(argv[1]);
		if (snapshot_locate(store, &s, err) == 0)
			printf("%s\n", s.dir);
	}
	snapshot_done(&s);
	return 0;
}

static int set_config(struct incoming *in, const char *base, const struct strv *diffs,
		      struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_free char *text = NULL;

	if (*base != '-' &&
	    (image_find(store, base, &image, err) < 0 ||
	     image_config_parse(image.config, strlen(image.config), &config, err) < 0))
		return -err->code;
	str_replace(&config.architecture, "amd64");
	str_replace(&config.os, "linux");
	str_replace(&config.created, EPOCH_TEXT);
	strv_add_all(&config.diff_ids, diffs);
	text = image_config_format(&config);
	return incoming_set_config(in, text, strlen(text), err);
}

static int open_all(char **argv, size_t n, struct snapshot *items, struct snapshot **ret,
		    struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char key[DIGEST_HEX_LEN + 1];
		int rc = 0;

		key_of(argv[i], key);
		rc = snapshot_open(store, key, &items[i], err);
		if (rc <= 0)
			return rc < 0 ? rc : err_set(err, ERR_NOT_FOUND, "no %s", argv[i]);
		ret[i] = &items[i];
	}
	return 0;
}

static int add_base(struct incoming *in, const char *base, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;

	if (*base == '-')
		return 0;
	if (image_find(store, base, &image, err) < 0)
		return -err->code;
	return incoming_set_base_layers(in, image.id, err);
}

static int adopt(int argc, char **argv, struct err *err)
{
	cleanup_incoming struct incoming *in = NULL;
	cleanup_strv struct strv diffs = STRV_INIT;
	cleanup_free char *name = str_printf("docker.io/library/%s", argv[0]);
	struct snapshot items[MAX_KEYS];
	struct snapshot *pointers[MAX_KEYS];
	size_t n = (size_t)argc - 3;
	int rc = 0;

	for (size_t i = 0; i < MAX_KEYS; i++)
		items[i] = (struct snapshot)SNAPSHOT_INIT;
	if (n > MAX_KEYS || open_all(argv + 3, n, items, pointers, err) < 0 ||
	    incoming_begin(store, &in, err) < 0 || add_base(in, argv[2], err) < 0)
		return -err->code;
	rc = incoming_add_snapshots(in, pointers, n, argv[1], &diffs, err);
	if (rc == 0)
		rc = set_config(in, argv[2], &diffs, err);
	incoming_set_made(in, clock_real_ns());
	incoming_add_name(in, name);
	if (rc == 0)
		rc = incoming_commit(in, err);
	strv_foreach (i, &diffs)
		printf("%s\n", diffs.items[i]);
	incoming_free(take_ptr(in));
	for (size_t i = 0; i < n; i++)
		snapshot_done(&items[i]);
	return rc;
}

static int print_one(const struct snapshot_info *info, bool in_use, bool shared, void *data,
		     struct err *err)
{
	printf("%s\t%d\t%s%s%s\t%lld\t%lld\n", info->key, (int)info->kind, in_use ? "used" : "free",
	       shared ? ",shared" : "", *info->chain_hex ? ",layer" : "", (long long)info->size,
	       (long long)info->n_uses);
	return 0;
}

static int list(int argc, char **argv, struct err *err)
{
	return snapshot_list(store, NULL, print_one, NULL, err);
}

static int prune(int argc, char **argv, struct err *err)
{
	cleanup_strv struct strv filters = STRV_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	struct snapshot_prune how = {
		.all = strcmp(argv[0], "all") == 0, .until_ns = INT64_MAX, .filters = &filters};
	int64_t bytes = 0;

	if (num_parse_i64(argv[1], &how.max_bytes) < 0)
		return err_set(err, ERR_INVALID, "keep?");
	for (int i = 2; i < argc; i++)
		strv_add(&filters, argv[i]);
	if (snapshot_prune_run(store, &how, &lines, &bytes, err) < 0)
		return -err->code;
	strv_foreach (i, &lines)
		printf("%s\n", lines.items[i]);
	printf("%lld\n", (long long)bytes);
	return 0;
}

static int mount_cache(int argc, char **argv, struct err *err)
{
	struct cache_mount m = {.lock_fd = -1};
	bool is_private = strcmp(argv[1], "private") == 0,
	     is_locked = strcmp(argv[1], "locked") == 0;
	int rc = cache_mount_open(store, argv[0], is_locked, is_private, 0750, 7, 8, &m, err);

	if (rc < 0)
		return rc;
	printf("%s\n", rc ? "busy" : m.dir);
	fflush(stdout);
	if (argc > 2 && rc == 0)
		hold(argv[2]);
	cache_mount_done(&m);
	return 0;
}

static int add_alias(int argc, char **argv, struct err *err)
{
	char key[DIGEST_HEX_LEN + 1], target[DIGEST_HEX_LEN + 1];

	key_of(argv[0], key);
	key_of(argv[1], target);
	return snapshot_add_alias(store, key, target, err);
}

static int export_cache(int argc, char **argv, struct err *err)
{
	char hex[MAX_KEYS][DIGEST_HEX_LEN + 1];
	const char *keys[MAX_KEYS];
	cleanup_strv struct strv mounts = STRV_INIT;
	size_t n = 0;

	for (int i = 2; i < argc && n < MAX_KEYS; i++) {
		if (str_has_prefix(argv[i], "mount:")) {
			strv_add(&mounts, argv[i] + strlen("mount:"));
			continue;
		}
		key_of(argv[i], hex[n]);
		keys[n] = hex[n];
		n++;
	}
	return snapshot_export(store, keys, n, argv[0], &mounts, argv[1], err);
}

static int import_cache(int argc, char **argv, struct err *err)
{
	return snapshot_import(store, argv[0], err);
}

static const struct {
	const char *name;
	int least;
	int (*run)(int argc, char **argv, struct err *err);
} verbs[] = {
	{"publish", 2, publish}, {"open", 1, open_key},	      {"adopt", 4, adopt},
	{"list", 0, list},	 {"prune", 2, prune},	      {"mount", 2, mount_cache},
	{"alias", 2, add_alias}, {"export", 3, export_cache}, {"import", 1, import_cache},
};

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int rc = -1;

	if (argc < 5 || storage_open(argv[1], argv[2], argv[3], &store, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, argv[4]) == 0 && argc - 5 >= verbs[i].least)
			rc = verbs[i].run(argc - 5, argv + 5, &err);
	storage_close(store);
	if (rc < 0)
		fprintf(stderr, "%s\n", *err.msg ? err.msg : "wrong use");
	return rc < 0;
}
