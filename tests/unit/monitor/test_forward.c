/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relayed ports, on loopback addresses and in one process: the relay's loop runs between what the
 * two ends do.
 */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "event/loop.h"
#include "monitor/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A relay of one port: HOST is where it listens, SERVER where it leads to. */
struct bed {
	struct loop loop;
	struct companions all;
	struct sockaddr_in6 host;
	struct forward_port port;
	uint8_t payload[FORWARD_PAYLOAD_LEN];
	int server; /* listening, or a datagram socket */
};

static size_t count_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int bind_server(int type, uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static int bind_host(int type, struct sockaddr_in6 *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof(*ret)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void bed_init(struct bed *b, int type)
{
	int fd = -1;

	*b = (struct bed){.port = {.proto = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
				   .is_relayed = true}};
	assert_int_equal(loop_init(&b->loop), 0);
	b->all.loop = &b->loop;
	b->server = bind_server(type, &b->port.to_port);
	fd = bind_host(type, &b->host);
	assert_int_equal(ip_parse("::1", &b->port.host), 0);
	assert_int_equal(ip_parse("127.0.0.1", &b->port.to), 0);
	b->port.host_port = ntohs(b->host.sin6_port);
	forward_format(&b->port, b->payload);
	assert_int_equal(
		companions_add(&b->all, COMPANION_PORT, b->payload, sizeof(b->payload), &fd, 1), 0);
}

static void bed_done(struct bed *b)
{
	companions_end(&b->all);
	assert_null(b->all.forward);
	loop_done(&b->loop);
	fd_cleanup_close(&b->server);
}

/* Lets the relay do what there is to do. */
static void turn(struct bed *b)
{
	for (int i = 0; i < 8; i++)
		assert_true(loop_run_once(&b->loop, 2) >= 0);
}

static int dial(struct bed *b, int type)
{
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&b->host, sizeof(b->host)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* A client and what the container sees of it. */
static void meet(struct bed *b, int *ret_client, int *ret_server)
{
	*ret_client = dial(b, SOCK_STREAM);
	turn(b);
	*ret_server = accept4(b->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*ret_server >= 0);
}

static void expect(int fd, const char *want)
{
	char buf[64] = "";
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	assert_int_equal(n, (ssize_t)strlen(want));
	assert_string_equal(buf, want);
}

/* ---- payloads ---- */

static void payloads_are_checked(void **state)
{
	struct forward_port port = {.proto = IPPROTO_UDP, .host_port = 53, .to_port = 54};
	struct forward_port got;
	uint8_t payload[FORWARD_PAYLOAD_LEN];

	ip_parse("2001:db8::1", &port.host);
	ip_parse("172.17.0.2", &port.to);
	port.is_relayed = true;
	forward_format(&port, payload);
	assert_int_equal(forward_parse(payload, &got), 0);
	assert_true(ip_is_equal(&got.host, &port.host) && ip_is_equal(&got.to, &port.to));
	assert_true(got.host_port == 53 && got.to_port == 54 && got.is_relayed);
	/* Every byte that says what follows, wrong. */
	static const struct {
		uint8_t at, value;
	} wrong[] = {{0, 1}, {0, IPPROTO_SCTP}, {1, 0}, {1, 5}, {2, 0}, {21, 0}, {21, 7}, {22, 0}};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t bad[FORWARD_PAYLOAD_LEN];

		memcpy(bad, payload, sizeof(bad));
		bad[wrong[i].at] = wrong[i].value;
		assert_int_equal(forward_parse(bad, &got), -EINVAL);
	}
}

/* ---- connections ---- */

static void both_directions_and_each_end(void **state)
{
	size_t before = count_fds();
	struct bed b;
	int client = -1, server = -1;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &server);
	assert_int_equal(write(client, "ping", 4), 4);
	turn(&b);
	expect(server, "ping");
	/* The client has no more to say, but listens still. */
	shutdown(client, SHUT_WR);
	turn(&b);
	expect(server, "");
	assert_int_equal(write(server, "pong", 4), 4);
	turn(&b);
	expect(client, "pong");
	close(server);
	turn(&b);
	expect(client, "");
	close(client);
	turn(&b);
	bed_done(&b);
	assert_int_equal(count_fds(), before);
}

static void an_idle_connection_holds_no_pipe(void **state)
{
	struct bed b;
	int client = -1, server = -1;
	size_t idle = 0;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &server);
	idle = count_fds();
	assert_int_equal(write(client, "x", 1), 1);
	turn(&b);
	expect(server, "x");
	/* At most those that are kept for everybody. */
	assert_true(count_fds() <= idle + 4);
	close(client);
	close(server);
	turn(&b);
	bed_done(&b);
}

