/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-guard: sleeps until the process that started it is gone, then becomes COMMAND. A monitor
 * whose container has a restart policy has one, and kills it when its own work is done. It holds
 * nothing: no lock, no pipe, no terminal. It is static and small, because there may be thousands.
 *
 *     tare-guard PID COMMAND [ARGUMENT...]
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct pollfd parent = {.events = POLLIN};
	pid_t pid = argc > 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;

	if (pid <= 0)
		return 2;
	prctl(PR_SET_NAME, "tare-guard");
	parent.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* While it is our parent its number cannot be another's. */
	if (parent.fd >= 0 && getppid() == pid)
		while (poll(&parent, 1, -1) <= 0)
			;
	close(parent.fd);
	execv(argv[2], argv + 2);
	return 1;
}
