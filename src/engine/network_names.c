/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running container that gets its first network with names needs sockets in its network
 * namespace: a child of ours enters it, makes them, and passes them back.
 */
#include "engine/network_names.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/resolv.h"
#include "monitor/client.h"
#include "monitor/names.h"
#include "oci/runtime_config.h"
#include "sys/clone.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_RESOLV "/etc/resolv.conf"
/* Together half a second; a container with a name server of its own takes no longer. */
#define BIND_TRIES    50
#define BIND_PAUSE_US 10000

bool network_has_names(const struct network *network)
{
	return !network->is_default_bridge && !network->is_predefined;
}

struct name_service *network_names_make(const struct engine *engine,
					const struct oci_runtime_config *config, const char *id,
					const struct network *networks, size_t n)
{
	cleanup_free char *program = engine_helper_path(engine, NAME_SERVER_PROGRAM);
	cleanup_resolv_request struct resolv_request request = {};
	struct name_service *service = NULL;

	for (size_t i = 0; i < n && !service; i++)
		if (network_has_names(&networks[i]))
			service = name_service_new(program, engine->runroot, networks[i].id, id);
	if (!service)
		return NULL;
	for (size_t i = 0; i < n; i++)
		service->forwards |= !networks[i].is_internal;
	resolv_request_from_config(config, &request);
	if (request.servers.n)
		name_service_add_own(service, &request.servers);
	else
		name_service_add_host(service, HOST_RESOLV);
	return service;
}

int network_names_write(const struct name_service *service, const struct oci_runtime_config *config,
			int state_dir, int container_dir, struct err *err)
{
	cleanup_free char *text = service ? name_service_format(service) : NULL;
	int rc = resolv_write(container_dir, config, service ? RESOLV_NAMES : RESOLV_PRIVATE, err);

	if (rc < 0)
		return rc;
	if (!text) {
		unlinkat(state_dir, NAMES_FILE, 0);
		return 0;
	}
	rc = fd_replace_file_at(state_dir, NAMES_FILE, text, strlen(text), 0600, false);
	return rc < 0 ? err_sys(err, -rc, "write " NAMES_FILE) : 0;
}

/* ---- a running container ---- */

struct entry {
	int pidfd, socket;
	int rc;
};

static int make_inside(void *arg)
{
	struct entry *e = arg;
	int fds[N_NAME_SOCKETS];

	e->rc = setns(e->pidfd, CLONE_NEWNET) < 0 ? -errno : name_service_open_sockets(fds);
	if (e->rc == 0)
		e->rc = (int)pty_send_fds(e->socket, "", 1, fds, N_NAME_SOCKETS, 0);
	_exit(0);
}

/* One attempt: the process that makes them inside and sends them. */
static int enter(struct entry *entry, struct err *err)
{
	cleanup_close int child_fd = -1;
	pid_t pid = clone_vfork(make_inside, entry, 0, -1, &child_fd);

	if (pid < 0)
		return err_sys(err, -pid, "enter the container's network");
	waitpid(pid, NULL, 0);
	return 0;
}

/* Makes SERVICE's sockets in the network namespace of PIDFD's process. */
static int make_sockets(struct name_service *service, int pidfd, struct err *err)
{
	struct entry entry = {.pidfd = pidfd};
	int fds[PTY_FDS_MAX];
	char byte = 0;
	int rc = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, service->pair) < 0)
		return err_sys(err, errno, "make a socket pair");
	entry.socket = service->pair[1];
	/* The name server of a network that was left just now closes its sockets when it gets round
	 * to it. */
	for (int i = 0; rc == 0 && i < BIND_TRIES; i++) {
		if (i > 0)
			usleep(BIND_PAUSE_US);
		rc = enter(&entry, err);
		if (entry.rc != -EADDRINUSE)
			break;
	}
	if (rc < 0)
		return rc;
	if (entry.rc < 0)
		return err_sys(err, -entry.rc, "listen on " NAME_SERVER_ADDRESS ":53");
	if (pty_recv_fds(service->pair[0], &byte, 1, fds, MSG_DONTWAIT) <= 0)
		return err_sys(err, EPIPE, "receive the sockets of names");
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		service->sockets[i] = fds[i];
	return 0;
}

/* Tells the monitor that its file is another. */
static int tell_monitor(struct name_service *service, int state_dir, struct err *err)
{
	/* Any number but the last one; nobody looks at it. */
	const uint8_t payload[NAMES_PAYLOAD_LEN] = {0, 1};
	bool has_sockets = service->sockets[NAME_UDP] >= 0;
	cleanup_close int monitor = monitor_client_open(state_dir, err);

	if (monitor < 0)
		return monitor;
	return monitor_client_adopt(monitor, COMPANION_DNS, payload, sizeof(payload),
				    service->sockets, has_sockets ? N_NAME_SOCKETS : 0, err);
}

static int give_up(int state_dir, struct err *err)
{
	const uint8_t key[NAMES_KEY_LEN] = {};
	cleanup_close int monitor = monitor_client_open(state_dir, err);

	return monitor < 0 ? monitor
			   : monitor_client_release(monitor, COMPANION_DNS, key, sizeof(key), err);
}

static bool has_names(int state_dir)
{
	return faccessat(state_dir, NAMES_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int network_names_update(const struct engine *engine, const struct names_subject *subject,
			 const struct network *networks, size_t n, struct err *err)
{
	struct name_service *service = network_names_make(engine, subject->config, subject->id,
							  networks, n);
	bool had_names = has_names(subject->state_dir);
	int rc = service && !had_names ? make_sockets(service, subject->pidfd, err) : 0;

	if (rc == 0 && (service || had_names))
		rc = network_names_write(service, subject->config, subject->state_dir,
					 subject->container_dir, err);
	if (rc == 0 && service)
		rc = tell_monitor(service, subject->state_dir, err);
	/* Somebody was stopped between the file and the sockets. */
	if (rc == -ERR_NOT_FOUND && service && had_names) {
		err_clear(err);
		rc = make_sockets(service, subject->pidfd, err);
		rc = rc < 0 ? rc : tell_monitor(service, subject->state_dir, err);
	}
	if (rc == 0 && !service && had_names)
		rc = give_up(subject->state_dir, err);
	name_service_free(service);
	return rc;
}
