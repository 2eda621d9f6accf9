/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_ARCHIVE_OUT_H
#define TRANSPORT_ARCHIVE_OUT_H
/*
 * A tar of documents and blobs: what `save` and the archive transports write. The files are
 * collected first, because they stand in the order of their names; their bytes flow only when it is
 * written. All fields are fixed, so the same images give the same bytes.
 */
#include "oci/manifest.h"
#include "transport/blob_at.h"

struct source;
struct store;
struct transport_report;

struct archive_file {
	char *name;		      /* owned */
	char hex[DIGEST_HEX_LEN + 1]; /* of what is written; "" for a text of ours */
	struct str text;	      /* unless it comes from SOURCE */
	struct source *source;	      /* borrowed; NULL: the text */
	struct descriptor from;	      /* the blob to read there */
	bool is_inflated;	      /* and to decompress, to PLAIN_SIZE bytes */
	int64_t plain_size;
};

struct archive_out {
	struct archive_file *files;
	size_t n;
};

#define ARCHIVE_OUT_INIT \
	{                \
	}
/* Frees what was collected; an empty one is fine. */
void archive_out_done(struct archive_out *out);
#define cleanup_archive_out __attribute__((cleanup(archive_out_done)))

/* A file of that name with LEN bytes. */
void archive_out_add_text(struct archive_out *out, const char *name, const char *text, size_t len);
/* blobs/sha256/HEX with LEN bytes whose digest that is; once is enough. */
void archive_out_add_document(struct archive_out *out, const char *hex, const char *text,
			      size_t len);
/* blobs/sha256/<digest of D>, as SOURCE (which must live as long) has it. */
void archive_out_add_blob(struct archive_out *out, struct source *source,
			  const struct descriptor *d);
/* blobs/sha256/HEX of PLAIN_SIZE bytes: what blob D decompresses to. */
void archive_out_add_inflated(struct archive_out *out, struct source *source,
			      const struct descriptor *d, const char *hex, int64_t plain_size);
/* Writes the archive to FD. Every blob is verified while it flows: after an error what was written
 * is worth nothing. */
int archive_out_write(struct archive_out *out, const struct store *store, int fd,
		      const struct transport_report *report, struct err *err);

#endif
