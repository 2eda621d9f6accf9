/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs that connect a person to a process share: the terminal, the end of a session, the
 * printed plan.
 */
#include "cli/session.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/docker_config.h"
#include "plan/plan.h"
#include "sys/process.h"
#include "sys/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char **program_argv;

void cli_set_argv(char **argv)
{
	program_argv = argv;
}

int cli_seal(struct err *err)
{
	int rc = 0;

	if (process_is_sealed())
		return 0;
	rc = process_seal(program_argv);
	return err_sys(err, -rc, "seal the program against the container");
}

void cli_drop_inherited(void)
{
	/* Since Linux 5.11. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

void cli_terminal_size(unsigned short *rows, unsigned short *columns)
{
	uint16_t r = 0;
	uint16_t c = 0;

	if (pty_get_size(STDOUT_FILENO, &r, &c) < 0 && pty_get_size(STDIN_FILENO, &r, &c) < 0)
		r = c = 0;
	*rows = r;
	*columns = c;
}

int cli_find_detach_keys(struct cli *cli, const char *typed, bool tty, const char *word,
			 const char **ret, struct err *err)
{
	cleanup_detach_keys struct detach_keys keys = {};
	const char *found = tty ? docker_config_detach_keys(cli, typed) : typed;

	if (detach_keys_parse(found, &keys, err) < 0)
		return err_set(err, ERR_INVALID, "Invalid %s keys (%s) provided", word, found);
	*ret = found;
	return 0;
}

void cli_die_of(int number)
{
	sigset_t only;

	/* It may have been held back while a container started. */
	sigemptyset(&only);
	sigaddset(&only, number);
	signal(number, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(number);
	_exit(128 + number);
}

/* Else a write failed for another reason: a full disk, say. */
static bool is_reader_gone(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

int cli_open_archive(const char *name, const char *hint, struct err *err)
{
	bool is_stdin = strcmp(name, "-") == 0;
	int fd = -1;

	if (is_stdin && isatty(STDIN_FILENO)) {
		err_set(err, ERR_INVALID, "standard input is a terminal, not an archive");
		return err_hint(err, "%s", hint);
	}
	if (is_stdin)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(name, O_RDONLY | O_CLOEXEC); /* lint: path typed by the user */
	return fd < 0 ? err_sys(err, errno, "open %s", name) : fd;
}

int cli_session_status(const struct session_result *result, struct err *err)
{
	switch (result->outcome) {
	case SESSION_EXITED:
		return result->exit_code;
	case SESSION_DETACHED:
		return 0;
	case SESSION_FORCED:
		fputs("\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n", stderr);
		return 1;
	case SESSION_SIGNALLED:
		cli_die_of(result->signal);
		break;
	case SESSION_BROKEN_PIPE:
		if (is_reader_gone(STDOUT_FILENO) || is_reader_gone(STDERR_FILENO))
			cli_die_of(SIGPIPE);
		return err_set(err, ERR_SYSTEM, "the container's output could not be written");
	case SESSION_LOST:
		break;
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "the container's monitor was killed, and the container with it");
}

void cli_print_warnings(const struct strv *warnings)
{
	strv_foreach (i, warnings)
		fprintf(stderr, "WARNING: %s\n", warnings->items[i]);
}

void cli_explain(const struct plan *plan, enum explain_mode mode, unsigned parts)
{
	cleanup_str struct str text = STR_INIT;

	if (mode == EXPLAIN_NO)
		return;
	if (mode == EXPLAIN_JSON)
		plan_explain_json(plan, parts, &text);
	else
		plan_explain(plan, parts, &text);
	fputs(str_get(&text), stderr);
}

void cli_explain_total(const struct plan *plan, enum explain_mode mode, uint64_t wall_ns)
{
	size_t steps = 0;
	uint64_t kernel = plan_total_ns(plan, 1U << STEP_HOST | 1U << STEP_INSIDE, &steps);

	if (mode != EXPLAIN_SHELL)
		return;
	fprintf(stderr, "# %zu steps, %.2f ms; %.2f ms between them\n", steps, (double)kernel / 1e6,
		wall_ns > kernel ? (double)(wall_ns - kernel) / 1e6 : 0.0);
}

void cli_explain_note(enum explain_mode mode, const char *text, uint64_t ns)
{
	if (mode == EXPLAIN_SHELL)
		fprintf(stderr, "%6.0f us  # %s\n", (double)ns / 1000, text);
}
