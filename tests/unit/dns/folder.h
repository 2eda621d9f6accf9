/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FOLDER_H
#define FOLDER_H
/* A directory of networks with endpoint files, as the engine writes them. */
#include "base/fd.h"
#include "base/mem.h"

#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID(c)                                                                                     \
	c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c \
		c c c c c c c c c c c c c c c c c c c

struct folder {
	char path[64];
	int fd;
};

static inline int make_folder(void **state)
{
	struct folder *f = mem_zalloc(sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/tare-dns-test.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static inline int remove_folder(void **state)
{
	struct folder *f = *state;

	close(f->fd);
	fd_remove_tree_at(AT_FDCWD, f->path);
	free(f);
	return 0;
}

static inline void write_endpoint(const struct folder *f, const char *network,
				  const char *container, const char *text)
{
	cleanup_free char *dir = str_printf("%s/%s/endpoints", f->path, network);
	cleanup_free char *path = str_printf("%s/%s", dir, container);

	assert_int_equal(fd_mkdir_p(dir, 0755), 0);
	assert_int_equal(fd_replace_file_at(AT_FDCWD, path, text, strlen(text), 0644, false), 0);
}

static inline void remove_endpoint(const struct folder *f, const char *network,
				   const char *container)
{
	cleanup_free char *path = str_printf("%s/%s/endpoints/%s", f->path, network, container);

	assert_int_equal(unlink(path), 0);
}

#endif
