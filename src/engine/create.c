/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making containers. The order is what makes a crash harmless: a pending entry, the directory with
 * all its files, then the row in the index, which is the moment the container exists.
 */
#include "engine/create.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/configure.h"
#include "engine/describe.h"
#include "engine/event.h"
#include "engine/host_files.h"
#include "engine/image_platform.h"
#include "engine/log_setup.h"
#include "engine/names.h"
#include "engine/peers.h"
#include "engine/pending.h"
#include "engine/seccomp_profile.h"
#include "engine/skeleton.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/container.h"
#include "storage/import.h"
#include "storage/store.h"
#include "json/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CONFIG (4 << 20)
#define NAME_TRIES 20

struct create_ctx {
	struct engine *engine;
	struct container_spec *spec;
	struct image image;
	struct image_run run;
	struct mount_points points;
	char *dir; /* owned: the container's directory */
	struct container_made *made;
	struct strv *warnings;
};

void container_made_done(struct container_made *made)
{
	oci_config_done(&made->config);
	strv_done(&made->lowers);
	free(made->name);
	free(made->image);
	free(made->labels);
	port_list_done(&made->ports);
	strv_done(&made->exposed);
	free(made->network_mode);
	free(made->networks);
	made->name = made->image = made->labels = made->network_mode = made->networks = NULL;
	fd_cleanup_close(&made->pending_fd);
}

void container_made_release(struct engine *engine, struct container_made *made)
{
	pending_close(engine, made->id, made->pending_fd);
	made->pending_fd = -1;
}

/* ---- the image ---- */

static int not_found(const char *ref, enum pull_policy pull, struct err *err)
{
	cleanup_reference struct reference r = REFERENCE_INIT;
	cleanup_free char *familiar = NULL;
	int rc = reference_parse(ref, &r, err);

	if (rc < 0)
		return rc;
	reference_ensure_tag(&r);
	familiar = reference_format_familiar(&r);
	if (pull == PULL_NEVER)
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", familiar);
	err_set(err, ERR_NOT_FOUND,
		"pull access denied for %s: there are no registries yet, only images that were "
		"imported "
		"or come with tare",
		familiar);
	return err_hint(err, "`tare import FILE.tar %s` makes an image of a root filesystem",
			familiar);
}

int engine_find_image(struct engine *engine, const char *ref, enum pull_policy pull,
		      engine_notice_fn notice, struct image *ret, struct err *err)
{
	int found = image_lookup(engine->store, ref, ret, err);
	cleanup_reference struct reference r = REFERENCE_INIT;
	cleanup_free char *familiar = NULL;

	if (found != 0 || pull == PULL_NEVER)
		return found == 1 ? 0 : found < 0 ? found : not_found(ref, pull, err);
	if (reference_parse(ref, &r, err) < 0)
		return -err->code;
	if (!r.digest)
		reference_ensure_tag(&r);
	familiar = reference_format_familiar(&r);
	cleanup_free char *line = str_printf("Unable to find image '%s' locally", familiar);
	notice(line);
	found = image_ensure_bundled(engine->store, ref, engine->images, err);
	if (found < 0)
		return found;
	if (found == 0)
		return not_found(ref, pull, err);
	cleanup_free char *used = str_printf("Using the image '%s' that comes with tare", familiar);
	notice(used);
	found = image_find(engine->store, ref, ret, err);
	return found < 0 ? found : 0;
}

/* ---- files ---- */

static int make_dirs(struct create_ctx *c, struct err *err)
{
	static const char *const names[] = {"upper", "work"};
	cleanup_close int fd = -1;
	int rc = fd_mkdir_p(c->dir, 0700);

	if (rc < 0)
		return err_sys(err, -rc, "create %s", c->dir);
	/* lint: the store's own directory of this container */
	fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", c->dir);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (mkdirat(fd, names[i], 0755) < 0)
			return err_sys(err, errno, "create %s/%s", c->dir, names[i]);
	/* The upper directory is the container's "/": every user inside must get through it. */
	if (fchmodat(fd, "upper", 0755, 0) < 0)
		return err_sys(err, errno, "set the mode of %s/upper", c->dir);
	return host_files_write(fd, &c->made->config, c->spec, err);
}

/* A link says where its control group is, for who knows the id alone. */
static int note_cgroup(struct create_ctx *c, struct err *err)
{
	cleanup_free char *path = str_printf("%s/" CONTAINER_CGROUP_LINK, c->dir);

	if (!c->spec->cgroup_parent || str_has_prefix(c->made->config.cgroup, "tare/"))
		return 0;
	/* lint: the store's own directory of this container */
	return symlink(c->made->config.cgroup, path) < 0 ? err_sys(err, errno, "create %s", path)
							 : 0;
}

