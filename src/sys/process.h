/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H
/*
 * Processes named so that a reused pid is never mistaken for the one that was meant: a pid counts
 * only together with its start time and the boot it belongs to.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOOT_ID_LEN 37 /* UUID text and NUL */

/* Start time of PID in clock ticks since boot (/proc/PID/stat field 22), and its state letter where
 * RET_STATE is not NULL. 0, -ESRCH or -errno. */
int process_get_starttime(pid_t pid, uint64_t *ret_ticks, char *ret_state);

/* Opens a pidfd of PID if it is still the process that started at TICKS; -ESRCH otherwise (also for
 * a zombie). */
int process_open(pid_t pid, uint64_t ticks);

/* Whether that process is alive (a zombie is not). */
bool process_is_alive(pid_t pid, uint64_t ticks);

/* Sends SIGNAL to the process of PIDFD; 0 or -errno. */
int process_signal(int pidfd, int signal);

/* Waits until the process of PIDFD has ended, at most TIMEOUT_MS (-1: for ever). 0 or -ETIMEDOUT.
 */
int process_wait_gone(int pidfd, int timeout_ms);

/* This boot's id from /proc/sys/kernel/random/boot_id; read once per process. "" without /proc. */
const char *process_boot_id(void);

/* Whether this program runs from a read-only mount made for it (process_seal). */
bool process_is_sealed(void);

/* Executes this very program again, with the same arguments and environment, from a detached
 * read-only mount of its file, so that nothing that ever gets hold of /proc/PID/exe can write to
 * the program on the host (CVE-2019-5736); from a sealed memory copy where the mount is refused.
 * Returns only on failure, with -errno. */
int process_seal(char *const *argv);

/* The path of the program's file, as it was before process_seal. Borrowed; valid until exit. */
const char *process_exe(void);

#endif
