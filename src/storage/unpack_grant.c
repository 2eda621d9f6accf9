/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three things are checked before anything is done: that the message is one of the two kinds, whole
 * and with one descriptor; that the descriptor is a directory on the very mount that was handed
 * out, which no other file of the host is on; and that the name is one component and the type a
 * device. A helper that fails them is not a helper any more, so it gets no answer but an end.
 */
#include "storage/unpack_grant.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/tar_read.h"
#include "base/fd.h"
#include "storage/unpack_protocol.h"
#include "sys/mount.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u /* since Linux 5.8 */
#endif

static int look_at(int fd, struct statx *ret)
{
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, ret) < 0)
		return -errno;
	return ret->stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

int unpack_grant_open(struct unpack_grant *g, int dir_fd)
{
	const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	cleanup_close int fd = mount_clone(dir_fd, false);
	struct statx st;
	int rc = fd < 0 ? fd : mount_change(fd, attrs, 0, MS_PRIVATE, false);

	if (rc >= 0)
		rc = look_at(fd, &st);
	if (rc < 0)
		return rc;
	*g = (struct unpack_grant){
		.mount_fd = take_fd(fd),
		.mount_id = st.stx_mnt_id,
		.dev_major = st.stx_dev_major,
		.dev_minor = st.stx_dev_minor,
		.n_left = TAR_MAX_ENTRIES,
	};
	return 0;
}

void unpack_grant_done(struct unpack_grant *g)
{
	fd_cleanup_close(&g->mount_fd);
}

/* The descriptor that came with MESSAGE; -1 without one. */
static int take_sent_fd(struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* 1 with a whole message and its descriptor, 0 at the end, -errno. */
static int receive(int socket_fd, struct unpack_request *request, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec part = {.iov_base = request, .iov_len = sizeof(*request)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		/* Not CMSG_SPACE, whose padding has room for a second one. */
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n = 0;

	do {
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_fd = take_sent_fd(&message);
	if (n == 0 && *ret_fd < 0)
		return 0;
	if (n != sizeof(*request) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || *ret_fd < 0)
		return -EBADMSG;
	return 1;
}

static bool is_granted(const struct unpack_grant *g, int fd)
{
	struct statx st;

	return look_at(fd, &st) == 0 && S_ISDIR(st.stx_mode) && st.stx_mnt_id == g->mount_id &&
	       st.stx_dev_major == g->dev_major && st.stx_dev_minor == g->dev_minor;
}

static bool is_component(const char *name, size_t room)
{
	size_t len = strnlen(name, room);

	return len > 0 && len < room && !memchr(name, '/', len) && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static bool is_device(uint32_t mode)
{
	return (S_ISCHR(mode) || S_ISBLK(mode)) && (mode & ~(uint32_t)S_IFMT) <= 0777;
}

static bool is_allowed(const struct unpack_grant *g, const struct unpack_request *request, int fd)
{
	if (!is_granted(g, fd))
		return false;
	if (request->kind == UNPACK_REQUEST_OPAQUE)
		return true;
	return request->kind == UNPACK_REQUEST_DEVICE && is_device(request->mode) &&
	       is_component(request->name, sizeof(request->name));
}

/* 0 or the errno, which is the helper's to report. */
static int perform(const struct unpack_request *request, int dir_fd)
{
	cleanup_close int fd = -1;

	if (request->kind == UNPACK_REQUEST_DEVICE)
		return mknodat(dir_fd, request->name, request->mode, request->dev) < 0 ? errno : 0;
	/* It may be O_PATH, which fsetxattr(2) refuses. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return errno;
	return 0;
}

int unpack_grant_serve(struct unpack_grant *g, int socket_fd, struct err *err)
{
	cleanup_close int fd = -1;
	struct unpack_request request = {};
	int32_t answer = 0;
	int rc = receive(socket_fd, &request, &fd);

	if (rc == 0)
		return 0;
	if (rc < 0 && rc != -EBADMSG)
		return err_sys(err, -rc, "listen to the helper");
	if (rc < 0 || !g->n_left || !is_allowed(g, &request, fd))
		return err_set(err, ERR_DENIED, "the helper asked for what it may not have");
	g->n_left--;
	answer = perform(&request, fd);
	if (send(socket_fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		return err_sys(err, errno, "answer the helper");
	return 1;
}
