/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `image inspect` prints: docker's members in docker's order, as API 1.50 has them. Config is
 * what the image says and nothing more; what only containers have is not there any more since then.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/db.h"
#include "storage/image_private.h"
#include "storage/store_private.h"

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

static json_t *text(const char *s)
{
	return json_string(s ? s : "");
}

static json_t *familiar_tags(const struct strv *tags)
{
	json_t *list = json_array();

	strv_foreach (i, tags) {
		cleanup_free char *familiar = image_familiar(tags->items[i]);

		json_array_append_new(list, json_string(familiar));
	}
	return list;
}

/* The manifests that the image's names came with: "busybox@sha256:...". */
static int repo_digests(struct store *store, const char *id, json_t **ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv struct strv digests = STRV_INIT;
	json_t *list = NULL;
	int rc = db_prepare(
		store, &stmt, err,
		"SELECT reference,target FROM tag WHERE image_id=? AND target IS NOT NULL"
		" ORDER BY reference",
		"t", id);

	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0) {
		cleanup_reference struct reference ref = REFERENCE_INIT;
		cleanup_free char *name = NULL;
		cleanup_free char *digest = NULL;

		if (reference_parse(db_text(stmt, 0), &ref, err) < 0)
			return -err->code;
		name = reference_format_familiar_name(&ref);
		digest = str_printf("%s@" DIGEST_PREFIX "%s", name, db_text(stmt, 1));
		if (!strv_has(&digests, digest))
			strv_add_take(&digests, take_ptr(digest));
	}
	if (rc < 0)
		return rc;
	list = json_array();
	strv_foreach (i, &digests)
		json_array_append_new(list, json_string(digests.items[i]));
	*ret = list;
	return 0;
}

static int parent_of(struct store *store, const char *id, json_t **ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *parent = NULL;
	int rc = db_prepare(
		store, &stmt, err,
		"SELECT k.parent FROM image k JOIN image p ON p.id=k.parent AND p.hidden=0"
		" WHERE k.id=?",
		"t", id);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc < 0)
		return rc;
	if (rc > 0)
		parent = str_printf(DIGEST_PREFIX "%s", db_text(stmt, 0));
	*ret = text(parent);
	return 0;
}

/* Members that say nothing are left out (docker-image-spec v1.3, "omitempty"). */
static json_t *image_only_config(const struct image_run *run)
{
	static const char *const order[] = {
		"User",	       "ExposedPorts", "Env",	 "Entrypoint", "Cmd",
		"Volumes",     "WorkingDir",   "Labels", "StopSignal", "ArgsEscaped",
		"Healthcheck", "OnBuild",      "Shell",
	};
	cleanup_json json_t *values = image_run_to_json(run);
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		json_t *v = json_object_get(values, order[i]);
		bool is_empty = !v || json_is_null(v) ||
				(json_is_string(v) && json_string_length(v) == 0) ||
				(json_is_array(v) && json_array_size(v) == 0);

		if (!is_empty)
			set(o, order[i], json_incref(v));
	}
	return o;
}

/* Topmost directory, and those below it. There is no mount on the host, so no MergedDir. */
static json_t *graph_driver(const struct store *store, const struct image *image)
{
	cleanup_strv struct strv dirs = STRV_INIT;
	json_t *data = json_object();
	json_t *driver = json_object();

	image_get_lower_dirs(store, image, &dirs);
	if (dirs.n > 1) {
		const struct strv lower = {.items = dirs.items + 1, .n = dirs.n - 1};
		cleanup_free char *joined = strv_join(&lower, ":");

		set(data, "LowerDir", json_string(joined));
	}
	if (dirs.n > 0)
		set(data, "UpperDir", json_string(dirs.items[0]));
	set(driver, "Data", data);
	set(driver, "Name", json_string("overlay2"));
	return driver;
}

static json_t *root_fs(const struct strv *diff_ids)
{
	json_t *layers = json_array();
	json_t *o = json_object();

	strv_foreach (i, diff_ids)
		json_array_append_new(layers, json_string(diff_ids->items[i]));
	set(o, "Type", json_string("layers"));
	set(o, "Layers", layers);
	return o;
}

static int last_tag_time(struct store *store, const char *id, char buf[static CLOCK_RFC3339_LEN],
			 struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, "SELECT max(tagged_ns) FROM tag WHERE image_id=?",
			    "t", id);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc < 0)
		return rc;
	if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		memcpy(buf, CLOCK_NEVER, sizeof(CLOCK_NEVER));
	else
		clock_format_rfc3339(sqlite3_column_int64(stmt, 0), buf);
	return 0;
}

int image_inspect(struct store *store, const struct image *image, json_t **ret, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_free char *id = str_printf(DIGEST_PREFIX "%s", image->id);
	cleanup_strv struct strv tags = STRV_INIT;
	char tagged[CLOCK_RFC3339_LEN];
	cleanup_json json_t *digests = NULL;
	cleanup_json json_t *parent = NULL;
	json_t *o = NULL;
	json_t *metadata = NULL;

	if (image_config_parse(image->config, strlen(image->config), &config, err) < 0 ||
	    image_get_tags(store, image->id, &tags, err) < 0 ||
	    last_tag_time(store, image->id, tagged, err) < 0 ||
	    repo_digests(store, image->id, &digests, err) < 0 ||
	    parent_of(store, image->id, &parent, err) < 0)
		return -err->code;
	metadata = json_object();
	set(metadata, "LastTagTime", json_string(tagged));
	o = json_object();
	set(o, "Id", json_string(id));
	set(o, "RepoTags", familiar_tags(&tags));
	set(o, "RepoDigests", take_ptr(digests));
	set(o, "Parent", take_ptr(parent));
	set(o, "Comment", text(config.comment));
	set(o, "Created", text(config.created ? config.created : CLOCK_NEVER));
	set(o, "DockerVersion", text(config.docker_version));
	set(o, "Author", text(config.author));
	set(o, "Config", image_only_config(&config.run));
	set(o, "Architecture", text(config.architecture));
	if (config.variant)
		set(o, "Variant", text(config.variant));
	set(o, "Os", text(config.os));
	set(o, "Size", json_integer(image->size));
	set(o, "GraphDriver", graph_driver(store, image));
	set(o, "RootFS", root_fs(&config.diff_ids));
	set(o, "Metadata", metadata);
	*ret = o;
	return 0;
}
