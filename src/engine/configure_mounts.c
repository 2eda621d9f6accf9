/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container in the order in which they are made: what every container has, the
 * engine's files with its names and what the user asked for, of which a deeper one comes after what
 * it lies in.
 */
#include "engine/configure.h"

#include "base/mem.h"

#include <stdlib.h>

/* FIRST (may be NULL) is an index that moves with what it stands for. */
static void remove_mount(struct oci_runtime_config *ret, const char *destination, size_t *first)
{
	for (size_t i = 0; i < ret->n_mounts; i++) {
		struct oci_mount *m = &ret->mounts[i];

		if (strcmp(m->destination, destination) != 0)
			continue;
		oci_mount_done(m);
		memmove(m, m + 1, (ret->n_mounts - i - 1) * sizeof(*m));
		ret->n_mounts--;
		if (first && i < *first)
			--*first;
		return;
	}
}

static int compare_mounts(const void *a, const void *b)
{
	const struct oci_mount *x = a;
	const struct oci_mount *y = b;

	return strcmp(x->destination, y->destination);
}

/* The engine's own files over the image's: names and name servers; those of whose network it is. */
static void add_name_files(const char *dir, bool is_read_only, struct oci_runtime_config *ret)
{
	static const char *const names[] = {"resolv.conf", "hostname", "hosts"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_free char *source = str_printf("%s/%s", dir, names[i]);
		cleanup_free char *target = str_printf("/etc/%s", names[i]);

		oci_add_mount(ret, target, "bind", source,
			      is_read_only ? "bind,rprivate,ro" : "bind,rprivate");
	}
}

static void set_shared_memory(const struct container_spec *spec, struct oci_runtime_config *ret)
{
	const char *mode = spec->ipc_mode ? spec->ipc_mode : "";

	if (strcmp(mode, "host") == 0) {
		remove_mount(ret, "/dev/shm", NULL);
		oci_add_mount(ret, "/dev/shm", "bind", "/dev/shm",
			      "bind,nosuid,noexec,nodev,rprivate");
	} else if (str_has_prefix(mode, "container:")) {
		remove_mount(ret, "/dev/shm", NULL);
		oci_add_mount(ret, "/dev/shm", "shared", mode + strlen("container:"), NULL);
	} else if (strcmp(mode, "none") == 0) {
		remove_mount(ret, "/dev/shm", NULL);
		remove_mount(ret, "/dev/mqueue", NULL);
	}
}

void configure_mounts(const struct container_spec *spec, struct mount_points *points,
		      const char *dir, struct oci_runtime_config *ret)
{
	size_t first = 0;

	set_shared_memory(spec, ret);
	first = ret->n_mounts;
	add_name_files(spec->network_peer ? spec->network_peer : dir, spec->read_only, ret);
	for (size_t i = 0; i < points->n; i++)
		remove_mount(ret, points->items[i].destination, &first);
	for (size_t i = 0; i < points->n; i++) {
		struct oci_mount *m = oci_add_mount(ret, points->items[i].destination, "", "",
						    NULL);

		oci_mount_done(m);
		*m = points->items[i].mount;
		points->items[i].mount = (struct oci_mount){};
	}
	if (points->n)
		qsort(ret->mounts + first, ret->n_mounts - first, sizeof(ret->mounts[0]),
		      compare_mounts);
}
