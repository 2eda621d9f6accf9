/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H
/*
 * Netlink: batches of messages, handed to the kernel in one system call. Used for links, addresses
 * and routes (sys/rtnl.h) as well as for the firewall (sys/nft.h).
 *
 * A batch grows message by message:
 *
 *	netlink_begin(&batch, RTM_NEWADDR, NLM_F_CREATE, &header, sizeof(header));
 *	netlink_put(&batch, IFA_LOCAL, bytes, 4);
 *	nest = netlink_nest(&batch, IFLA_LINKINFO);
 *	netlink_put_string(&batch, IFLA_INFO_KIND, "veth");
 *	netlink_nest_end(&batch, nest);
 *
 * The builders cannot fail: what does not fit the protocol (an attribute beyond 64 KiB, a batch
 * beyond 16 MiB) is remembered, and sending says so. Both families answer before sendmsg(2)
 * returns, so nothing here waits for anybody. Only the last message asks for an acknowledgement; an
 * error is answered in any case.
 */
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_TEXT_LEN 128

struct netlink_message; /* what is known of one message: netlink.c */

struct netlink_batch {
	char *buf; /* owned */
	size_t len;
	size_t cap;
	struct netlink_message *messages; /* owned */
	size_t n_messages;
	size_t messages_cap;
	size_t ack;	    /* index + 1 of the message that is acknowledged; 0: the last one */
	uint32_t first_seq; /* of the first message; the others follow */
	int error;	    /* -errno of the first builder that could not do its work */
};

#define NETLINK_BATCH_INIT \
	{                  \
	}

/* The message that the kernel refused. */
struct netlink_failure {
	size_t index;		     /* in the batch; its number of messages: none of them */
	char text[NETLINK_TEXT_LEN]; /* the kernel's own explanation; "" where it has none */
};

/* One message of an answer; NULL: what came so far counts for nothing, the answer begins anew. < 0
 * ends with that value. */
typedef int (*netlink_fn)(const struct nlmsghdr *message, void *data);

/* A socket for PROTOCOL (NETLINK_ROUTE, NETLINK_NETFILTER) in the network namespace that the caller
 * is in, where it stays. The descriptor or -errno. */
int netlink_open(int protocol);

/* ---- building ---- */

/* Opens the next message: its family's HEADER of LEN bytes follows the netlink header.
 * NLM_F_REQUEST is always set. */
void netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags, const void *header,
		   size_t len);
/* The message opened last may fail with ERRNUM (positive): that is no error then. At most two. */
void netlink_tolerate(struct netlink_batch *batch, int errnum);
/* The message opened last is the one that is acknowledged, instead of the batch's last one. For
 * nf_tables, whose end of a transaction older kernels do not acknowledge. */
void netlink_ack_here(struct netlink_batch *batch);
/* Attributes of the message opened last; the string with its NUL. Bytes as they are: who needs
 * network order, puts it. */
void netlink_put(struct netlink_batch *batch, uint16_t type, const void *data, size_t len);
void netlink_put_u8(struct netlink_batch *batch, uint16_t type, uint8_t value);
void netlink_put_u16(struct netlink_batch *batch, uint16_t type, uint16_t value);
void netlink_put_u32(struct netlink_batch *batch, uint16_t type, uint32_t value);
void netlink_put_be16(struct netlink_batch *batch, uint16_t type, uint16_t value);
void netlink_put_be32(struct netlink_batch *batch, uint16_t type, uint32_t value);
void netlink_put_be64(struct netlink_batch *batch, uint16_t type, uint64_t value);
void netlink_put_string(struct netlink_batch *batch, uint16_t type, const char *text);
/* Opens an attribute that holds attributes, and closes it (NEST is what opening returned). */
size_t netlink_nest(struct netlink_batch *batch, uint16_t type);
void netlink_nest_end(struct netlink_batch *batch, size_t nest);
/* Raw bytes where an attribute or a nest begins with a struct; padded to 4. */
void netlink_put_raw(struct netlink_batch *batch, const void *data, size_t len);
/* Empty again, for the next messages; memory is kept. */
void netlink_reset(struct netlink_batch *batch);
void netlink_batch_done(struct netlink_batch *batch);
#define cleanup_netlink_batch __attribute__((cleanup(netlink_batch_done)))

/* ---- sending ---- */

/* Sends all messages and empties the batch; an empty batch is fine. 0, or -errno of the first
 * message that failed with what was not tolerated, RET_FAILURE (may be NULL) says which one.
 * Messages of rtnetlink are executed one by one, those behind a failed one too; a transaction of
 * nf_tables as a whole or not at all. */
int netlink_send(int fd, struct netlink_batch *batch, struct netlink_failure *ret_failure);
/* The batch is one question with one answer, handed to FN: its value, or -errno. */
int netlink_get(int fd, struct netlink_batch *batch, netlink_fn fn, void *data);
/* The batch is one question with NLM_F_DUMP: FN gets every message of the answer. When the kernel
 * says that the tables changed meanwhile, FN gets NULL and everything again, a few times; then
 * -EAGAIN. 0, FN's value < 0, or -errno. */
int netlink_dump(int fd, struct netlink_batch *batch, netlink_fn fn, void *data);

/* ---- reading; nothing behind the end of a message is looked at ---- */

/* The family's header of LEN bytes, NULL when the message is shorter than that. */
const void *netlink_header(const struct nlmsghdr *message, size_t len);
/* Sorts the attributes behind a header of LEN bytes by type into RET[0..MAX]; NULL: not there. Of
 * two of one type the last counts. */
void netlink_parse(const struct nlmsghdr *message, size_t len, const struct nlattr **ret,
		   unsigned max);
/* The same for those inside ATTR (may be NULL: there are none). */
void netlink_parse_nest(const struct nlattr *attr, const struct nlattr **ret, unsigned max);
/* Calls FN for each attribute inside ATTR (may be NULL), in order; stops at its first value < 0 and
 * returns it. */
int netlink_each(const struct nlattr *attr, int (*fn)(const struct nlattr *item, void *data),
		 void *data);
/* An attribute's content and its length. */
const void *netlink_data(const struct nlattr *attr);
size_t netlink_len(const struct nlattr *attr);
/* The value, FALLBACK when ATTR is NULL or has another length; be: it is in network order. */
uint8_t netlink_u8(const struct nlattr *attr, uint8_t fallback);
uint32_t netlink_u32(const struct nlattr *attr, uint32_t fallback);
uint32_t netlink_be32(const struct nlattr *attr, uint32_t fallback);
uint64_t netlink_be64(const struct nlattr *attr, uint64_t fallback);
/* The text if it ends in this attribute, else "" (also for NULL). */
const char *netlink_string(const struct nlattr *attr);

#endif
