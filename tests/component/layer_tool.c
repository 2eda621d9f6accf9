/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer writer as a program, for tests that hand its archives to other people's:
 *
 *	tare-layer-tool write|write-upper DIR	the archive of DIR to standard output
 *	tare-layer-tool make|make-upper DIR SEED	fills DIR with a random tree
 *	tare-layer-tool describe DIR		all of DIR as text
 */
#include "../unit/storage/tree_maker.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "storage/layer_write.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_archive(int dir_fd, bool is_upper)
{
	const struct layer_write_options options = {.is_upper = is_upper};
	struct err err = ERR_INIT;

	if (layer_write(dir_fd, STDOUT_FILENO, &options, &err) >= 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return 1;
}

static int describe(int dir_fd)
{
	cleanup_str struct str text = STR_INIT;

	tree_describe(dir_fd, &text);
	return fd_write_full(STDOUT_FILENO, str_get(&text), text.len) < 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	bool is_upper = str_has_suffix(verb, "-upper");
	cleanup_close int fd = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	uint64_t seed = 0;

	if (fd < 0) {
		fprintf(stderr, "usage: %s write|make|describe[-upper] DIR [SEED]\n", argv[0]);
		return 2;
	}
	umask(0);
	if (str_has_prefix(verb, "write"))
		return write_archive(fd, is_upper);
	if (strcmp(verb, "describe") == 0)
		return describe(fd);
	if (argc < 4 || num_parse_u64(argv[3], &seed) < 0)
		return 2;
	tree_make_random(fd, seed, is_upper);
	return 0;
}
