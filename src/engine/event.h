/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H
/*
 * What has happened, for the journal: the one place through which verbs tell it. Each is told once
 * it is true, but for "kill", which stands before the end that it brings. None of these can fail
 * for the caller: a journal that cannot be written is only logged.
 *
 * Actions and attributes are docker's. A container's labels are attributes of its events, and one
 * that has the name of a true attribute does not hide it.
 */
#include "engine/engine.h"
#include "journal/journal.h"
#include "journal/record.h"

#include <stdbool.h>
#include <stdint.h>

struct container_row;
struct image;

/* The journal of ENGINE; DIR gets its path, which RET borrows. */
#define EVENT_DIR_MAX 4096
void event_journal(const struct engine *engine, char dir[static EVENT_DIR_MAX],
		   struct journal *ret);

/* One event of a container: pairs of attribute and value follow, and a NULL. */
void event_container(const struct engine *engine, const struct container_row *row,
		     const char *action, ...) __attribute__((sentinel));
/* The same for who has only its id; nothing when it is not in the index any more. */
void event_container_id(const struct engine *engine, const char *id, const char *action, ...)
	__attribute__((sentinel));
/* What a container of the index says of itself; borrows from ROW. */
struct journal_container event_subject(const struct container_row *row);
/* "kill" with the number of the signal. */
void event_kill(const struct engine *engine, const struct container_row *row, int signal);
/* "die" with a code that nobody has seen: it was found dead. */
void event_found_dead(const struct engine *engine, const char *id, int code);
/* "exec_create" and "exec_start" of the command ARGS, at once. */
void event_exec(const struct engine *engine, const struct container_row *row,
		const struct strv *args, const char *exec_id);

/* How the session with a command that entered the container ID has ended: "exec_die" with
 * its code, or "exec_detach". */
struct session_result;
void event_exec_end(const struct engine *engine, const char *id, const char *exec_id,
		    const struct session_result *result);

/* One event of an image: ID of 64 digits; NAME as docker shows it, NULL for "sha256:ID". */
void event_image(const struct engine *engine, const char *id, const char *name, const char *action);
/* The same for the image that is called REF; nothing when there is none. */
void event_image_ref(const struct engine *engine, const char *ref, const char *name,
		     const char *action);
/* "tag" of the image that is called REF by now; IS_FULL shows "latest" where REF has no tag. */
void event_image_tagged(const struct engine *engine, const char *ref, bool is_full);
/* "pull" of the bundled image REF. */
struct reference;
void event_image_pulled(const struct engine *engine, const struct reference *ref);
/* "untag" and "delete" for the LINES that image_remove has printed; IMAGE as it was before. */
void event_image_removed(const struct engine *engine, const struct image *image,
			 const struct strv *lines);
/* The same for image_prune: BEFORE are the ids of all images there were, since lines name layers
 * too. */
void event_images_pruned(const struct engine *engine, const struct strv *before,
			 const struct strv *lines);
/* "load" for docker's line "Loaded image: x" or "Loaded image ID: x"; nothing for others. */
void event_image_loaded(const struct engine *engine, const char *line);
/* "tag" of the image, if it got a NAME, and "commit" of the container. */
void event_commit(const struct engine *engine, const struct container_row *row, const char *id,
		  const char *name, const char *message);

/* One event of a volume of the local driver, with pairs as event_container. */
void event_volume(const struct engine *engine, const char *name, const char *action, ...)
	__attribute__((sentinel));
/* One event of a network: "create", "destroy". */
struct network;
void event_network(const struct engine *engine, const struct network *network, const char *action);
/* "connect" or "disconnect" of a container. */
void event_network_container(const struct engine *engine, const struct network *network,
			     const char *action, const char *container_id);
/* The same, appended to TEXT for the journal. */
struct str;
void event_add_network_container(struct str *text, const struct network *network,
				 const char *action, const char *container_id);
/* "prune" of TYPE ("container", "image", "network", "volume"). */
void event_prune(const struct engine *engine, const char *type, int64_t reclaimed);

#endif
