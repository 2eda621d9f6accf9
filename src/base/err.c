/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that gain context on their way up. See err.h for the contract.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The exit status of `run` and `exec` for each outcome. */
static const int run_status[N_ERR_CODES] = {
	[ERR_NONE] = 0,		 [ERR_INVALID] = 125,  [ERR_DENIED] = 125,
	[ERR_NOT_FOUND] = 125,	 [ERR_CONFLICT] = 125, [ERR_UNSUPPORTED] = 125,
	[ERR_UNAVAILABLE] = 125, [ERR_NO_EXEC] = 126,  [ERR_NO_COMMAND] = 127,
	[ERR_SYSTEM] = 125,
};

static enum err_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EEXIST:
	case EBUSY:
		return ERR_CONFLICT;
	default:
		return ERR_SYSTEM;
	}
}

/* What a message quotes (a name in an archive, a field of an image) may be an enemy's: it must not
 * move the cursor of a terminal or begin a line that looks like another message. A tab is harmless,
 * and docker prints it. */
static void defuse(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < ' ' && c != '\t') || c == 0x7f)
			*text = '?';
	}
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	err_clear(err);
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	defuse(err->msg);
	return -err->code;
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
	size_t len = 0;
	va_list ap;

	err_clear(err);
	err->code = code_of_errno(errnum);
	err->errnum = errnum;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	defuse(err->msg);
	len = strlen(err->msg);
	/* strerrordesc_np is async-signal-safe and needs no locale: usable after clone. */
	const char *text = strerrordesc_np(errnum);
	if (text && len + 3 < sizeof(err->msg)) {
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", text);
		/* Go prints errno texts in lower case, and so do we. */
		if (err->msg[len + 2] >= 'A' && err->msg[len + 2] <= 'Z')
			err->msg[len + 2] = (char)(err->msg[len + 2] - 'A' + 'a');
	}
	return -err->code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char context[sizeof(err->msg)];
	size_t used = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	defuse(context);
	used = strlen(context);
	/* The inner message matters most: cut the context, never the cause. */
	size_t inner = strlen(err->msg);
	if (used + 2 + inner >= sizeof(err->msg))
		used = inner + 2 < sizeof(err->msg) ? sizeof(err->msg) - inner - 3 : 0;
	if (used) {
		memmove(err->msg + used + 2, err->msg, inner + 1);
		memcpy(err->msg, context, used);
		memcpy(err->msg + used, ": ", 2);
	}
	return -err->code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	defuse(err->hint);
	return -err->code;
}

void err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->errnum = 0;
	err->msg[0] = '\0';
	err->hint[0] = '\0';
}

int err_run_status(const struct err *err)
{
	int status = err->code >= 0 && err->code < N_ERR_CODES ? run_status[err->code] : 125;

	/* docker's command line looks for these words in whatever the engine answered. */
	if (status != 125)
		return status;
	if (strstr(err->msg, "executable file not found") ||
	    strstr(err->msg, "no such file or directory"))
		return 127;
	if (strstr(err->msg, "permission denied") || strstr(err->msg, "is a directory"))
		return 126;
	return status;
}
