/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three sources, in docker's order: other containers (--volumes-from), then what was asked for,
 * which replaces those, then the volumes that the image declares, where nothing else is. All
 * spellings of a mount become one struct before anything is decided about it.
 */
#include "engine/mount_point.h"

#include "base/mem.h"
#include "base/rand.h"
#include "engine/create.h"
#include "engine/describe.h"
#include "engine/describe_writer.h"
#include "engine/volume.h"
#include "engine/volume_options.h"
#include "storage/image.h"
#include "storage/store.h"
#include "storage/volume_private.h"
#include "json/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct resolver {
	struct engine *engine;
	const struct container_spec *spec;
	bool dry_run;
	struct mount_points *points;
};

static void point_done(struct mount_point *p)
{
	free(p->name);
	free(p->source);
	free(p->destination);
	free(p->mode);
	free(p->propagation);
	free(p->image_id);
	oci_mount_done(&p->mount);
	*p = (struct mount_point){};
}

void mount_points_done(struct mount_points *points)
{
	for (size_t i = 0; i < points->n; i++)
		point_done(&points->items[i]);
	free(points->items);
	*points = (struct mount_points)MOUNT_POINTS_INIT;
}

char *mount_clean_path(const char *path)
{
	struct str out = STR_INIT;

	if (*path != '/')
		return str_dup(path);
	while (*path) {
		size_t len = 0;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.' && out.len)
			str_truncate(&out, (size_t)(strrchr(str_get(&out), '/') - str_get(&out)));
		else if (len > 0 && strncmp(path, "..", len) != 0)
			str_addf(&out, "/%.*s", (int)len, path);
		path += len;
	}
	if (!out.len)
		str_add(&out, "/");
	return str_take(&out);
}

static struct mount_point *find_point(const struct mount_points *points, const char *destination)
{
	for (size_t i = 0; i < points->n; i++)
		if (strcmp(points->items[i].destination, destination) == 0)
			return &points->items[i];
	return NULL;
}

/* A new entry for DESTINATION, in the place of what was there. Valid until the next. */
static struct mount_point *add_point(struct mount_points *points, const char *destination)
{
	cleanup_free char *clean = mount_clean_path(destination);
	struct mount_point *p = find_point(points, clean);

	if (p) {
		point_done(p);
	} else {
		points->items = mem_realloc_array(points->items, points->n + 1, sizeof(*p));
		p = &points->items[points->n++];
		*p = (struct mount_point){};
	}
	p->destination = take_ptr(clean);
	p->mount.destination = str_dup(p->destination);
	return p;
}

static const char *flag_of(const struct mount_spec *m)
{
	return m->from_tmpfs ? "--tmpfs" : m->from_option_v ? "-v" : "--mount";
}

static void add_attributes(const struct mount_spec *m, struct strv *options)
{
	strv_add(options, m->recursion == MOUNT_RECURSIVE_DISABLED ? "bind" : "rbind");
	if (m->read_only)
		strv_add(options, m->recursion == MOUNT_RECURSIVE_WRITABLE ? "ro" : "rro");
	strv_add(options, m->propagation ? m->propagation : "rprivate");
}

/* ---- binds and tmpfs ---- */

static int check_bind_source(const struct mount_spec *m, struct err *err)
{
	struct stat st;

	if (stat(m->source, &st) == 0) /* lint: path chosen by the user of the host */
		return 0;
	if (errno != ENOENT || m->create_source)
		return errno == ENOENT ? 0 : err_sys(err, errno, "bind source %s", m->source);
	return err_set(
		err, ERR_INVALID,
		"invalid mount config for type \"bind\": bind source path does not exist: %s",
		m->source);
}

static int add_bind(struct resolver *r, const struct mount_spec *m, struct err *err)
{
	struct mount_point *p = NULL;

	if (check_bind_source(m, err) < 0)
		return -err->code;
	p = add_point(r->points, m->target);
	p->type = "bind";
	p->source = str_dup(m->source);
	p->mode = str_dup(m->mode ? m->mode : "");
	p->propagation = str_dup(m->propagation ? m->propagation : "rprivate");
	p->mount.type = str_dup("bind");
	p->mount.source = str_dup(m->source);
	add_attributes(m, &p->mount.options);
	return volume_add_idmap(r->spec, m, m->source, &p->mount, err);
}

