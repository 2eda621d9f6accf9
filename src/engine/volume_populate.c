/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `run` copies while it starts, from the root that it mounts anyway (plan/step_volumes.c). `create`
 * does it here, from a view that nobody else sees, so that a volume has its content when anybody
 * looks: docker's clients copy out of containers that never ran.
 */
#include "engine/volume_populate.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/view.h"
#include "plan/steps.h"
#include "storage/container.h"
#include "storage/volume.h"

#include <errno.h>
#include <fcntl.h>

static bool wants_content(const struct oci_mount *m)
{
	return m->copy_up && strcmp(m->type, "bind") == 0;
}

static int populate_one(struct engine *engine, int root_fd, const struct oci_mount *m,
			struct err *err)
{
	cleanup_close int content = -1;
	int rc = 0;

	if (m->volume) {
		content = volume_open(engine->store, m->volume, err);
	} else {
		/* lint: what a volume's options bind, chosen by the user of the host */
		content = open(m->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (content < 0)
			err_sys(err, errno, "open %s", m->source);
	}
	if (content < 0)
		return -err->code;
	rc = plan_copy_up_now(root_fd, m->destination, content, m->source);
	return rc < 0 ? err_sys(err, -rc, "copy %s of the image to its volume", m->destination) : 0;
}

int container_populate(struct engine *engine, const struct container_made *made, struct err *err)
{
	const struct oci_runtime_config *config = &made->config;
	cleanup_container struct container_record record = {};
	cleanup_close int root = -1;
	bool wanted = false;
	int rc = 0;

	for (size_t i = 0; i < config->n_mounts; i++)
		wanted |= wants_content(&config->mounts[i]);
	if (!wanted)
		return 0;
	if (container_lookup_by_ref(engine->store, made->id, &record, err) < 0)
		return -err->code;
	rc = root = view_open_lower(engine, &record, err);
	for (size_t i = 0; rc >= 0 && i < config->n_mounts; i++)
		if (wants_content(&config->mounts[i]))
			rc = populate_one(engine, root, &config->mounts[i], err);
	return rc < 0 ? rc : 0;
}
