/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_LANDLOCK_H
#define SYS_LANDLOCK_H
/* Landlock (landlock(7), since Linux 5.13): a process gives up what it may do with files for good.
 */
#include <stdbool.h>
#include <stddef.h>

/* The version of the kernel's interface, or -errno: -ENOSYS and -EOPNOTSUPP when there is none. */
int landlock_abi(void);

/* From now on the calling thread may open, make, write, link and remove files below DIR_FD only
 * (-1: nowhere), read none of them and execute nothing, and neither bind, connect nor signal
 * outside, each as far as the kernel's version knows it. DEVICES: device nodes may be made there.
 * Descriptors that are open stay usable. 0 or -errno; -EOPNOTSUPP before version 2, where no file
 * can be linked into another directory. Needs no_new_privs or CAP_SYS_ADMIN. */
int landlock_confine(int dir_fd, bool devices);

/* The same for a process that reads files and directories below DIR_FD and does nothing else with
 * any; it may connect by TCP. 0 or -errno. */
int landlock_confine_reading(int dir_fd);

/* What a place may be used for. */
enum landlock_use {
	LANDLOCK_USE_READ,    /* files and directories are read */
	LANDLOCK_USE_EXECUTE, /* and programs executed */
	LANDLOCK_USE_CHANGE,  /* all that is done in a directory of one's own, but devices */
};

struct landlock_place {
	int fd; /* a directory, or a file; -1: there is none */
	enum landlock_use use;
};

/* The same for a program that is about to be executed: it may use the N PLACES, and connect by TCP.
 * 0 or -errno. Safe after fork. */
int landlock_confine_program(const struct landlock_place *places, size_t n);

#endif
