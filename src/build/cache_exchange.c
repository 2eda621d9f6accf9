/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-from and --cache-to: results of steps from and to a directory. */
#include "base/mem.h"
#include "build/build_private.h"
#include "engine/engine.h"

#define IMPORT_NAME "importing cache manifest from %s"
#define EXPORT_NAME "exporting cache to client directory"

static int only_local(const char *type, const char *what, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "%s type=%s is not possible: there is type=local, type=inline and, for "
		       "--cache-from, an image's name",
		       what, type ? type : "");
}

static int check_from(const struct build_attributes *a, struct err *err)
{
	bool is_local = a->type && strcmp(a->type, "local") == 0;

	if (!is_local && (!a->type || strcmp(a->type, "registry") != 0))
		return only_local(a->type, "--cache-from", err);
	if (!build_attributes_get(a, is_local ? "src" : "ref"))
		return err_set(err, ERR_INVALID, "%s required for %s cache importer",
			       is_local ? "src" : "ref", a->type);
	return 0;
}

static int check_to(const struct build_attributes *a, struct err *err)
{
	const char *compression = build_attributes_get(a, "compression");

	if (str_is_equal(a->type, "inline"))
		return 0;
	if (strcmp(a->type ? a->type : "", "local") != 0)
		return only_local(a->type, "--cache-to", err);
	if (!build_attributes_get(a, "dest"))
		return err_set(err, ERR_INVALID, "dest is required for local cache exporter");
	if (compression && strcmp(compression, "gzip") != 0 && strcmp(compression, "zstd") != 0)
		return err_set(err, ERR_INVALID, "unsupported layer compression type: %s",
			       compression);
	return 0;
}

int cache_check(const struct build_request *request, struct err *err)
{
	for (size_t i = 0; i < request->n_cache_from; i++)
		if (check_from(&request->cache_from[i], err) < 0)
			return -err->code;
	for (size_t i = 0; i < request->n_cache_to; i++)
		if (check_to(&request->cache_to[i], err) < 0)
			return -err->code;
	return 0;
}

static int fetch(struct build *b, bool is_local, const char *where, struct err *err)
{
	if (is_local)
		return snapshot_import(b->engine->store, where, err);
	return snapshot_import_inline(b->engine->store, where, err);
}

/* What is not there is no cache, and no error: as with docker, a build goes on without. */
static int import_one(struct build *b, const struct build_attributes *a, struct err *err)
{
	bool is_local = a->type && strcmp(a->type, "local") == 0;
	const char *where = build_attributes_get(a, is_local ? "src" : "ref");
	cleanup_free char *name = NULL;
	size_t vertex = 0;
	int rc = 0;

	name = str_printf(IMPORT_NAME, where);
	vertex = vertex_begin(b, name);
	rc = fetch(b, is_local, where, err);
	vertex_end(b, vertex, name, rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
		   rc < 0 ? err->msg : NULL);
	if (rc < 0 && err->code != ERR_NOT_FOUND)
		return rc;
	err_clear(err);
	return 0;
}

int cache_import(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->request->n_cache_from; i++)
		if (import_one(b, &b->request->cache_from[i], err) < 0)
			return -err->code;
	return 0;
}

/* The ids of all caches that steps of the build have mounted. */
static void list_caches(const struct build *b, struct strv *ret)
{
	for (size_t i = 0; i < b->graph.n_steps; i++) {
		const struct build_step *s = &b->graph.steps[i];

		for (size_t k = 0; s->kind == BUILD_STEP_RUN && k < s->run.n_mounts; k++) {
			const struct run_mount *m = &s->run.mounts[k].mount;
			const char *id = m->id ? m->id : m->target;

			if (m->type == RUN_MOUNT_CACHE && !strv_has(ret, id))
				strv_add(ret, id);
		}
	}
}

static int export_one(struct build *b, const struct build_attributes *a, struct err *err)
{
	const char *dest = build_attributes_get(a, "dest");
	const char *compression = build_attributes_get(a, "compression");
	cleanup_free const char **keys = mem_zalloc((b->graph.n_steps + 1) * sizeof(char *));
	cleanup_strv struct strv mounts = STRV_INIT;
	size_t vertex = 0;
	size_t n = 0;
	int rc = 0;

	/* That went with the image. */
	if (str_is_equal(a->type, "inline"))
		return 0;
	for (size_t i = 0; i < b->graph.n_steps; i++)
		if (*b->nodes[i].snapshot.info.key)
			keys[n++] = b->nodes[i].key;
	if (build_attributes_is_true(a, "mounts"))
		list_caches(b, &mounts);
	vertex = vertex_begin(b, EXPORT_NAME);
	rc = snapshot_export(b->engine->store, keys, n, dest, &mounts,
			     compression ? compression : "zstd", err);
	vertex_end(b, vertex, EXPORT_NAME, rc < 0 ? BUILD_EVENT_STEP_FAILED : BUILD_EVENT_STEP_DONE,
		   rc < 0 ? err->msg : NULL);
	return rc;
}

bool cache_is_inline(const struct build *b)
{
	for (size_t i = 0; i < b->request->n_cache_to; i++)
		if (str_is_equal(b->request->cache_to[i].type, "inline"))
			return true;
	return strv_has(&b->request->build_args, "BUILDKIT_INLINE_CACHE=1");
}

int cache_export(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->request->n_cache_to; i++)
		if (export_one(b, &b->request->cache_to[i], err) < 0)
			return -err->code;
	return 0;
}
