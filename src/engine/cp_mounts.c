/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached mounts, attached to targets that are resolved under the root's descriptor: the container
 * does not run, but others that share a volume may.
 */
#include "engine/cp_mounts.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "plan/mount_text.h"
#include "plan/steps.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

bool cp_mount_is_content(const struct oci_mount *m)
{
	return strcmp(m->type, "bind") == 0 || strcmp(m->type, "image") == 0 || m->volume;
}

/* By its path: a descriptor from before this process left its mount namespace has mounts of the
 * other one, of which the kernel makes no copies. */
static int open_volume(const struct oci_mount *m)
{
	cleanup_close int content = plan_open_content(m->source);

	if (content < 0)
		return content;
	return m->subpath ? path_open_beneath(content, m->subpath, O_PATH, 0) : take_fd(content);
}

static int mount_bind(const struct oci_mount *m)
{
	/* lint: named by the user of the command line, on the host, when it was created */
	cleanup_close int source = m->volume ? open_volume(m) : open(m->source, O_PATH | O_CLOEXEC);
	cleanup_close int mount = -1;
	bool is_deep = strv_has(&m->options, "rro");
	bool is_fixed = is_deep || strv_has(&m->options, "ro");
	int rc = 0;

	if (source < 0)
		return m->volume ? source : -errno;
	mount = mount_clone(source, strv_has(&m->options, "rbind"));
	if (mount < 0)
		return mount;
	rc = mount_change(mount, is_fixed ? MOUNT_ATTR_RDONLY : 0, 0, MS_PRIVATE, is_deep);
	return rc < 0 ? rc : take_fd(mount);
}

static int mount_tmpfs(const struct oci_mount *m)
{
	cleanup_strv struct strv words = STRV_INIT;
	uint64_t attrs = 0;
	uint64_t unused = 0;

	strv_foreach (i, &m->options)
		if (!mount_attrs_parse(m->options.items[i], &attrs, &unused) &&
		    strcmp(m->options.items[i], "rro") != 0)
			strv_add(&words, m->options.items[i]);
	return mount_new(m->type, m->source, words.items, attrs);
}

static int mount_image(struct engine *engine, const struct oci_mount *m)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv dirs = STRV_INIT;

	strv_split(&ids, m->source, ':');
	strv_foreach (i, &ids)
		strv_addf(&dirs, "%s/layers/%s/diff", engine->root, ids.items[i]);
	return plan_open_image(&dirs, m->subpath);
}

int cp_mount_add(struct engine *engine, int root_fd, const struct oci_mount *m)
{
	bool is_image = strcmp(m->type, "image") == 0;
	cleanup_close int mount = strcmp(m->type, "bind") == 0 ? mount_bind(m)
				  : is_image		       ? mount_image(engine, m)
							       : mount_tmpfs(m);
	cleanup_close int target = -1;
	struct stat st;

	if (mount < 0)
		return mount;
	if (fstat(mount, &st) < 0)
		return -errno;
	target = S_ISDIR(st.st_mode) ? path_ensure_dir(root_fd, m->destination, 0755, 0, 0)
				     : path_ensure_file(root_fd, m->destination, 0644);
	return target < 0 ? target : mount_attach(mount, target);
}
