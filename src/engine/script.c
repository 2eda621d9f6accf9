/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dry run. The container that the script makes is the one that run would make: the same
 * configuration, the same plan; only its directory is the script's own, and files that create would
 * have written are steps of the plan.
 */
#include "engine/script.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/configure.h"
#include "engine/host_files.h"
#include "engine/start.h"
#include "oci/image_config.h"
#include "oci/layout.h"
#include "oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct script_ctx {
	struct engine *engine;
	const struct container_spec *spec;
	struct image_config image;
	struct image_run run;
	struct container_made made;
	struct container_start start;
	struct mount_points points;
	struct strv archives; /* layer archives to unpack, lowest first */
	char *dir;	      /* owned */
};

/* ---- the image ---- */

/* The image of a bundle that was never used: its configuration, and its archives to unpack. */
static int read_bundled(struct script_ctx *c, engine_notice_fn notice, struct err *err)
{
	cleanup_reference struct reference r = REFERENCE_INIT;
	cleanup_layout_image struct layout_image layout = LAYOUT_IMAGE_INIT;
	cleanup_close int dir = -1;
	const char *name = NULL;
	int rc = reference_parse(c->spec->image, &r, err);

	if (rc < 0)
		return rc;
	name = strrchr(r.path, '/') ? strrchr(r.path, '/') + 1 : r.path;
	cleanup_free char *path = str_printf("%s/%s", c->engine->images, name);
	/* lint: an image that came with the program; a reference has no component ".." */
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || (r.tag && strcmp(r.tag, REFERENCE_DEFAULT_TAG) != 0))
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", c->spec->image);
	rc = layout_read_image(dir, layout_host_arch(), &layout, err);
	if (rc == 0)
		rc = image_config_parse(str_get(&layout.config), layout.config.len, &c->image, err);
	for (size_t i = 0; rc == 0 && i < layout.n_layers; i++) {
		strv_addf(&c->archives, "%s/blobs/sha256/%s", path, layout.layers[i].hex);
		strv_addf(&c->made.lowers, "%s/layer%zu", c->dir, layout.n_layers - 1 - i);
	}
	return rc;
}

static int find_image(struct script_ctx *c, engine_notice_fn notice, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	/* Without a store nothing was ever imported, and making one would be a change. */
	int found = c->engine->store ? image_lookup(c->engine->store, c->spec->image, &image, err)
				     : 0;

	if (found < 0)
		return found;
	if (found == 0)
		return read_bundled(c, notice, err);
	image_get_lower_dirs(c->engine->store, &image, &c->made.lowers);
	return image_config_parse(image.config, strlen(image.config), &c->image, err);
}

/* ---- the plan ---- */

static void add_bind_sources(struct script_ctx *c, struct plan *plan)
{
	bool told = false;

	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		const struct mount_spec *m = &c->spec->mounts[i];

		/* lint: path chosen by the user of the host */
		if (m->type != MOUNT_BIND || !m->create_source || access(m->source, F_OK) == 0)
			continue;
		if (!told)
			plan_group(plan, "what -v names and is not there");
		told = true;
		plan_mkdir(plan, STEP_HOST, m->source, 0755);
	}
}

/* What nobody can ask for again is in the script's own directory, and goes with it. */
static void place_anonymous(struct script_ctx *c)
{
	for (size_t i = 0; i < c->points.n; i++) {
		struct mount_point *p = &c->points.items[i];

		if (!p->is_new || strcmp(p->mount.type, "bind") != 0)
			continue;
		free(p->mount.source);
		p->mount.source = str_printf("%s/volume%zu/_data", c->dir, i);
	}
}

static int run_ensure_volume(struct plan_run *run, const struct step *step, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "volume %s is made when the container is", step->text);
}

/* A volume is a row of the index as well: it takes this program to make one. */
static void explain_ensure_volume(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "[ -d ");
	str_add_shell(out, step->path);
	str_add(out, " ] || ");
	for (size_t i = 0; i < step->words.n; i++) {
		str_add_shell(out, step->words.items[i]);
		str_add_char(out, ' ');
	}
	str_add_shell(out, step->text);
	str_add(out, " >/dev/null");
}

static const struct step_op step_ensure_volume = {"ensure-volume", run_ensure_volume,
						  explain_ensure_volume};

