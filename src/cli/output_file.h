/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUTPUT_FILE_H
#define CLI_OUTPUT_FILE_H
/* The file of an option such as --output, which has its name only when it is whole. */
#include "base/err.h"

struct output_file {
	int fd;	    /* owned: where to write */
	int dir_fd; /* owned */
	char *temp; /* owned: its name until then; NULL when there is nothing to remove */
	char *name; /* owned */
};

#define OUTPUT_FILE_INIT               \
	{                              \
		.fd = -1, .dir_fd = -1 \
	}

/* Creates a file of mode 0600 beside PATH (as the user typed it). ERR_INVALID in docker's words for
 * a directory, a device, a symbolic link or a directory that is not there. */
int output_file_open(struct output_file *f, const char *path, struct err *err);
/* Gives it its name, replacing what had it. */
int output_file_commit(struct output_file *f, struct err *err);
/* Removes what was not committed. */
void output_file_done(struct output_file *f);
#define cleanup_output_file __attribute__((cleanup(output_file_done)))

#endif
