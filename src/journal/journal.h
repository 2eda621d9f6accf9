/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H
/*
 * The journal of events: what has happened to containers, images and volumes, written by whichever
 * process did it, commands and monitors alike. A directory of two files:
 *
 *	current		is appended to
 *	older		was current before; replaced when the next one is full
 *
 * Each file begins with its number, one more than its predecessor's, so that a reader knows when it
 * has missed one. A record is appended by one write(2) to a file opened with O_APPEND, which the
 * kernel does not interleave with others. Writers hold the file's lock shared for the length of
 * that write, who renames it holds it alone, and whoever finds a file that is no longer current
 * opens the new one: nothing is ever written to a file that readers have done with.
 *
 * Nobody waits for anybody for long: a writer that meets a stuck rename goes on without the lock
 * after a few milliseconds, and a file that cannot be renamed because some writer is stuck grows to
 * four times its size at most. Nothing is synced.
 */
#include <stdint.h>

struct str;

#define JOURNAL_CURRENT "current"
#define JOURNAL_OLDER	"older"
/* Bytes after which a file makes room for the next: two of these, and a record, is what the journal
 * takes. */
#define JOURNAL_PART_MAX (4ULL * 1024 * 1024)

struct journal {
	const char *dir;   /* made when it is missing; its parent exists */
	uint64_t part_max; /* 0: JOURNAL_PART_MAX */
};

/* Appends RECORDS, one or more of journal_add, as one piece. 0 or -errno; a journal that cannot be
 * written is never a reason for a verb to fail. */
int journal_write(const struct journal *journal, const struct str *records);

/* Makes the directory and the current file where they are missing. 0 or -errno. */
int journal_ensure(const struct journal *journal);

#endif
