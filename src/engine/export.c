/* SPDX-License-Identifier: Apache-2.0 */
/* export: the container's view, read once. */
#include "engine/export.h"

#include "base/fd.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "storage/collect.h"
#include "storage/layer_write.h"

int engine_export(struct engine *engine, const struct container_record *record, int out_fd,
		  struct err *err)
{
	const struct layer_write_options options = {.is_upper = false};
	cleanup_close int root = -1;
	/* A layer that is removed or repaired meanwhile would end in the middle of the archive. */
	int hold = storage_hold(engine->store, err);
	int rc = hold;

	if (rc >= 0)
		rc = root = view_open_container(engine, record, err);
	if (rc >= 0)
		rc = layer_write(root, out_fd, &options, err);
	if (rc >= 0)
		rc = view_verify(engine, record, err);
	storage_release(engine->store, &hold);
	return rc < 0 ? rc : 0;
}
