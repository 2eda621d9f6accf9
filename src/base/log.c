/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics on stderr, one line each, written with one write(2) so that lines of several
 * processes do not mix.
 */
#include "base/log.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
static enum log_level current = LOG_WARN;

int log_set_level(const char *name)
{
	if (strcmp(name, "fatal") == 0) {
		current = LOG_ERROR;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			current = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum log_level log_get_level(void)
{
	return current;
}

void log_message(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	int n = 0;
	va_list ap;

	if (level > current)
		return;
	n = snprintf(line, sizeof(line), "tare: %s: ", level_names[level]);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* Nobody is left to hear that writing a diagnostic failed. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
