/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ENDPOINT_FILE_H
#define DNS_ENDPOINT_FILE_H
/* One endpoint as its file tells of it (network/live.h), and how to tell that the file is the same.
 */
#include "base/rand.h"
#include "sys/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* What tells that a file or directory is the one that was read. */
struct file_stamp {
	dev_t dev;
	ino_t ino;
	int64_t mtime_ns;
	off_t size;
};

struct endpoint_entry {
	char container[ID_LEN + 1];
	struct file_stamp stamp;
	struct ip_addr ip4, ip6;
	char *text;	     /* owned: what the strings below lie in */
	const char *network; /* the network's name, small letters; NULL when it is not said */
	char *full;	     /* owned: "web.backend" */
	const char **names;  /* owned */
	size_t n_names;
	const char **links; /* owned: what this container alone calls others: alias, name, ... */
	size_t n_links;
	bool is_kept; /* while a network is read again: the file is the same */
};

/* That of a file whose stat(2) is ST, and whether two are of the same, unchanged file. */
struct file_stamp file_stamp(const struct stat *st);
bool file_stamp_is_equal(const struct file_stamp *a, const struct file_stamp *b);

/* The endpoint file NAME, an id, in DIR_FD, whose stat(2) is ST: owned; NULL when it cannot be
 * read. */
struct endpoint_entry *endpoint_entry_read(int dir_fd, const char *name, const struct stat *st);
/* NULL is fine. */
void endpoint_entry_free(struct endpoint_entry *endpoint);

#endif
