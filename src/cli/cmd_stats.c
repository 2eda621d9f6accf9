/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: a table that is read once a second and drawn twice, as docker draws it. Containers that
 * were named keep their order and stay; without names all that run are shown, new ones at the end,
 * and those that end go.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/lifecycle.h"
#include "engine/list.h"
#include "engine/usage.h"
#include "storage/container.h"
#include "storage/store.h"
#include "json/dump.h"
#include "json/format.h"
#include "json/value.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHORT_ID_LEN	 12
#define NET_DIGITS	 3
#define MEM_DIGITS	 4
#define FRAME_NS	 (CLOCK_NS_PER_S / 2)
#define NO_STREAM_NS	 CLOCK_NS_PER_S /* between its two samples */
#define DRAWS_PER_SAMPLE 2
#define STATUS_OF_SIGNAL 128

static const struct format_field fields[] = {
	{"Container", "CONTAINER"},
	{"ID", "CONTAINER ID"},
	{"Name", "NAME"},
	{"CPUPerc", "CPU %"},
	{"MemUsage", "MEM USAGE / LIMIT"},
	{"MemPerc", "MEM %"},
	{"NetIO", "NET I/O"},
	{"BlockIO", "BLOCK I/O"},
	{"PIDs", "PIDS"},
	{NULL, NULL},
};

static const char *const columns[] = {"ID",    "Name",	  "CPUPerc", "MemUsage", "MemPerc",
				      "NetIO", "BlockIO", "PIDs",    NULL};

static const struct format_spec spec = {
	.fields = fields,
	.columns = columns,
	.go_type = "*container.statsContext",
};

struct stats_row {
	char id[ID_LEN + 1];
	char *container; /* owned; as it was named */
	char *name;	 /* owned */
	bool is_running;
	bool is_gone; /* removed while we look */
	bool is_seen; /* in this round */
	struct usage before, now;
};

struct stats {
	struct engine *engine;
	const struct stats_options *options;
	const char *format; /* NULL for the default */
	bool is_named;	    /* containers were named */
	struct usage_host host;
	struct stats_row *rows; /* owned */
	size_t n, hint;		/* where the next row of a listing probably is */
};

static void row_done(struct stats_row *row)
{
	free(row->container);
	free(row->name);
}

static void stats_done(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++)
		row_done(&s->rows[i]);
	free(s->rows);
}

/* The new last row, which takes CONTAINER. */
static struct stats_row *add_row(struct stats *s, const char *id, char *container)
{
	struct stats_row *row = NULL;

	s->rows = mem_realloc_array(s->rows, s->n + 1, sizeof(*s->rows));
	row = &s->rows[s->n++];
	*row = (struct stats_row){.container = container};
	memcpy(row->id, id, ID_LEN);
	return row;
}

/* ---- sampling ---- */

static void sample_row(struct stats *s, struct stats_row *row, const struct container_row *stored,
		       const struct container_state *state)
{
	if (!row->name || strcmp(row->name, stored->name) != 0)
		str_replace(&row->name, stored->name);
	row->is_running = container_is_running(state);
	row->is_seen = true;
	row->before = row->now;
	usage_read(s->engine, &s->host, row->id, state, &row->now);
}

static int sample_named(struct stats *s, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		struct stats_row *row = &s->rows[i];
		cleanup_container struct container_record record = {};
		struct container_state state;
		int rc = container_lookup(s->engine->store, row->id, &record, err);

		if (rc < 0)
			return rc;
		row->is_gone = rc == 0;
		if (row->is_gone)
			continue;
		container_state_read(s->engine, row->id, &state);
		sample_row(s, row, &record.row, &state);
	}
	return 0;
}

/* Listings come in the order of the rows, but for those that came later: the row after the last
 * one is nearly always right. */
static struct stats_row *find_row(struct stats *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t at = (s->hint + i) % s->n;

		if (memcmp(s->rows[at].id, id, ID_LEN) == 0) {
			s->hint = at + 1;
			return &s->rows[at];
		}
	}
	return NULL;
}