static int write_config(struct create_ctx *c, struct err *err)
{
	cleanup_free char *text = oci_config_format(&c->made->config);
	cleanup_free char *path = str_printf("%s/config.json", c->dir);
	int rc = fd_write_file_at(AT_FDCWD, path, text, strlen(text), 0600);

	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

static int create_bind_sources(const struct container_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct mount_spec *m = &spec->mounts[i];
		int rc = 0;

		/* lint: path chosen by the user of the host */
		if (m->type != MOUNT_BIND || !m->create_source || access(m->source, F_OK) == 0)
			continue;
		rc = fd_mkdir_p(m->source, 0755);
		if (rc == 0 &&
		    chmod(m->source, 0755) < 0) /* lint: path chosen by the user of the host */
			rc = -errno;
		if (rc < 0)
			return err_sys(err, -rc, "error while creating mount source path '%s'",
				       m->source);
	}
	return 0;
}

/* ---- the row ---- */

/* docker's form: arguments with a blank in them stand in single quotes, the program does not. */
static char *command_text(const struct oci_runtime_config *config)
{
	struct str s = STR_INIT;

	strv_foreach (i, &config->args) {
		const char *arg = config->args.items[i];
		bool is_quoted = i > 0 && strchr(arg, ' ');

		str_addf(&s, is_quoted ? "%s'%s'" : "%s%s", i ? " " : "", arg);
	}
	return str_take(&s);
}

static void add_label(struct str *s, const char *key, const char *value)
{
	if (s->len > 1)
		str_add_char(s, ',');
	json_dump_string(s, key, strlen(key), 0);
	str_add_char(s, ':');
	json_dump_string(s, value, strlen(value), 0);
}

static char *labels_json(const struct image_run *run)
{
	struct str s = STR_INIT;

	str_add_char(&s, '{');
	strv_foreach (i, &run->label_keys)
		add_label(&s, run->label_keys.items[i], run->label_values.items[i]);
	str_add_char(&s, '}');
	return str_take(&s);
}

static int name_conflict(const char *name, const char *holder, struct err *err)
{
	return err_set(
		err, ERR_CONFLICT,
		"Conflict. The container name \"/%s\" is already in use by container \"%s\". You "
		"have to remove (or rename) that container to be able to reuse that name.",
		name, holder);
}

/* A name held by a container that was to be removed at its end, and has ended, is free. */
static bool free_name(struct engine *engine, const char *holder)
{
	cleanup_container struct container_record record = {};
	struct container_state state;
	struct err err = ERR_INIT;

	if (container_lookup(engine->store, holder, &record, &err) != 1 ||
	    !record.row.auto_remove || pending_is_held(engine, holder))
		return false;
	container_state_read(engine, holder, &state);
	if (!container_is_overdue(&state, true))
		return false;
	return engine_settle(engine, holder, true, &err) == 1;
}

static void tell(const struct create_ctx *c, const struct container_row *row)
{
	for (size_t i = 0; i < c->points.n; i++)
		if (c->points.items[i].is_new)
			event_volume(c->engine, c->points.items[i].name, "create", NULL);
	event_container(c->engine, row, "create", NULL);
}

static int insert_row(struct create_ctx *c, const char *name, struct err *err)
{
	cleanup_free char *command = command_text(&c->made->config);
	cleanup_free char *labels = labels_json(&c->run);
	cleanup_free char *mounts = mount_points_text(&c->points);
	cleanup_free char *extra = mount_points_json(&c->points);
	cleanup_free char *networks = spec_networks_format(c->spec);
	size_t n_uses = 0;
	cleanup_free struct container_use *uses = mount_points_uses(&c->points, &n_uses);
	cleanup_free char *config = describe_config(c->spec, &c->run, c->made->id);
	cleanup_free char *host = describe_host(c->spec, name);
	char holder[ID_LEN + 1] = "";
	struct container_row row = {
		.id = c->made->id,
		.name = name,
		.image_id = c->image.id,
		.image_ref = c->spec->image,
		.image_name = c->image.reference ? c->image.reference : "",
		.command = command,
		.labels = labels,
		.network_mode = spec_network_mode(c->spec),
		.networks = networks,
		.mounts = mounts,
		.config = config,
		.host = host,
		.extra = extra,
		.created_ns = clock_real_ns(),
		.auto_remove = c->spec->auto_remove,
		.uses = uses,
		.n_uses = n_uses,
	};
	int rc = container_insert(c->engine->store, &row, holder, err);

	if (rc == -ERR_CONFLICT && *holder && free_name(c->engine, holder))
		rc = container_insert(c->engine->store, &row, holder, err);
	if (rc == -ERR_CONFLICT && *holder)
		return name_conflict(name, holder, err);
	if (rc >= 0) {
		c->made->name = str_dup(name);
		c->made->image = str_dup(c->spec->image);
		c->made->labels = take_ptr(labels);
		c->made->network_mode = str_dup(row.network_mode);
		c->made->networks = take_ptr(networks);
		tell(c, &row);
	}
	return rc;
}

