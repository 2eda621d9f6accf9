/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata of unpacked files.
 *
 * The order is the kernel's: chown(2) clears the set-user-ID and set-group-ID bits and the file
 * capabilities, so the mode comes after the owner and attributes after both; times come last.
 *
 * Attributes are an allowlist: user.* and security.capability are restored. Others belong to the
 * host (SELinux labels, ACLs) or would be instructions to overlayfs, which only the engine gives
 * (trusted.overlay.*, user.overlay.*); they are left out without a word.
 */
#include "storage/layer_meta.h"

#include "archive/tar_read.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char capability[] = "security.capability";

static bool is_xattr_wanted(const struct tar_entry *e, const char *name)
{
	bool has_user_xattrs = e->type == TAR_FILE || e->type == TAR_DIR; /* xattr(7) */

	if (strcmp(name, capability) == 0)
		return e->type == TAR_FILE;
	return has_user_xattrs && str_has_prefix(name, "user.") &&
	       !str_has_prefix(name, "user.overlay.");
}

void layer_meta_select(struct tar_entry *e, struct tar_xattr room[static TAR_MAX_XATTRS])
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct tar_xattr *x = &e->xattrs[i];

		if (!is_xattr_wanted(e, x->name)) {
			log_debug("%s: extended attribute %s left out", e->path, x->name);
			continue;
		}
		room[n++] = *x;
		/* The one that is no user attribute comes first (set_xattrs). */
		if (strcmp(x->name, capability) == 0) {
			room[n - 1] = room[0];
			room[0] = *x;
		}
	}
	e->xattrs = room;
	e->n_xattrs = n;
}

static int set_xattrs(int fd, struct tar_entry *e, struct err *err)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct tar_xattr *x = &e->xattrs[i];

		if (fsetxattr(fd, x->name, x->value, x->len, 0) == 0)
			continue;
		/* tmpfs has no user attributes before Linux 6.6, neither this one nor those that
		 * follow; nothing runs differently for it. */
		if (errno == ENOTSUP && str_has_prefix(x->name, "user.")) {
			log_debug("%s: no attribute %s here", e->path, x->name);
			e->n_xattrs = i;
			return 0;
		}
		return err_sys(err, errno, "set extended attribute %s", x->name);
	}
	return 0;
}

/* Most files are made with the right owner and mode: to look costs a tenth of setting them again,
 * for which the filesystem starts a transaction each. */
int layer_set_dir_meta(int fd, struct tar_entry *e, struct err *err)
{
	bool is_owned = false;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at what was made");
	is_owned = st.st_uid == e->uid && st.st_gid == e->gid;
	if (!is_owned && fchown(fd, e->uid, e->gid) < 0)
		return err_sys(err, errno, "set owner %u:%u", e->uid, e->gid);
	if ((!is_owned || (st.st_mode & 07777) != e->mode) && fchmod(fd, e->mode) < 0)
		return err_sys(err, errno, "set mode %04o", e->mode);
	return set_xattrs(fd, e, err);
}

int layer_set_file_meta(int fd, struct tar_entry *e, struct err *err)
{
	const struct timespec times[2] = {e->mtime, e->mtime};
	int rc = layer_set_dir_meta(fd, e, err);

	if (rc >= 0 && futimens(fd, times) < 0)
		return err_sys(err, errno, "set time");
	return rc;
}

int layer_set_node_meta(int parent_fd, const char *name, const struct tar_entry *e, struct err *err)
{
	const struct timespec times[2] = {e->mtime, e->mtime};

	if (fchownat(parent_fd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set owner %u:%u", e->uid, e->gid);
	/* It was just made and is no symlink then: there is nothing to follow. */
	if (e->type != TAR_SYMLINK && fchmodat(parent_fd, name, e->mode, 0) < 0)
		return err_sys(err, errno, "set mode %04o", e->mode);
	if (utimensat(parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set time");
	return 0;
}
