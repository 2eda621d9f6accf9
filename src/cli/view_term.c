/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal's two states. Everything that gives it back is allowed in a signal handler.
 */
#include "cli/view_term.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sys/pty.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* xterm's private modes 1049: the second screen; 25: the cursor; 7: wrapping at the margin. */
#define ENTER	    "\033[?1049h" ENTER_AGAIN
#define ENTER_AGAIN "\033[?25l\033[?7l\033[2J"
#define LEAVE	    "\033[0m\033[?7h\033[?25h\033[?1049l"

static struct tty_mode mode = TTY_MODE_INIT;

static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

/* Only what signal-safety(7) allows; the signal's default action follows. */
static void on_crash(int signal)
{
	view_term_leave();
	raise(signal);
}

static void catch_crashes(void)
{
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &action, NULL);
}

int view_term_check(struct err *err)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_set(err, ERR_UNSUPPORTED, "top --all needs a terminal");
		return err_hint(err, "stats prints the same figures, once with --no-stream");
	}
	if (!term || !*term || strcmp(term, "dumb") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "top --all needs a terminal that can place its cursor, not TERM=%s",
			       term ? term : "");
	return 0;
}

bool view_term_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

int view_term_enter(void)
{
	/* Entered before: what it was then is what it gets back, and the second screen is there. */
	bool is_again = mode.fd >= 0;
	struct tty_mode now = TTY_MODE_INIT;
	const char *text = is_again ? ENTER_AGAIN : ENTER;
	int rc = tty_set_raw(is_again ? &now : &mode, STDIN_FILENO);

	if (rc < 0)
		return rc;
	catch_crashes();
	return fd_write_full(STDOUT_FILENO, text, strlen(text));
}

void view_term_leave(void)
{
	if (mode.fd < 0)
		return;
	fd_write_full(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	tty_restore(&mode);
}

void view_term_size(uint16_t *ret_rows, uint16_t *ret_columns)
{
	uint16_t rows = 0, columns = 0;

	pty_get_size(STDOUT_FILENO, &rows, &columns);
	*ret_rows = rows ? rows : 24;
	*ret_columns = columns ? columns : 80;
}

int view_term_suspend(void)
{
	sigset_t stop, old;

	view_term_leave();
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	/* It is blocked while the loop reads signals: here it acts, and here we go on. */
	sigprocmask(SIG_UNBLOCK, &stop, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return view_term_enter();
}
