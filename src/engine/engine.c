/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the engine: directories, and the program's own parts, which lie beside the program when
 * it was built and under PREFIX when it was installed.
 */
/* lint file: the program's own parts and the directories of the engine, named by it alone */
#include "engine/engine.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/store.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory that holds WANTED: DIR/NEAR (in the build tree) or DIR/../FAR (installed). */
static char *find_part(const char *dir, const char *near_dir, const char *far_dir,
		       const char *wanted)
{
	char *near_path = *near_dir ? str_printf("%s/%s", dir, near_dir) : str_dup(dir);
	cleanup_free char *probe = str_printf("%s/%s", near_path, wanted);

	if (access(probe, F_OK) == 0)
		return near_path;
	free(near_path);
	return str_printf("%s/../%s", dir, far_dir);
}

static void find_parts(struct engine *engine)
{
	cleanup_free char *dir = str_dup(process_exe());
	char *slash = strrchr(dir, '/');

	engine->exe = str_dup(dir);
	if (slash)
		*slash = '\0';
	engine->libexec = find_part(dir, "", "libexec/tare", "tare-unpack");
	engine->images = find_part(dir, "images", "share/tare/images", "busybox");
}

static char *absolute(const char *path)
{
	cleanup_free char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

	return cwd ? str_printf("%s/%s", cwd, path) : str_dup(path);
}

static int open_common(struct engine *ret, const char *root, const char *runroot, struct err *err)
{
	if (geteuid() != 0) {
		err_set(err, ERR_DENIED, "permission denied: tare needs root on this host");
		return err_hint(err, "run it with sudo; running without root comes later");
	}
	ret->root = absolute(root);
	ret->runroot = absolute(runroot);
	find_parts(ret);
	umask(077);
	return 0;
}

static int open_store(struct engine *ret, struct err *err)
{
	int rc = storage_open(ret->root, ret->runroot, ret->libexec, &ret->store, err);

	if (rc < 0)
		engine_close(ret);
	return rc;
}

int engine_open(struct engine *ret, const char *root, const char *runroot, struct err *err)
{
	int rc = open_common(ret, root, runroot, err);

	return rc < 0 ? rc : open_store(ret, err);
}

int engine_open_unchanged(struct engine *ret, const char *root, const char *runroot,
			  struct err *err)
{
	int rc = open_common(ret, root, runroot, err);
	cleanup_free char *index = rc < 0 ? NULL : str_printf("%s/tare.db", ret->root);

	if (rc < 0 || access(index, F_OK) < 0)
		return rc;
	return open_store(ret, err);
}

void engine_close(struct engine *engine)
{
	storage_close(engine->store);
	free(engine->root);
	free(engine->runroot);
	free(engine->exe);
	free(engine->libexec);
	free(engine->images);
	*engine = (struct engine){};
}

const struct cgroup_layout *engine_get_cgroups(struct engine *engine)
{
	if (!engine->has_cgroups)
		cgroup_detect(&engine->cgroups);
	engine->has_cgroups = true;
	return &engine->cgroups;
}

char *engine_helper_path(const struct engine *engine, const char *name)
{
	return str_printf("%s/%s", engine->libexec, name);
}

int engine_open_run_dir(const struct engine *engine, const char *id, bool create)
{
	cleanup_free char *path = str_printf("%s/containers/%s", engine->runroot, id);
	int rc = create ? fd_mkdir_p(path, 0700) : 0;
	int fd = rc < 0 ? rc : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && rc == 0 ? -errno : fd;
}

int engine_open_container_dir(const struct engine *engine, const char *id)
{
	cleanup_free char *path = store_container_path(engine->store, id, "");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

char *container_cgroup_name(const struct engine *engine, const char *id)
{
	cleanup_free char *path = str_printf("%s/containers/%s/" CONTAINER_CGROUP_LINK,
					     engine->root, id);
	char name[4096];
	ssize_t n = readlink(path, name, sizeof(name) - 1);

	return n > 0 ? str_ndup(name, (size_t)n) : str_printf("tare/%s", id);
}
