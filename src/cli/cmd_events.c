/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: what the journal holds, and with no end in the past what comes, each event printed the
 * moment it is known. While nothing happens this process sleeps: the kernel wakes it for a change
 * in the journal, for the time of --until, and when nobody reads its output any more.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/event.h"
#include "engine/event_filter.h"
#include "engine/list.h"
#include "journal/reader.h"
#include "json/dump.h"
#include "json/template.h"
#include "json/value.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define STATUS_BAD_TEMPLATE 64
/* What a callback returns when the output is gone, or the template has failed. */
enum { STOP_CLOSED = -1, STOP_TEMPLATE = -2 };

struct events {
	const struct events_options *options;
	struct template *template; /* NULL: docker's line, or JSON */
	bool is_json;
	int64_t until_ns; /* INT64_MAX: none */
	struct err *err;
};

/* ---- docker's object ---- */

static const struct json_field actor_fields[] = {
	{"Attributes", &json_shape_string_map},
	{NULL, NULL},
};
static const struct json_shape actor_shape = {SHAPE_STRUCT, "events.Actor", NULL, actor_fields};
static const struct json_field message_fields[] = {
	{"status", &json_shape_struct, OMIT_TEXT},
	{"id", &json_shape_struct, OMIT_TEXT},
	{"from", &json_shape_struct, OMIT_TEXT},
	{"Actor", &actor_shape},
	{NULL, NULL},
};
static const struct json_shape message_shape = {SHAPE_STRUCT, "*events.Message", NULL,
						message_fields};

/* What templates call the members that JSON names otherwise. */
static int call_name(void *data, const json_t *receiver, const char *name, const json_t *args,
		     json_t **ret, struct err *err)
{
	static const struct {
		const char *go, *json;
	} names[] = {{"Status", "status"}, {"ID", "id"},     {"From", "from"},
		     {"Scope", "scope"},   {"Time", "time"}, {"TimeNano", "timeNano"}};

	if (!json_object_get(receiver, "timeNano"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i].go) != 0)
			continue;
		*ret = json_incref(json_object_get(receiver, names[i].json));
		return 1;
	}
	return 0;
}

/* A copy of ATTRIBUTES with its keys in order. */
static json_t *sorted(const json_t *attributes)
{
	json_t *result = json_object();
	size_t n = 0;
	const char **keys = json_sorted_keys(attributes, &n);

	for (size_t i = 0; i < n; i++)
		json_object_set(result, keys[i], json_object_get(attributes, keys[i]));
	free(keys);
	return result;
}

/* docker's message: status, id and from are what its first clients knew, and what containers and
 * images still have. */
static json_t *new_message(const struct journal_record *record)
{
	const char *type = json_get_string(record->event, "Type", "");
	const char *action = json_get_string(record->event, "Action", "");
	const char *id = json_get_string(record->event, "ID", "");
	bool is_container = strcmp(type, "container") == 0;
	bool is_old = is_container || strcmp(type, "image") == 0;
	json_t *attributes = sorted(json_get(record->event, "Attributes"));
	const char *from = is_container ? json_string_value(json_object_get(attributes, "image"))
					: NULL;
	json_t *message = json_object();
	json_t *actor = json_object();

	json_set_text(message, "status", is_old ? action : "");
	json_set_text(message, "id", is_old ? id : "");
	json_set_text(message, "from", from ? from : "");
	json_set_text(message, "Type", type);
	json_set_text(message, "Action", action);
	json_set_text(actor, "ID", id);
	json_object_set_new(actor, "Attributes", attributes);
	json_object_set_new(message, "Actor", actor);
	json_set_text(message, "scope", "local");
	json_object_set_new(message, "time", json_integer(record->time_ns / CLOCK_NS_PER_S));
	json_object_set_new(message, "timeNano", json_integer(record->time_ns));
	return message;
}

/* ---- docker's line ---- */

