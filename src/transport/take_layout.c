/* SPDX-License-Identifier: Apache-2.0 */
/* lint file: paths typed by the user */
/*
 * Writing OCI layouts, as a directory that may have images already, and as an archive; and skopeo's
 * directories. A blob gets its name when it is whole, verified and synced; the document that names
 * them comes last, by rename. Blobs that are there are read and compared instead of copied.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/reference.h"
#include "sys/path.h"
#include "transport/archive_out.h"
#include "transport/closure.h"
#include "transport/new_file.h"
#include "transport/source.h"
#include "transport/transport.h"

#define OCI_LAYOUT  "{\"imageLayoutVersion\":\"1.0.0\"}"
#define DIR_VERSION "Directory Transport Version: 1.1\n"
#define NAME_LEN    (DIGEST_HEX_LEN + sizeof(".manifest.json"))

/* ---- blobs into a directory ---- */

struct blob_dir {
	int fd;		      /* borrowed */
	bool names_manifests; /* skopeo's: <hex>.manifest.json but for the target's */
	struct source *source;
	const struct transport_report *report;
};

/* Whether the blob is there already, whole and right. */
static bool has_blob(const struct blob_dir *dir, const struct descriptor *d, const char *name)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	struct blob_copy compare = {.at = &at, .out_fd = -1};
	struct err ignored = ERR_INIT;
	struct stat st = {};

	at.fd = path_open_beneath(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (at.fd < 0 || fstat(at.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != d->size)
		return false;
	at.size = (uint64_t)st.st_size;
	memcpy(compare.hex, d->hex, sizeof(compare.hex));
	return blob_copy_all(dir->source->store, &compare, 1, NULL, &ignored) == 0;
}

static int write_blob(const struct blob_dir *dir, const struct closure_blob *blob, const char *name,
		      struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	struct blob_copy copy = {.at = &at};

	report_begin(dir->report, "Copying blob", blob->d.hex, (uint64_t)blob->d.size);
	if (blob->is_document)
		str_add_bytes(&at.text, str_get(&blob->text), blob->text.len);
	else if (source_open_blob(dir->source, &blob->d, &at, err) < 0)
		return -err->code;
	if (new_file_open_at(dir->fd, name, name, 0644, &file, err) < 0)
		return -err->code;
	memcpy(copy.hex, blob->d.hex, sizeof(copy.hex));
	copy.out_fd = file.fd;
	if (blob_copy_all(dir->source->store, &copy, 1, dir->report, err) < 0)
		return -err->code;
	return new_file_commit(&file, false, err);
}

static int write_blobs(const struct blob_dir *dir, const struct closure *c, struct err *err)
{
	size_t n = dir->names_manifests ? c->n - 1 : c->n;
	char name[NAME_LEN];

	assert(c->blobs);
	for (size_t i = 0; i < n; i++) {
		const struct closure_blob *b = &c->blobs[i];

		snprintf(name, sizeof(name), "%s%s", b->d.hex,
			 dir->names_manifests && b->is_document ? ".manifest.json" : "");
		if (!has_blob(dir, &b->d, name) && write_blob(dir, b, name, err) < 0)
			return -err->code;
	}
	return fsync(dir->fd) < 0 ? err_sys(err, errno, "sync the blobs") : 0;
}

/* ---- directories ---- */

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	size_t n = 0;

	if (!dir)
		return false;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n <= 2; /* "." and ".." */
}

