/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages: built into one growing buffer, sent by one sendmsg(2), answered before that
 * returns (netlink(7): rtnetlink and nfnetlink work in the sender's context). So answers are read
 * without waiting, and an answer that is not there will not come.
 *
 * Answers come from the kernel, but lengths in them are checked all the same, and a datagram of
 * another sender is passed over: whoever has CAP_NET_ADMIN can send to any netlink socket.
 */
#include "sys/netlink.h"

#include "base/fd.h"
#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_MAX (16U << 20)
#define RECEIVE_SIZE                                                                               \
	(32 * 1024)		  /* what a dump hands out at a time: netlink_dump() in the kernel \
				   */
#define SEND_DEFAULT (200 * 1024) /* what net.core.wmem_default lets through */
#define MANY_ERRORS  200	  /* so many answers fit into net.core.rmem_default */
#define ERROR_SIZE   2048	  /* of one answer with all that the kernel counts */
#define DUMP_TRIES   8
#define N_TOLERATED  2

struct netlink_message {
	size_t start; /* in the buffer */
	int tolerated[N_TOLERATED];
};

int netlink_open(int protocol)
{
	const int on = 1;
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	/* Explanations of errors, without our own message in front of them. Old kernels have
	 * neither, and nothing depends on it. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return take_fd(fd);
}

/* ---- building ---- */

static void set_error(struct netlink_batch *batch, int rc)
{
	if (batch->error == 0)
		batch->error = rc;
}

/* LEN more bytes, zeroed, padded to 4; NULL when the batch is too large. */
static char *reserve(struct netlink_batch *batch, size_t len)
{
	size_t padded = NLMSG_ALIGN(len);
	char *p = NULL;

	if (padded < len || padded > BATCH_MAX - batch->len) {
		set_error(batch, -EMSGSIZE);
		return NULL;
	}
	if (batch->len + padded > batch->cap) {
		size_t cap = batch->cap ? batch->cap : 1024;

		while (cap < batch->len + padded)
			cap *= 2;
		batch->buf = mem_realloc_array(batch->buf, cap, 1);
		batch->cap = cap;
	}
	p = batch->buf + batch->len;
	memset(p, 0, padded);
	batch->len += padded;
	return p;
}

static struct nlmsghdr *message_at(const struct netlink_batch *batch, size_t index)
{
	return (struct nlmsghdr *)(void *)(batch->buf + batch->messages[index].start);
}

/* The length of a message is known when the next one begins, or the batch is sent. */
static void close_message(struct netlink_batch *batch)
{
	size_t last = batch->n_messages - 1;

	if (batch->n_messages > 0)
		message_at(batch, last)->nlmsg_len = (uint32_t)(batch->len -
								batch->messages[last].start);
}

void netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags, const void *header,
		   size_t len)
{
	struct nlmsghdr *message = NULL;
	size_t start = batch->len;

	close_message(batch);
	message = (struct nlmsghdr *)(void *)reserve(batch, sizeof(*message));
	if (message == NULL)
		return;
	message->nlmsg_type = type;
	message->nlmsg_flags = flags | NLM_F_REQUEST;
	message->nlmsg_seq = batch->first_seq + (uint32_t)batch->n_messages;
	if (batch->n_messages == batch->messages_cap) {
		batch->messages_cap = batch->messages_cap ? batch->messages_cap * 2 : 8;
		batch->messages = mem_realloc_array(batch->messages, batch->messages_cap,
						    sizeof(*batch->messages));
	}
	batch->messages[batch->n_messages++] = (struct netlink_message){.start = start};
	netlink_put_raw(batch, header, len);
}

void netlink_tolerate(struct netlink_batch *batch, int errnum)
{
	int *tolerated = NULL;

	if (batch->n_messages == 0)
		return;
	tolerated = batch->messages[batch->n_messages - 1].tolerated;
	for (size_t i = 0; i < N_TOLERATED; i++) {
		if (tolerated[i] == 0) {
			tolerated[i] = errnum;
			return;
		}
	}
	set_error(batch, -E2BIG);
}

void netlink_ack_here(struct netlink_batch *batch)
{
	batch->ack = batch->n_messages;
}

void netlink_put_raw(struct netlink_batch *batch, const void *data, size_t len)
{
	char *p = reserve(batch, len);

	if (p && len)
		memcpy(p, data, len);
}

void netlink_put(struct netlink_batch *batch, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	char *p = NULL;

	if (len > UINT16_MAX - NLA_HDRLEN) {
		set_error(batch, -EMSGSIZE);
		return;
	}
	p = reserve(batch, NLA_HDRLEN + len);
	if (p == NULL)
		return;
	memcpy(p, &attr, sizeof(attr));
	if (len)
		memcpy(p + NLA_HDRLEN, data, len);
}

void netlink_put_u8(struct netlink_batch *batch, uint16_t type, uint8_t value)
{
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_u16(struct netlink_batch *batch, uint16_t type, uint16_t value)
{
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_u32(struct netlink_batch *batch, uint16_t type, uint32_t value)
{
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_be16(struct netlink_batch *batch, uint16_t type, uint16_t value)
{
	netlink_put_u16(batch, type, htobe16(value));
}

void netlink_put_be32(struct netlink_batch *batch, uint16_t type, uint32_t value)
{
	netlink_put_u32(batch, type, htobe32(value));
}

void netlink_put_be64(struct netlink_batch *batch, uint16_t type, uint64_t value)
{
	value = htobe64(value);
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_string(struct netlink_batch *batch, uint16_t type, const char *text)
{
	netlink_put(batch, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_batch *batch, uint16_t type)
{
	size_t nest = batch->len;

	netlink_put(batch, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_nest_end(struct netlink_batch *batch, size_t nest)
{
	size_t len = batch->len - nest;
	uint16_t short_len = (uint16_t)len;

	if (len > UINT16_MAX)
		set_error(batch, -EMSGSIZE);
	if (batch->error == 0)
		memcpy(batch->buf + nest, &short_len, sizeof(short_len));
}

void netlink_reset(struct netlink_batch *batch)
{
	batch->first_seq += (uint32_t)batch->n_messages;
	batch->len = 0;
	batch->n_messages = 0;
	batch->ack = 0;
	batch->error = 0;
}

void netlink_batch_done(struct netlink_batch *batch)
{
	free(batch->buf);
	free(batch->messages);
	*batch = (struct netlink_batch)NETLINK_BATCH_INIT;
}

/* ---- sending ---- */

/* What reading an answer needs to know, and what it finds. */
struct answer {
	int fd;
	const struct netlink_batch *batch;
	netlink_fn fn;
	void *data;
	struct netlink_failure *failure;
	size_t acked; /* index of the message whose acknowledgement ends it */
	size_t n;     /* messages that belonged to it */
	int rc;	      /* of the first failure, or FN's */
	bool is_over;
	bool is_interrupted;
};

/* A transaction cannot be sent in pieces, and an answer that is lost would be a success that nobody
 * knows of. */
static int make_room(int fd, const struct netlink_batch *batch)
{
	const int out = BATCH_MAX;
	const int in = (int)(batch->n_messages < BATCH_MAX / ERROR_SIZE
				     ? batch->n_messages * ERROR_SIZE
				     : BATCH_MAX);

	if (batch->len > SEND_DEFAULT &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &out, sizeof(out)) < 0)
		return -errno;
	if (batch->n_messages > MANY_ERRORS &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &in, sizeof(in)) < 0)
		return -errno;
	return 0;
}

static int send_batch(int fd, struct netlink_batch *batch, bool has_ack)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int rc = make_room(fd, batch);

	if (rc < 0)
		return rc;
	close_message(batch);
	if (batch->ack == 0)
		batch->ack = batch->n_messages;
	if (has_ack)
		message_at(batch, batch->ack - 1)->nlmsg_flags |= NLM_F_ACK;
	while (sendto(fd, batch->buf, batch->len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	       0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* One datagram of the kernel's into BUF: its length, 0 when there is none (any more), or -errno. */
static ssize_t receive(int fd, char *buf)
{
	struct sockaddr_nl from;
	struct iovec iov = {buf, RECEIVE_SIZE};
	struct msghdr msg = {.msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = 0;

	for (;;) {
		msg.msg_namelen = sizeof(from);
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
	}
}

/* The kernel's words behind an error. */
static void copy_text(const struct nlmsghdr *message, const struct nlmsgerr *error, char *ret)
{
	const struct nlattr *attrs[NLMSGERR_ATTR_MSG + 1];
	size_t skip = sizeof(*error);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	netlink_parse(message, skip, attrs, NLMSGERR_ATTR_MSG);
	snprintf(ret, NETLINK_TEXT_LEN, "%s", netlink_string(attrs[NLMSGERR_ATTR_MSG]));
}

static bool is_tolerated(const struct netlink_message *message, int errnum)
{
	for (size_t i = 0; i < N_TOLERATED; i++)
		if (message->tolerated[i] == errnum)
			return true;
	return false;
}

/* An error, or (with 0) an acknowledgement. */
static void take_error(struct answer *answer, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = netlink_header(message, sizeof(*error));
	size_t index = message->nlmsg_seq - answer->batch->first_seq;

	if (error == NULL) {
		answer->rc = answer->rc ? answer->rc : -EBADMSG;
		answer->is_over = true;
		return;
	}
	if (index == answer->acked)
		answer->is_over = true;
	if (error->error >= 0 || answer->rc < 0 ||
	    is_tolerated(&answer->batch->messages[index], -error->error))
		return;
	answer->rc = error->error;
	if (answer->failure) {
		answer->failure->index = index;
		copy_text(message, error, answer->failure->text);
	}
}

static void take_message(struct answer *answer, const struct nlmsghdr *message)
{
	/* Of a question asked before, whose answer nobody waited for. */
	if (message->nlmsg_seq - answer->batch->first_seq >= answer->batch->n_messages)
		return;
	answer->n++;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->is_interrupted = true;
	if (message->nlmsg_type == NLMSG_ERROR) {
		take_error(answer, message);
	} else if (message->nlmsg_type == NLMSG_DONE) {
		const int *rc = netlink_header(message, sizeof(*rc));

		if (rc && *rc < 0 && answer->rc == 0)
			answer->rc = *rc;
		answer->is_over = true;
	} else if (message->nlmsg_type >= NLMSG_MIN_TYPE && answer->fn && answer->rc == 0) {
		answer->rc = answer->fn(message, answer->data);
	}
}

static void take_datagram(struct answer *answer, const char *buf, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)(buf + at);
		size_t padded = NLMSG_ALIGN((size_t)message->nlmsg_len);

		if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > len - at) {
			answer->rc = answer->rc ? answer->rc : -EBADMSG;
			return;
		}
		take_message(answer, message);
		at += padded < len - at ? padded : len - at;
	}
}

/* Reads until the answer is over or nothing more is there. Errors after the one that counts are
 * read as well, so that the socket is empty for the next question. */
static int read_answer(struct answer *answer, bool is_one)
{
	_Alignas(struct nlmsghdr) char buf[RECEIVE_SIZE];
	int lost = 0;

	while (!answer->is_over && !(is_one && answer->n)) {
		ssize_t len = receive(answer->fd, buf);

		/* Answers were lost; what came before them is still there, once. */
		if (len == -ENOBUFS && lost == 0) {
			lost = (int)len;
			continue;
		}
		if (len < 0)
			return answer->rc ? answer->rc : (int)len;
		if (len == 0)
			break;
		take_datagram(answer, buf, (size_t)len);
	}
	/* No acknowledgement and no error: then nobody knows what was done. */
	if (answer->rc == 0 && !answer->is_over && !(is_one && answer->n))
		return lost ? lost : -EIO;
	return answer->rc;
}

int netlink_send(int fd, struct netlink_batch *batch, struct netlink_failure *ret_failure)
{
	struct answer answer = {.fd = fd, .batch = batch, .failure = ret_failure};
	int rc = batch->error;

	if (ret_failure)
		*ret_failure = (struct netlink_failure){.index = batch->n_messages};
	if (rc == 0 && batch->n_messages > 0) {
		rc = send_batch(fd, batch, true);
		answer.acked = batch->ack - 1;
		if (rc == 0)
			rc = read_answer(&answer, false);
	}
	netlink_reset(batch);
	return rc;
}

int netlink_get(int fd, struct netlink_batch *batch, netlink_fn fn, void *data)
{
	struct answer answer = {.fd = fd, .batch = batch, .fn = fn, .data = data};
	int rc = batch->error;

	if (rc == 0)
		rc = send_batch(fd, batch, false);
	if (rc == 0)
		rc = read_answer(&answer, true);
	netlink_reset(batch);
	return rc;
}

int netlink_dump(int fd, struct netlink_batch *batch, netlink_fn fn, void *data)
{
	int rc = batch->error;

	for (int i = 0; rc == 0 && i < DUMP_TRIES; i++) {
		struct answer answer = {.fd = fd, .batch = batch, .fn = fn, .data = data};

		if (i > 0)
			rc = fn(NULL, data);
		if (rc == 0)
			rc = send_batch(fd, batch, false);
		if (rc == 0)
			rc = read_answer(&answer, false);
		if (rc != 0 || !answer.is_interrupted)
			break;
		rc = i + 1 < DUMP_TRIES ? 0 : -EAGAIN;
	}
	netlink_reset(batch);
	return rc;
}

/* ---- reading ---- */

const void *netlink_header(const struct nlmsghdr *message, size_t len)
{
	if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len - NLMSG_HDRLEN < len)
		return NULL;
	return (const char *)message + NLMSG_HDRLEN;
}

/* The attribute at *AT of LEN bytes at P, and goes behind it; NULL at the end, or where one does
 * not fit. */
static const struct nlattr *next_attr(const char *p, size_t len, size_t *at)
{
	const struct nlattr *attr = NULL;
	size_t padded = 0;

	if (*at >= len || len - *at < NLA_HDRLEN)
		return NULL;
	attr = (const void *)(p + *at);
	if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len - *at)
		return NULL;
	padded = NLA_ALIGN((size_t)attr->nla_len);
	*at += padded < len - *at ? padded : len - *at;
	return attr;
}

static void sort_attrs(const char *p, size_t len, const struct nlattr **ret, unsigned max)
{
	const struct nlattr *attr = NULL;
	size_t at = 0;

	for (unsigned i = 0; i <= max; i++)
		ret[i] = NULL;
	while ((attr = next_attr(p, len, &at)) != NULL)
		if ((attr->nla_type & NLA_TYPE_MASK) <= max)
			ret[attr->nla_type & NLA_TYPE_MASK] = attr;
}

void netlink_parse(const struct nlmsghdr *message, size_t len, const struct nlattr **ret,
		   unsigned max)
{
	const char *p = netlink_header(message, NLMSG_ALIGN(len));
	size_t rest = p ? message->nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(len) : 0;

	sort_attrs(p ? p + NLMSG_ALIGN(len) : NULL, rest, ret, max);
}

void netlink_parse_nest(const struct nlattr *attr, const struct nlattr **ret, unsigned max)
{
	sort_attrs(netlink_data(attr), netlink_len(attr), ret, max);
}

int netlink_each(const struct nlattr *attr, int (*fn)(const struct nlattr *item, void *data),
		 void *data)
{
	const struct nlattr *item = NULL;
	size_t at = 0;
	int rc = 0;

	while (rc >= 0 && (item = next_attr(netlink_data(attr), netlink_len(attr), &at)) != NULL)
		rc = fn(item, data);
	return rc;
}

const void *netlink_data(const struct nlattr *attr)
{
	return attr ? (const char *)attr + NLA_HDRLEN : NULL;
}

size_t netlink_len(const struct nlattr *attr)
{
	return attr ? (size_t)attr->nla_len - NLA_HDRLEN : 0;
}

uint8_t netlink_u8(const struct nlattr *attr, uint8_t fallback)
{
	return netlink_len(attr) == sizeof(uint8_t) ? *(const uint8_t *)netlink_data(attr)
						    : fallback;
}

uint32_t netlink_u32(const struct nlattr *attr, uint32_t fallback)
{
	if (netlink_len(attr) == sizeof(fallback))
		memcpy(&fallback, netlink_data(attr), sizeof(fallback));
	return fallback;
}

uint32_t netlink_be32(const struct nlattr *attr, uint32_t fallback)
{
	return netlink_len(attr) == sizeof(fallback) ? be32toh(netlink_u32(attr, 0)) : fallback;
}

uint64_t netlink_be64(const struct nlattr *attr, uint64_t fallback)
{
	uint64_t value = 0;

	if (netlink_len(attr) != sizeof(value))
		return fallback;
	memcpy(&value, netlink_data(attr), sizeof(value));
	return be64toh(value);
}

const char *netlink_string(const struct nlattr *attr)
{
	const char *text = netlink_data(attr);

	return text && memchr(text, 0, netlink_len(attr)) ? text : "";
}
