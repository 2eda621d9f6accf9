/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_INTERRUPT_H
#define BUILD_INTERRUPT_H
/*
 * Signals that end a build. Whoever does something that may take long blocks them, waits with the
 * functions below, and looks afterwards whether one came: so there is always somebody left to clean
 * up. What waits need not know whether they are blocked; when they are not, they end the process as
 * ever.
 */
#include <signal.h>
#include <sys/types.h>

/* The signals that end a build: SIGINT, SIGTERM, SIGHUP, but for those that we were started to
 * ignore (nohup(1), background jobs of a script): a blocked signal would be seen all the same. */
void interrupt_fill(sigset_t *ret);
/* Blocks them in this thread. RET_SAVED is the mask of before. */
void interrupt_block(sigset_t *ret_saved);
/* The number of the one that waits to be delivered, 0 when there is none. */
int interrupt_get_pending(void);
/* From now on they do nothing: what is left to do is to clean up. */
void interrupt_ignore(void);

/* Blocks until FD is readable (or hung up): 0; -EINTR when a blocked one of the signals came first,
 * which stays pending; -errno. */
int interrupt_wait(int fd);
/* Blocks until our child PID has ended, and reaps it: 0 with its status as waitpid(2) gives it.
 * When a blocked one of the signals comes first the child is killed, with its process group when it
 * leads one: -EINTR. -errno. */
int interrupt_wait_child(pid_t pid, int *ret_status);

#endif