/* The directory PATH, made if need be. One that has files but not MARK is somebody else's. */
static int open_dir(const char *path, const char *mark, struct err *err)
{
	cleanup_close int fd = -1;
	int rc = fd_mkdir_p(path, 0755);
	struct stat st = {};

	if (rc < 0)
		return err_sys(err, -rc, "create %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (fstatat(fd, mark, &st, AT_SYMLINK_NOFOLLOW) < 0 && !is_empty(fd))
		return err_set(err, ERR_CONFLICT,
			       "%s is a directory with other things in it: no %s", path, mark);
	return take_fd(fd);
}

/* A small file in place of what had its name, durable before anything else happens. */
static int replace(int dir_fd, const char *name, const char *text, size_t len, struct err *err)
{
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	int rc = 0;

	if (new_file_open_at(dir_fd, name, name, 0644, &file, err) < 0)
		return -err->code;
	rc = fd_write_full(file.fd, text, len);
	if (rc < 0)
		return err_sys(err, -rc, "write %s", name);
	return new_file_commit(&file, true, err);
}

/* The mark comes first, so that a copy that was cut short can be made again. */
static int open_blobs(int dir_fd, struct err *err)
{
	int fd = -1;

	if (faccessat(dir_fd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    replace(dir_fd, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT), err) < 0)
		return -err->code;
	if (mkdirat(dir_fd, "blobs", 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create blobs");
	fd = path_open_beneath(dir_fd, "blobs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, -fd, "open blobs");
	cleanup_close int blobs_fd = fd;

	if (mkdirat(blobs_fd, "sha256", 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create blobs/sha256");
	fd = path_open_beneath(blobs_fd, "sha256", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	return fd < 0 ? err_sys(err, -fd, "open blobs/sha256") : fd;
}

/* ---- index.json ---- */

/* The descriptor under which the image goes into an index: named as the user said, else as it was
 * where it comes from. */
static void make_entry(const struct place *place, const struct source_image *image,
		       const struct descriptor *target, struct descriptor *ret)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	descriptor_copy(ret, target);
	str_replace(&ret->ref_name, place->image ? place->image : image->target.ref_name);
	str_replace(&ret->image_name, NULL);
	if (!place->image || !strpbrk(place->image, "/:") ||
	    reference_parse(place->image, &ref, &ignored) < 0 || ref.digest)
		return;
	reference_ensure_tag(&ref);
	ret->image_name = reference_format(&ref);
}

static bool is_replaced(const json_t *entry, const struct descriptor *d)
{
	json_t *annotations = json_object_get(entry, "annotations");
	const char *name = json_string_value(json_object_get(annotations, ANNOTATION_REF_NAME));
	const char *digest = json_string_value(json_object_get(entry, "digest"));

	if (d->ref_name || name)
		return str_is_equal(name, d->ref_name);
	return digest && strcmp(digest + strlen(DIGEST_PREFIX), d->hex) == 0;
}

/* Puts D into the index of DIR_FD in place of what had its name; what else is in there stays. */
static int add_to_index(int dir_fd, const struct descriptor *d, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_manifest struct manifest checked = MANIFEST_INIT;
	cleanup_json json_t *doc = NULL;
	cleanup_free char *out = NULL;
	json_t *list = NULL;
	int rc = fd_read_file_at(dir_fd, "index.json", DOCUMENT_MAX_SIZE, &text);

	if (rc == -ENOENT) {
		out = manifest_format_index(d, 1);
		return replace(dir_fd, "index.json", out, strlen(out), err);
	}
	if (rc < 0)
		return err_sys(err, -rc, "read index.json");
	if (manifest_parse(str_get(&text), text.len, NULL, "index.json", &checked, err) < 0 ||
	    document_parse(str_get(&text), text.len, "index.json", &doc, err) < 0)
		return -err->code;
	if (!checked.is_index)
		return err_set(err, ERR_INVALID, "index.json: ambiguous manifest");
	list = json_object_get(doc, "manifests");
	for (size_t i = json_array_size(list); i > 0; i--)
		if (is_replaced(json_array_get(list, i - 1), d))
			json_array_remove(list, i - 1);
	json_array_append_new(list, descriptor_to_json(d));
	out = json_dumps(doc, JSON_COMPACT);
	return replace(dir_fd, "index.json", out, strlen(out), err);
}

/* One at a time: the index is read and written again. */
static int add_to_layout(int dir_fd, const struct descriptor *d, struct err *err)
{
	if (flock(dir_fd, LOCK_EX) < 0)
		return err_sys(err, errno, "lock the layout");
	return add_to_index(dir_fd, d, err);
}

/* ---- the transports ---- */

static int read_closure(struct source *source, struct source_image *image,
			const struct platform *want, const struct transport_report *report,
			struct closure *ret, struct err *err)
{
	if (source_describe(source, image, report, err) < 0)
		return -err->code;
	return closure_read(source, &image->target, want, ret, err);
}

int take_layout(const struct place *place, struct source *source, struct source_image *image,
		const struct platform *want, const struct transport_report *report, struct err *err)
{
	cleanup_closure struct closure c = CLOSURE_INIT;
	cleanup_descriptor struct descriptor entry = DESCRIPTOR_INIT;
	cleanup_close int dir_fd = -1;
	cleanup_close int blobs_fd = -1;

	if (read_closure(source, image, want, report, &c, err) < 0 ||
	    closure_convert_to_oci(&c, err) < 0)
		return -err->code;
	dir_fd = open_dir(place->path, "oci-layout", err);
	if (dir_fd < 0)
		return dir_fd;
	blobs_fd = open_blobs(dir_fd, err);
	if (blobs_fd < 0)
		return blobs_fd;
	const struct blob_dir dir = {.fd = blobs_fd, .source = source, .report = report};

	if (write_blobs(&dir, &c, err) < 0)
		return -err->code;
	report_say(report, "Writing manifest to image destination");
	make_entry(place, image, closure_get_target(&c), &entry);
	return add_to_layout(dir_fd, &entry, err);
}

/* Files of an earlier image in skopeo's directory that this one does not need. */
static void remove_stale(int dir_fd, const struct closure *c, const struct manifest *before)
{
	for (size_t i = 0; i < before->n_entries; i++) {
		bool is_needed = false;

		for (size_t j = 0; j < c->n && !is_needed; j++)
			is_needed = strcmp(c->blobs[j].d.hex, before->entries[i].hex) == 0;
		if (!is_needed)
			unlinkat(dir_fd, before->entries[i].hex, 0);
	}
}

int take_dir(const struct place *place, struct source *source, struct source_image *image,
	     const struct platform *want, const struct transport_report *report, struct err *err)
{
	cleanup_closure struct closure c = CLOSURE_INIT;
	cleanup_manifest struct manifest before = MANIFEST_INIT;
	cleanup_str struct str text = STR_INIT;
	cleanup_close int fd = -1;
	struct err ignored = ERR_INIT;

	if (place->image)
		return err_set(err, ERR_INVALID, "a directory holds one image without a name");
	if (read_closure(source, image, want, report, &c, err) < 0)
		return -err->code;
	assert(c.blobs);
	fd = open_dir(place->path, "version", err);
	if (fd < 0)
		return fd;
	const struct blob_dir dir = {
		.fd = fd, .names_manifests = true, .source = source, .report = report};
	const struct str *manifest = &c.blobs[c.n - 1].text;

	if (fd_read_file_at(fd, "manifest.json", DOCUMENT_MAX_SIZE, &text) == 0 &&
	    manifest_parse(str_get(&text), text.len, NULL, "", &before, &ignored) < 0)
		err_clear(&ignored);
	if (replace(fd, "version", DIR_VERSION, strlen(DIR_VERSION), err) < 0 ||
	    write_blobs(&dir, &c, err) < 0)
		return -err->code;
	report_say(report, "Writing manifest to image destination");
	if (replace(fd, "manifest.json", str_get(manifest), manifest->len, err) < 0)
		return -err->code;
	remove_stale(fd, &c, &before);
	return 0;
}

int take_layout_archive(const struct place *place, struct source *source,
			struct source_image *image, const struct platform *want,
			const struct transport_report *report, struct err *err)
{
	cleanup_closure struct closure c = CLOSURE_INIT;
	cleanup_archive_out struct archive_out out = ARCHIVE_OUT_INIT;
	cleanup_descriptor struct descriptor entry = DESCRIPTOR_INIT;
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	cleanup_free char *index = NULL;

	if (read_closure(source, image, want, report, &c, err) < 0 ||
	    closure_convert_to_oci(&c, err) < 0)
		return -err->code;
	for (size_t i = 0; i < c.n; i++) {
		const struct closure_blob *b = &c.blobs[i];

		if (b->is_document)
			archive_out_add_document(&out, b->d.hex, str_get(&b->text), b->text.len);
		else
			archive_out_add_blob(&out, source, &b->d);
	}
	make_entry(place, image, closure_get_target(&c), &entry);
	index = manifest_format_index(&entry, 1);
	archive_out_add_text(&out, "index.json", index, strlen(index));
	archive_out_add_text(&out, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT));
	if (new_file_open_any(place->path, 0644, &file, err) < 0 ||
	    archive_out_write(&out, source->store, file.fd, report, err) < 0)
		return -err->code;
	report_say(report, "Writing manifest to image destination");
	return new_file_commit(&file, true, err);
}
