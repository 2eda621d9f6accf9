/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's and the monitor's side of a network's name server: finding it, starting it, and
 * telling it whom it serves.
 *
 * Who wants to connect does so under the network's lock, and the name server ends only with that
 * lock in its hands: so a connection that was made is always served. The listening socket is made
 * by who starts the program and given to it, so nobody has to wait until it is ready.
 */
#include "network/name_server.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sys/ip.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_NAME "dns.sock"
#define LOCK_NAME   "dns.lock"
#define BACKLOG	    512
#define RESOLV_MAX  ((size_t)1 << 16)

_Static_assert(N_NAME_SOCKETS <= PTY_FDS_MAX, "they go in one message");

struct name_service *name_service_new(const char *program, const char *runroot,
				      const char *network_id, const char *container_id)
{
	struct name_service *s = mem_zalloc(sizeof(*s));

	*s = (struct name_service)NAME_SERVICE_INIT;
	s->program = str_dup(program);
	s->runroot = str_dup(runroot);
	snprintf(s->network_id, sizeof(s->network_id), "%s", network_id);
	snprintf(s->container_id, sizeof(s->container_id), "%s", container_id);
	return s;
}

void name_service_free(struct name_service *service)
{
	if (!service)
		return;
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		fd_cleanup_close(&service->sockets[i]);
	fd_cleanup_close(&service->fd);
	fd_cleanup_close(&service->pair[0]);
	fd_cleanup_close(&service->pair[1]);
	strv_done(&service->servers);
	free(service->program);
	free(service->runroot);
	free(service);
}

/* ---- whom to ask ---- */

static void add_server(struct name_service *s, const char *from, const char *address)
{
	struct ip_addr ip;

	if (s->servers.n < NAME_SERVER_MAX_SERVERS && ip_parse(address, &ip) == 0)
		strv_addf(&s->servers, "%s %s", from, address);
}

void name_service_add_own(struct name_service *service, const struct strv *addresses)
{
	strv_foreach (i, addresses)
		add_server(service, "own", addresses->items[i]);
}

void name_service_add_host(struct name_service *service, const char *resolv_conf)
{
	cleanup_str struct str text = STR_INIT;
	char *cursor = NULL;
	char *line = NULL;

	if (fd_read_kernel_file(resolv_conf, RESOLV_MAX, &text) < 0 || !text.buf)
		return;
	cursor = text.buf;
	while ((line = strsep(&cursor, "\n")) != NULL) {
		char *key = strsep(&line, " \t");

		if (!line || strcmp(key, "nameserver") != 0)
			continue;
		line = str_trim(line);
		/* A zone ("fe80::1%eth0") means a link that only the host's own programs know. */
		line[strcspn(line, " \t#;")] = '\0';
		add_server(service, "host", line);
	}
}

/* ---- finding and starting it ---- */

static int socket_address(int dir_fd, struct sockaddr_un *ret)
{
	int n = 0;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* The directory's own path may be longer than sun_path. */
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir_fd);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* A connection to the one that listens there, or -errno: -ECONNREFUSED and -ENOENT when there is
 * none. */
static int connect_to(int dir_fd)
{
	cleanup_close int fd = open_socket();
	struct sockaddr_un address;
	int rc = fd < 0 ? fd : socket_address(dir_fd, &address);

	if (rc < 0)
		return rc;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(fd);
}

