/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_KEYS_H
#define BUILD_RUN_KEYS_H
/* An SSH agent of a step's own, for keys that the user names as files. */
#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Starts the host's ssh-agent with its socket as NAME in the directory DIR_FD and has it read the
 * files KEYS; it dies with this process. Its pid, or -code: ERR_UNSUPPORTED when the host has no
 * such program, ERR_INVALID for a key that it does not take. */
pid_t run_keys_start(int dir_fd, const char *name, const struct strv *keys, struct err *err);

#endif
