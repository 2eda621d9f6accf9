/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps on files of the engine's own and on kernel files: directories, small files, control groups,
 * and their removal.
 */
#include "plan/steps.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long the removal of a control group waits for its last processes to go. */
#define RMDIR_DEADLINE_NS (2000 * 1000000ULL)

static void add_words(struct str *out, const char *verb, const char *path)
{
	str_addf(out, "%s ", verb);
	str_add_shell(out, path);
}

/* ---- mkdir ---- */

static int run_mkdir(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = fd_mkdir_p(step->path, (mode_t)step->number[0]);

	return rc < 0 ? err_sys(err, -rc, "create %s", step->path) : 0;
}

static void explain_mkdir(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "mkdir -p ");
	if (step->number[0] != 0755)
		str_addf(out, "-m %o ", (unsigned)step->number[0]);
	str_add_shell(out, step->path);
}

static const struct step_op step_mkdir = {"mkdir", run_mkdir, explain_mkdir};

void plan_mkdir(struct plan *plan, enum step_where where, const char *path, mode_t mode)
{
	struct step *step = plan_add(plan, &step_mkdir, where);

	step->path = str_dup(path);
	step->number[0] = mode;
}

/* ---- small files ---- */

static int run_create_file(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = fd_write_file_at(AT_FDCWD, step->path, step->text, strlen(step->text),
				  (mode_t)step->number[0]);

	return rc < 0 ? err_sys(err, -rc, "write %s", step->path) : 0;
}

static void explain_create_file(const struct step *step, enum step_text mode, struct str *out)
{
	/* Not `echo`: a shell may expand backslashes in it. */
	str_add(out, "printf %s ");
	str_add_shell(out, step->text);
	str_add(out, " > ");
	str_add_shell(out, step->path);
}

static const struct step_op step_create_file = {"write", run_create_file, explain_create_file};

void plan_create_file(struct plan *plan, const char *path, const char *text, mode_t mode)
{
	struct step *step = plan_add(plan, &step_create_file, STEP_HOST);

	step->path = str_dup(path);
	step->text = str_dup(text);
	step->number[0] = mode;
}

/* ---- layers in scripts ---- */

static int run_unpack(struct plan_run *run, const struct step *step, struct err *err)
{
	/* A running tare unpacks through the store before it plans; only scripts hold this step. */
	return err_set(err, ERR_UNSUPPORTED, "unpack %s: only a script does this", step->path);
}

static void explain_unpack(const struct step *step, enum step_text mode, struct str *out)
{
	add_words(out, "tar --numeric-owner -xf", step->path);
	str_add(out, " -C ");
	str_add_shell(out, step->text);
}

static const struct step_op step_unpack = {"unpack", run_unpack, explain_unpack};

void plan_unpack(struct plan *plan, const char *path, const char *dir)
{
	struct step *step = plan_add(plan, &step_unpack, STEP_HOST);

	step->path = str_dup(path);
	step->text = str_dup(dir);
}

/* ---- removal ---- */

static int run_rmdir(struct plan_run *run, const struct step *step, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 200000};
	uint64_t deadline = 0;

	/* lint: TEARDOWN: a path of the engine or of cgroupfs, see plan/steps.h */
	while (rmdir(step->path) < 0) {
		if (errno == ENOENT)
			return 0;
		/* The last process has exited, but the kernel has not let go of it yet. */
		if (errno != EBUSY)
			return err_sys(err, errno, "remove %s", step->path);
		if (!deadline)
			deadline = clock_mono_ns() + RMDIR_DEADLINE_NS;
		else if (clock_mono_ns() > deadline)
			return err_sys(err, EBUSY, "remove %s", step->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void explain_rmdir(const struct step *step, enum step_text mode, struct str *out)
{
	add_words(out, "rmdir", step->path);
}

static const struct step_op step_rmdir = {"rmdir", run_rmdir, explain_rmdir};

void plan_rmdir(struct plan *plan, const char *path)
{
	plan_add(plan, &step_rmdir, STEP_TEARDOWN)->path = str_dup(path);
}

static int run_rmdir_if_empty(struct plan_run *run, const struct step *step, struct err *err)
{
	/* lint: TEARDOWN: a path of the engine or of cgroupfs, see plan/steps.h */
	if (rmdir(step->path) < 0 && errno != ENOTEMPTY && errno != EBUSY && errno != ENOENT)
		return err_sys(err, errno, "remove %s", step->path);
	return 0;
}

static void explain_rmdir_if_empty(const struct step *step, enum step_text mode, struct str *out)
{
	add_words(out, "rmdir", step->path);
	str_add(out, " 2>/dev/null");
}

static const struct step_op step_rmdir_if_empty = {"rmdir", run_rmdir_if_empty,
						   explain_rmdir_if_empty};

void plan_rmdir_if_empty(struct plan *plan, const char *path)
{
	plan_add(plan, &step_rmdir_if_empty, STEP_TEARDOWN)->path = str_dup(path);
}

static int run_remove_tree(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = fd_remove_tree_at(AT_FDCWD, step->path);

	return rc < 0 ? err_sys(err, -rc, "remove %s", step->path) : 0;
}

static void explain_remove_tree(const struct step *step, enum step_text mode, struct str *out)
{
	add_words(out, "rm -rf --one-file-system", step->path);
}

static const struct step_op step_remove_tree = {"remove", run_remove_tree, explain_remove_tree};

void plan_remove_tree(struct plan *plan, const char *path)
{
	plan_add(plan, &step_remove_tree, STEP_TEARDOWN)->path = str_dup(path);
}
