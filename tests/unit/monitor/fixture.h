/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MONITOR_FIXTURE_H
#define TEST_MONITOR_FIXTURE_H
/* A directory of the test's own, removed afterwards. */
#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	char path[64];
	int fd;
};

static inline int set_up(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-unit-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

#endif