static int add_tmpfs(struct resolver *r, const struct mount_spec *m, struct err *err)
{
	struct mount_point *p = add_point(r->points, m->target);
	struct strv *options = &p->mount.options;

	p->type = "tmpfs";
	p->source = str_dup("");
	p->mode = str_dup("");
	p->propagation = str_dup("");
	p->is_hidden = m->from_tmpfs;
	p->mount.type = str_dup("tmpfs");
	p->mount.source = str_dup("tmpfs");
	strv_split(options, "nosuid,nodev,noexec", ',');
	if (m->read_only)
		strv_add(options, "ro");
	if (m->tmpfs_size)
		strv_addf(options, "size=%lld", (long long)m->tmpfs_size);
	if (m->tmpfs_mode)
		strv_addf(options, "mode=%o", m->tmpfs_mode);
	if (m->mode && *m->mode)
		strv_split(options, m->mode, ',');
	return 0;
}

/* ---- images ---- */

static char *join_chains(const struct image *image)
{
	cleanup_strv struct strv ids = STRV_INIT;

	for (size_t i = image->chain_ids.n; i-- > 0;)
		strv_add(&ids, image->chain_ids.items[i]);
	return strv_join(&ids, ":");
}

static int add_image(struct resolver *r, const struct mount_spec *m, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	struct mount_point *p = NULL;
	int rc = r->engine->store ? image_lookup(r->engine->store, m->source, &image, err) : 0;

	if (rc == 0)
		rc = err_set(err, ERR_NOT_FOUND, "No such image: %s", m->source);
	if (rc < 0)
		return rc;
	p = add_point(r->points, m->target);
	p->type = "image";
	p->source = str_dup(m->source);
	p->mode = str_dup("");
	p->propagation = str_dup("");
	p->image_id = str_dup(image.id);
	p->mount.type = str_dup("image");
	p->mount.source = join_chains(&image);
	p->mount.subpath = str_dup(m->subpath);
	strv_split(&p->mount.options, "ro,rprivate", ',');
	return 0;
}

/* ---- volumes ---- */

/* Ensures what has a row of its own; RET_NAME is owned, NULL in a dry run. */
static int make_listed(struct resolver *r, const struct mount_spec *m, char **ret_name,
		       struct err *err)
{
	const struct volume_request request = {
		.name = m->source,
		.driver = m->volume_driver ? m->volume_driver : r->spec->volume_driver,
		.options = &m->volume_options,
		.labels = &m->volume_labels,
	};

	return r->dry_run ? engine_check_volume(&request, err)
			  : engine_create_volume(r->engine, &request, ret_name, err);
}

/* It comes with the container, so that no one is left of a container that came to nothing. */
static int check_anonymous(const struct resolver *r, const struct mount_spec *m, const char *name,
			   struct err *err)
{
	const struct volume_request request = {.name = name,
					       .driver = m->volume_driver ? m->volume_driver
									  : r->spec->volume_driver};

	return engine_check_volume(&request, err);
}

/* The mount of volume NAME, by its driver's options. */
static int set_volume(struct resolver *r, const char *name, struct mount_point *p, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	cleanup_free char *data = str_printf("%s/volumes/%s/" VOLUME_DATA, r->engine->root, name);
	bool has_row = !p->is_new && r->engine->store;

	p->type = "volume";
	p->name = str_dup(name);
	p->source = str_dup(data);
	p->propagation = str_dup("");
	if (has_row && volume_lookup(r->engine->store, name, &volume, err) < 0)
		return -err->code;
	return volume_set_mount(name, volume.options ? volume.options : "null", data, &p->mount,
				err);
}

/* Whether nothing is known of it but where it goes. */
static bool is_plain(const struct mount_spec *m)
{
	return !(m->source && *m->source) && !m->volume_options.n && !m->volume_labels.n;
}

static int add_volume(struct resolver *r, const struct mount_spec *m, struct err *err)
{
	bool is_named = m->source && *m->source;
	cleanup_free char *made = NULL;
	char id[ID_LEN + 1];
	const char *name = is_named ? m->source : id;
	struct mount_point *p = NULL;

	rand_hex(ID_LEN / 2, id);
	if ((is_plain(m) ? check_anonymous(r, m, id, err) : make_listed(r, m, &made, err)) < 0)
		return -err->code;
	p = add_point(r->points, m->target);
	p->is_anonymous = !is_named;
	p->is_new = is_plain(m);
	p->mode = str_dup(m->mode && *m->mode ? m->mode : m->from_option_v && !is_named ? "" : "z");
	p->mount.subpath = str_dup(m->subpath);
	p->mount.copy_up = !m->no_copy && !m->subpath;
	if (set_volume(r, made ? made : name, p, err) < 0)
		return -err->code;
	if (m->read_only)
		strv_add(&p->mount.options, "rro");
	return volume_add_idmap(r->spec, m, p->source, &p->mount, err);
}

