/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the companion are the container's sockets and, while there is one, the connection.
 * The lock is never waited for: whoever holds it starts the name server, so there is nothing to do
 * but to look again a moment later. A name server that cannot be started, or ends at once, is tried
 * less and less often.
 */
#include "monitor/names.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/loop.h"
#include "monitor/monitor.h"
#include "network/name_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Somebody else is starting it. */
#define BUSY_NS 3000000ULL
#define MIN_NS	20000000ULL
#define MAX_NS	5000000000ULL
/* A name server that lives no longer than this is one that cannot. */
#define SHORT_NS 500000000ULL

struct names {
	struct companion *companion;
	struct loop *loop;
	struct name_service *service; /* owned; its sockets are the companion's */
	struct loop_source connection;
	struct loop_timer timer;
	uint64_t delay_ns; /* before the next attempt */
	uint64_t since_ns; /* of the connection */
};

static void try_connect(struct names *n);
static void wait_longer(struct names *n);

/* ---- the connection ---- */

static void drop_connection(struct names *n)
{
	struct companion *c = n->companion;

	loop_remove(n->loop, &n->connection);
	if (c->n_fds <= N_NAME_SOCKETS)
		return;
	close(c->fds[N_NAME_SOCKETS]);
	c->n_fds = N_NAME_SOCKETS;
	n->service->fd = -1;
}

static int on_connection(void *data, uint32_t events)
{
	struct names *n = data;
	char byte = 0;
	ssize_t len = recv(n->companion->fds[N_NAME_SOCKETS], &byte, 1, MSG_DONTWAIT);

	/* It says nothing, ever. */
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	log_info("the name server of network %.12s has ended", n->service->network_id);
	drop_connection(n);
	if (clock_mono_ns() - n->since_ns < SHORT_NS) {
		wait_longer(n);
		return 0;
	}
	n->delay_ns = MIN_NS;
	try_connect(n);
	return 0;
}

static int watch(struct names *n, int fd)
{
	struct companion *c = n->companion;

	c->fds[N_NAME_SOCKETS] = fd;
	c->n_fds = N_NAME_SOCKETS + 1;
	n->service->fd = fd;
	n->since_ns = clock_mono_ns();
	return loop_add(n->loop, &n->connection, fd, EPOLLIN, on_connection, n);
}

/* ---- another network ---- */

