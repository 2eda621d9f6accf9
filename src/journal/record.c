/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events to text and back. What is written was not typed by us: labels and commands hold whatever
 * their authors liked, so every string goes through the JSON encoder, and what is read is looked at
 * as if somebody else had written it.
 */
#include "journal/record.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/num.h"
#include "base/str.h"
#include "json/dump.h"
#include "json/value.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define RECORD_SEPARATOR '\x1e'
#define TIME_KEY	 "{\"timeNano\":"
#define PART_KEY	 "{\"journal\":1,\"part\":"
#define DIGITS_MAX	 20

static void add_string(struct str *text, const char *s)
{
	json_dump_string(text, s, strlen(s), 0);
}

static void add_member(struct str *text, const char *key, const char *value)
{
	add_string(text, key);
	str_add_char(text, ':');
	add_string(text, value);
}

/* Whether TEXT may be pasted into a record: an object of one line that is not empty. */
static bool is_one_object(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len > 2 && text[0] == '{' && text[len - 1] == '}' && strcspn(text, "\n\x1e") == len;
}

static void add_attributes(struct str *text, const struct journal_event *event, bool with_inherited)
{
	bool is_first = true;

	str_add(text, "\"Attributes\":{");
	if (with_inherited && is_one_object(event->inherited)) {
		str_add_bytes(text, event->inherited + 1, strlen(event->inherited) - 2);
		is_first = false;
	}
	for (size_t i = 0; i < event->n_pairs; i++) {
		if (!event->pairs[i].value)
			continue;
		if (!is_first)
			str_add_char(text, ',');
		add_member(text, event->pairs[i].key, event->pairs[i].value);
		is_first = false;
	}
	str_add_char(text, '}');
}

static void add_record(struct str *text, const struct journal_event *event, bool with_inherited)
{
	int64_t now = event->time_ns ? event->time_ns : clock_real_ns();

	str_addf(text, "%c" TIME_KEY "%lld,", RECORD_SEPARATOR, (long long)now);
	add_member(text, "Type", event->type);
	str_add_char(text, ',');
	add_member(text, "Action", event->action);
	str_add_char(text, ',');
	add_member(text, "ID", event->id);
	str_add_char(text, ',');
	add_attributes(text, event, with_inherited);
	str_add(text, "}\n");
}

int journal_add(struct str *text, const struct journal_event *event)
{
	size_t before = text->len;

	add_record(text, event, true);
	if (text->len - before <= JOURNAL_RECORD_MAX)
		return 0;
	str_truncate(text, before);
	add_record(text, event, false);
	if (text->len - before <= JOURNAL_RECORD_MAX)
		return 0;
	str_truncate(text, before);
	return -E2BIG;
}

int journal_add_container(struct str *text, const struct journal_container *container,
			  const char *action, const struct journal_pair *pairs, size_t n)
{
	struct journal_pair all[JOURNAL_PAIRS_MAX + 2] = {
		{"image", container->image && *container->image ? container->image : NULL},
		{"name", container->name},
	};

	assert(n <= JOURNAL_PAIRS_MAX);
	for (size_t i = 0; i < n; i++)
		all[2 + i] = pairs[i];
	return journal_add(text, &(struct journal_event){.type = "container",
							 .action = action,
							 .id = container->id,
							 .inherited = container->labels,
							 .pairs = all,
							 .n_pairs = n + 2});
}

void journal_add_part(struct str *text, uint64_t number)
{
	str_addf(text, "%c" PART_KEY "%llu}\n", RECORD_SEPARATOR, (unsigned long long)number);
}

/* The number that follows KEY at the start of LINE; false when there is none. */
static bool parse_leading(const char *line, size_t len, const char *key, uint64_t *ret)
{
	char digits[DIGITS_MAX + 1];
	size_t n = strlen(key);
	size_t i = 0;

	if (len < n || memcmp(line, key, n) != 0)
		return false;
	while (i < DIGITS_MAX && n + i < len && line[n + i] >= '0' && line[n + i] <= '9') {
		digits[i] = line[n + i];
		i++;
	}
	digits[i] = '\0';
	return num_parse_u64(digits, ret) == 0;
}

/* Whether V is an event as journal_add writes it. */
static bool is_event(const json_t *v)
{
	json_t *attributes = json_object_get(v, "Attributes");
	const char *key = NULL;
	json_t *value = NULL;

	if (!json_is_string(json_object_get(v, "Type")) ||
	    !json_is_string(json_object_get(v, "Action")) ||
	    !json_is_string(json_object_get(v, "ID")) || !json_is_object(attributes))
		return false;
	json_object_foreach (attributes, key, value)
		if (!json_is_string(value))
			return false;
	return true;
}

enum journal_line journal_parse(const char *line, size_t len, int64_t since_ns,
				struct journal_record *ret)
{
	const char *separator = memrchr(line, RECORD_SEPARATOR, len);
	struct err ignored = ERR_INIT;
	uint64_t number = 0;

	*ret = (struct journal_record){};
	if (!separator)
		return JOURNAL_LINE_GARBAGE;
	len -= (size_t)(separator + 1 - line);
	line = separator + 1;
	if (parse_leading(line, len, PART_KEY, &ret->part))
		return JOURNAL_LINE_PART;
	if (!parse_leading(line, len, TIME_KEY, &number) || number > INT64_MAX)
		return JOURNAL_LINE_GARBAGE;
	ret->time_ns = (int64_t)number;
	if (ret->time_ns < since_ns)
		return JOURNAL_LINE_EVENT;
	if (json_parse(line, len, JOURNAL_RECORD_MAX, "event", &ret->event, &ignored) < 0)
		return JOURNAL_LINE_GARBAGE;
	if (is_event(ret->event))
		return JOURNAL_LINE_EVENT;
	journal_record_done(ret);
	return JOURNAL_LINE_GARBAGE;
}

void journal_record_done(struct journal_record *record)
{
	json_cleanup_decref(&record->event);
}
