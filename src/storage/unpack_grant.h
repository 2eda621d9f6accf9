/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_GRANT_H
#define STORAGE_UNPACK_GRANT_H
/*
 * The directory that a helper is given to fill, and what is done in it on the helper's behalf.
 *
 * It is handed out on a mount of its own, attached to nothing: ".." from its root leads nowhere, no
 * file on it is a program or a device. What the helper asks for is checked as what it is, the word
 * of somebody who may have been taken over by the archive he reads.
 */
#include "base/err.h"

#include <stdint.h>

struct unpack_grant {
	int mount_fd; /* owned; -1: none */
	uint64_t mount_id;
	uint32_t dev_major, dev_minor;
	unsigned n_left; /* requests that are still answered */
};

#define UNPACK_GRANT_INIT      \
	{                      \
		.mount_fd = -1 \
	}

/* Makes the mount of directory DIR_FD. 0, or -errno where it is not to be had; G is then as
 * initialised, and the helper works in the directory itself, with privileges of its own. */
int unpack_grant_open(struct unpack_grant *g, int dir_fd);
/* Takes one request from SOCKET_FD (storage/unpack_protocol.h), does it and answers: 1; 0 when the
 * other side has closed it; -code when it asked for something that it never needs. */
int unpack_grant_serve(struct unpack_grant *g, int socket_fd, struct err *err);
void unpack_grant_done(struct unpack_grant *g);

#endif