static int listen_at(int dir_fd)
{
	cleanup_close int fd = open_socket();
	struct sockaddr_un address;
	int rc = fd < 0 ? fd : socket_address(dir_fd, &address);

	if (rc < 0)
		return rc;
	unlinkat(dir_fd, SOCKET_NAME, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchmodat(dir_fd, SOCKET_NAME, 0600, 0) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(fd);
}

/* Runs the program with LISTEN_FD and the lock; it leaves us by itself, and is not our child then.
 * 0 or -errno. */
static int spawn_server(const struct name_service *s, int listen_fd, int dir_fd, int networks_fd)
{
	char *const argv[] = {s->program, (char *)(uintptr_t)s->network_id, NULL};
	/* Of its own: a lock belongs to the open file, and ours is held. */
	cleanup_close int lock = openat(dir_fd, LOCK_NAME, O_RDWR | O_CLOEXEC);
	/* Out of the way of the numbers that they become. */
	cleanup_close int high_listen = fcntl(listen_fd, F_DUPFD_CLOEXEC, 16);
	cleanup_close int high_lock = fcntl(lock, F_DUPFD_CLOEXEC, 16);
	cleanup_close int high_networks = fcntl(networks_fd, F_DUPFD_CLOEXEC, 16);
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int status = 0;
	int rc = 0;

	if (high_listen < 0 || high_lock < 0 || high_networks < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	/* The caller's own may be pipes that somebody reads to their end. */
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, high_listen, NAME_SERVER_LISTEN_FD);
	posix_spawn_file_actions_adddup2(&actions, high_lock, NAME_SERVER_LOCK_FD);
	posix_spawn_file_actions_adddup2(&actions, high_networks, NAME_SERVER_NETWORKS_FD);
	rc = posix_spawn(&pid, s->program, &actions, NULL, argv, (char *[]){NULL});
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int connect_or_start(const struct name_service *s, int dir_fd, int networks_fd)
{
	cleanup_close int listen_fd = -1;
	int rc = connect_to(dir_fd);

	if (rc != -ECONNREFUSED && rc != -ENOENT)
		return rc;
	listen_fd = listen_at(dir_fd);
	rc = listen_fd < 0 ? listen_fd : spawn_server(s, listen_fd, dir_fd, networks_fd);
	return rc < 0 ? rc : connect_to(dir_fd);
}

/* The name server is nobody, and sees names and addresses: what the endpoint files say. */
static void let_in(int networks_fd, int dir_fd)
{
	fchmod(networks_fd, 0755);
	fchmod(dir_fd, 0755);
}

int name_service_connect(struct name_service *service, bool wait, struct err *err)
{
	cleanup_free char *path = str_printf("%s/networks", service->runroot);
	/* lint: a directory of the engine's own */
	cleanup_close int networks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int dir = -1;
	cleanup_close int lock = -1;
	int rc = 0;

	if (networks >= 0)
		dir = openat(networks, service->network_id,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		lock = openat(dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return err_sys(err, errno, "open network %.12s", service->network_id);
	if (flock(lock, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
		return err_set(err, ERR_UNAVAILABLE, "the name server of network %.12s is starting",
			       service->network_id);
	let_in(networks, dir);
	rc = connect_or_start(service, dir, networks);
	if (rc < 0) {
		err_sys(err, -rc, "start the name server %s", service->program);
		return err_hint(err, "is tare installed completely?");
	}
	fd_cleanup_close(&service->fd);
	service->fd = rc;
	return 0;
}

/* ---- what goes over the connection ---- */

static void add_message(const struct name_service *s, struct str *out)
{
	str_addf(out, "container %s\nforward %s\n", s->container_id, s->forwards ? "yes" : "no");
	strv_foreach (i, &s->servers)
		str_addf(out, "server %s\n", s->servers.items[i]);
}

int name_service_send(struct name_service *service, bool with_sockets)
{
	cleanup_str struct str text = STR_INIT;
	ssize_t n = 0;

	if (service->fd < 0 || (with_sockets && service->sockets[NAME_UDP] < 0))
		return -ENOTCONN;
	add_message(service, &text);
	n = pty_send_fds(service->fd, text.buf, text.len, service->sockets,
			 with_sockets ? N_NAME_SOCKETS : 0, MSG_DONTWAIT);
	return n < 0 ? (int)n : 0;
}

/* ---- as text ---- */

char *name_service_format(const struct name_service *service)
{
	struct str out = STR_INIT;

	str_addf(&out, "program %s\nrunroot %s\nnetwork %s\n", service->program, service->runroot,
		 service->network_id);
	add_message(service, &out);
	return str_take(&out);
}

static void parse_line(struct name_service *s, const char *key, const char *value)
{
	if (strcmp(key, "program") == 0)
		str_replace(&s->program, value);
	else if (strcmp(key, "runroot") == 0)
		str_replace(&s->runroot, value);
	else if (strcmp(key, "network") == 0 && hex_is_valid(value, ID_LEN))
		memcpy(s->network_id, value, ID_LEN);
	else if (strcmp(key, "container") == 0 && hex_is_valid(value, ID_LEN))
		memcpy(s->container_id, value, ID_LEN);
	else if (strcmp(key, "forward") == 0)
		s->forwards = strcmp(value, "yes") == 0;
	else if (strcmp(key, "server") == 0 && s->servers.n < NAME_SERVER_MAX_SERVERS)
		strv_add(&s->servers, value);
}

struct name_service *name_service_parse(const char *text)
{
	struct name_service *s = name_service_new(NULL, NULL, "", "");
	cleanup_free char *copy = str_dup(text);
	char *cursor = copy;
	char *line = NULL;

	while ((line = strsep(&cursor, "\n")) != NULL) {
		char *key = strsep(&line, " ");

		if (line)
			parse_line(s, key, line);
	}
	if (s->program && s->runroot && *s->network_id && *s->container_id)
		return s;
	name_service_free(s);
	return NULL;
}