/* ---- what was asked for ---- */

static int add_asked(struct resolver *r, const struct mount_spec *m, struct err *err)
{
	static int (*const adders[])(struct resolver *, const struct mount_spec *, struct err *) = {
		[MOUNT_BIND] = add_bind,
		[MOUNT_VOLUME] = add_volume,
		[MOUNT_TMPFS] = add_tmpfs,
		[MOUNT_IMAGE] = add_image,
	};
	cleanup_free char *clean = mount_clean_path(m->target);
	struct mount_point *p = NULL;

	if (adders[m->type](r, m, err) < 0)
		return -err->code;
	p = find_point(r->points, clean);
	p->writable = !m->read_only && m->type != MOUNT_IMAGE;
	p->mount.flag = str_dup(flag_of(m));
	return 0;
}

/* docker's way with -v /x: it is a declaration like the image's, and anything else goes before. */
static bool is_declaration(const struct mount_spec *m)
{
	return m->type == MOUNT_VOLUME && m->from_option_v && !(m->source && *m->source);
}

static int add_declared(struct resolver *r, const char *target, bool no_copy, const char *flag,
			struct err *err)
{
	cleanup_free char *clean = mount_clean_path(target);
	struct mount_spec m = {.type = MOUNT_VOLUME, .from_option_v = true, .no_copy = no_copy};
	struct mount_point *p = NULL;
	int rc = 0;

	if (find_point(r->points, clean))
		return 0;
	m.target = clean;
	rc = add_volume(r, &m, err);
	p = find_point(r->points, clean);
	if (rc < 0 || !p)
		return rc;
	p->writable = true;
	p->mount.flag = str_dup(flag);
	return 0;
}

/* ---- --volumes-from ---- */

/* The same mount as that of CONFIG at the same place. */
static int copy_mount(const struct oci_runtime_config *config, const char *destination,
		      bool writable, struct oci_mount *ret)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct oci_mount *m = &config->mounts[i];

		if (strcmp(m->destination, destination) != 0)
			continue;
		ret->type = str_dup(m->type);
		ret->source = str_dup(m->source);
		ret->flag = str_dup("--volumes-from");
		ret->volume = str_dup(m->volume);
		ret->subpath = str_dup(m->subpath);
		strv_add_all(&ret->options, &m->options);
		if (!writable && !strv_has(&ret->options, "rro") && !strv_has(&ret->options, "ro"))
			strv_add(&ret->options, "rro");
		return 0;
	}
	return -ENOENT;
}

static int copy_point(struct resolver *r, const json_t *item, const char *mode,
		      const struct oci_runtime_config *config, struct err *err)
{
	const char *destination = json_get_string(item, "Destination", "");
	const char *type = json_get_string(item, "Type", "");
	const char *name = json_get_string(item, "Name", NULL);
	cleanup_volume struct volume volume = VOLUME_INIT;
	struct mount_point *p = NULL;

	/* A tmpfs is each container's own; an image, too, is not a volume. */
	if (strcmp(type, "volume") != 0 && strcmp(type, "bind") != 0)
		return 0;
	if (name && volume_find(r->engine->store, name, &volume, err) < 0)
		return -err->code;
	p = add_point(r->points, destination);
	p->type = name ? "volume" : "bind";
	p->name = str_dup(name);
	p->source = str_dup(json_get_string(item, "Source", ""));
	p->mode = str_dup(*mode ? mode : json_get_string(item, "Mode", ""));
	p->writable = json_get_bool(item, "RW", true) && strcmp(mode, "ro") != 0;
	p->propagation = str_dup(json_get_string(item, "Propagation", ""));
	p->is_anonymous = name && volume_is_anonymous(&volume);
	if (copy_mount(config, p->destination, p->writable, &p->mount) < 0)
		return err_set(err, ERR_INVALID, "--volumes-from: %s is not mounted there",
			       p->destination);
	return 0;
}

/* "CONTAINER" or "CONTAINER:MODE". */
static int split_from(const char *text, char **ret_ref, const char **ret_mode, struct err *err)
{
	const char *colon = strchr(text, ':');

	if (!*text)
		return err_set(err, ERR_INVALID,
			       "volumes-from specification cannot be an empty string");
	*ret_mode = colon ? colon + 1 : "";
	if (colon && strcmp(*ret_mode, "ro") != 0 && strcmp(*ret_mode, "rw") != 0 &&
	    strcmp(*ret_mode, "z") != 0 && strcmp(*ret_mode, "Z") != 0)
		return err_set(err, ERR_INVALID, "invalid mode: %s", *ret_mode);
	*ret_ref = colon ? str_ndup(text, (size_t)(colon - text)) : str_dup(text);
	return 0;
}

