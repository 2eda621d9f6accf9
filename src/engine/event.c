/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of verbs, in docker's words.
 */
#include "engine/event.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "monitor/session.h"
#include "network/network.h"
#include "oci/reference.h"
#include "storage/container.h"
#include "storage/image.h"
#include "json/dump.h"
#include "json/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NUMBER_LEN 24
#define CONFIG_MAX (4 << 20)

void event_journal(const struct engine *engine, char dir[static EVENT_DIR_MAX], struct journal *ret)
{
	snprintf(dir, EVENT_DIR_MAX, "%s/events", engine->root);
	*ret = (struct journal){.dir = dir};
}

static void write_all(const struct engine *engine, const struct str *text)
{
	char dir[EVENT_DIR_MAX];
	struct journal journal;
	int rc = 0;

	event_journal(engine, dir, &journal);
	rc = journal_write(&journal, text);
	if (rc < 0)
		log_debug("write to %s: %s", dir, strerrordesc_np(-rc));
}

static void tell(const struct engine *engine, const struct journal_event *event)
{
	cleanup_str struct str text = STR_INIT;

	journal_add(&text, event);
	write_all(engine, &text);
}

/* The pairs of AP up to its NULL; their count. */
static size_t collect(va_list ap, struct journal_pair pairs[static JOURNAL_PAIRS_MAX])
{
	size_t n = 0;

	for (const char *key = va_arg(ap, const char *); key && n < JOURNAL_PAIRS_MAX;
	     key = va_arg(ap, const char *)) {
		pairs[n].key = key;
		pairs[n++].value = va_arg(ap, const char *);
	}
	return n;
}

/* ---- containers ---- */

struct journal_container event_subject(const struct container_row *row)
{
	return (struct journal_container){
		.id = row->id, .name = row->name, .image = row->image_ref, .labels = row->labels};
}

static void tell_container(const struct engine *engine, const struct container_row *row,
			   const char *action, const struct journal_pair *pairs, size_t n)
{
	const struct journal_container subject = event_subject(row);
	cleanup_str struct str text = STR_INIT;

	journal_add_container(&text, &subject, action, pairs, n);
	write_all(engine, &text);
}

void event_container(const struct engine *engine, const struct container_row *row,
		     const char *action, ...)
{
	struct journal_pair pairs[JOURNAL_PAIRS_MAX];
	size_t n = 0;
	va_list ap;

	va_start(ap, action);
	n = collect(ap, pairs);
	va_end(ap);
	tell_container(engine, row, action, pairs, n);
}

void event_container_id(const struct engine *engine, const char *id, const char *action, ...)
{
	cleanup_container struct container_record record = {};
	struct journal_pair pairs[JOURNAL_PAIRS_MAX];
	struct err ignored = ERR_INIT;
	size_t n = 0;
	va_list ap;

	va_start(ap, action);
	n = collect(ap, pairs);
	va_end(ap);
	if (container_lookup(engine->store, id, &record, &ignored) == 1)
		tell_container(engine, &record.row, action, pairs, n);
}

void event_kill(const struct engine *engine, const struct container_row *row, int signal)
{
	char number[NUMBER_LEN];

	snprintf(number, sizeof(number), "%d", signal);
	event_container(engine, row, "kill", "signal", number, NULL);
}

void event_found_dead(const struct engine *engine, const char *id, int code)
{
	char number[NUMBER_LEN];

	snprintf(number, sizeof(number), "%d", code);
	event_container_id(engine, id, "die", "exitCode", number, NULL);
}

void event_exec(const struct engine *engine, const struct container_row *row,
		const struct strv *args, const char *exec_id)
{
	static const char *const actions[] = {"exec_create", "exec_start"};
	const struct journal_container subject = event_subject(row);
	const struct journal_pair pair = {"execID", exec_id};
	cleanup_str struct str command = STR_INIT;
	cleanup_str struct str text = STR_INIT;

	/* docker's form: the program, a blank, and its arguments, also when there are none. */
	strv_foreach (i, args)
		str_addf(&command, i == 1 ? "%s" : i ? " %s" : "%s ", args->items[i]);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		cleanup_free char *action = str_printf("%s: %s", actions[i], str_get(&command));

		journal_add_container(&text, &subject, action, &pair, 1);
	}
	write_all(engine, &text);
}

