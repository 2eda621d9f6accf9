/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_LAYER_LIST_H
#define STORAGE_LAYER_LIST_H
/*
 * The listing of a layer whose files are there already: what layer_apply would write of the same
 * archive, without making anything. For archives of our own (storage/layer_write.h), in which each
 * name stands once.
 */
#include "storage/layer_apply.h"

/* Reads all entries of READER; LISTING gets their lines. ERR_INVALID, with the entry's name, for
 * what no layer may have. */
int layer_list(struct tar_reader *reader, struct layer_listing *listing, struct layer_result *ret,
	       struct err *err);

#endif
