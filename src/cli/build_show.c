/* SPDX-License-Identifier: Apache-2.0 */
/* Which way a build's progress is shown. */
#include "cli/build_show.h"

#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void show_nothing(void *ctx, const struct build_event *event)
{
}

static void build_show_quiet(struct build_show *ret)
{
	*ret = (struct build_show){.progress = {.event = show_nothing}, .is_quiet = true};
}

/* As BuildKit has it, the environment counts where no option does. */
static const char *choose(const char *mode)
{
	const char *env = getenv("BUILDKIT_PROGRESS");

	if (mode && *mode)
		return mode;
	return env && *env ? env : "auto";
}

int build_show_open(const char *mode, bool quiet, struct build_show *ret, struct err *err)
{
	static const struct {
		const char *mode;
		void (*open)(struct build_show *ret);
	} ways[] = {
		{"plain", build_show_plain},	 {"tty", build_show_tty},
		{"rawjson", build_show_rawjson}, {"quiet", build_show_quiet},
		{"none", build_show_quiet},
	};
	const char *chosen = quiet ? "quiet" : choose(mode);

	if (strcmp(chosen, "auto") == 0)
		chosen = isatty(STDERR_FILENO) ? "tty" : "plain";
	if (strcmp(chosen, "tty") == 0 && !isatty(STDERR_FILENO))
		return err_set(err, ERR_INVALID,
			       "failed to get console: standard error is no terminal");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (strcmp(chosen, ways[i].mode) == 0) {
			ways[i].open(ret);
			return 0;
		}
	return err_set(err, ERR_INVALID, "invalid progress value \"%s\"", chosen);
}

void build_show_close(struct build_show *show)
{
	if (show->close)
		show->close(show->data);
	show->close = NULL;
}
