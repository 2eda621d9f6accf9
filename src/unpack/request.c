/* SPDX-License-Identifier: Apache-2.0 */
/* One message with the directory's descriptor, one number back. */
#include "unpack/request.h"

#include "storage/unpack_protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int send_request(int fd, const struct unpack_request *request, int dir_fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec part = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof(*request)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	ssize_t n = 0;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &dir_fd, sizeof(dir_fd));
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int ask(const struct requester *r, const struct unpack_request *request, int dir_fd)
{
	int32_t answer = 0;
	ssize_t n = 0;
	int rc = send_request(r->fd, request, dir_fd);

	if (rc < 0)
		return rc;
	do {
		n = read(r->fd, &answer, sizeof(answer));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == sizeof(answer) ? -answer : -EPIPE;
}

static int ask_device(struct layer_maker *maker, int parent_fd, const char *name, mode_t mode,
		      dev_t dev)
{
	const struct requester *r = (const struct requester *)maker;
	struct unpack_request request = {.kind = UNPACK_REQUEST_DEVICE, .mode = mode, .dev = dev};
	int len = snprintf(request.name, sizeof(request.name), "%s", name);

	if (len >= (int)sizeof(request.name))
		return -ENAMETOOLONG;
	return ask(r, &request, parent_fd);
}

static int ask_opaque(struct layer_maker *maker, int dir_fd)
{
	const struct requester *r = (const struct requester *)maker;
	const struct unpack_request request = {.kind = UNPACK_REQUEST_OPAQUE};

	return ask(r, &request, dir_fd);
}

void requester_init(struct requester *r, int fd)
{
	*r = (struct requester){.base = {.make_device = ask_device, .set_opaque = ask_opaque},
				.fd = fd};
}
