/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bind that is to see later mounts of the host, or to show its own there, does so only when the
 * host's mount takes part: else the wish would be granted in name alone.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "plan/mount_text.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>

static int run_check_propagation(struct plan_run *run, const struct step *step, struct err *err)
{
	/* lint: named by the user of the command line, on the host */
	cleanup_close int fd = open(step->path, O_PATH | O_CLOEXEC);
	bool wants_shared = step->number[0] & MS_SHARED;
	struct mount_peers peers = {};
	int rc = fd < 0 ? -errno : mount_find_peers(fd, &peers);

	if (rc < 0)
		return err_sys(err, -rc, "find the mount of %s", step->path);
	if (!peers.is_shared && (wants_shared || !peers.is_slave))
		rc = err_set(err, ERR_INVALID,
			     "path %s is mounted on %s but it is not a shared%s mount", step->path,
			     peers.mount_point, wants_shared ? "" : " or slave");
	free(peers.mount_point);
	return rc;
}

static void explain_check_propagation(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "findmnt -no PROPAGATION -T ");
	str_add_shell(out, step->path);
	str_addf(out, " | grep -q %s", step->number[0] & MS_SHARED ? "shared" : "'shared\\|slave'");
}

static const struct step_op step_check_propagation = {"propagation", run_check_propagation,
						      explain_check_propagation};

void plan_check_propagation(struct plan *plan, const char *path, uint64_t propagation,
			    const char *flag)
{
	struct step *step = plan_add(plan, &step_check_propagation, STEP_HOST);

	step->path = str_dup(path);
	step->flag = str_dup(flag);
	step->number[0] = propagation;
}
