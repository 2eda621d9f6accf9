/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that share between containers, and the console's place in /dev.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a mount of another container ---- */

static int run_open_shared(struct plan_run *run, const struct step *step, struct err *err)
{
	int fd = mount_clone_from((int)step->number[1], step->path);

	if (fd < 0)
		return err_sys(err, -fd, "take %s of container %s", step->path, step->text);
	return plan_run_set_source(run, step->number[0], fd);
}

static void explain_open_shared(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "# %s of container %s is shared: no shell form", step->path, step->text);
}

static const struct step_op step_open_shared = {"share", run_open_shared, explain_open_shared};

void plan_open_shared(struct plan *plan, size_t index, int namespace_fd, const char *container,
		      const char *path)
{
	struct step *step = plan_add(plan, &step_open_shared, STEP_HOST);

	step->path = str_dup(path);
	step->text = str_dup(container);
	step->number[0] = index;
	step->number[1] = (uint64_t)namespace_fd;
}

/* ---- /dev/console ---- */

static int run_console(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int target = path_ensure_file(run->dev_fd, "console", 0600);
	cleanup_close int copy = target < 0 ? target : mount_clone(run->tty_fd, false);
	int rc = copy < 0 ? copy : mount_attach(copy, target);

	return rc < 0 ? err_sys(err, -rc, "put the terminal at /dev/console") : 0;
}

static void explain_console(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, mode == TEXT_TRACE ? "mount --bind $(tty) ./dev/console" : "");
}

static const struct step_op step_console = {"console", run_console, explain_console};

void plan_console(struct plan *plan)
{
	plan_add(plan, &step_console, STEP_INSIDE);
}