static int insert(struct create_ctx *c, struct err *err)
{
	int rc = 0;

	if (c->spec->name && *c->spec->name)
		return insert_row(c, c->spec->name + (*c->spec->name == '/'), err);
	for (int i = 0; i < NAME_TRIES; i++) {
		char name[NAME_LEN];

		name_make_random(name);
		rc = insert_row(c, name, err);
		if (rc != -ERR_CONFLICT)
			return rc;
	}
	return rc;
}

/* ---- all of it ---- */

/* The one name of an architecture that images use; NULL for a word that names none. */
static const char *arch_name(const char *word)
{
	static const char *const names[][2] = {
		{"amd64", "amd64"},	{"x86_64", "amd64"},	{"x86-64", "amd64"},
		{"arm64", "arm64"},	{"386", "386"},		{"i386", "386"},
		{"aarch64", "arm64"},	{"arm", "arm"},		{"armhf", "arm"},
		{"armel", "arm"},	{"ppc64le", "ppc64le"}, {"s390x", "s390x"},
		{"riscv64", "riscv64"}, {"loong64", "loong64"}, {"mips64le", "mips64le"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i][0], word) == 0)
			return names[i][1];
	return NULL;
}

/* --platform "linux", "arm64", "linux/arm64" or "linux/arm/v7" against what the image is for. */
static int check_platform(const struct create_ctx *c, const struct image_config *image,
			  struct err *err)
{
	const char *typed = c->spec->platform;
	cleanup_strv struct strv parts = STRV_INIT;
	const char *arch = NULL;

	if (!typed || !*typed)
		return 0;
	strv_split(&parts, typed, '/');
	arch = arch_name(parts.items[parts.n > 1 ? 1 : 0]);
	if (parts.n == 1 && !arch && strcmp(typed, "linux") != 0 && strcmp(typed, "windows") != 0)
		return err_set(err, ERR_INVALID,
			       "\"%s\": unknown operating system or architecture: invalid argument",
			       typed);
	if (parts.n > 1 && !arch)
		arch = parts.items[1];
	if ((arch && strcmp(arch, image->architecture) != 0) ||
	    ((parts.n > 1 || !arch) && strcmp(parts.items[0], image->os) != 0))
		return err_set(err, ERR_NOT_FOUND,
			       "image with reference %s was found but does not match the specified "
			       "platform: wanted %s, actual: %s/%s",
			       c->spec->image, typed, image->os, image->architecture);
	return 0;
}

static int prepare(struct create_ctx *c, struct err *err)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	int rc = image_config_parse(c->image.config, strlen(c->image.config), &config, err);

	if (rc == 0)
		rc = check_platform(c, &config, err);
	if (rc == 0)
		rc = configure_run(c->spec, &config.run, &c->run, err);
	if (rc < 0)
		return rc;
	rc = peers_check(c->engine, c->spec, c->warnings, err);
	if (rc < 0)
		return rc;
	if (c->spec->oom_kill_disable && c->spec->memory == 0)
		strv_add(c->warnings,
			 "OOM killer is disabled for the container, but no memory limit is set, "
			 "this can result in the system running out of resources.");
	rand_hex(ID_LEN / 2, c->made->id);
	log_set_context(NULL, c->made->id);
	c->dir = store_container_path(c->engine->store, c->made->id, "");
	c->made->restart = (struct restart_rule){.policy = c->spec->restart,
						 .max = (uint32_t)c->spec->restart_max};
	port_list_fill(&c->made->ports, c->spec->ports, c->spec->n_ports, c->spec->publish_all,
		       &c->run.exposed_ports);
	strv_add_all(&c->made->exposed, &c->run.exposed_ports);
	image_get_lower_dirs(c->engine->store, &c->image, &c->made->lowers);
	rc = skeleton_add(c->engine, &c->made->lowers, err);
	if (rc == 0 && (c->spec->n_mounts || c->spec->volumes_from.n || c->run.volumes.n))
		rc = mount_points_resolve(c->engine, c->spec, &c->run, false, &c->points, err);
	if (rc < 0)
		return rc;
	rc = configure_oci(c->spec, &c->run, &c->points, c->made->id, c->dir, &c->made->config,
			   c->warnings, err);
	if (rc == 0)
		rc = log_annotate(c->spec, &c->run, c->image.id, &c->made->config, err);
	return rc;
}

