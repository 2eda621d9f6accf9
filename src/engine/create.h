/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CREATE_H
#define ENGINE_CREATE_H
/* Making containers: the verb create, and the image that it needs. */
#include "base/rand.h"
#include "engine/engine.h"
#include "engine/ports.h"
#include "engine/spec.h"
#include "oci/runtime_config.h"
#include "storage/image.h"

/* What making a container went through, as points in time. */
enum made_lap { MADE_BEGAN, MADE_IMAGE, MADE_CONFIGURED, MADE_WRITTEN, MADE_INDEXED, MADE_N_LAPS };

/* A container that was just made, ready for container_start without reading anything back. */
struct container_made {
	char id[ID_LEN + 1];
	/* Owned: what events say of it; NULL for one that was read back. */
	char *name, *image, *labels;
	char *network_mode, *networks; /* the same: as in its row */
	struct oci_runtime_config config;
	struct restart_rule restart; /* of one read back: restart_rule_read fills it in */
	struct strv lowers;	     /* layer directories, uppermost first */
	struct port_list ports;	     /* what is published; none of one that was read back */
	struct strv exposed;	     /* "80/tcp"; the same */
	int pending_fd;		     /* see engine/pending.h; -1 once closed */
	uint64_t laps[MADE_N_LAPS];  /* CLOCK_MONOTONIC ns; 0 for one that was read back */
};

/* Frees everything inside and closes the pending entry's descriptor without removing the entry:
 * a container that nobody released stays abandoned. Accepts one that is all zero but for
 * pending_fd. */
void container_made_done(struct container_made *made);
#define cleanup_made __attribute__((cleanup(container_made_done)))

/* Tells a person what happens with an image that is not there yet; TEXT is one line without a
 * newline. */
typedef void (*engine_notice_fn)(const char *text);

/* Finds the image of SPEC by its pull policy: local, then bundled. ERR_NOT_FOUND with docker's
 * words otherwise. */
int engine_find_image(struct engine *engine, const char *ref, enum pull_policy pull,
		      engine_notice_fn notice, struct image *ret, struct err *err);

/* Makes a container. Nothing of it is left when it fails; a death in between is cleaned up by the
 * next writer. The pending entry stays open in RET: close it by container_made_release once the
 * container is on its way. WARNINGS gets lines for the user. */
int engine_create(struct engine *engine, struct container_spec *spec, engine_notice_fn notice,
		  struct container_made *ret, struct strv *warnings, struct err *err);

/* Closes the pending entry: the container is the user's from now on. */
void container_made_release(struct engine *engine, struct container_made *made);

/* Reads container ID back for a start: config.json and layers. RET must be empty. */
int engine_load(struct engine *engine, const char *id, struct container_made *ret, struct err *err);

#endif