/* Who does not read holds the writer up after some buffers; then everything arrives. */
static void a_slow_reader_holds_up_the_writer(void **state)
{
	static uint8_t block[65536], got[65536];
	struct bed b;
	int client = -1, server = -1;
	size_t sent = 0, received = 0;
	ssize_t n = 0;
	int idle = 0;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &server);
	while (idle < 20 && sent < (64 << 20)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((sent + i) * 2654435761U >> 24);
		n = write(client, block, sizeof(block));
		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		assert_true(loop_run_once(&b.loop, 1) >= 0);
	}
	assert_true(sent < (32 << 20));
	shutdown(client, SHUT_WR);
	for (n = 1; n != 0;) {
		assert_true(loop_run_once(&b.loop, 1) >= 0);
		n = read(server, got, sizeof(got));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(got[i],
					 (uint8_t)((received + (size_t)i) * 2654435761U >> 24));
		received += n > 0 ? (size_t)n : 0;
		assert_true(n >= 0 || errno == EAGAIN);
	}
	assert_int_equal(received, sent);
	close(client);
	close(server);
	turn(&b);
	bed_done(&b);
}

static void a_refused_connection_is_reset(void **state)
{
	size_t before = count_fds();
	struct bed b;
	int client = -1;
	char byte = 0;

	bed_init(&b, SOCK_STREAM);
	fd_cleanup_close(&b.server);
	client = dial(&b, SOCK_STREAM);
	turn(&b);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	bed_done(&b);
	assert_int_equal(count_fds(), before);
}

static void a_reset_is_passed_on(void **state)
{
	const struct linger now = {.l_onoff = 1};
	struct bed b;
	int client = -1, server = -1;
	char byte = 0;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &server);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(client);
	turn(&b);
	assert_int_equal(read(server, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(server);
	bed_done(&b);
}

/* The last words of a container arrive though it is gone. */
static void what_was_said_before_the_end_arrives(void **state)
{
	struct bed b;
	int client = -1, server = -1;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &server);
	assert_int_equal(write(server, "bye", 3), 3);
	close(server);
	bed_done(&b);
	expect(client, "bye");
	expect(client, "");
	close(client);
}

static void it_can_lead_elsewhere(void **state)
{
	struct bed b;
	int client = -1, old = -1, server = -1;

	bed_init(&b, SOCK_STREAM);
	meet(&b, &client, &old);
	int other = bind_server(SOCK_STREAM, &b.port.to_port);

	forward_format(&b.port, b.payload);
	assert_int_equal(
		companions_adopt(&b.all, COMPANION_PORT, b.payload, sizeof(b.payload), NULL, 0), 0);
	close(b.server);
	b.server = other;
	int second = -1;

	meet(&b, &second, &server);
	/* The first connection stays where it was. */
	assert_int_equal(write(client, "old", 3), 3);
	assert_int_equal(write(second, "new", 3), 3);
	turn(&b);
	expect(old, "old");
	expect(server, "new");
	close(client);
	close(second);
	close(old);
	close(server);
	bed_done(&b);
}

/* ---- datagrams ---- */

static void datagrams_find_their_way_back(void **state)
{
	size_t before = count_fds();
	struct bed b;
	struct sockaddr_in from[3];
	char buf[64];

	bed_init(&b, SOCK_DGRAM);
	int clients[] = {dial(&b, SOCK_DGRAM), dial(&b, SOCK_DGRAM), dial(&b, SOCK_DGRAM)};

	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		char text[] = {'a', (char)('0' + i)};
		socklen_t len = sizeof(from[i]);

		assert_int_equal(write(clients[i], text, 2), 2);
		turn(&b);
		assert_int_equal(
			recvfrom(b.server, buf, sizeof(buf), 0, (struct sockaddr *)&from[i], &len),
			2);
		assert_memory_equal(buf, text, 2);
	}
	assert_int_not_equal(from[0].sin_port, from[1].sin_port);
	for (size_t i = ARRAY_LEN(clients); i-- > 0;) {
		char text[] = {'b', (char)('0' + i)};

		assert_int_equal(
			sendto(b.server, text, 2, 0, (struct sockaddr *)&from[i], sizeof(from[i])),
			2);
	}
	turn(&b);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		assert_int_equal(read(clients[i], buf, sizeof(buf)), 2);
		assert_int_equal(buf[1], '0' + (int)i);
		close(clients[i]);
	}
	/* An empty one is one too. */
	int last = dial(&b, SOCK_DGRAM);

	assert_int_equal(send(last, "", 0, 0), 0);
	turn(&b);
	assert_int_equal(recv(b.server, buf, sizeof(buf), 0), 0);
	close(last);
	bed_done(&b);
	assert_int_equal(count_fds(), before);
}

static void a_client_nobody_listens_to_is_forgotten(void **state)
{
	struct bed b;
	size_t before = 0;

	bed_init(&b, SOCK_DGRAM);
	fd_cleanup_close(&b.server);
	before = count_fds();
	int client = dial(&b, SOCK_DGRAM);

	assert_int_equal(write(client, "x", 1), 1);
	turn(&b);
	close(client);
	assert_int_equal(count_fds(), before);
	bed_done(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_are_checked),
		cmocka_unit_test(both_directions_and_each_end),
		cmocka_unit_test(an_idle_connection_holds_no_pipe),
		cmocka_unit_test(a_slow_reader_holds_up_the_writer),
		cmocka_unit_test(a_refused_connection_is_reset),
		cmocka_unit_test(a_reset_is_passed_on),
		cmocka_unit_test(what_was_said_before_the_end_arrives),
		cmocka_unit_test(it_can_lead_elsewhere),
		cmocka_unit_test(datagrams_find_their_way_back),
		cmocka_unit_test(a_client_nobody_listens_to_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