static int sample_listed(const struct listed_container *c, void *data, struct err *err)
{
	struct stats *s = data;
	struct stats_row *row = find_row(s, c->row->id);

	if (!row)
		row = add_row(s, c->row->id, str_ndup(c->row->id, SHORT_ID_LEN));
	sample_row(s, row, c->row, &c->state);
	return 0;
}

/* Those that were not in this round's listing go; with -a they were removed, and stay as that. */
static void drop_unseen(struct stats *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct stats_row *row = &s->rows[i];

		row->is_gone = !row->is_seen;
		if (row->is_gone && !s->options->all)
			row_done(row);
		else
			s->rows[kept++] = *row;
	}
	s->n = kept;
}

static int sample(struct stats *s, struct err *err)
{
	struct list_options options = {.all = s->options->all};

	usage_host_read(&s->host);
	if (s->is_named)
		return sample_named(s, err);
	s->hint = 0;
	for (size_t i = 0; i < s->n; i++)
		s->rows[i].is_seen = false;
	if (list_containers(s->engine, &options, NULL, sample_listed, s, err) < 0)
		return -err->code;
	drop_unseen(s);
	return 0;
}

/* The containers that were named, each once; every name that is wrong gets its error. */
static int resolve(struct stats *s, const struct strv *names, struct err *err)
{
	int n_errors = 0;

	strv_foreach (i, names) {
		cleanup_container struct container_record record = {};

		if (!*names->items[i])
			return err_set(err, ERR_INVALID,
				       "invalid container name or ID: value is empty");
		if (container_lookup_by_ref(s->engine->store, names->items[i], &record, err) < 0) {
			cli_print_error(err);
			n_errors++;
		} else if (!find_row(s, record.row.id)) {
			add_row(s, record.row.id, str_dup(names->items[i]));
		}
	}
	err_clear(err);
	return n_errors;
}

/* ---- drawing ---- */

static void set_pair(json_t *row, const char *key, const char *first, const char *second)
{
	cleanup_free char *text = str_printf("%s / %s", first, second);

	json_set_text(row, key, text);
}

static void set_bytes(json_t *row, const char *key, uint64_t first, uint64_t second)
{
	char a[32], b[32];

	num_format_size((double)first, NET_DIGITS, a, sizeof(a));
	num_format_size((double)second, NET_DIGITS, b, sizeof(b));
	set_pair(row, key, a, b);
}

static void set_percent(json_t *row, const char *key, double percent)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2f%%", percent);
	json_set_text(row, key, text);
}

static void set_usage(const struct stats *s, const struct stats_row *row, json_t *out)
{
	const struct usage *u = &row->now;
	char used[32], limit[32], pids[24];

	num_format_size_binary((double)u->memory, MEM_DIGITS, used, sizeof(used));
	num_format_size_binary((double)u->memory_limit, MEM_DIGITS, limit, sizeof(limit));
	snprintf(pids, sizeof(pids), "%llu", (unsigned long long)u->pids);
	set_percent(out, "CPUPerc", usage_cpu_percent(&row->before, u, s->host.n_cpus));
	set_pair(out, "MemUsage", used, limit);
	set_percent(out, "MemPerc", usage_memory_percent(u));
	set_bytes(out, "NetIO", u->received, u->sent);
	set_bytes(out, "BlockIO", u->read_bytes, u->written);
	json_set_text(out, "PIDs", pids);
}

