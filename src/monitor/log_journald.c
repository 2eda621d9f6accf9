/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of the systemd journal in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a
 * datagram of fields, "NAME=value\n" each. What all entries of a container have is made once, by
 * the engine. Pieces of a long line say that they are, and which.
 */
#include "monitor/log_remote.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"

#include <string.h>

/* syslog(3)'s numbers of err and info. */
#define PRIORITY_OF(stream) ((stream) == LOG_STDERR ? 3 : 6)

static void begin_partial(struct log_journal_partial *partial)
{
	rand_hex(16, partial->id);
	partial->ordinal = 0;
}

static void add_partial(struct log_journal_partial *partial, bool is_last, struct str *out)
{
	if (is_last && !*partial->id)
		return;
	if (!*partial->id)
		begin_partial(partial);
	str_addf(out,
		 "CONTAINER_PARTIAL_MESSAGE=true\nCONTAINER_PARTIAL_ID=%s\n"
		 "CONTAINER_PARTIAL_ORDINAL=%u\nCONTAINER_PARTIAL_LAST=%s\n",
		 partial->id, ++partial->ordinal, is_last ? "true" : "false");
	if (is_last)
		*partial->id = '\0';
}

void log_journald_format(const struct log_driver_config *config, const struct log_line *line,
			 struct log_journal_partial *partial, struct str *out)
{
	bool is_whole = line->len > 0 && line->text[line->len - 1] == '\n';
	char time[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(line->time_ns, time);
	str_addf(out, "PRIORITY=%d\nMESSAGE=", PRIORITY_OF(line->stream));
	str_add_bytes(out, line->text, line->len - is_whole);
	str_addf(out, "\nSYSLOG_TIMESTAMP=%s\n", time);
	str_add_bytes(out, config->fields, config->fields_len);
	add_partial(partial, is_whole, out);
}