/* The one that its container was handed to may be gone, and the container in others. */
static bool is_there(int networks, const char *network, const char *container)
{
	cleanup_free char *path = str_printf("%s/endpoints/%s", network, container);

	return faccessat(networks, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool find_network(struct name_service *s)
{
	cleanup_free char *path = str_printf("%s/networks", s->runroot);
	/* lint: a directory of the engine's own */
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;
	bool is_found = false;

	if (!dir)
		return false;
	while (!is_found && (entry = readdir(dir)) != NULL) {
		is_found = hex_is_valid(entry->d_name, ID_LEN) &&
			   is_there(fd, entry->d_name, s->container_id);
		if (is_found)
			memcpy(s->network_id, entry->d_name, ID_LEN);
	}
	take_fd(fd);
	closedir(dir);
	return is_found;
}

/* ---- connecting again ---- */

static int on_timer(void *data, uint32_t events)
{
	try_connect(data);
	return 0;
}

static void try_later(struct names *n, uint64_t after_ns)
{
	/* Made when it is first needed: what a start opens is closed behind it. */
	if (!loop_has(&n->timer.source) && loop_timer_add(n->loop, &n->timer, on_timer, n) < 0)
		return;
	loop_timer_set(&n->timer, after_ns);
}

static void wait_longer(struct names *n)
{
	try_later(n, n->delay_ns);
	n->delay_ns = n->delay_ns * 2 < MAX_NS ? n->delay_ns * 2 : MAX_NS;
}

/* Hands the sockets to the name server, a new one if need be. */
static int connect_now(struct names *n, struct err *err)
{
	struct name_service *s = n->service;
	int rc = name_service_connect(s, false, err);

	if (rc == -ERR_NOT_FOUND && find_network(s))
		rc = name_service_connect(s, false, err);
	if (rc < 0)
		return rc;
	rc = name_service_send(s, true);
	if (rc < 0) {
		fd_cleanup_close(&s->fd);
		return err_sys(err, -rc, "hand sockets to the name server");
	}
	rc = watch(n, s->fd);
	if (rc == 0)
		return 0;
	drop_connection(n);
	return err_sys(err, -rc, "watch the name server");
}

static void try_connect(struct names *n)
{
	struct err err = ERR_INIT;
	int rc = connect_now(n, &err);

	if (rc == -ERR_UNAVAILABLE) {
		try_later(n, BUSY_NS);
	} else if (rc < 0) {
		log_failure(LOG_LEVEL_WARN, err.msg, "names of the container are not answered");
		wait_longer(n);
	}
}

/* ---- a companion's life ---- */

static struct name_service *read_service(const struct companion *c)
{
	cleanup_str struct str text = STR_INIT;

	if (fd_read_file_at(c->all->config->state_dir_fd, NAMES_FILE, 2 * NAME_SERVER_MESSAGE_MAX,
			    &text) < 0)
		return NULL;
	return name_service_parse(str_get(&text));
}

static void lend_sockets(const struct companion *c, struct name_service *s)
{
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		s->sockets[i] = c->fds[i];
}

static void free_service(struct names *n)
{
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		n->service->sockets[i] = -1;
	n->service->fd = -1;
	name_service_free(n->service);
}

static int begin(struct companion *companion)
{
	struct name_service *service = read_service(companion);
	struct names *n = NULL;
	int rc = 0;

	if (!service)
		return -EINVAL;
	n = mem_zalloc(sizeof(*n));
	n->companion = companion;
	n->loop = companion->all->loop;
	n->service = service;
	n->connection = (struct loop_source)LOOP_SOURCE_INIT;
	n->timer.source = (struct loop_source)LOOP_SOURCE_INIT;
	n->delay_ns = MIN_NS;
	lend_sockets(companion, service);
	companion->state = n;
	/* From a start it comes connected. */
	if (companion->n_fds > N_NAME_SOCKETS)
		rc = watch(n, companion->fds[N_NAME_SOCKETS]);
	else
		try_connect(n);
	if (rc < 0) {
		free_service(n);
		free(n);
	}
	return rc;
}

static int change(struct companion *companion)
{
	struct names *n = companion->state;
	struct name_service *service = read_service(companion);

	if (!service)
		return -EINVAL;
	lend_sockets(companion, service);
	service->fd = n->service->fd;
	/* It is served where it is, by whichever network's process. */
	memcpy(service->network_id, n->service->network_id, ID_LEN);
	free_service(n);
	n->service = service;
	/* Without a connection it is said when there is one. */
	if (service->fd >= 0)
		name_service_send(service, false);
	return 0;
}

static void end(struct companion *companion)
{
	struct names *n = companion->state;

	drop_connection(n);
	loop_timer_remove(n->loop, &n->timer);
	free_service(n);
	free(n);
	companion->state = NULL;
}

const struct companion_ops names_ops = {
	.key_len = NAMES_KEY_LEN,
	.min_len = NAMES_PAYLOAD_LEN,
	.max_len = NAMES_PAYLOAD_LEN,
	.min_fds = N_NAME_SOCKETS,
	.max_fds = N_NAME_SOCKETS + 1,
	.begin = begin,
	.change = change,
	.end = end,
};

int names_keep(struct monitor *monitor, struct name_service *service)
{
	const uint8_t payload[NAMES_PAYLOAD_LEN] = {};
	int fds[N_NAME_SOCKETS + 1];
	size_t n = N_NAME_SOCKETS;

	for (int i = 0; i < N_NAME_SOCKETS; i++)
		fds[i] = take_fd(service->sockets[i]);
	if (service->fd >= 0)
		fds[n++] = take_fd(service->fd);
	return monitor_keep(monitor, COMPANION_DNS, payload, sizeof(payload), fds, n);
}