static void add_volume(struct script_ctx *c, struct plan *plan, const struct oci_mount *m)
{
	const struct engine *e = c->engine;
	const char *const words[] = {e->exe,	 "--root", e->root, "--runroot",
				     e->runroot, "volume", "create"};
	struct step *step = NULL;

	if (!m->volume || strcmp(m->type, "bind") != 0)
		return;
	if (str_has_prefix(m->source, c->dir)) {
		plan_mkdir(plan, STEP_HOST, m->source, 0755);
		return;
	}
	step = plan_add(plan, &step_ensure_volume, STEP_HOST);
	step->path = str_dup(m->source);
	step->text = str_dup(m->volume);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		strv_add(&step->words, words[i]);
}

static void add_files(struct script_ctx *c, struct plan *plan)
{
	static const char *const dirs[] = {"upper", "work", "root"};

	plan_group(plan,
		   "a directory for this container: a layer to write to, a place for its root");
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		cleanup_free char *path = str_printf("%s/%s", c->dir, dirs[i]);

		plan_mkdir(plan, STEP_HOST, path, 0755);
	}
	if (c->archives.n)
		plan_group(plan, "the image's layers, unpacked");
	strv_foreach (i, &c->archives) {
		const char *layer = c->made.lowers.items[c->archives.n - 1 - i];

		plan_mkdir(plan, STEP_HOST, layer, 0755);
		plan_unpack(plan, c->archives.items[i], layer);
	}
	plan_group(plan, "the files with its names");
	host_files_plan(plan, c->dir, &c->made.config, c->spec);
	add_bind_sources(c, plan);
	plan_group(plan, "the volumes");
	for (size_t i = 0; i < c->made.config.n_mounts; i++)
		add_volume(c, plan, &c->made.config.mounts[i]);
	plan_group(plan, NULL);
}

/* A script leaves nothing: neither its directory nor the parents that a first run makes. */
static void add_clean_up(struct script_ctx *c)
{
	const struct cgroup_layout *cgroups = engine_get_cgroups(c->engine);
	struct plan *plan = &c->start.plan;

	for (size_t i = 0; i < cgroups->n; i++) {
		cleanup_free char *parent = str_printf("%s/tare", cgroups->hierarchies[i].root);

		plan_rmdir_if_empty(plan, parent);
	}
	plan_group(plan, "and the directory");
	plan_remove_tree(plan, c->dir);
}

/* The plan's own steps come behind these: a plan is built front to back. */
static int build(struct script_ctx *c, struct err *err)
{
	struct start_request request = {};
	cleanup_strv struct strv warnings = STRV_INIT;
	int rc = configure_run(c->spec, &c->image.run, &c->run, err);

	if (rc == 0)
		rc = mount_points_resolve(c->engine, c->spec, &c->run, true, &c->points, err);
	place_anonymous(c);
	if (rc == 0)
		rc = configure_oci(c->spec, &c->run, &c->points, c->made.id, c->dir,
				   &c->made.config, &warnings, err);
	if (rc == 0)
		rc = plan_init(&c->start.plan, err);
	if (rc < 0)
		return rc;
	c->made.network_mode = str_dup(spec_network_mode(c->spec));
	c->made.networks = spec_networks_format(c->spec);
	port_list_fill(&c->made.ports, c->spec->ports, c->spec->n_ports, c->spec->publish_all,
		       &c->run.exposed_ports);
	add_files(c, &c->start.plan);
	rc = container_plan(c->engine, &c->made, &request, c->dir, &c->start, err);
	if (rc < 0)
		return rc;
	add_clean_up(c);
	return 0;
}

int engine_script(struct engine *engine, const struct container_spec *spec, engine_notice_fn notice,
		  struct str *out, struct err *err)
{
	struct script_ctx c = {.engine = engine,
			       .spec = spec,
			       .made = {.pending_fd = -1},
			       .start = CONTAINER_START_INIT};
	int rc = 0;

	rand_hex(ID_LEN / 2, c.made.id);
	c.dir = str_printf("/run/tare-script.%.12s", c.made.id);
	rc = find_image(&c, notice, err);
	if (rc == 0)
		rc = build(&c, err);
	if (rc == 0)
		plan_script(&c.start.plan, out);
	container_start_done(&c.start);
	container_made_done(&c.made);
	image_config_done(&c.image);
	image_run_done(&c.run);
	mount_points_done(&c.points);
	strv_done(&c.archives);
	free(c.dir);
	return rc;
}
