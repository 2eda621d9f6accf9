/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes are applied to the container's own configuration, and the result is laid over it again,
 * as docker does.
 */
#include "engine/commit_config.h"

#include "base/mem.h"
#include "engine/change.h"

static void copy_words(struct strv *to, const struct strv *from)
{
	strv_done(to);
	strv_add_all(to, from);
}

/* docker's merge, as far as applying changes to the container's own values can lose any of them. */
static void merge(struct image_run *run, const struct strv *cmd, const struct strv *entrypoint)
{
	if (run->entrypoint.n)
		return;
	if (!run->cmd.n) {
		copy_words(&run->cmd, cmd);
		run->has_cmd = cmd->n > 0;
	}
	copy_words(&run->entrypoint, entrypoint);
	run->has_entrypoint = entrypoint->n > 0;
}

int commit_apply_changes(const struct strv *changes, struct image_run *run, struct err *err)
{
	cleanup_strv struct strv cmd = STRV_INIT;
	cleanup_strv struct strv entrypoint = STRV_INIT;

	if (!changes->n)
		return 0;
	strv_add_all(&cmd, &run->cmd);
	strv_add_all(&entrypoint, &run->entrypoint);
	if (changes_apply(changes, run, err) < 0)
		return -err->code;
	merge(run, &cmd, &entrypoint);
	return 0;
}

char *commit_created_by(const struct image_run *container)
{
	return container->cmd.n ? strv_join(&container->cmd, " ") : str_dup("");
}