void event_exec_end(const struct engine *engine, const char *id, const char *exec_id,
		    const struct session_result *result)
{
	char code[NUMBER_LEN];

	snprintf(code, sizeof(code), "%d", result->exit_code);
	if (result->outcome == SESSION_EXITED)
		event_container_id(engine, id, "exec_die", "execID", exec_id, "exitCode", code,
				   NULL);
	else if (result->outcome == SESSION_DETACHED)
		event_container_id(engine, id, "exec_detach", "execID", exec_id, NULL);
}

/* ---- images ---- */

/* Owned text of the labels in an image's configuration; NULL without any. */
static char *image_labels(const struct image *image)
{
	cleanup_json json_t *config = NULL;
	struct err ignored = ERR_INIT;
	struct str text = STR_INIT;
	const json_t *labels = NULL;

	if (!image->config || json_parse(image->config, strlen(image->config), CONFIG_MAX, "config",
					 &config, &ignored) < 0)
		return NULL;
	labels = json_get(config, "config.Labels");
	if (!json_is_object(labels))
		return NULL;
	json_dump_docker(&text, labels, NULL, 0, 0);
	return str_take(&text);
}

static void tell_image(const struct engine *engine, const struct image *image, const char *name,
		       const char *action)
{
	cleanup_free char *labels = image_labels(image);
	cleanup_free char *id = str_printf("sha256:%s", image->id);
	const struct journal_pair pair = {"name", name ? name : id};

	tell(engine, &(struct journal_event){.type = "image",
					     .action = action,
					     .id = id,
					     .inherited = labels,
					     .pairs = &pair,
					     .n_pairs = 1});
}

void event_image(const struct engine *engine, const char *id, const char *name, const char *action)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct err ignored = ERR_INIT;

	/* One that has gone keeps its id, but no labels. */
	if (image_lookup(engine->store, id, &image, &ignored) != 1)
		snprintf(image.id, sizeof(image.id), "%s", id);
	tell_image(engine, &image, name, action);
}

void event_image_ref(const struct engine *engine, const char *ref, const char *name,
		     const char *action)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct err ignored = ERR_INIT;

	if (image_lookup(engine->store, ref, &image, &ignored) == 1)
		tell_image(engine, &image, name, action);
}

/* Owned "busybox:latest" of "busybox"; as it is where it cannot be read. */
static char *familiar(const char *ref, bool is_full)
{
	cleanup_reference struct reference r = REFERENCE_INIT;
	struct err ignored = ERR_INIT;

	if (reference_parse(ref, &r, &ignored) < 0)
		return str_dup(ref);
	if (is_full)
		reference_ensure_tag(&r);
	return reference_format_familiar(&r);
}

void event_image_tagged(const struct engine *engine, const char *ref, bool is_full)
{
	cleanup_free char *name = familiar(ref, is_full);

	event_image_ref(engine, ref, name, "tag");
}

void event_image_pulled(const struct engine *engine, const struct reference *ref)
{
	cleanup_free char *full = reference_format_familiar(ref);
	cleanup_free char *name = reference_format_familiar_name(ref);
	cleanup_image struct image image = IMAGE_INIT;
	struct err ignored = ERR_INIT;
	int found = image_lookup(engine->store, full, &image, &ignored);
	cleanup_free char *labels = found == 1 ? image_labels(&image) : NULL;
	const struct journal_pair pair = {"name", name};

	/* The one event of an image that has its name where the others have the id. */
	tell(engine, &(struct journal_event){.type = "image",
					     .action = "pull",
					     .id = full,
					     .inherited = labels,
					     .pairs = &pair,
					     .n_pairs = 1});
}

static void tell_gone(const struct engine *engine, const char *id, const char *action)
{
	struct image gone = IMAGE_INIT;

	snprintf(gone.id, sizeof(gone.id), "%s", id);
	tell_image(engine, &gone, NULL, action);
}