static int add_from(struct resolver *r, const char *text, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_free char *ref = NULL;
	cleanup_json json_t *mounts = NULL;
	const char *mode = "";
	json_t *item = NULL;
	size_t i = 0;

	if (split_from(text, &ref, &mode, err) < 0)
		return -err->code;
	if (!r->engine->store)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
	if (container_lookup_by_ref(r->engine->store, ref, &record, err) < 0 ||
	    engine_load(r->engine, record.row.id, &made, err) < 0 ||
	    container_get_mounts(&record, &mounts, err) < 0)
		return -err->code;
	json_array_foreach (mounts, i, item)
		if (copy_point(r, item, mode, &made.config, err) < 0)
			return -err->code;
	return 0;
}

/* ---- all of it ---- */

int mount_points_resolve(struct engine *engine, const struct container_spec *spec,
			 const struct image_run *image, bool dry_run, struct mount_points *ret,
			 struct err *err)
{
	struct resolver r = {.engine = engine, .spec = spec, .dry_run = dry_run, .points = ret};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < spec->volumes_from.n; i++)
		rc = add_from(&r, spec->volumes_from.items[i], err);
	for (size_t i = 0; rc >= 0 && i < spec->n_mounts; i++)
		if (!is_declaration(&spec->mounts[i]))
			rc = add_asked(&r, &spec->mounts[i], err);
	for (size_t i = 0; rc >= 0 && i < spec->n_mounts; i++)
		if (is_declaration(&spec->mounts[i]))
			rc = add_declared(&r, spec->mounts[i].target, spec->mounts[i].no_copy, "-v",
					  err);
	for (size_t i = 0; rc >= 0 && i < image->volumes.n; i++)
		rc = add_declared(&r, image->volumes.items[i], false, "VOLUME", err);
	return rc < 0 ? rc : 0;
}

void mount_points_forget(struct engine *engine, const struct mount_points *points)
{
	for (size_t i = 0; i < points->n; i++) {
		if (!points->items[i].is_new)
			continue;
		volume_mark_removed(engine->store, points->items[i].name);
		volume_remove_files(engine->store, points->items[i].name);
	}
}

struct container_use *mount_points_uses(const struct mount_points *points, size_t *ret_n)
{
	struct container_use *uses = NULL;
	size_t n = 0;

	if (points->n)
		uses = mem_realloc_array(NULL, points->n, sizeof(*uses));
	for (size_t i = 0; i < points->n; i++) {
		const struct mount_point *p = &points->items[i];

		if (!p->name && !p->image_id)
			continue;
		uses[n++] = (struct container_use){
			.volume = p->name,
			.image = p->image_id,
			.target = p->destination,
			.is_anonymous = p->is_anonymous,
			.is_new = p->is_new,
		};
	}
	*ret_n = n;
	return uses;
}

char *mount_points_text(const struct mount_points *points)
{
	cleanup_strv struct strv v = STRV_INIT;

	for (size_t i = 0; i < points->n; i++) {
		const struct mount_point *p = &points->items[i];

		if (!p->is_hidden)
			strv_add(&v, p->name ? p->name : p->source);
	}
	return strv_join(&v, ",");
}

static void write_point(struct str *out, const struct mount_point *p)
{
	element_begin(out);
	str_add_char(out, '{');
	member_text(out, "Type", p->type);
	if (p->name)
		member_text(out, "Name", p->name);
	member_text(out, "Source", p->source);
	member_text(out, "Destination", p->destination);
	if (p->name)
		member_text(out, "Driver", VOLUME_DRIVER);
	member_text(out, "Mode", p->mode);
	member_bool(out, "RW", p->writable);
	member_text(out, "Propagation", p->propagation);
	str_add_char(out, '}');
}

char *mount_points_json(const struct mount_points *points)
{
	struct str out = STR_INIT;

	str_add_char(&out, '{');
	if (points->n) {
		member_open(&out, "Mounts", '[');
		for (size_t i = 0; i < points->n; i++)
			if (!points->items[i].is_hidden)
				write_point(&out, &points->items[i]);
		str_add_char(&out, ']');
	}
	str_add_char(&out, '}');
	return str_take(&out);
}
