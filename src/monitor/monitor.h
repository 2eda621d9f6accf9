/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H
/*
 * The process beside each container. It is forked from the command that starts the container,
 * starts it, and stays until the exit is on record: it owns standard input, output and error,
 * writes the log, serves the attach socket, keeps state.json true, and at the end writes exit.json.
 * It sleeps in one epoll_wait(2) and holds a few small buffers that it gives back when nothing
 * happens.
 *
 * At the end, in this order: the container is torn down (finish), all output that is left goes to
 * the log and the clients' queue, exit.json is written, the state directory removed, and EXIT is
 * told to every client. So who sees any of these finds the earlier ones done.
 *
 * Where the restart policy has the container start again, state.json says "restarting" instead of
 * being removed, and the process executes resume_argv: the same process, with nothing of its old
 * memory, which calls monitor_resume, waits, and starts the container.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/companion.h"
#include "monitor/log_driver.h"
#include "monitor/protocol.h"
#include "monitor/restart_policy.h"

struct err;
struct health_config;
struct journal;
struct journal_container;
struct monitor;
struct monitor_exit;

/* What a monitor has to say of itself, in the container's directory (base/log.h); not there while
 * it has said nothing. */
#define MONITOR_DIAGNOSTICS_NAME "monitor.log"

/* docker has no limit by default; a machine full of logs is what its users report most. */
#define MONITOR_LOG_MAX_SIZE  (10 * 1024 * 1024)
#define MONITOR_LOG_MAX_FILES 5

/* What a container's process gets as 0, 1 and 2; all -1 with a terminal. Borrowed, O_CLOEXEC. */
struct monitor_stdio {
	int in_fd;
	int out_fd;
	int err_fd;
	struct monitor *monitor; /* for monitor_publish */
};

/* The started container. */
struct monitor_process {
	pid_t pid;
	int pid_fd;	     /* handed over */
	uint64_t start_time; /* clock ticks, 0: the monitor looks it up */
	int console_fd;	     /* terminal's master, handed over; -1 without a terminal */
};

/* A volume that the container has mounted, as events tell it. */
struct monitor_volume {
	const char *name, *destination;
	bool is_read_only;
};

struct monitor_config {
	const char *id;
	const char *bundle; /* for state.json; NULL: left out */
	int state_dir_fd;   /* <runroot>/containers/<id>, exists; emptied and removed at the end */
	int container_dir_fd; /* <root>/containers/<id> */
	bool tty;
	bool open_stdin;
	bool stdin_once;  /* close standard input when the first client's ends (not with tty) */
	bool auto_remove; /* run settle_argv at the end unless a client settles */
	struct log_driver_config log;
	uint32_t client_flags; /* CLIENT_* of the starting command; 0 when it only waits for STARTED
				*/
	char *const *settle_argv;		   /* absolute program first; NULL: none */
	const struct journal *journal;		   /* where events go; NULL: nowhere */
	const struct journal_container *container; /* what they say; with journal */
	const struct monitor_volume *volumes;
	size_t n_volumes;
	const struct health_config *health; /* NULL: no checks */
	struct restart_rule restart;
	struct restart_history history; /* of this run */
	/* What starts the container again; the attach socket and the guard go with it as
	 * MONITOR_RESUME_SOCKET and MONITOR_RESUME_GUARD. NULL: it never starts again. */
	char *const *resume_argv;
	char *const *guard_argv; /* see monitor/guard.h; NULL: none */
	const int *keep_fds; /* what finish needs; every other descriptor is closed after start */
	size_t n_keep_fds;

	/* Creates the container and returns once its command has been executed (or could not be:
	 * then -code, and nothing of it is left). Runs in the monitor, which is the process's
	 * parent. The child inherits caught signals, which exec resets (one sent before the exec
	 * is lost), and none blocked. */
	int (*start)(void *ctx, const struct monitor_stdio *stdio, struct monitor_process *ret,
		     struct err *err);
	/* Tears down what start made, killing what is left of it; the init is dead and reaped. Sets
	 * RET_OOM when the container's memory limit killed one of its processes. May be NULL. */
	void (*finish)(void *ctx, int exit_code, bool *ret_oom);
	/* Last of all, when a client settles (CLIENT_SETTLES): removes the container's files while
	 * that client takes it out of the index; the end of the connection tells it that this is
	 * done. May be NULL. */
	void (*leave)(void *ctx);
	/* When every client has heard of the end and nobody waits: what takes long and may also be
	 * left to the kernel. May be NULL. */
	void (*late)(void *ctx);
	/* Somebody has handed over, or taken back, a companion of KIND while the container runs.
	 * May be NULL. */
	void (*adopted)(void *ctx, enum companion_kind kind);
	/* Appends to TEXT the events that belong between "attach" and "start", or, after finish,
	 * behind "die". May be NULL. */
	void (*add_events)(void *ctx, bool is_started, struct str *text);
	void *ctx;
};

/* Forks the monitor. The child never returns. RET_CLIENT_FD is the starting command's connection,
 * on which STARTED or ERROR comes first (monitor/client.h reads it); RET_PID may be NULL. Closing
 * the connection leaves the container running. Single-threaded callers only. 0 or -code. */
int monitor_spawn(const struct monitor_config *config, int *ret_client_fd, pid_t *ret_pid,
		  struct err *err);

/* Where a program that was executed to resume finds the attach socket and the guard's pidfd. Higher
 * than what a monitor has open. */
#define MONITOR_RESUME_SOCKET 250
#define MONITOR_RESUME_GUARD  251

/* How a monitor goes on after the run before. */
struct monitor_resume {
	struct monitor_config *config; /* PREPARE may change all but what is said before resume_argv
					* and the state directory */
	const struct monitor_exit
		*last;	   /* the run before; its history holds the delay to wait for */
	bool is_inherited; /* the attach socket and the guard are there (above) */
	/* Called when the time has come: makes everything ready for CONFIG's start. 1; 0: not yet,
	 * ask again soon; -ERR_NOT_FOUND: the container is gone, nothing is written down any more;
	 * another -code: the start has failed. */
	int (*prepare)(void *ctx, struct err *err);
	/* The start is over, well or not, or the wait begins: what is locked is to be let go. */
	void (*release)(void *ctx);
	void *ctx;
};

/* Becomes the monitor of a container that waits to be started again: answers requests meanwhile,
 * starts it, and does what a monitor does. A start that fails counts as a run that failed. */
__attribute__((noreturn)) void monitor_resume(const struct monitor_resume *resume);

/* Writes state.json as soon as PROCESS is known, for a start callback whose child has not executed
 * its command yet: a monitor that dies from here on leaves a container that others can find.
 * Optional. */
int monitor_publish(struct monitor *monitor, const struct monitor_process *process,
		    struct err *err);

/* Has the monitor keep the N descriptors FDS (O_CLOEXEC; handed over in every case) until the
 * container ends, for a start callback, as companions_add does (monitor/companion.h): 0 or -errno.
 */
int monitor_keep(struct monitor *monitor, enum companion_kind kind, const void *payload, size_t len,
		 const int *fds, size_t n);

/* The exit code on record for a container that did not start: 126, 127 or 128. */
int monitor_start_exit_code(const struct err *err);

#endif
