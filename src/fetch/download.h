/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCH_DOWNLOAD_H
#define FETCH_DOWNLOAD_H
/* One download. */
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct download {
	const char *url; /* http or https */
	int out_fd;	 /* gets the content, from where it stands */
	/* What is told of it. */
	struct str etag;    /* as the server has it, with its quotes; empty */
	int64_t modified_s; /* Last-Modified; -1 */
	uint64_t n_bytes;
};

/* Reads the authorities that the environment names (SSL_CERT_FILE), which the user may keep where
 * nobody else may read; before the process is shut in. */
int download_prepare(struct err *err);
/* Does it; redirects are followed, but from https to https alone. ERR_UNAVAILABLE. */
int download_run(struct download *d, struct err *err);

#endif
