/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_UNPACK_HELPER_H
#define STORAGE_UNPACK_HELPER_H
/* One running tare-unpack: its start, its pipes, its answer. For unpack.c and archive_index.c. */
#include "base/str.h"
#include "storage/unpack.h"
#include "storage/unpack_grant.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

/* The helper's pipes to us, and the socket of its requests; each is closed at its end. */
enum helper_pipe {
	HELPER_OUT,
	HELPER_ERR,
	HELPER_PROGRESS,
	HELPER_INDEX,
	HELPER_REQUEST,
	N_HELPER_PIPES
};

struct helper {
	pid_t pid; /* 0: none */
	int read_fds[N_HELPER_PIPES];
	struct str text[N_HELPER_PIPES];
	struct unpack_grant grant;
	uint64_t n_read; /* bytes of the archive, as far as it told */
};

#define HELPER_INIT                                                          \
	{                                                                    \
		.read_fds = {-1, -1, -1, -1, -1}, .grant = UNPACK_GRANT_INIT \
	}

/* What a helper is to do: a job, and a listing of members (which goes to text[HELPER_INDEX]). */
struct helper_task {
	const struct unpack_job *job;
	int lock_fd; /* -1: none */
	bool with_index;
	bool with_progress;
};

/* Starts the helper; H was HELPER_INIT and is to be undone with helper_done in any case. */
int helper_start(struct helper *h, const struct store *store, const struct helper_task *task,
		 struct err *err);
/* Fills POLLS with what is to be waited for; returns how many pipes are still open. */
int helper_get_polls(const struct helper *h, struct pollfd polls[static N_HELPER_PIPES]);
/* Takes what the pipes have of which POLLS tells. */
int helper_read(struct helper *h, const struct pollfd polls[static N_HELPER_PIPES],
		struct err *err);
/* Waits for the end of a helper whose pipes are all closed, and reads its answer. With an index RET
 * has nothing but the format. */
int helper_finish(struct helper *h, const struct helper_task *task, struct unpack_result *ret,
		  struct err *err);
/* Ends the helper if it still runs, and frees everything. */
void helper_done(struct helper *h);

#endif
