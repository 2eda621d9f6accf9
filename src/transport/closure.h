/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_CLOSURE_H
#define TRANSPORT_CLOSURE_H
/*
 * An image or index with every blob that it needs, so that it can be copied whole: what is named
 * stands before what names it, and each blob once. All are there with the sizes that were promised;
 * documents are verified, the others when they are read.
 */
#include "oci/manifest.h"

#define CLOSURE_MAX_BLOBS 10000
#define CLOSURE_MAX_TEXT  ((size_t)64 << 20) /* bytes of all manifests and indexes */

struct source;

struct closure_blob {
	struct descriptor d;
	bool is_document; /* a manifest or index, and its text */
	struct str text;
};

struct closure {
	struct closure_blob *blobs; /* owned; the target is the last one */
	size_t n;
};

#define CLOSURE_INIT \
	{            \
	}
/* Follows TARGET; with WANT only the manifest for that platform. ERR_NOT_FOUND when a blob is
 * missing. */
int closure_read(struct source *source, const struct descriptor *target,
		 const struct platform *want, struct closure *ret, struct err *err);
void closure_done(struct closure *closure);
#define cleanup_closure __attribute__((cleanup(closure_done)))
/* Makes OCI documents of those of docker's schema 2, because most readers of layouts know no
 * others: configurations and layers stay the same, the digests of what was changed do not. */
int closure_convert_to_oci(struct closure *closure, struct err *err);
/* The manifest or index that everything hangs from. */
const struct descriptor *closure_get_target(const struct closure *closure);

#endif