void event_image_removed(const struct engine *engine, const struct image *image,
			 const struct strv *lines)
{
	static const char deleted[] = "Deleted: sha256:";

	strv_foreach (i, lines) {
		const char *line = lines->items[i];

		if (str_has_prefix(line, "Untagged: "))
			tell_image(engine, image, NULL, "untag");
		else if (str_has_prefix(line, deleted) &&
			 strcmp(line + strlen(deleted), image->id) == 0)
			tell_gone(engine, image->id, "delete");
	}
}

void event_images_pruned(const struct engine *engine, const struct strv *before,
			 const struct strv *lines)
{
	static const char deleted[] = "deleted: sha256:";
	size_t n_untagged = 0;

	strv_foreach (i, lines) {
		const char *line = lines->items[i];
		const char *id = line + strlen(deleted);

		n_untagged += str_has_prefix(line, "untagged: ");
		if (!str_has_prefix(line, deleted) || !strv_has(before, id))
			continue;
		/* The names of an image stand before it. */
		for (; n_untagged; n_untagged--)
			tell_gone(engine, id, "untag");
		tell_gone(engine, id, "delete");
	}
}

void event_image_loaded(const struct engine *engine, const char *line)
{
	static const char *const starts[] = {"Loaded image: ", "Loaded image ID: "};

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (str_has_prefix(line, starts[i]))
			event_image_ref(engine, line + strlen(starts[i]), NULL, "load");
}

void event_commit(const struct engine *engine, const struct container_row *row, const char *id,
		  const char *name, const char *message)
{
	cleanup_free char *full_id = str_printf("sha256:%s", id);
	cleanup_free char *ref = name && *name ? familiar(name, true) : str_dup("");

	if (*ref)
		event_image_ref(engine, ref, ref, "tag");
	event_container(engine, row, "commit", "comment", message ? message : "", "imageID",
			full_id, "imageRef", ref, NULL);
}

/* ---- the rest ---- */

void event_volume(const struct engine *engine, const char *name, const char *action, ...)
{
	struct journal_pair pairs[JOURNAL_PAIRS_MAX + 1] = {};
	size_t n = 0;
	va_list ap;

	va_start(ap, action);
	n = collect(ap, pairs);
	va_end(ap);
	pairs[n++] = (struct journal_pair){"driver", "local"};
	tell(engine,
	     &(struct journal_event){
		     .type = "volume", .action = action, .id = name, .pairs = pairs, .n_pairs = n});
}

void event_network(const struct engine *engine, const struct network *network, const char *action)
{
	const struct journal_pair pairs[] = {{"name", network->name},
					     {"type", network->driver_name}};

	tell(engine, &(struct journal_event){.type = "network",
					     .action = action,
					     .id = network->id,
					     .pairs = pairs,
					     .n_pairs = ARRAY_LEN(pairs)});
}

void event_add_network_container(struct str *text, const struct network *network,
				 const char *action, const char *container_id)
{
	const struct journal_pair pairs[] = {{"container", container_id},
					     {"name", network->name},
					     {"type", network->driver_name}};

	journal_add(text, &(struct journal_event){.type = "network",
						  .action = action,
						  .id = network->id,
						  .pairs = pairs,
						  .n_pairs = ARRAY_LEN(pairs)});
}

void event_network_container(const struct engine *engine, const struct network *network,
			     const char *action, const char *container_id)
{
	cleanup_str struct str text = STR_INIT;

	event_add_network_container(&text, network, action, container_id);
	write_all(engine, &text);
}

void event_prune(const struct engine *engine, const char *type, int64_t reclaimed)
{
	char bytes[NUMBER_LEN];
	const struct journal_pair pair = {"reclaimed", bytes};

	snprintf(bytes, sizeof(bytes), "%" PRId64, reclaimed);
	tell(engine,
	     &(struct journal_event){
		     .type = type, .action = "prune", .id = "", .pairs = &pair, .n_pairs = 1});
}
