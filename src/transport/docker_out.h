/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_DOCKER_OUT_H
#define TRANSPORT_DOCKER_OUT_H
/*
 * Archives as docker 28 writes them: an OCI layout and a docker archive in one. Layers are plain
 * tars named by their diff IDs; index.json, manifest.json and repositories name the images, so that
 * old and new readers find them.
 */
#include "transport/archive_out.h"

#include <jansson.h>

struct image_parts;

struct docker_out {
	struct archive_out archive;
	json_t *manifest;	  /* manifest.json */
	json_t *repositories;	  /* {"busybox": {"latest": "<layer>"}} */
	struct descriptor *index; /* of index.json */
	size_t n_index;
};

/* Starts with nothing in it. */
void docker_out_init(struct docker_out *out);
void docker_out_done(struct docker_out *out);
#define cleanup_docker_out __attribute__((cleanup(docker_out_done)))

/* Adds an image whose layers' plain sizes and digests are known (image_parts_verify); SOURCE must
 * live as long as OUT. NAMES are canonical, with tags; none is fine. */
void docker_out_add(struct docker_out *out, struct source *source, const struct image_parts *parts,
		    const struct strv *names);
/* Writes all of it. */
int docker_out_write(struct docker_out *out, const struct store *store, int fd,
		     const struct transport_report *report, struct err *err);

#endif