/* "2006-01-02T15:04:05.000000000Z", or with the local zone's offset. */
static void add_time(struct str *out, int64_t ns)
{
	time_t seconds = (time_t)(ns / CLOCK_NS_PER_S);
	char date[32];
	struct tm tm;
	long minutes = 0;

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	str_addf(out, "%s.%09lld", date, (long long)(ns % CLOCK_NS_PER_S));
	minutes = labs(tm.tm_gmtoff) / 60;
	if (tm.tm_gmtoff == 0)
		str_add_char(out, 'Z');
	else
		str_addf(out, "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60,
			 minutes % 60);
}

/* A label may hold anything, but an event is one line, and no command to a terminal. */
static void add_text(struct str *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* U+0080 to U+009F, which terminals heed too, are 0xc2 and one of these. */
		bool is_c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (*p == '\n')
			str_add(out, "\\n");
		else if (*p == '\t')
			str_add(out, "\\t");
		else if (*p == '\r')
			str_add(out, "\\r");
		else if (*p < ' ' || *p == 0x7f || is_c1) {
			p += is_c1;
			str_addf(out, "\\x%c%c", hex[*p >> 4], hex[*p & 15]);
		} else {
			str_add_char(out, (char)*p);
		}
	}
}

static void add_line(struct str *out, const json_t *message)
{
	const json_t *attributes = json_get(message, "Actor.Attributes");
	const char *key = NULL;
	json_t *value = NULL;
	const char *separator = " (";

	add_time(out, json_get_int(message, "timeNano", 0));
	str_add_char(out, ' ');
	add_text(out, json_get_string(message, "Type", ""));
	str_add_char(out, ' ');
	add_text(out, json_get_string(message, "Action", ""));
	str_add_char(out, ' ');
	add_text(out, json_get_string(message, "Actor.ID", ""));
	json_object_foreach ((json_t *)(uintptr_t)attributes, key, value) {
		str_add(out, separator);
		add_text(out, key);
		str_add_char(out, '=');
		add_text(out, json_string_value(value));
		separator = ", ";
	}
	if (json_object_size(attributes))
		str_add_char(out, ')');
}

/* ---- printing ---- */

static int format(struct events *e, const json_t *message, struct str *out)
{
	const struct template_env env = {.shape = &message_shape, .call = call_name};

	if (e->template)
		return template_execute(e->template, message, &env, out, e->err);
	if (e->is_json)
		json_dump_docker(out, message, &message_shape, 0, 0);
	else
		add_line(out, message);
	return 0;
}

static int print_event(const struct journal_record *record, void *data)
{
	struct events *e = data;
	cleanup_json json_t *message = NULL;
	cleanup_str struct str out = STR_INIT;

	if (record->time_ns > e->until_ns ||
	    !event_filter_matches(&e->options->filters, record->event))
		return 0;
	message = new_message(record);
	if (format(e, message, &out) < 0)
		return STOP_TEMPLATE;
	str_add_char(&out, '\n');
	fwrite(out.buf, 1, out.len, stdout);
	return 0;
}

/* ---- waiting ---- */

