/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H
/* What the verbs that connect a person to a process share. */
#include "base/err.h"
#include "cli/option.h"
#include "cli/verbs.h"
#include "monitor/session.h"

struct cli;
struct plan;
struct strv;

/* Size of the caller's terminal; 0 x 0 without one. */
void cli_terminal_size(unsigned short *rows, unsigned short *columns);
/* The detach keys of a session with a terminal: TYPED, else those of docker's configuration file,
 * else NULL; borrowed. Without a TTY there are none. A sequence that is none is an error before
 * anything was started: "Invalid WORD keys (x) provided". */
int cli_find_detach_keys(struct cli *cli, const char *typed, bool tty, const char *word,
			 const char **ret, struct err *err);
/* A descriptor of the archive NAME; "-" is standard input, which must be no terminal: HINT says
 * what to type then. Owned, or -code. */
int cli_open_archive(const char *name, const char *hint, struct err *err);
/* What a session's end means for the exit status; prints what docker prints. LOST is an error. */
int cli_session_status(const struct session_result *result, struct err *err);
/* Exits by the signal that ended the session, as the shell expects it. */
void cli_die_of(int signal);
/* "WARNING: ..." lines on stderr. */
void cli_print_warnings(const struct strv *warnings);
/* The steps of PARTS on stderr in the form that MODE asks for; nothing for EXPLAIN_NO. */
void cli_explain(const struct plan *plan, enum explain_mode mode, unsigned parts);
/* The summary of a start that took WALL_NS. */
void cli_explain_total(const struct plan *plan, enum explain_mode mode, uint64_t wall_ns);
/* One line in the form of a step for what took NS, "# TEXT". */
void cli_explain_note(enum explain_mode mode, const char *text, uint64_t ns);
/* Executes this program again from a place that no container can write to, unless it is there
 * already. -code when that is impossible. */
int cli_seal(struct err *err);
/* Marks every descriptor above 2 that this program was started with to be closed by exec: helpers
 * and containers get none. Not before cli_seal, whose new image may have been told to read one
 * ("--env-file <(...)"). */
void cli_drop_inherited(void);
/* Remembers the command line for cli_seal; main calls it. */
void cli_set_argv(char **argv);

#endif
