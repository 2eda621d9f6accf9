/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PATH_H
#define SYS_PATH_H
/*
 * Walking paths that an enemy may have written: names that come from an image, a container, an
 * archive or a command line that points into one. Each is resolved once by openat2(2) under a
 * pinned root, where symlinks and ".." cannot lead out, and handled by descriptor from then on.
 * All calls return >= 0 or -errno.
 */
#include <sys/types.h>

/* Opens PATH as seen from inside ROOT_FD (absolute symlinks restart at ROOT_FD, ".." stops there;
 * magic links of procfs are refused with -ELOOP). FLAGS as open(2), O_CLOEXEC is added. */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* Opens PATH below DIR_FD; -EXDEV when anything in it leads out (symlink, "..", absolute path). */
int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode);

/* Opens PATH under ROOT_FD, across mounts, without following any symlink at all; -ELOOP. */
int path_open_no_links(int root_fd, const char *path, int flags);

/* Opens PATH below DIR_FD without following any symlink at all, nor crossing a mount: for the
 * engine's own procfs (attr, sysctl) and cgroup files. */
int path_open_strict(int dir_fd, const char *path, int flags);

/* Opens the directory that holds PATH's last component inside ROOT_FD (O_PATH) and says where in
 * PATH that component starts. MODE != 0 creates missing parents with it, owned by root. PATH must
 * not end in "/", "." or ".." (-EINVAL). The last component is not resolved. */
int path_open_parent(int root_fd, const char *path, mode_t mode, const char **ret_name);

/* Ensures that PATH is a directory inside ROOT_FD, creating what is missing with MODE, owned by
 * UID:GID; symlinks on the way are followed inside the root. Returns an O_PATH descriptor of it. */
int path_ensure_dir(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid);

/* Ensures that PATH exists as an empty regular file (parents with mode 0755); an existing
 * non-directory of any kind is kept. Returns an O_PATH descriptor of it: a place to mount a file
 * on. */
int path_ensure_file(int root_fd, const char *path, mode_t mode);

/* "/proc/self/fd/N": the name of a descriptor for calls that take only paths. */
#define PATH_FD_LEN 32
const char *path_of_fd(int fd, char buf[static PATH_FD_LEN]);

#endif
