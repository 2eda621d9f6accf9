/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pump. Of its two sources exactly one is in the loop: the input while the buffer is empty, the
 * output while it is not. A source left in would report a hang-up again and again.
 */
#include "monitor/pump.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

/* A terminal delivers a line or less at a time. */
#define KEYS_BUF_LEN 4096

static int on_input(void *data, uint32_t events);
static int on_output(void *data, uint32_t events);

static void finish(struct pump *p, enum pump_end how)
{
	loop_remove(p->loop, &p->in);
	loop_remove(p->loop, &p->out_source);
	output_close(&p->out);
	p->is_ended = true;
	p->on_end(p->ctx, p, how);
}

/* Writes what is in the buffer; arranges to be called again when it does not all fit. */
static int write_buffer(struct pump *p)
{
	while (p->start < p->end) {
		ssize_t n = output_write(&p->out, p->buf + p->start, p->end - p->start);

		if (n < 0) {
			finish(p, PUMP_BROKEN);
			return 0;
		}
		if (n == 0)
			break;
		p->start += (size_t)n;
	}
	if (p->start < p->end) {
		loop_remove(p->loop, &p->in);
		return loop_has(&p->out_source) ? 0
						: loop_add(p->loop, &p->out_source, p->out.fd,
							   EPOLLOUT, on_output, p);
	}
	p->start = 0;
	p->end = 0;
	loop_remove(p->loop, &p->out_source);
	return loop_has(&p->in) ? 0 : loop_add(p->loop, &p->in, p->in_fd, EPOLLIN, on_input, p);
}

static int on_output(void *data, uint32_t events)
{
	return write_buffer(data);
}

/* Reads through the detach keys. */
static ssize_t read_keys(struct pump *p, bool *ret_detach)
{
	uint8_t typed[KEYS_BUF_LEN];
	ssize_t n = read(p->in_fd, typed, sizeof(typed));

	if (n > 0)
		*ret_detach = detach_keys_filter(p->keys, typed, (size_t)n, p->buf, &p->end);
	return n;
}

static int on_input(void *data, uint32_t events)
{
	struct pump *p = data;
	bool has_detached = false;
	ssize_t n = p->keys ? read_keys(p, &has_detached) : read(p->in_fd, p->buf, PUMP_BUF_LEN);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* a terminal whose other side is gone ends with EIO */
		size_t held = p->keys ? detach_keys_flush(p->keys, p->buf) : 0;

		if (held > 0)
			output_write(&p->out, p->buf, held);
		finish(p, PUMP_EOF);
		return 0;
	}
	if (has_detached) {
		/* What was typed before the keys is a few bytes: written or not, nobody waits. */
		if (p->end > 0)
			output_write(&p->out, p->buf, p->end);
		finish(p, PUMP_KEYS);
		return 0;
	}
	if (!p->keys)
		p->end = (size_t)n;
	return write_buffer(p);
}

int pump_start(struct pump *pump, struct loop *loop, int in_fd, const struct output *out,
	       struct detach_keys *keys,
	       void (*on_end)(void *ctx, struct pump *pump, enum pump_end how), void *ctx)
{
	*pump = (struct pump){.loop = loop,
			      .in = LOOP_SOURCE_INIT,
			      .out_source = LOOP_SOURCE_INIT,
			      .in_fd = in_fd,
			      .out = *out,
			      .keys = keys,
			      .buf = mem_alloc(PUMP_BUF_LEN + (keys ? keys->n : 0)),
			      .on_end = on_end,
			      .ctx = ctx};
	return loop_add(loop, &pump->in, in_fd, EPOLLIN, on_input, pump);
}

void pump_stop(struct pump *pump)
{
	if (pump->loop) {
		loop_remove(pump->loop, &pump->in);
		loop_remove(pump->loop, &pump->out_source);
	}
	output_close(&pump->out);
	free(take_ptr(pump->buf));
	pump->is_ended = true;
}

bool pump_is_blocked(const struct pump *pump)
{
	return !pump->is_ended && pump->start < pump->end;
}
