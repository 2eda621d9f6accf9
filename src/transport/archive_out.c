/* SPDX-License-Identifier: Apache-2.0 */
/* Collected files, sorted, as one tar. */
#include "transport/archive_out.h"

#include <stdio.h>
#include <string.h>

#include "archive/tar_write.h"
#include "base/mem.h"
#include "transport/report.h"
#include "transport/source.h"

#define BLOBS "blobs/sha256/"

void archive_out_done(struct archive_out *out)
{
	for (size_t i = 0; i < out->n; i++) {
		free(out->files[i].name);
		str_done(&out->files[i].text);
		descriptor_done(&out->files[i].from);
	}
	free(out->files);
	*out = (struct archive_out)ARCHIVE_OUT_INIT;
}

static struct archive_file *add(struct archive_out *out, const char *name)
{
	struct archive_file *file = NULL;

	out->files = mem_realloc_array(out->files, out->n + 1, sizeof(*out->files));
	file = &out->files[out->n++];
	*file = (struct archive_file){.name = str_dup(name)};
	return file;
}

/* NULL when the blob is there already. */
static struct archive_file *add_blob(struct archive_out *out, const char *hex)
{
	struct archive_file *file = NULL;
	char name[sizeof(BLOBS) + DIGEST_HEX_LEN];

	for (size_t i = 0; i < out->n; i++)
		if (strcmp(out->files[i].hex, hex) == 0)
			return NULL;
	snprintf(name, sizeof(name), BLOBS "%s", hex);
	file = add(out, name);
	memcpy(file->hex, hex, sizeof(file->hex));
	return file;
}

void archive_out_add_text(struct archive_out *out, const char *name, const char *text, size_t len)
{
	str_add_bytes(&add(out, name)->text, text, len);
}

void archive_out_add_document(struct archive_out *out, const char *hex, const char *text,
			      size_t len)
{
	struct archive_file *file = add_blob(out, hex);

	if (file)
		str_add_bytes(&file->text, text, len);
}

void archive_out_add_blob(struct archive_out *out, struct source *source,
			  const struct descriptor *d)
{
	struct archive_file *file = add_blob(out, d->hex);

	if (!file)
		return;
	file->source = source;
	descriptor_copy(&file->from, d);
}

void archive_out_add_inflated(struct archive_out *out, struct source *source,
			      const struct descriptor *d, const char *hex, int64_t plain_size)
{
	struct archive_file *file = add_blob(out, hex);

	if (!file)
		return;
	file->source = source;
	descriptor_copy(&file->from, d);
	file->is_inflated = strcmp(d->hex, hex) != 0;
	file->plain_size = plain_size;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct archive_file *)a)->name,
		      ((const struct archive_file *)b)->name);
}

static int write_dir(struct tar_writer *w, const char *name, struct err *err)
{
	struct tar_entry entry = {.type = TAR_DIR, .path = name, .link = "", .mode = 0755};

	return tar_writer_add(w, &entry, err);
}

static int write_text(struct tar_writer *w, const struct archive_file *file, struct err *err)
{
	struct tar_entry entry = {
		.type = TAR_FILE,
		.path = file->name,
		.link = "",
		.mode = 0644,
		.size = file->text.len,
		.stored = file->text.len,
	};

	if (tar_writer_add(w, &entry, err) < 0)
		return -err->code;
	return tar_writer_data(w, str_get(&file->text), file->text.len, err);
}

static int write_blob(const struct store *store, struct tar_writer *w, int fd,
		      const struct archive_file *file, const struct transport_report *report,
		      struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	struct blob_copy copy = {.at = &at};

	if (source_open_blob(file->source, &file->from, &at, err) < 0)
		return -err->code;
	if (file->is_inflated) {
		at.is_inflated = true;
		at.plain_size = file->plain_size;
	}
	memcpy(copy.hex, file->hex, sizeof(copy.hex));
	report_begin(report, "Copying blob", file->hex, at.fd >= 0 ? at.size : at.text.len);
	return blob_copy_to_tar(store, w, fd, file->name, &copy, report, err);
}

int archive_out_write(struct archive_out *out, const struct store *store, int fd,
		      const struct transport_report *report, struct err *err)
{
	cleanup_tar_writer struct tar_writer *w = tar_writer_new(fd);

	qsort(out->files, out->n, sizeof(*out->files), compare_files);
	if (write_dir(w, "blobs/", err) < 0 || write_dir(w, BLOBS, err) < 0)
		return -err->code;
	for (size_t i = 0; i < out->n; i++) {
		const struct archive_file *file = &out->files[i];
		int rc = file->source ? write_blob(store, w, fd, file, report, err)
				      : write_text(w, file, err);

		if (rc < 0)
			return rc;
	}
	return tar_writer_finish(w, err);
}
