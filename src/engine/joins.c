/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining other containers. Names become descriptors of namespaces here, once, on the host: the
 * process is pinned by pidfd before its /proc entries are opened, and checked again after.
 */
#include "engine/joins.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/state.h"
#include "storage/container.h"
#include "sys/process.h"
#include "json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

static const struct {
	uint64_t flag;
	const char *file; /* of /proc/PID/ns */
	const char *what; /* docker's word */
} kinds[] = {
	{CLONE_NEWPID, "pid", "PID namespace"}, {CLONE_NEWIPC, "ipc", "IPC namespace"},
	{CLONE_NEWNET, "net", "network"},	{CLONE_NEWUTS, "uts", "UTS namespace"},
	{CLONE_NEWNS, "mnt", "mounts"},
};

void joins_done(struct joins *joins)
{
	for (size_t i = 0; i < joins->n; i++) {
		fd_cleanup_close(&joins->items[i].fd);
		free(joins->paths[i]);
	}
	joins->n = 0;
}

static int add(struct joins *joins, size_t kind, pid_t pid, struct err *err)
{
	char *path = str_printf("/proc/%d/ns/%s", pid, kinds[kind].file);
	/* lint: a namespace in the host's procfs, named by a number */
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		int saved = errno;

		free(path);
		return err_sys(err, saved, "open the %s of process %d", kinds[kind].what, pid);
	}
	joins->paths[joins->n] = path;
	joins->items[joins->n] = (struct runtime_join){
		.flag = kinds[kind].flag, .fd = fd, .path = path};
	joins->n++;
	return 0;
}

/* Only a container that was made to share its shared memory does, as docker has it. */
static int check_shareable(const struct container_record *record, struct err *err)
{
	cleanup_json json_t *host = NULL;
	const char *text = record->row.host;
	int rc = json_parse(text, strlen(text), SIZE_MAX, "host configuration", &host, err);

	if (rc < 0)
		return rc;
	if (strcmp(json_get_string(host, "IpcMode", ""), "shareable") == 0)
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "can't join IPC of container %s: non-shareable IPC (hint: use "
		       "IpcMode:shareable for the donor container)",
		       record->row.id);
}

static int join_one(struct engine *engine, size_t kind, const char *name, struct joins *joins,
		    struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_close int pidfd = -1;
	struct container_state state;
	int rc = container_lookup_by_ref(engine->store, name, &record, err);

	if (rc < 0)
		return rc;
	container_state_read(engine, record.row.id, &state);
	pidfd = container_is_running(&state) ? process_open(state.pid, state.start_time) : -1;
	if (pidfd < 0)
		return err_set(err, ERR_CONFLICT, "cannot join %s of a non running container: %s",
			       kinds[kind].what, record.row.id);
	if (kinds[kind].flag == CLONE_NEWIPC)
		rc = check_shareable(&record, err);
	if (rc >= 0)
		rc = add(joins, kind, state.pid, err);
	/* Shared memory lives in a mount: that is reached through the other's mount namespace. */
	if (rc == 0 && kinds[kind].flag == CLONE_NEWIPC)
		rc = add(joins, ARRAY_LEN(kinds) - 1, state.pid, err);
	if (rc == 0 && !process_is_alive(state.pid, state.start_time))
		return err_set(err, ERR_CONFLICT, "cannot join %s of a non running container: %s",
			       kinds[kind].what, record.row.id);
	return rc;
}

int joins_open(struct engine *engine, const struct oci_runtime_config *config, struct joins *ret,
	       struct err *err)
{
	for (size_t i = 0; i < config->n_namespaces; i++) {
		const struct oci_namespace *ns = &config->namespaces[i];
		size_t kind = 0;
		int rc = 0;

		if (!ns->path || !str_has_prefix(ns->path, "container:"))
			continue;
		while (kind + 1 < ARRAY_LEN(kinds) && kinds[kind].flag != ns->flag)
			kind++;
		rc = join_one(engine, kind, ns->path + strlen("container:"), ret, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
