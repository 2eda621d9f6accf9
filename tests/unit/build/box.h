/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOX_H
#define BOX_H
/* A directory of a test's own, and trees in it. */
#include "../unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

struct box {
	char path[64];
	int fd;
};

static inline int box_open(void **state)
{
	struct box *b = mem_zalloc(sizeof(*b));

	strncpy(b->path, "/tmp/tare-test-XXXXXX", sizeof(b->path) - 1);
	if (!mkdtemp(b->path))
		return -1;
	b->fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = b;
	return b->fd < 0 ? -1 : 0;
}

static inline int box_close(void **state)
{
	struct box *b = *state;

	close(b->fd);
	fd_remove_tree_at(AT_FDCWD, b->path);
	free(b);
	return 0;
}

/* A file with TEXT, or a directory for a PATH that ends with "/"; with all that it is in. */
static inline void box_make(const struct box *b, const char *path, const char *text)
{
	cleanup_free char *dir = str_printf("%s/%s", b->path, path);
	char *slash = strrchr(dir, '/');

	*slash = '\0';
	assert_int_equal(fd_mkdir_p(dir, 0755), 0);
	if (slash[1])
		assert_int_equal(fd_write_file_at(b->fd, path, text, strlen(text), 0644), 0);
}

#endif
