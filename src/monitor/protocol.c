/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: building, sending small ones, and the incremental parser.
 */
#include "monitor/protocol.h"

#include "base/err.h"
#include "sys/pty.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Bounds of each payload; min == max where the length is fixed. */
static const struct {
	uint32_t min, max;
} frame_lengths[N_FRAME_TYPES] = {
	[FRAME_HELLO] = {4, 4},
	[FRAME_RESIZE] = {4, 4},
	[FRAME_SIGNAL] = {4, 4},
	[FRAME_STDIN_EOF] = {0, 0},
	[FRAME_PAUSED] = {1, 1},
	[FRAME_STARTED] = {4, 4},
	[FRAME_STDOUT] = {0, FRAME_PAYLOAD_MAX},
	[FRAME_STDERR] = {0, FRAME_PAYLOAD_MAX},
	[FRAME_DONE] = {0, 0},
	[FRAME_ERROR] = {sizeof(struct err), sizeof(struct err)},
	[FRAME_EXIT] = {FRAME_EXIT_LEN, FRAME_EXIT_LEN},
	[FRAME_STOPPING] = {1, 1},
	[FRAME_POLICY] = {FRAME_POLICY_LEN, FRAME_POLICY_LEN},
	[FRAME_ADOPT] = {1, FRAME_REQUEST_MAX},
	[FRAME_RELEASE] = {1, FRAME_REQUEST_MAX},
	[FRAME_REFUSED] = {4, 4},
};

void frame_put_u16(uint8_t *to, uint16_t v)
{
	to[0] = (uint8_t)v;
	to[1] = (uint8_t)(v >> 8);
}

void frame_put_u32(uint8_t *to, uint32_t v)
{
	frame_put_u16(to, (uint16_t)v);
	frame_put_u16(to + 2, (uint16_t)(v >> 16));
}

uint16_t frame_get_u16(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}

uint32_t frame_get_u32(const uint8_t *from)
{
	return frame_get_u16(from) | (uint32_t)frame_get_u16(from + 2) << 16;
}

void frame_put_header(uint8_t to[static FRAME_HEADER_LEN], enum frame_type type, size_t len)
{
	assert(len <= FRAME_PAYLOAD_MAX);
	to[0] = (uint8_t)type;
	frame_put_u32(to + 1, (uint32_t)len);
}

static int is_output(uint8_t type)
{
	return type == FRAME_STDOUT || type == FRAME_STDERR;
}

void frame_parser_init(struct frame_parser *parser, uint8_t *control, size_t cap)
{
	*parser = (struct frame_parser){.control = control, .control_cap = (uint32_t)cap};
}

/* Collects the header; 1 when complete and plausible, 0 when more is needed. */
static int take_header(struct frame_parser *p, const uint8_t **data, size_t *len)
{
	uint32_t length = 0;
	uint8_t type = 0;

	while (p->n_header<FRAME_HEADER_LEN && * len> 0) {
		p->header[p->n_header++] = *(*data)++;
		(*len)--;
	}
	if (p->n_header < FRAME_HEADER_LEN)
		return 0;
	type = p->header[0];
	length = frame_get_u32(p->header + 1);
	if (type == 0 || type >= N_FRAME_TYPES)
		return -EPROTO;
	if (length < frame_lengths[type].min || length > frame_lengths[type].max)
		return -EPROTO;
	if (!is_output(type) && length > p->control_cap)
		return -EPROTO;
	p->remaining = length;
	p->n_control = 0;
	return 1;
}

static int take_output(struct frame_parser *p, const uint8_t **data, size_t *len,
		       struct frame_span *ret)
{
	size_t n = *len < p->remaining ? *len : p->remaining;

	if (n == 0 && p->remaining > 0)
		return 0;
	*ret = (struct frame_span){.type = p->header[0], .data = *data, .len = n};
	*data += n;
	*len -= n;
	p->remaining -= (uint32_t)n;
	if (p->remaining == 0)
		p->n_header = 0;
	return 1;
}

static int take_control(struct frame_parser *p, const uint8_t **data, size_t *len,
			struct frame_span *ret)
{
	size_t n = *len < p->remaining ? *len : p->remaining;

	if (n > 0)
		memcpy(p->control + p->n_control, *data, n);
	*data += n;
	*len -= n;
	p->n_control += (uint32_t)n;
	p->remaining -= (uint32_t)n;
	if (p->remaining > 0)
		return 0;
	*ret = (struct frame_span){.type = p->header[0], .data = p->control, .len = p->n_control};
	p->n_header = 0;
	return 1;
}

int frame_parser_next(struct frame_parser *parser, const uint8_t **data, size_t *len,
		      struct frame_span *ret)
{
	if (parser->n_header < FRAME_HEADER_LEN) {
		int rc = take_header(parser, data, len);

		if (rc <= 0)
			return rc;
	}
	if (is_output(parser->header[0]))
		return take_output(parser, data, len, ret);
	return take_control(parser, data, len, ret);
}

int frame_send_fds(int socket_fd, enum frame_type type, const void *payload, size_t len,
		   const int *fds, size_t n)
{
	uint8_t frame[FRAME_HEADER_LEN + FRAME_REQUEST_MAX];
	ssize_t sent = 0;

	assert(len <= FRAME_REQUEST_MAX);
	frame_put_header(frame, type, len);
	if (len > 0)
		memcpy(frame + FRAME_HEADER_LEN, payload, len);
	sent = pty_send_fds(socket_fd, frame, FRAME_HEADER_LEN + len, fds, n, MSG_DONTWAIT);
	if (sent < 0)
		return (int)sent;
	return (size_t)sent == FRAME_HEADER_LEN + len ? 0 : -EAGAIN;
}

int frame_send(int socket_fd, enum frame_type type, const void *payload, size_t len, int fd)
{
	return frame_send_fds(socket_fd, type, payload, len, &fd, fd >= 0 ? 1 : 0);
}
