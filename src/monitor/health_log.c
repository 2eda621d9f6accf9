/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries are kept as the text that is written: nothing is parsed but where a line begins and ends,
 * which no output can forge, since JSON escapes its newlines.
 */
#include "monitor/health_log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "monitor/log_entry.h"

#include <string.h>

#define ENTRY_START "{\"Start\":"

static void append(struct health_log *log, char *entry)
{
	if (log->n == HEALTH_LOG_MAX) {
		free(log->entries[0]);
		memmove(log->entries, log->entries + 1,
			(HEALTH_LOG_MAX - 1) * sizeof(*log->entries));
		log->n--;
	}
	log->entries[log->n++] = entry;
}

void health_log_add(struct health_log *log, const struct health_entry *entry)
{
	char start[CLOCK_RFC3339_LEN];
	char end[CLOCK_RFC3339_LEN];
	struct str text = STR_INIT;

	clock_format_rfc3339(entry->start_ns, start);
	clock_format_rfc3339(entry->end_ns, end);
	str_addf(&text, ENTRY_START "\"%s\",\"End\":\"%s\",\"ExitCode\":%d,\"Output\":\"", start,
		 end, entry->exit_code);
	text.len += log_entry_escape(
		(const uint8_t *)entry->output, entry->len,
		(uint8_t *)str_reserve(&text, entry->len * LOG_ESCAPE_MAX + 1));
	text.buf[text.len] = '\0';
	str_add(&text, "\"}");
	append(log, str_take(&text));
}

void health_log_format(const struct health_log *log, const struct health_state *state,
		       struct str *ret)
{
	str_addf(ret, "{\"Status\":\"%s\",\"FailingStreak\":%u,\"Log\":[",
		 health_status_name(state->status), state->streak);
	for (size_t i = 0; i < log->n; i++)
		str_addf(ret, "%s\n%s", i ? "," : "", log->entries[i]);
	str_add(ret, "\n]}\n");
}

void health_log_parse(struct health_log *log, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t kept = len && text[len - 1] == ',' ? len - 1 : len;

		if (str_has_prefix(text, ENTRY_START) && kept && text[kept - 1] == '}')
			append(log, str_ndup(text, kept));
		text += len + (text[len] == '\n');
	}
}

void health_log_done(struct health_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		free(log->entries[i]);
	*log = (struct health_log){};
}