static void note_layers(struct create_ctx *c)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_free char *text = NULL;

	for (size_t i = c->image.chain_ids.n; i-- > 0;)
		strv_add(&ids, c->image.chain_ids.items[i]);
	text = strv_join(&ids, ":");
	oci_annotate(&c->made->config, OCI_NOTE_LAYERS, text);
}

static int build(struct create_ctx *c, struct err *err)
{
	int rc = make_dirs(c, err);

	note_layers(c);
	if (rc == 0)
		rc = seccomp_profile_store(c->engine, c->spec, c->dir, c->made->config.capabilities,
					   err);
	if (rc == 0)
		rc = note_cgroup(c, err);
	if (rc == 0)
		rc = create_bind_sources(c->spec, err);
	if (rc == 0)
		rc = write_config(c, err);
	c->made->laps[MADE_WRITTEN] = clock_mono_ns();
	if (rc == 0)
		rc = insert(c, err);
	c->made->laps[MADE_INDEXED] = clock_mono_ns();
	return rc;
}

/* With --platform, of several that came under one name that one; prepare() judges it. */
static int find_image(struct create_ctx *c, engine_notice_fn notice, struct err *err)
{
	const struct container_spec *spec = c->spec;
	struct platform want = {};
	struct err ignored = ERR_INIT;

	if (engine_find_image(c->engine, spec->image, spec->pull, notice, &c->image, err) < 0)
		return -err->code;
	if (!spec->platform || platform_parse(spec->platform, &want, &ignored) < 0)
		return 0;
	if (engine_choose_platform(c->engine, spec->image, &want, &c->image, err) < 0 &&
	    err->code != ERR_NOT_FOUND)
		return -err->code;
	err_clear(err);
	return 0;
}

int engine_create(struct engine *engine, struct container_spec *spec, engine_notice_fn notice,
		  struct container_made *ret, struct strv *warnings, struct err *err)
{
	struct create_ctx c = {.engine = engine, .spec = spec, .made = ret, .warnings = warnings};
	int rc = 0;

	*ret = (struct container_made){.pending_fd = -1, .laps[MADE_BEGAN] = clock_mono_ns()};
	pending_sweep(engine);
	rc = find_image(&c, notice, err);
	ret->laps[MADE_IMAGE] = clock_mono_ns();
	if (rc == 0)
		rc = prepare(&c, err);
	ret->laps[MADE_CONFIGURED] = clock_mono_ns();
	if (rc == 0) {
		ret->pending_fd = pending_open(engine, ret->id, err);
		rc = ret->pending_fd < 0 ? ret->pending_fd : build(&c, err);
		if (rc < 0 && ret->pending_fd >= 0) {
			struct err ignored = ERR_INIT;

			engine_remove_traces(engine, ret->id, &ignored);
			container_made_release(engine, ret);
		}
	}
	if (rc < 0)
		mount_points_forget(engine, &c.points);
	mount_points_done(&c.points);
	image_done(&c.image);
	image_run_done(&c.run);
	free(c.dir);
	if (rc < 0)
		container_made_done(ret);
	return rc;
}

/* ---- back from disk ---- */

int engine_load(struct engine *engine, const char *id, struct container_made *ret, struct err *err)
{
	cleanup_close int dir = engine_open_container_dir(engine, id);
	cleanup_str struct str text = STR_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	const char *layers = NULL;
	int rc = dir < 0 ? dir : fd_read_file_at(dir, "config.json", MAX_CONFIG, &text);

	*ret = (struct container_made){.pending_fd = -1};
	if (dir == -ENOENT)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", id);
	if (rc < 0)
		return err_sys(err, -rc, "read the configuration of container %.12s", id);
	rc = oci_config_parse(str_get(&text), text.len, &ret->config, err);
	if (rc < 0)
		return err_wrap(err, "container %.12s", id);
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	layers = oci_annotation(&ret->config, OCI_NOTE_LAYERS);
	strv_split(&ids, layers ? layers : "", ':');
	strv_foreach (i, &ids)
		if (hex_is_valid(ids.items[i], ID_LEN))
			strv_addf(&ret->lowers, "%s/layers/%s/diff", engine->root, ids.items[i]);
	if (!layers)
		return err_set(err, ERR_INVALID, "container %.12s: no layers in its configuration",
			       id);
	return skeleton_add(engine, &ret->lowers, err);
}
