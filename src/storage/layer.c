/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's directory appears by one rename, complete, and disappears by one rename into staging
 * (collect.c), so that a name under layers/ always stands for all of it.
 */
#include "storage/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "storage/store_private.h"

#define MAX_RECORD 4096

int layer_create(const struct staging *staging, const char *dir, int *ret_diff_fd, int *ret_list_fd,
		 struct err *err)
{
	cleanup_close int outer = -1;

	if (mkdirat(staging->fd, dir, 0700) < 0)
		return err_sys(err, errno, "create staging/%s/%s", staging->name, dir);
	outer = openat(staging->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The root of the container: an archive may say otherwise, a umask may not. */
	if (outer < 0 || mkdirat(outer, LAYER_DIFF, 0755) < 0 ||
	    fchmodat(outer, LAYER_DIFF, 0755, 0) < 0)
		return err_sys(err, errno, "create staging/%s/%s/diff", staging->name, dir);
	*ret_diff_fd = openat(outer, LAYER_DIFF, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_diff_fd < 0)
		return err_sys(err, errno, "open staging/%s/%s/diff", staging->name, dir);
	*ret_list_fd = openat(outer, LAYER_LIST,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*ret_list_fd < 0)
		return err_sys(err, errno, "create staging/%s/%s/list", staging->name, dir);
	return 0;
}

static void add_digest(struct str *ret, const char *key, const char *hex)
{
	if (*hex)
		str_addf(ret, ",\"%s\":\"" DIGEST_PREFIX "%s\"", key, hex);
}

void layer_format_record(const struct layer_info *info, struct str *ret)
{
	str_addf(ret, "{\"chainID\":\"" DIGEST_PREFIX "%s\"", info->chain_hex);
	add_digest(ret, "diffID", info->diff_hex);
	str_addf(ret, ",\"size\":%lld,\"entries\":%lld,\"plainSize\":%lld", (long long)info->size,
		 (long long)info->entries, (long long)info->plain_size);
	add_digest(ret, "list", info->list_hex);
	add_digest(ret, "blob", info->blob_hex);
	if (*info->blob_hex)
		str_addf(ret, ",\"blobSize\":%lld,\"blobFormat\":\"%s\"",
			 (long long)info->blob_size, info->blob_format);
	str_add(ret, "}\n");
}

int layer_write_record(int dirfd, const char *path, const struct layer_info *info, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	layer_format_record(info, &text);
	rc = fd_write_file_at(dirfd, path, text.buf, text.len, 0600);
	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

/* An absent digest leaves RET empty. */
static int get_digest(const json_t *doc, const char *key, char ret[static DIGEST_HEX_LEN + 1],
		      struct err *err)
{
	const char *digest = NULL;

	if (document_get_string(doc, key, &digest, err) < 0)
		return -err->code;
	if (!digest)
		return 0;
	return digest_parse(digest, ret, err) < 0 ? err_wrap(err, "%s", key) : 0;
}

static int parse_record(const struct str *text, struct layer_info *info, struct err *err)
{
	cleanup_json json_t *doc = NULL;
	const char *format = NULL;
	json_int_t size = 0, entries = 0, plain_size = 0, blob_size = 0;

	if (document_parse(str_get(text), text->len, LAYER_RECORD, &doc, err) < 0 ||
	    get_digest(doc, "diffID", info->diff_hex, err) < 0 ||
	    get_digest(doc, "list", info->list_hex, err) < 0 ||
	    get_digest(doc, "blob", info->blob_hex, err) < 0 ||
	    document_get_int(doc, "size", &size, err) < 0 ||
	    document_get_int(doc, "entries", &entries, err) < 0 ||
	    document_get_int(doc, "plainSize", &plain_size, err) < 0 ||
	    document_get_int(doc, "blobSize", &blob_size, err) < 0 ||
	    document_get_string(doc, "blobFormat", &format, err) < 0)
		return -err->code;
	if (!*info->diff_hex)
		return err_set(err, ERR_INVALID, "no diffID");
	info->size = size;
	info->entries = entries;
	info->plain_size = plain_size;
	info->blob_size = blob_size;
	snprintf(info->blob_format, sizeof(info->blob_format), "%s", format ? format : "");
	return 0;
}

int layer_read_record(int layers_fd, const char *chain_hex, struct layer_info *ret, struct err *err)
{
	cleanup_free char *path = str_printf("%s/" LAYER_RECORD, chain_hex);
	cleanup_str struct str text = STR_INIT;
	struct layer_info info = {};
	int rc = fd_read_file_at(layers_fd, path, MAX_RECORD, &text);

	if (rc == -ENOENT)
		return err_set(err, ERR_NOT_FOUND, STORE_LAYERS "/%s is missing", path);
	if (rc < 0)
		return err_sys(err, -rc, "read " STORE_LAYERS "/%s", path);
	snprintf(info.chain_hex, sizeof(info.chain_hex), "%s", chain_hex);
	if (parse_record(&text, &info, err) < 0)
		return err_wrap(err, STORE_LAYERS "/%s", path);
	*ret = info;
	return 0;
}

bool layer_is_there(int layers_fd, const char *chain_hex)
{
	static const char *const parts[] = {LAYER_DIFF, LAYER_RECORD};
	char path[DIGEST_HEX_LEN + 16];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", chain_hex, parts[i]);
		if (faccessat(layers_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	}
	return true;
}

/* rename(2) of a directory onto one that is not empty says so: then the layer is there already. */
int layer_publish(const struct staging *staging, const char *dir, int layers_fd,
		  const char *chain_hex, struct err *err)
{
	if (renameat(staging->fd, dir, layers_fd, chain_hex) == 0)
		return 1;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return 0;
	return err_sys(err, errno, "rename to " STORE_LAYERS "/%s", chain_hex);
}
