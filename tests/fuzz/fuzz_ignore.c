/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore files: the input up to the first NUL is one, the rest is a path. Whatever they are, the
 * file is refused or gives an answer, and what is left is not in a directory that a walk would not
 * enter. (A path asked for alone may be answered otherwise than one that was walked to: docker
 * passes over a pattern that would change nothing for a directory, and then it does not hold below
 * it.)
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "dockerfile/glob.h"
#include "dockerfile/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void walk(const struct ignore *ig, const char *path)
{
	struct ignore_state state = {};
	bool is_cut = false;
	bool excluded = false;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		cleanup_free char *dir = str_ndup(path, (size_t)(slash - path));
		struct ignore_state next = {};

		is_cut |= ignore_match(ig, dir, &state, &next) && !ignore_may_take_back(ig, dir);
		ignore_state_done(&state);
		state = next;
	}
	excluded = ignore_match(ig, path, &state, NULL);
	ignore_match(ig, path, NULL, NULL);
	require(!is_cut || excluded);
	ignore_state_done(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = strnlen((const char *)data, size);
	cleanup_free char *rest = str_ndup(len < size ? (const char *)data + len + 1 : "x",
					   len < size ? size - len - 1 : 1);
	cleanup_free char *path = glob_clean(rest);
	cleanup_ignore struct ignore *ig = NULL;
	struct err err = ERR_INIT;

	if (ignore_parse((const char *)data, len, &ig, &err) < 0)
		require(err.code == ERR_INVALID && err.msg[0]);
	else if (*path != '/')
		walk(ig, path);
	glob_match(rest, path);
	return 0;
}
