/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-dns: the name server of one network. It is started by the monitor of the first container
 * (network/name_server.h) with its listening socket, the network's lock and the directory of all
 * networks as descriptors 3 to 5; its argument, the network's id, is for people who look at ps.
 */
#include "dns/confine.h"
#include "dns/server.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* The descriptors are those of a name server, close-on-exec from here on. */
static bool take_descriptors(void)
{
	for (int fd = NAME_SERVER_LISTEN_FD; fd <= NAME_SERVER_NETWORKS_FD; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return false;
	return fcntl(NAME_SERVER_LISTEN_FD, F_SETFL, O_NONBLOCK) == 0 &&
	       close_range(NAME_SERVER_NETWORKS_FD + 1, ~0U, 0) == 0;
}

/* A session of its own, and nobody's child: who started it goes before it does. */
static bool leave_caller(void)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		_exit(pid < 0 ? 1 : 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* lint: the host's root */
	return setsid() >= 0 && chdir("/") == 0;
}

int main(int argc, char **argv)
{
	static const char usage[] = "tare-dns is started by tare, for the names of a network\n";
	struct server server;

	if (argc != 2 || !take_descriptors()) {
		(void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
		return 2;
	}
	if (!leave_caller() || server_init(&server, NAME_SERVER_LISTEN_FD, NAME_SERVER_LOCK_FD,
					   NAME_SERVER_NETWORKS_FD) < 0)
		return 1;
	if (confine(NAME_SERVER_NETWORKS_FD) < 0)
		return 1;
	return loop_run(&server.loop) < 0;
}
