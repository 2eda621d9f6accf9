/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of RUN: what each is of, and the steps that make it, in three parts.
 *
 *   on the host         trees are held by descriptor before anything of the step runs
 *   below the root      what is mounted is made, detached; a layer with the places that the image
 *                       does not have is made by an overlay of its own above the image, so that
 *                       the kernel decides what is missing and what a new directory looks like
 *   in the root         each is attached at its target, parents first
 *
 * So the step's own upper directory never sees a place that was made to mount on. Targets are
 * resolved in the step's root by descriptor, like all others of a container.
 */
#include "build/run_private.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/run_cache.h"
#include "build/run_ssh.h"
#include "engine/mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LAYERS  130
#define MAX_MOUNTS  256
#define SCRIPT_PATH "/dev/pipes/"

static struct run_place *place_of(const struct step *step)
{
	return (struct run_place *)(uintptr_t)step->data;
}

/* ---- targets ---- */

static char *default_target(const struct run_place *p)
{
	const struct run_mount *m = &p->mount->mount;

	if (m->type == RUN_MOUNT_SECRET && !m->env)
		return str_printf("/run/secrets/%s", m->id);
	if (m->type == RUN_MOUNT_SSH)
		return str_printf("/run/buildkit/ssh_agent.%zu", run_ssh_number(p));
	return NULL;
}

static int set_target(struct run_place *p, struct err *err)
{
	const struct run_mount *m = &p->mount->mount;
	cleanup_free char *typed = m->target ? str_dup(m->target) : default_target(p);

	if (!typed && m->type == RUN_MOUNT_SECRET)
		return 0;
	if (!typed || *typed != '/')
		return err_set(err, ERR_INVALID, "invalid mount target \"%s\"", typed ? typed : "");
	if (strlen(typed) >= PATH_MAX)
		return err_sys(err, ENAMETOOLONG, "invalid mount target");
	p->target = mount_clean_path(typed);
	if (strcmp(p->target, "/") == 0)
		return err_set(err, ERR_INVALID, "invalid mount target \"%s\"", typed);
	return 0;
}

/* Parents before what lies in them; in the order of the instruction where one is not the other's
 * (for targets typed twice, the later one wins). */
