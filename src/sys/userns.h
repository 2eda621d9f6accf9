/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_USERNS_H
#define SYS_USERNS_H
/*
 * A world with nothing in it, for a helper that reads what an enemy wrote: a user namespace in
 * which it may have capabilities that mean nothing outside, a mount namespace whose root is an
 * empty read-only directory, a network namespace without a way out. Numbers of users mean there
 * what they mean here, so files get the owners they are meant to have.
 *
 * It is made once, without a process that lives in it, and entered by as many as want to.
 */
#include "base/fd.h"
#include "base/str.h"

#include <stdint.h>

/* Owned descriptors of the namespaces; -1 for one that could not be had. */
struct userns {
	int user_fd, mount_fd, net_fd;
};

#define USERNS_INIT        \
	{                  \
		-1, -1, -1 \
	}

/* Makes the world. Forks: single-threaded callers only. 0, or -errno when this kernel or this place
 * gives no user namespaces; without a network namespace or an empty root it is still worth having.
 */
int userns_create(struct userns *ret);
/* Appends the lines of a map in which every id stands for itself, but for DISK and SHOWN, which
 * stand for each other. */
void userns_add_swap(uint32_t disk, uint32_t shown, struct str *map);
/* Makes a user namespace with these maps (lines of user_namespaces(7)), in which nobody lives: for
 * idmapped mounts. Its descriptor or -errno. Forks. */
int userns_create_map(const char *uid_map, const char *gid_map);
/* Moves the calling process there, which then has all capabilities of that user namespace and none
 * elsewhere. 0 or -errno. Single-threaded. */
int userns_enter(const struct userns *ns);
void userns_done(struct userns *ns);
#define cleanup_userns __attribute__((cleanup(userns_done)))

#endif