static void set_unknown(json_t *out)
{
	static const char *const keys[] = {"CPUPerc", "MemPerc", "NetIO", "BlockIO", "PIDs"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		json_set_text(out, keys[i], "--");
	set_pair(out, "MemUsage", "--", "--");
}

static json_t *row_object(const struct stats *s, const struct stats_row *row)
{
	cleanup_free char *id = s->options->no_trunc ? str_dup(row->id)
						     : str_ndup(row->id, SHORT_ID_LEN);
	json_t *out = json_object();

	json_set_text(out, "Container", row->container);
	json_set_text(out, "ID", id);
	json_set_text(out, "Name", row->name ? row->name : "--");
	if (row->is_gone)
		set_unknown(out);
	else
		set_usage(s, row, out);
	return out;
}

static int format_table(const struct stats *s, struct str *out, struct err *err)
{
	cleanup_json json_t *rows = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(rows, row_object(s, &s->rows[i]));
	return format_rows(&spec, s->format, false, rows, out, err);
}

static int write_out(const struct str *out, struct err *err)
{
	int rc = fd_write_full(STDOUT_FILENO, str_get(out), out->len);

	return rc < 0 ? err_sys(err, -rc, "write to stdout") : 0;
}

/* One frame, in one write: the table from the top left corner on, and then, as docker has it, each
 * of its lines once more with what may be left of a longer one erased, and all below. */
static int draw_frame(const struct stats *s, struct err *err)
{
	cleanup_str struct str table = STR_INIT;
	cleanup_str struct str frame = STR_INIT;

	str_add(&table, "\033[H");
	if (format_table(s, &table, err) < 0)
		return -err->code;
	str_add_bytes(&frame, table.buf, table.len);
	for (const char *p = table.buf;; p++) {
		size_t n = strcspn(p, "\n");

		str_add_bytes(&frame, p, n);
		str_add(&frame, " \033[K\n");
		p += n;
		if (!*p)
			break;
	}
	str_add(&frame, "\033[J");
	return write_out(&frame, err);
}

/* ---- the command ---- */

static void block_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigprocmask(SIG_BLOCK, ret, NULL);
}

/* Waits until DEADLINE (clock_mono_ns). 0, or the exit status for the signal that came. */
static int wait_until(const sigset_t *signals, uint64_t deadline)
{
	for (uint64_t now = clock_mono_ns(); now < deadline; now = clock_mono_ns()) {
		struct timespec left = {
			.tv_sec = (time_t)((deadline - now) / CLOCK_NS_PER_S),
			.tv_nsec = (long)((deadline - now) % CLOCK_NS_PER_S),
		};
		int signal = sigtimedwait(signals, NULL, &left);

		if (signal > 0)
			return STATUS_OF_SIGNAL + signal;
	}
	return 0;
}

/* Draws for ever; the status for the signal that ends it, or -code. */
static int stream(struct stats *s, const sigset_t *signals, struct err *err)
{
	uint64_t deadline = clock_mono_ns();
	int rc = sample(s, err);

	for (unsigned n = 0; rc == 0; n++) {
		uint64_t now = clock_mono_ns();

		/* A round that took longer than its time is not made up for. */
		deadline = deadline + FRAME_NS > now ? deadline + FRAME_NS : now;
		rc = wait_until(signals, deadline);
		if (rc == 0 && n % DRAWS_PER_SAMPLE == 0)
			rc = sample(s, err);
		if (rc == 0)
			rc = draw_frame(s, err);
	}
	return rc;
}

static bool is_any_running(const struct stats *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->rows[i].is_running)
			return true;
	return false;
}

static int print_once(struct stats *s, const sigset_t *signals, struct err *err)
{
	cleanup_str struct str table = STR_INIT;
	int rc = sample(s, err);

	if (rc == 0 && is_any_running(s)) {
		rc = wait_until(signals, clock_mono_ns() + NO_STREAM_NS);
		if (rc == 0)
			rc = sample(s, err);
	}
	if (rc != 0)
		return rc;
	if (format_table(s, &table, err) < 0)
		return -err->code;
	return write_out(&table, err);
}

int cmd_stats(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_free char *format = list_format_choose(cli, o->stats.format, "statsFormat", false);
	cleanup_with(stats_done) struct stats s = {
		.engine = &engine,
		.options = &o->stats,
		.format = format,
		.is_named = cli->args.n > 0,
	};
	sigset_t signals;
	int rc = engine_open(&engine, cli->root, cli->runroot, err);

	if (rc == 0)
		rc = resolve(&s, &cli->args, err);
	if (rc != 0)
		return rc < 0 ? rc : 1;
	block_signals(&signals);
	return o->stats.no_stream ? print_once(&s, &signals, err) : stream(&s, &signals, err);
}