static int compare_places(const void *a, const void *b)
{
	const struct run_place *x = a;
	const struct run_place *y = b;
	int order = strcmp(x->target ? x->target : "", y->target ? y->target : "");

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* ---- what is mounted ---- */

static int prepare_bind(struct run_place *p, struct err *err)
{
	return run_view_prepare(p, err);
}

static int prepare_none(struct run_place *p, struct err *err)
{
	return 0;
}

/* What a type takes before the step starts: 0, 1 (a cache that is in use), or -code. */
static int (*const prepares[])(struct run_place *p, struct err *err) = {
	[RUN_MOUNT_BIND] = prepare_bind,   [RUN_MOUNT_CACHE] = run_cache_prepare,
	[RUN_MOUNT_TMPFS] = prepare_none,  [RUN_MOUNT_SECRET] = run_secret_prepare,
	[RUN_MOUNT_SSH] = run_ssh_prepare,
};

static int fill_places(struct build_run *run, struct err *err)
{
	const struct build_run_input *in = &run->input;
	int rc = 0;

	if (in->op->n_mounts > MAX_MOUNTS)
		return err_set(err, ERR_INVALID, "a RUN of %zu mounts; at most %d",
			       in->op->n_mounts, MAX_MOUNTS);
	run->places = mem_zalloc((in->op->n_mounts + 1) * sizeof(*run->places));
	for (size_t i = 0; rc == 0 && i < in->op->n_mounts; i++) {
		struct run_place *p = &run->places[run->n_places++];

		*p = (struct run_place){.run = run,
					.mount = &in->op->mounts[i],
					.tree = in->trees ? in->trees[i] : NULL,
					.lowers = in->mount_lowers ? in->mount_lowers[i] : NULL,
					.side = str_printf("%s/%zu", run->side, i),
					.tree_fd = -1,
					.mapped_fd = -1,
					.cache = {.lock_fd = -1},
					.index = i,
					.mount_fd = -1};
		rc = set_target(p, err);
	}
	if (rc == 0 && run->n_places > 1)
		qsort(run->places, run->n_places, sizeof(*run->places), compare_places);
	return rc;
}

/* The program of a here-document stands where nothing of the image is. */
static void place_script(struct build_run *run)
{
	const struct build_run_op *op = run->input.op;
	cleanup_free char *path = NULL;

	if (!op->script)
		return;
	path = op->argv.n && str_has_prefix(op->argv.items[0], SCRIPT_PATH)
		       ? str_dup(op->argv.items[0])
		       : str_dup(SCRIPT_PATH "script");
	if (strchr(path + strlen(SCRIPT_PATH), '/') || !path[strlen(SCRIPT_PATH)])
		str_replace(&path, SCRIPT_PATH "script");
	if (!run->image.cmd.n)
		strv_add(&run->image.cmd, path);
	str_replace(&run->image.cmd.items[0], path);
	run->script = take_ptr(path);
}

/* ---- in the root ---- */

bool run_place_is_mounted(const struct run_place *p)
{
	if (!p->target)
		return false;
	if (p->mount->mount.type == RUN_MOUNT_SSH)
		return p->socket;
	return p->mount->mount.type != RUN_MOUNT_SECRET || p->content;
}

static int run_attach(struct plan_run *run, const struct step *step, struct err *err)
{
	struct run_place *p = place_of(step);
	int rc = plan_attach_source(run, p->mount_fd, p->is_dir, p->target, err);

	if (rc < 0 && err->errnum == EROFS)
		return err_hint(err, "what it lies in is mounted read-only and does not have it: "
				     "say rw there");
	return rc;
}

/* Where what is attached is, for people and scripts. */
static void add_view_path(const struct run_place *p, struct str *out)
{
	const char *source = p->mount->mount.source ? p->mount->mount.source : "";
	cleanup_free char *path = NULL;

	if (p->mount->mount.type == RUN_MOUNT_SECRET)
		path = str_printf("%s/secrets/%zu", p->run->side, p->index);
	else if (p->mount->mount.type == RUN_MOUNT_BIND)
		path = str_printf("%s/at/%s", p->side, source + strspn(source, "/"));
	else
		path = str_dup(p->mount->mount.type == RUN_MOUNT_CACHE ? p->cache.dir : p->socket);
	str_add_shell(out, path ? path : "");
}

static void explain_attach(const struct step *step, enum step_text mode, struct str *out)
{
	const struct run_place *p = place_of(step);
	cleanup_free char *target = str_printf(".%s", p->target);

	if (mode == TEXT_SCRIPT) {
		str_add(out, "within ");
		str_add_shell(out, target);
		str_add(out, "; if [ -d ");
		add_view_path(p, out);
		str_add(out, " ]; then mkdir -p ");
		str_add_shell(out, target);
		str_add(out, "; else mkdir -p \"$(dirname ");
		str_add_shell(out, target);
		str_add(out, ")\"; touch ");
		str_add_shell(out, target);
		str_add(out, "; fi; ");
	}
	str_addf(out, "mount --bind%s ", p->mount->mount.read_only ? " -o ro" : "");
	add_view_path(p, out);
	str_add_char(out, ' ');
	str_add_shell(out, target);
}

static const struct step_op step_attach = {"attach", run_attach, explain_attach};

static void plan_tmpfs(struct plan *plan, const struct run_place *p)
{
	const struct run_mount *m = &p->mount->mount;
	cleanup_strv struct strv options = STRV_INIT;

	if (m->size > 0)
		strv_addf(&options, "size=%lld", (long long)m->size);
	if (m->has_mode)
		strv_addf(&options, "mode=%o", m->mode);
	plan_mount(plan, "tmpfs", "tmpfs", p->target, &options,
		   MOUNT_ATTR_NOSUID | (m->read_only ? MOUNT_ATTR_RDONLY : 0));
}

static void plan_attach(struct plan *plan, struct run_place *p)
{
	struct step *step = NULL;

	if (p->mount->mount.type == RUN_MOUNT_TMPFS) {
		plan_tmpfs(plan, p);
		return;
	}
	step = plan_add(plan, &step_attach, STEP_INSIDE);
	step->data = p;
	step->path = str_dup(p->target);
}

/* ---- the three parts ---- */

static void plan_sources(struct plan *plan, struct build_run *run)
{
	plan_group(plan, "the files that RUN --mount names: held by descriptor before anything of "
			 "the step runs");
	for (size_t i = 0; i < run->n_places; i++)
		if (run->places[i].tree)
			run_view_plan_sources(plan, &run->places[i]);
	plan_group(plan, NULL);
}

static void plan_below(struct plan *plan, struct build_run *run)
{
	for (size_t i = 0; i < run->n_places; i++) {
		struct run_place *p = &run->places[i];

		if (p->mount->mount.type == RUN_MOUNT_BIND)
			run_view_plan(plan, p);
		else if (p->mount->mount.type == RUN_MOUNT_CACHE)
			run_cache_plan(plan, p);
		else if (p->mount->mount.type == RUN_MOUNT_SSH)
			run_ssh_plan(plan, p);
	}
	run_secrets_plan(plan, run);
	if (run->has_stub)
		run_stub_plan(plan, run);
}

static void plan_inside(struct plan *plan, struct build_run *run)
{
	plan_group(plan, "what RUN --mount asks for");
	if (run->script)
		run_script_plan(plan, run->script, run->input.op->script);
	for (size_t i = 0; i < run->n_places; i++)
		if (run->is_dry ? run->places[i].target != NULL
				: run_place_is_mounted(&run->places[i]))
			plan_attach(plan, &run->places[i]);
	plan_group(plan, NULL);
}

static void add_mounts(struct plan *plan, enum runtime_mounts_part part, void *ctx)
{
	struct build_run *run = ctx;

	if (part == RUNTIME_MOUNTS_SOURCES)
		plan_sources(plan, run);
	else if (part == RUNTIME_MOUNTS_BELOW)
		plan_below(plan, run);
	else
		plan_inside(plan, run);
}

/* ---- all of it ---- */

/* Above the image: what an earlier step removed can be mounted on again. */
static void add_stub(struct build_run *run)
{
	strv_add_take(&run->lowers, str_printf("%s/stub", run->side));
	strv_add_all(&run->lowers, run->input.place.lowers);
	run->request.lowers = &run->lowers;
}

int run_mounts_prepare(struct build_run *run, bool dry_run, struct err *err)
{
	int rc = 0;

	run->is_dry = dry_run;
	run->has_stub = run->input.op->n_mounts || run->input.request->volumes.n ||
			run_stub_is_needed(run->input.place.lowers);
	place_script(run);
	if (!run->has_stub && !run->script)
		return 0;
	run->request.add_mounts = add_mounts;
	run->request.mounts_ctx = run;
	run->side = str_printf("%s/side", run->input.place.dir);
	rc = fill_places(run, err);
	if (rc < 0 || !run->has_stub)
		return rc;
	add_stub(run);
	if (dry_run)
		return 0;
	rc = run_stub_prepare(run, err);
	for (size_t i = 0; rc == 0 && i < run->n_places; i++) {
		struct run_place *p = &run->places[i];

		rc = prepares[p->mount->mount.type](p, err);
	}
	return rc;
}

void run_mounts_release(struct build_run *run)
{
	for (size_t i = 0; i < run->n_places; i++)
		run_view_release(&run->places[i]);
}

static void place_done(struct run_place *p)
{
	run_view_release(p);
	run_secret_forget(p->content, p->content_len);
	run_cache_done(p);
	run_ssh_done(p);
	free(p->target);
	free(p->side);
}

/* The kernel refuses a volatile layer a second time; it is known to be ours. */
static void forget_volatile(const char *dir, const char *work)
{
	cleanup_free char *mark = str_printf("%s/%s/work/incompat", dir, work);

	fd_remove_tree_at(AT_FDCWD, mark);
}

int run_mounts_renew(struct build_run *run, struct err *err)
{
	int rc = 0;

	forget_volatile(run->input.place.dir, "work");
	if (run->side)
		forget_volatile(run->side, "stub-work");
	for (size_t i = 0; rc == 0 && i < run->n_places; i++) {
		struct run_place *p = &run->places[i];

		forget_volatile(p->side, "work");
		if (p->mount->mount.type != RUN_MOUNT_SSH)
			continue;
		/* Its socket was in the directory of the first. */
		run_ssh_done(p);
		rc = run_ssh_prepare(p, err);
	}
	return rc;
}

void run_mounts_done(struct build_run *run)
{
	int rc = 0;

	for (size_t i = 0; i < run->n_places; i++)
		place_done(&run->places[i]);
	free(run->places);
	strv_foreach (i, &run->secret_env)
		explicit_bzero(run->secret_env.items[i], strlen(run->secret_env.items[i]));
	strv_done(&run->secret_env);
	if (run->has_stub && run->side && !run->is_dry)
		rc = fd_remove_tree_at(AT_FDCWD, run->side);
	if (rc < 0)
		log_debug("remove %s: %s", run->side, strerrordesc_np(-rc));
	free(run->side);
	free(run->script);
}
