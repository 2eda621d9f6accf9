/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUILD_SHOW_H
#define CLI_BUILD_SHOW_H
/*
 * What a build tells, shown: as lines (plain), live on a terminal (tty), as BuildKit's JSON
 * (rawjson), or not at all (quiet). Always on standard error.
 */
#include "base/err.h"
#include "build/progress.h"

/* One way of showing. `data` is the shower's own. */
struct build_show {
	struct build_progress progress; /* to be handed to the build; its ctx is `data` */
	/* Shows what is left, gives the terminal back and frees `data`. */
	void (*close)(void *data);
	void *data;
	bool is_quiet; /* nothing is shown of the way, nor are warnings */
};

/* MODE as typed after --progress; NULL or "auto" is tty where standard error is a terminal, else
 * plain. ERR_INVALID ("invalid progress value \"x\""). */
int build_show_open(const char *mode, bool quiet, struct build_show *ret, struct err *err);
/* May be repeated; before anything else is printed. */
void build_show_close(struct build_show *show);
#define cleanup_build_show __attribute__((cleanup(build_show_close)))

/* The ways, for build_show_open. */
void build_show_plain(struct build_show *ret);
void build_show_tty(struct build_show *ret);
void build_show_rawjson(struct build_show *ret);

#endif
