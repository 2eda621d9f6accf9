/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
/* A progress bar on standard error, where that is a terminal. */
#include <stdbool.h>
#include <stdint.h>

struct str;

struct progress {
	const char *what; /* borrowed */
	uint64_t total;	  /* bytes; 0 when unknown */
	uint64_t last_ns; /* of the last drawing */
	bool on;	  /* standard error is a terminal */
	bool drawn;
};

/* Begins to show WHAT is being done, of TOTAL bytes (0: unknown). Draws nothing yet. */
void progress_init(struct progress *p, const char *what, uint64_t total);
/* Draws N_BYTES done, at most ten times a second. DATA is the struct progress. */
void progress_update(uint64_t n_bytes, void *data);
/* Takes the bar away. */
void progress_done(struct progress *p);

/* Appends "[=====>     ]  1.5MB/3MB" of the given state, without the total where it is unknown. */
void progress_format(struct str *out, uint64_t n_bytes, uint64_t total);

#endif
