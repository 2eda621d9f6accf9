/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_AGENT_H
#define BUILD_RUN_AGENT_H
/* Handing the connections of a socket on to another. */
#include <sys/types.h>

/* Forks a process that accepts on LISTENER (borrowed) and hands what each connection asks for, keys
 * and signatures and nothing else, on to the agent at PATH (of directory DIR_FD where that is not
 * -1), and its answers back, until it is killed; it dies with this process. Its pid or -errno. */
pid_t run_agent_start(int listener, int dir_fd, const char *path);

#endif
