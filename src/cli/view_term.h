/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_TERM_H
#define CLI_VIEW_TERM_H
/*
 * The terminal of the live view: its second screen in raw mode, and back, on every way out. There
 * is one in a process. A crash gives it back, too.
 */
#include <stdbool.h>
#include <stdint.h>

struct err;

/* Whether standard input and output are a terminal that can place its cursor; ERR_UNSUPPORTED. */
int view_term_check(struct err *err);
/* Whether characters beyond ASCII can be shown: what the locale's variables say. */
bool view_term_is_utf8(void);
/* Shows the second screen; may be repeated, for a terminal that others have used meanwhile. 0 or
 * -errno. */
int view_term_enter(void);
/* Gives the terminal back; may be repeated. */
void view_term_leave(void);
/* 24 x 80 where the terminal does not know. */
void view_term_size(uint16_t *ret_rows, uint16_t *ret_columns);
/* Gives the terminal back and stops this process as Ctrl-Z does; returns when it goes on, with the
 * screen shown again. 0 or -errno. */
int view_term_suspend(void);

#endif
