/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAR_BUILD_H
#define TAR_BUILD_H
/* Builds tar archives in memory, right or wrong byte by byte, for the tests of their reader. */
#include "base/str.h"

#include <stdint.h>

enum tar_dialect { TAR_V7, TAR_USTAR, TAR_GNU };

/* One header block; fields not given are 0 or empty. Numbers go out as octal. */
struct tar_spec {
	enum tar_dialect dialect;
	char type; /* NUL: a NUL stands there */
	const char *name, *prefix, *link;
	unsigned mode, uid, gid;
	int64_t size, mtime;
	unsigned dev_major, dev_minor;
	const char *data; /* SIZE bytes follow the header, padded; NULL: only the header */
};

void tar_add(struct str *out, const struct tar_spec *spec);
/* A header whose checksum is computed again after a change of BLOCK. */
void tar_sign(uint8_t *block);
/* An x (or g) header with RECORDS, pairs of key and value ended by NULL. */
void tar_add_pax(struct str *out, char type, const char *const *records);
/* A header of TYPE with LEN bytes of body as they are. */
void tar_add_body(struct str *out, char type, const void *body, size_t len);
/* Two blocks of zeros. */
void tar_add_end(struct str *out);

#endif
