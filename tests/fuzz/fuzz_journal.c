/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: lines of the journal, as a damaged disk may leave them. What is taken for an event
 * must be written again as one line that is an event with the same texts.
 */
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"
#include "json/value.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const json_t *event, int64_t time_ns)
{
	struct journal_record again = {};
	cleanup_str struct str text = STR_INIT;
	cleanup_free char *inherited = json_dumps(json_object_get(event, "Attributes"),
						  JSON_COMPACT);
	const struct journal_event copy = {
		.time_ns = time_ns,
		.type = json_get_string(event, "Type", ""),
		.action = json_get_string(event, "Action", ""),
		.id = json_get_string(event, "ID", ""),
		.inherited = inherited,
	};

	/* 0 stands for now. */
	if (time_ns == 0 || journal_add(&text, &copy) < 0)
		return;
	if (memchr(text.buf, '\n', text.len) != text.buf + text.len - 1)
		abort();
	if (journal_parse(text.buf, text.len - 1, 0, &again) != JOURNAL_LINE_EVENT ||
	    again.time_ns != time_ns ||
	    strcmp(json_get_string(again.event, "Action", ""), copy.action) != 0)
		abort();
	journal_record_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_record record = {};

	if (memchr(data, '\n', size))
		return 0;
	if (journal_parse((const char *)data, size, 0, &record) == JOURNAL_LINE_EVENT)
		check_again(record.event, record.time_ns);
	journal_record_done(&record);
	return 0;
}