/* Until something may have happened: 1, 0 at the end of the time, STOP_CLOSED. */
static int wait_more(struct events *e, struct journal_reader *reader)
{
	struct pollfd fds[] = {{.fd = reader->notify_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	int64_t left = e->until_ns == INT64_MAX ? 0 : e->until_ns - clock_real_ns();
	struct timespec timeout = {.tv_sec = left / CLOCK_NS_PER_S,
				   .tv_nsec = left % CLOCK_NS_PER_S};
	int n = 0;

	if (left < 0)
		return 0;
	n = ppoll(fds, ARRAY_LEN(fds), e->until_ns == INT64_MAX ? NULL : &timeout, NULL);
	if (n == 0)
		return 0;
	if (fds[1].revents & (POLLERR | POLLNVAL))
		return STOP_CLOSED;
	journal_reader_acknowledge(reader);
	return 1;
}

static int read_all(struct events *e, struct journal_reader *reader, bool follows)
{
	int rc = 0;

	for (;;) {
		rc = journal_reader_drain(reader);
		if (reader->n_missed)
			log_warn("events were lost: they came faster than they could be printed");
		reader->n_missed = 0;
		if (fflush(stdout) != 0 && rc == 0)
			return STOP_CLOSED;
		if (rc < 0 || !follows)
			return rc;
		rc = wait_more(e, reader);
		/* Once more at the end: what came within the last moment. */
		if (rc == 0)
			follows = false;
		if (rc < 0)
			return rc;
	}
}

/* ---- the command ---- */

static int pass_over(const struct listed_container *c, void *data, struct err *err)
{
	return 0;
}

/* A container whose monitor was killed has nobody to tell of its end: looking at all of them does.
 */
static void settle_all(struct engine *engine)
{
	const struct list_options options = {.all = true};
	struct err ignored = ERR_INIT;

	if (list_containers(engine, &options, NULL, pass_over, NULL, &ignored) < 0)
		log_failure(LOG_LEVEL_DEBUG, ignored.msg, "look at all containers");
}

static int parse_format(struct events *e, struct cli *cli, struct err *err)
{
	const struct json_shape *shape = &message_shape;
	const char *text = e->options->format;
	cleanup_str struct str ignored = STR_INIT;
	cleanup_json json_t *sample = NULL;
	const struct template_env env = {.shape = shape, .call = call_name};

	if (!text || !*text)
		return 0;
	e->is_json = strcmp(text, "json") == 0;
	if (e->is_json)
		return 0;
	cli->exit_status = STATUS_BAD_TEMPLATE;
	if (template_parse(text, &e->template, err) < 0)
		return err_wrap(err, "Error parsing format");
	/* As docker does: a field that there is not shows before anything is printed. */
	sample = json_pack("{s:s,s:s,s:s,s:s,s:s,s:{s:s,s:{}},s:s,s:i,s:i}", "status", "", "id", "",
			   "from", "", "Type", "", "Action", "", "Actor", "ID", "", "Attributes",
			   "scope", "", "time", 0, "timeNano", 0);
	if (template_execute(e->template, sample, &env, &ignored, err) < 0)
		return err_wrap(err, "Error parsing format");
	cli->exit_status = 0;
	return 0;
}

static int run(struct events *e, const struct engine *engine, int64_t since_ns, bool has_since,
	       struct err *err)
{
	char dir[EVENT_DIR_MAX];
	struct journal journal;
	struct journal_reader reader = JOURNAL_READER_INIT;
	bool follows = e->until_ns > clock_real_ns();
	int rc = 0;

	event_journal(engine, dir, &journal);
	reader.dir = dir;
	reader.since_ns = since_ns;
	reader.fn = print_event;
	reader.data = e;
	rc = journal_reader_open(&reader, has_since, follows);
	if (rc == 0)
		rc = read_all(e, &reader, follows);
	journal_reader_done(&reader);
	if (rc == STOP_TEMPLATE)
		return -err->code;
	if (rc == STOP_CLOSED)
		return 1;
	return rc < 0 ? err_sys(err, -rc, "read %s", dir) : 0;
}

int cmd_events(struct cli *cli, union verb_options *options, struct err *err)
{
	const struct events_options *o = &options->events;
	cleanup_engine struct engine engine = {};
	struct events e = {.options = o, .until_ns = INT64_MAX, .err = err};
	int64_t now = clock_real_ns();
	int64_t since = 0;
	bool has_since = o->since && *o->since;
	bool has_until = o->until && *o->until;
	int rc = parse_format(&e, cli, err);

	if (rc == 0 && has_since)
		rc = clock_parse_point(o->since, now, &since, err);
	if (rc == 0 && has_until)
		rc = clock_parse_point(o->until, now, &e.until_ns, err);
	strv_foreach (i, &o->filters)
		if (!event_filter_is_known(o->filters.items[i]))
			log_warn("there is no filter \"%.*s\": it has no effect",
				 (int)strcspn(o->filters.items[i], "="), o->filters.items[i]);
	if (rc == 0)
		rc = engine_open(&engine, cli->root, cli->runroot, err);
	if (rc == 0)
		settle_all(&engine);
	if (rc == 0)
		rc = run(&e, &engine, since, has_since || has_until, err);
	template_free(e.template);
	return rc;
}
