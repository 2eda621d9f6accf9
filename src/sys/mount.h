/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MOUNT_H
#define SYS_MOUNT_H
/*
 * The new mount API (fsopen, fsmount, open_tree, move_mount, mount_setattr; Linux 5.12), with
 * descriptors at both ends: a mount is made detached, gets its attributes, and is attached once, to
 * a target that was resolved by sys/path. All calls return >= 0 or -errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new detached instance of file system FSTYPE. OPTIONS is a NULL-terminated list of "key=value"
 * and "flag" (NULL for none); ATTRS are MOUNT_ATTR_* of mount_setattr(2). Returns its descriptor.
 */
int mount_new(const char *fstype, const char *source, char *const *options, uint64_t attrs);

/* A detached copy of the mount at FD ("" of it), the whole tree below when RECURSIVE. */
int mount_clone(int fd, bool recursive);

/* A detached copy of the mount at directory PATH as seen in the mount namespace NAMESPACE_FD.
 * Nothing is run there: one walk in its root, and back. PATH must be where something is mounted
 * (-ENOENT). Single-threaded callers. */
int mount_clone_from(int namespace_fd, const char *path);

/* Sets and clears attributes of the mount at FD; PROPAGATION is 0 or one of MS_SHARED, MS_SLAVE,
 * MS_PRIVATE, MS_UNBINDABLE. RECURSIVE applies to all mounts below. */
int mount_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);

/* What /proc/self/mountinfo says of a mount. */
struct mount_peers {
	char *mount_point; /* owned */
	bool is_shared, is_slave;
};
/* Of the mount that FD lies on; -ENOENT when it is not attached in this mount namespace. */
int mount_find_peers(int fd, struct mount_peers *ret);
/* The same of mount ID in the text of a mountinfo file. */
int mount_parse_peers(const char *text, uint64_t id, struct mount_peers *ret);

/* Maps ids of the detached mount FD (with all below when RECURSIVE) as the user namespace USERNS_FD
 * does: what is its inside is the disk. -EINVAL where a file system cannot. */
int mount_map_ids(int fd, int userns_fd, bool recursive);

/* Attaches the detached mount MOUNT_FD onto TARGET_FD (directory on directory, file on file). */
int mount_attach(int mount_fd, int target_fd);

/* What every overlay is mounted with, whatever the module's defaults; ends with NULL. The features
 * that they switch off leave marks in the upper directory in the place of names and content, so
 * that it would not be whole without its lowers. Renaming a lower directory is EXDEV then
 * (overlayfs.rst), and programs copy it. */
extern const char *const mount_overlay_options[];

/* Overlay of N_LOWERS directories, uppermost first. UPPER_FD and WORK_FD are -1 for a read-only
 * one. VOLATILE: the upper directory is thrown away afterwards, nothing is synced. The overlay is
 * attached to directory TARGET_PATH (the engine's own); returns a descriptor of its root. */
int mount_overlay(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd,
		  bool is_volatile, const char *target_path);

/* Makes NEW_ROOT_FD (the root of an attached mount) this process's root and detaches the old one.
 */
int mount_pivot(int new_root_fd);

/* Changes the propagation of every mount of this mount namespace. */
int mount_set_propagation_all(unsigned long propagation);

#endif
