/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNPACK_REQUEST_H
#define UNPACK_REQUEST_H
/* What the helper may not do itself, asked of the program that started it
 * (storage/unpack_protocol.h).
 */
#include "storage/layer_tree.h"

struct requester {
	struct layer_maker base;
	int fd; /* borrowed; a socket */
};

/* Fills R, whose calls block until they are answered. */
void requester_init(struct requester *r, int fd);

#endif
