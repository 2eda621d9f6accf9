/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H
/*
 * One event as text, in the form of RFC 7464 (JSON text sequences): a record separator, one JSON
 * object on one line, a newline.
 *
 *	RS {"timeNano":1700000000123456789,"Type":"container","Action":"start","ID":"…",
 *	    "Attributes":{"label":"…","image":"…","name":"…"}} LF
 *
 * Inside an object there are neither RS nor LF, so a record that a full disk cut short is passed
 * over, and the next one begins where it should. The time stands first: a reader that looks for
 * later events need not read the rest.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct str;

/* A record of more bytes goes without what it inherited; one that is still larger is not kept. */
#define JOURNAL_RECORD_MAX (256 * 1024)

struct journal_pair {
	const char *key, *value; /* a pair whose value is NULL is left out */
};

struct journal_event {
	int64_t time_ns; /* since 1970; 0: now */
	const char *type, *action, *id;
	/* Attributes that are there as a JSON object of strings, a container's labels: one line, or
	 * NULL. A pair of the same name wins. */
	const char *inherited;
	const struct journal_pair *pairs;
	size_t n_pairs;
};

/* Appends EVENT to TEXT. Bytes that are not UTF-8 become U+FFFD. 0, or -E2BIG for one that is too
 * large (TEXT is as it was). */
int journal_add(struct str *text, const struct journal_event *event);

/* What every event of a container says about it. */
struct journal_container {
	const char *id, *name, *image;
	const char *labels; /* JSON object, or NULL */
};

/* The same for a container, with the N pairs at PAIRS (at most JOURNAL_PAIRS_MAX). */
#define JOURNAL_PAIRS_MAX 6
int journal_add_container(struct str *text, const struct journal_container *container,
			  const char *action, const struct journal_pair *pairs, size_t n);

/* What a line of a journal's file is; the newline is not part of it. */
enum journal_line { JOURNAL_LINE_GARBAGE, JOURNAL_LINE_PART, JOURNAL_LINE_EVENT };

struct journal_record {
	int64_t time_ns;
	json_t *event; /* owned; NULL where the time alone was read */
	uint64_t part; /* of JOURNAL_LINE_PART: the file's number */
};

/* Reads one line of LEN bytes, of an event only when it is not older than SINCE_NS. Never fails:
 * what is no record is JOURNAL_LINE_GARBAGE. */
enum journal_line journal_parse(const char *line, size_t len, int64_t since_ns,
				struct journal_record *ret);
void journal_record_done(struct journal_record *record);

/* The first record of a file, which gives it a number. */
void journal_add_part(struct str *text, uint64_t number);

#endif
