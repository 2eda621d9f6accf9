/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H
/*
 * The live view of all containers, "top --all": a list that follows what happens, the end of the
 * selected one's log, and keys for what one does with containers.
 */

struct cli;
struct err;

/* Shows it until it is left; the terminal is as it was before. The exit status, or -code: without a
 * terminal there is nothing to show it on (ERR_UNSUPPORTED). */
int view_run(struct cli *cli, struct err *err);

#endif
