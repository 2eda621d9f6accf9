/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of a container's names. They are on another port than the one that is asked, and two
 * pairs of rules in the container's own network namespace exchange the numbers, packet by packet,
 * without a table of connections: so a container may have a name server of its own on port 53 of
 * every address. Where the kernel takes no such rules, they are on port 53.
 */
#include "network/name_server.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/nft.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG	    128
#define RECEIVE_LEN (1 << 20)
#define DNS_PORT    53
/* Above what the kernel chooses for itself. */
#define OWN_PORT 61153
#define OWN_TEXT "61153"

static const char *const rules[] = {
	"ip daddr " NAME_SERVER_ADDRESS " udp dport 53 udp dport set " OWN_TEXT,
	"ip saddr " NAME_SERVER_ADDRESS " udp sport " OWN_TEXT " udp sport set 53",
	"ip daddr " NAME_SERVER_ADDRESS " tcp dport 53 tcp dport set " OWN_TEXT,
	"ip saddr " NAME_SERVER_ADDRESS " tcp sport " OWN_TEXT " tcp sport set 53",
	NULL,
};
/* Before connections are tracked, if the container tracks any. */
static const struct nft_chain chain = {
	.name = "output", .type = "filter", .hook = "output", .priority = -310, .rules = rules};
static const struct nft_table table = {
	.family = "ip", .name = "tare_names", .chains = &chain, .n_chains = 1};

void name_service_format_rules(struct str *out)
{
	nft_format(&table, NULL, out);
}

/* Loads the rules unless they are there: a container may lose its names and get them again. */
static int load_rules(void)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	cleanup_close int fd = nft_open();
	int rc = fd < 0 ? fd : nft_has_table(fd, &table);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	nft_begin(&batch, 0);
	nft_add_table(&batch, &table);
	rc = nft_add_content(&batch, &table);
	nft_end(&batch);
	return rc < 0 ? rc : netlink_send(fd, &batch, NULL);
}

static int open_socket(int type, uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(0x7f00000b)};
	cleanup_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return -errno;
	/* What comes while the name server has no processor, or is started again, waits here. */
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){RECEIVE_LEN}, sizeof(int));
	return take_fd(fd);
}

/* UDP and TCP on PORT. */
static int open_pair(int ret[static N_NAME_SOCKETS], uint16_t port)
{
	cleanup_close int udp = open_socket(SOCK_DGRAM, port);
	int tcp = udp < 0 ? udp : open_socket(SOCK_STREAM, port);

	if (tcp < 0)
		return tcp;
	ret[NAME_UDP] = take_fd(udp);
	ret[NAME_TCP] = tcp;
	return 0;
}

/* For both families, where there are both. */
static int open_ask(void)
{
	cleanup_close int ask = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (ask >= 0 && setsockopt(ask, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) < 0)
		fd_cleanup_close(&ask);
	if (ask < 0)
		ask = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return ask < 0 ? -errno : take_fd(ask);
}

int name_service_open_sockets(int ret[static N_NAME_SOCKETS])
{
	int fds[N_NAME_SOCKETS] = {-1, -1, -1};
	int rc = open_pair(fds, OWN_PORT);

	if (rc == 0 && load_rules() < 0) {
		fd_cleanup_close(&fds[NAME_UDP]);
		fd_cleanup_close(&fds[NAME_TCP]);
		rc = open_pair(fds, DNS_PORT);
	}
	fds[NAME_ASK] = rc < 0 ? rc : open_ask();
	if (fds[NAME_ASK] >= 0) {
		memcpy(ret, fds, sizeof(fds));
		return 0;
	}
	fd_cleanup_close(&fds[NAME_UDP]);
	fd_cleanup_close(&fds[NAME_TCP]);
	return fds[NAME_ASK];
}
