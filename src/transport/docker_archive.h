/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_DOCKER_ARCHIVE_H
#define TRANSPORT_DOCKER_ARCHIVE_H
/*
 * What docker's archives say of themselves, in both generations. Since docker 1.10 manifest.json
 * lists images with a configuration, names and layers. Before, each layer was a directory with a
 * `json` that named its parent, and `repositories` named the topmost ones; such a chain is made
 * into a configuration of today's form as docker's loader does it. Nothing here opens a file.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define DOCKER_MANIFEST	    "manifest.json"
#define DOCKER_REPOSITORIES "repositories"
#define DOCKER_MAX_IMAGES   1000
#define DOCKER_MAX_NAMES    1000 /* of one image */

struct docker_image {
	char *config;	    /* owned name of the file; NULL for the old generation */
	char *id;	    /* owned; of the old generation: directory of the topmost layer */
	struct strv names;  /* "busybox:1.36", each a checked reference with a tag */
	struct strv layers; /* names of the files, base first */
};

struct docker_archive {
	struct docker_image *images; /* owned */
	size_t n;
};

#define DOCKER_ARCHIVE_INIT \
	{                   \
	}
/* Frees what it owns; an empty one is fine. */
void docker_archive_done(struct docker_archive *archive);
#define cleanup_docker_archive __attribute__((cleanup(docker_archive_done)))

/* manifest.json. Two entries of one configuration become one image with the names of both. Errors
 * with docker's words ("invalid reference format", "invalid tag \"x\""). */
int docker_manifest_parse(const char *text, size_t len, struct docker_archive *ret,
			  struct err *err);
/* repositories: {"busybox": {"1.36": "<id>"}}, an image for each id, without its layers. */
int docker_repositories_parse(const char *text, size_t len, struct docker_archive *ret,
			      struct err *err);
/* The image of that configuration or old id, made when there is none; ERR_INVALID when there are
 * DOCKER_MAX_IMAGES of them. Borrowed until the next one is made. */
struct docker_image *docker_archive_ensure(struct docker_archive *archive, const char *config,
					   const char *id, struct err *err);

/* Whether S can be the id of a layer of the old generation, and so the name of a directory. */
bool docker_legacy_id_is_valid(const char *s);
/* The parent of a layer from its `json`; owned, NULL for none. */
int docker_legacy_parent(const char *text, size_t len, char **ret, struct err *err);
/* The configuration made of the N layers' `json` (base first) and diff IDs ("sha256:..."). Owned;
 * as docker's, so that the image has the same id. */
int docker_legacy_config(const struct str *texts, const struct strv *diff_ids, char **ret,
			 struct err *err);

#endif
