/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes belong to the container is what its control group says; ps is only asked how they
 * look. It gets their numbers (-q), which spares it the rest of the host, and is asked again
 * without where its options and -q exclude each other.
 */
#include "engine/processes.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/lifecycle.h"
#include "engine/state.h"
#include "storage/container.h"
#include "sys/cgroup_live.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT ((size_t)64 << 20)
#define MAX_ERROR  4096
#define BLANKS	   " \t\n\v\f\r"

void process_table_done(struct process_table *table)
{
	strv_done(&table->titles);
	for (size_t i = 0; i < table->n; i++)
		strv_done(&table->rows[i].fields);
	free(table->rows);
	*table = (struct process_table){};
}

/* Appends the words of LEN bytes; only ASCII blanks part them. */
static void split_words(const char *text, size_t len, struct strv *ret)
{
	const char *end = text + len;

	while (text < end) {
		size_t blank = strspn(text, BLANKS);

		if (text + blank >= end)
			return;
		text += blank;
		size_t n = strcspn(text, BLANKS);

		if (n > (size_t)(end - text))
			n = (size_t)(end - text);
		strv_add_take(ret, str_ndup(text, n));
		text += n;
	}
}

/* ---- options ---- */

/* Where in WORD the title PID is given to a column ("user=PID"): its "=", the last one that may be
 * it; blanks may part the two. NULL. */
static const char *find_pid_title(const char *word, const char *next)
{
	for (const char *p = word + strlen(word); p-- > word;)
		if (*p == '=' && (str_has_prefix(p + 1, "PID") ||
				  (!p[1] && next && str_has_prefix(next, "PID"))))
			return p;
	return NULL;
}

int processes_check_args(const struct strv *words, struct err *err)
{
	/* docker looks behind blanks only, so the first word passes */
	for (size_t i = 1; i < words->n; i++) {
		const char *word = words->items[i];
		const char *next = i + 1 < words->n ? words->items[i + 1] : NULL;
		const char *at = find_pid_title(word, next);

		if (!at || (at - word == 3 && strncmp(word, "pid", 3) == 0))
			continue;
		return err_set(err, ERR_INVALID, "specifying \"%.*s=%s\" is not allowed",
			       (int)(at - word), word, at[1] ? at + 1 : next);
	}
	return 0;
}

/* ---- running ps ---- */

struct ps_output {
	struct str text;
	struct str message; /* of its standard error */
	int status;	    /* as exit(3), or -errno when it could not be started */
};

static void ps_output_done(struct ps_output *out)
{
	str_done(&out->text);
	str_done(&out->message);
}

/* Its environment: nothing of ours that changes columns or widths. */
static void add_environment(struct strv *env)
{
	static const char *const kept[] = {
		"PATH=", "TZ=", "LANG=", "LC_CTYPE=", "LC_ALL=", "LD_LIBRARY_PATH="};

	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if (str_has_prefix(*e, kept[i]))
				strv_add(env, *e);
	strv_add(env, "PS_PERSONALITY=");
}

