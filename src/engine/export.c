/* SPDX-License-Identifier: Apache-2.0 */
/* export: the container's view, read once. */
#include "engine/export.h"

#include "base/fd.h"
#include "engine/view.h"
#include "storage/layer_write.h"

int engine_export(struct engine *engine, const struct container_record *record, int out_fd,
		  struct err *err)
{
	const struct layer_write_options options = {.is_upper = false};
	cleanup_close int root = view_open_container(engine, record, err);

	return root < 0 ? -err->code : layer_write(root, out_fd, &options, err);
}
