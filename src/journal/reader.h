/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H
/*
 * Reading the journal: what has happened, and what happens from now on. A follower sleeps until the
 * kernel tells it of a change in the directory (inotify(7)) and reads every file to its end before
 * it opens the next, so it sees each event once and in order, however often files are renamed
 * meanwhile. One that stands still while two files fill misses some, and is told so.
 */
#include "base/str.h"
#include "journal/journal.h"
#include "journal/record.h"

#include <stdbool.h>
#include <sys/types.h>

/* Takes one event, borrowed. < 0 ends the reading with that value. */
typedef int (*journal_fn)(const struct journal_record *record, void *data);

struct journal_reader {
	const char *dir;  /* borrowed */
	int64_t since_ns; /* earlier events are passed over */
	journal_fn fn;
	void *data;
	/* Files that were gone before they could be read; the caller may clear it. */
	uint64_t n_missed;

	/* Its own. */
	int notify_fd; /* readable when there may be more; -1 unless following */
	int fd;
	uint64_t part;
	struct str rest; /* of a line that is not complete yet */
	bool skips_line; /* the line is longer than any record */
};

#define JOURNAL_READER_INIT               \
	{                                 \
		.notify_fd = -1, .fd = -1 \
	}

/* Begins with all there is (FROM_START), or with what comes next. FOLLOWS also opens notify_fd and
 * makes a journal that is not there yet. 0 or -errno; journal_reader_done in any case. */
int journal_reader_open(struct journal_reader *reader, bool from_start, bool follows);
/* Hands over everything that is there by now; 0, what FN returned, or -errno. */
int journal_reader_drain(struct journal_reader *reader);
/* Takes what notify_fd has to say, without waiting. */
void journal_reader_acknowledge(struct journal_reader *reader);
void journal_reader_done(struct journal_reader *reader);

#endif