static int spawn_ps(char *const *argv, int out_fd, int error_fd, pid_t *ret)
{
	cleanup_strv struct strv env = STRV_INIT;
	posix_spawn_file_actions_t actions;
	int rc = 0;

	add_environment(&env);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
	rc = posix_spawnp(ret, "ps", &actions, NULL, argv, env.items);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

static void read_back(int fd, size_t limit, struct str *ret)
{
	if (lseek(fd, 0, SEEK_SET) == 0)
		fd_read_all(fd, limit, ret);
}

/* Runs "ps WORDS... [LAST]". Memory files take what it prints: nothing can block. */
static int run_ps(const struct strv *words, const char *last, struct ps_output *ret,
		  struct err *err)
{
	cleanup_close int out = memfd_create("ps output", MFD_CLOEXEC);
	cleanup_close int error = memfd_create("ps errors", MFD_CLOEXEC);
	cleanup_strv struct strv argv = STRV_INIT;
	pid_t pid = 0;
	int status = 0;

	if (out < 0 || error < 0)
		return err_sys(err, errno, "create a memory file");
	strv_add(&argv, "ps");
	strv_add_all(&argv, words);
	if (last)
		strv_add(&argv, last);
	ps_output_done(ret);
	*ret = (struct ps_output){.status = spawn_ps(argv.items, out, error, &pid)};
	if (ret->status < 0)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for ps");
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* posix_spawnp(3) of an old C library reports a missing program by this */
	if (ret->status == 127)
		ret->status = -ENOENT;
	read_back(out, MAX_OUTPUT, &ret->text);
	read_back(error, MAX_ERROR, &ret->message);
	return 0;
}

static char *pids_option(const pid_t *pids, size_t n)
{
	struct str text = STR_INIT;

	for (size_t i = 0; i < n; i++)
		str_addf(&text, "%s%d", i ? "," : "-q", pids[i]);
	return str_take(&text);
}

static int error_of_ps(const struct ps_output *out, struct err *err)
{
	const char *message = str_get(&out->message);

	if (out->status < 0)
		err_sys(err, -out->status, "start ps");
	else if (*message)
		err_set(err, ERR_INVALID, "ps: %.*s", (int)strcspn(message, "\n"), message);
	else
		err_set(err, ERR_INVALID, "ps: exit status %d", out->status);
	if (out->status == -ENOENT)
		err_hint(err, "options of top need the program ps (package procps); without "
			      "options top does without");
	return -err->code;
}

/* What ps says of PIDS, or we where there is no ps and nothing was asked of it. */
static int ask_ps(const struct strv *words, const pid_t *pids, size_t n, struct str *ret,
		  struct err *err)
{
	cleanup_strv struct strv usual = STRV_INIT;
	cleanup_with(ps_output_done) struct ps_output out = {};
	cleanup_free char *option = pids_option(pids, n);

	strv_add(&usual, "-ef");
	const struct strv *args = words->n ? words : &usual;

	if (run_ps(args, option, &out, err) < 0 ||
	    (out.status > 0 && run_ps(args, NULL, &out, err) < 0))
		return -err->code;
	if (out.status == -ENOENT && !words->n) {
		processes_print_own(pids, n, ret);
		return 0;
	}
	if (out.status != 0)
		return error_of_ps(&out, err);
	*ret = out.text;
	out.text = (struct str)STR_INIT;
	return 0;
}

/* ---- reading what it printed ---- */

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Takes WORDS; those beyond the last column belong to it. */
static void add_row(struct process_table *table, struct strv *words)
{
	struct process_row *row = NULL;
	size_t columns = table->titles.n;

	table->rows = mem_realloc_array(table->rows, table->n + 1, sizeof(*table->rows));
	row = &table->rows[table->n++];
	*row = (struct process_row){};
	for (size_t i = 0; i < words->n; i++) {
		if (i < columns || !row->fields.n) {
			strv_add(&row->fields, words->items[i]);
			continue;
		}
		char **last = &row->fields.items[row->fields.n - 1];
		char *joined = str_printf("%s %s", *last, words->items[i]);

		free(*last);
		*last = joined;
	}
}

struct parse {
	const pid_t *pids;
	size_t n_pids;
	size_t pid_column;
	bool was_ours; /* the line before, or the process whose threads follow */
	struct process_table *table;
};

static int parse_line(struct parse *p, const char *line, size_t len, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	int pid = 0;

	split_words(line, len, &words);
	if (words.n <= p->pid_column)
		return 0;
	/* a thread, below its process */
	if (strcmp(words.items[p->pid_column], "-") != 0) {
		if (num_parse_int(words.items[p->pid_column], &pid) < 0)
			return err_set(err, ERR_SYSTEM,
				       "Unexpected pid '%s': strconv.Atoi: parsing \"%s\": invalid "
				       "syntax",
				       words.items[p->pid_column], words.items[p->pid_column]);
		p->was_ours = has_pid(p->pids, p->n_pids, pid);
	}
	if (p->was_ours)
		add_row(p->table, &words);
	return 0;
}

int processes_parse(const char *text, const pid_t *pids, size_t n, struct process_table *ret,
		    struct err *err)
{
	struct parse p = {.pids = pids, .n_pids = n, .table = ret};
	size_t len = strcspn(text, "\n");

	split_words(text, len, &ret->titles);
	while (p.pid_column < ret->titles.n && strcmp(ret->titles.items[p.pid_column], "PID") != 0)
		p.pid_column++;
	if (p.pid_column == ret->titles.n)
		return err_set(err, ERR_INVALID, "Couldn't find PID field in ps output");
	for (text += len; *text; text += len) {
		text += *text == '\n';
		len = strcspn(text, "\n");
		if (parse_line(&p, text, len, err) < 0)
			return -err->code;
	}
	return 0;
}

/* ---- the verb ---- */

int engine_processes(struct engine *engine, const char *ref, const struct strv *ps_args,
		     struct process_table *ret, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *group = NULL;
	cleanup_free pid_t *pids = NULL;
	cleanup_str struct str text = STR_INIT;
	struct container_state state;
	size_t n = 0;

	/* docker hands them on as one text */
	strv_foreach (i, ps_args)
		split_words(ps_args->items[i], strlen(ps_args->items[i]), &words);
	if (container_find(engine, ref, &record, &state, err) < 0 ||
	    processes_check_args(&words, err) < 0)
		return -err->code;
	if (!container_is_running(&state))
		return err_set(err, ERR_CONFLICT, "Container %s is not running", record.row.id);
	if (state.status == STATUS_RESTARTING)
		return err_set(err, ERR_CONFLICT,
			       "Container %s is restarting, wait until the container is running",
			       record.row.id);
	group = container_cgroup_name(engine, record.row.id);
	int rc = cgroup_list_pids(engine_get_cgroups(engine), group, &pids, &n);

	if (rc == -ENOENT || rc == -ENODEV)
		return err_set(err, ERR_CONFLICT, "Container %s is not running", record.row.id);
	if (rc < 0)
		return err_sys(err, -rc, "list the processes of container %s", record.row.id);
	if (ask_ps(&words, pids, n, &text, err) < 0)
		return -err->code;
	if (processes_parse(str_get(&text), pids, n, ret, err) < 0)
		return -err->code;
	event_container(engine, &record.row, "top", NULL);
	return 0;
}
