/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read of a volume may be written by a container at the same time, as with every backup of
 * something in use; what is written goes through the same code as `cp`: by descriptor, beneath the
 * volume, and unpacked by the helper, which is confined.
 */
#include "engine/volume_content.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/cp_stream.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/volume.h"
#include "engine/volume_options.h"
#include "engine/volume_shared.h"
#include "plan/mount_text.h"
#include "storage/layer_write.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>

/* ---- where it is ---- */

static int open_bound(const char *name, const char *path, struct err *err)
{
	/* lint: path chosen by the user of the host, when the volume was made */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "volume %s: open %s", name, path) : fd;
}

static int open_in_mount(const char *name, int mount_fd, struct err *err)
{
	int fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open volume %s", name) : fd;
}

static int open_shared(struct engine *engine, const char *name, struct err *err)
{
	cleanup_close int mount = volume_take_shared(engine, name, err);

	if (mount == -1 && !err->code)
		return err_set(err, ERR_UNAVAILABLE,
			       "volume %s is a tmpfs, and no running container has it: it is empty",
			       name);
	return mount < 0 ? -err->code : open_in_mount(name, mount, err);
}

/* A detached mount is seen by nobody and gone with its descriptors. */
static int open_mounted(const char *name, const struct oci_mount *m, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_close int mount = -1;
	uint64_t attrs = 0;
	uint64_t unused = 0;

	strv_foreach (i, &m->options)
		if (!mount_attrs_parse(m->options.items[i], &attrs, &unused))
			strv_add(&words, m->options.items[i]);
	mount = mount_new(m->type, m->source, words.items, attrs);
	if (mount < 0)
		return err_sys(err, -mount, "volume %s: mount %s", name, m->source);
	return open_in_mount(name, mount, err);
}

int volume_open_content(struct engine *engine, const char *name, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	cleanup_free char *data = volume_path(engine->store, name, VOLUME_DATA);
	struct oci_mount m = {};
	int rc = volume_find(engine->store, name, &volume, err);

	if (rc >= 0)
		rc = volume_set_mount(name, volume.options, data, &m, err);
	if (rc >= 0 && strcmp(m.type, "bind") == 0)
		rc = m.volume ? volume_open(engine->store, name, err)
			      : open_bound(name, m.source, err);
	else if (rc >= 0)
		rc = m.volume ? open_shared(engine, name, err) : open_mounted(name, &m, err);
	oci_mount_done(&m);
	return rc;
}

/* ---- export and import ---- */

int engine_export_volume(struct engine *engine, const char *name, int out_fd, struct err *err)
{
	const struct layer_write_options options = {.is_upper = false};
	cleanup_close int content = volume_open_content(engine, name, err);

	return content < 0 ? content : layer_write(content, out_fd, &options, err);
}

struct import {
	struct engine *engine;
	int in_fd;
};

static int write_plain(int out_fd, void *data, struct err *err)
{
	const struct import *in = data;

	return cp_stream_plain(in->engine->store, in->in_fd, out_fd, err);
}

int engine_import_volume(struct engine *engine, const char *name, int in_fd, struct err *err)
{
	const struct cp_apply_options options = {
		.base = "", .shown = name, .uid = (uid_t)-1, .gid = (gid_t)-1, .sets_root = true};
	struct import in = {.engine = engine, .in_fd = in_fd};
	cleanup_close int content = volume_open_content(engine, name, err);
	uint64_t bytes = 0;

	return content < 0 ? content : cp_stream(content, write_plain, &in, &options, &bytes, err);
}

/* ---- clone ---- */

int engine_clone_volume(struct engine *engine, const char *name, const char *to, struct err *err)
{
	cleanup_volume struct volume volume = VOLUME_INIT;
	cleanup_volume struct volume taken = VOLUME_INIT;
	cleanup_close int content = -1;
	int rc = volume_check_name(to, err);

	if (rc == 0)
		rc = volume_find(engine->store, name, &volume, err);
	if (rc == 0)
		rc = volume_lookup(engine->store, to, &taken, err);
	if (rc > 0)
		return err_set(err, ERR_CONFLICT,
			       "clone %s: there is already a volume with the name %s", name, to);
	/* With options it has no content of its own. */
	if (rc == 0 && strcmp(volume.options, "null") != 0)
		rc = volume_ensure(engine->store, to, volume.labels, volume.options, err);
	else if (rc == 0)
		rc = content = volume_open(engine->store, name, err);
	if (content >= 0)
		rc = volume_clone_files(engine->store, content, to, volume.labels, err);
	if (rc < 0)
		return rc;
	event_volume(engine, to, "create", NULL);
	return 0;
}
