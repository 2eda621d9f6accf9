/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H
/*
 * Errors with context. A function that can fail for a reason a person should read takes a last
 * argument `struct err *err` (never NULL) and returns >= 0, or -code after filling it. The struct
 * is plain data without pointers, so it can be filled after clone(2) and crosses a socketpair in
 * one write.
 */

/* Outcomes that somebody acts on. */
enum err_code {
	ERR_NONE = 0,
	ERR_INVALID,	 /* what the user said makes no sense */
	ERR_DENIED,	 /* permission */
	ERR_NOT_FOUND,	 /* no such object */
	ERR_CONFLICT,	 /* in use, exists already, wrong state */
	ERR_UNSUPPORTED, /* this host or this build cannot */
	ERR_UNAVAILABLE, /* later, perhaps */
	ERR_NO_EXEC,	 /* the command of a container cannot be executed */
	ERR_NO_COMMAND,	 /* the command of a container does not exist */
	ERR_SYSTEM,	 /* the kernel said no */
	N_ERR_CODES,
};

struct err {
	int code;	/* enum err_code */
	int errnum;	/* errno behind it, 0 when none */
	char msg[1536]; /* one line, outermost context first, no full stop */
	char hint[512]; /* what the user can do about it; empty when we do not know */
};

#define ERR_INIT \
	{        \
	}

/* Fill ERR (replacing what it held) and return -code, so that `return err_set(...)` reads well. In
 * all of these control characters (but tabs) become "?": what is quoted may come from an enemy. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a failed system call: the text of ERRNUM (positive) is appended after ": ". The code
 * follows the errno: ENOENT gives NOT_FOUND, EACCES and EPERM DENIED, EEXIST and EBUSY CONFLICT,
 * everything else SYSTEM. */
int err_sys(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prefixes the message with context and ": "; keeps code, errno and hint. Returns -code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds what the user can do. Returns -code. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forgets everything. */
void err_clear(struct err *err);

/* Exit status of docker's run for an error of the engine: 126 or 127 by the code or, as docker has
 * it, by the words "permission denied", "is a directory", "no such file or directory" and
 * "executable file not found" anywhere in the message; else 125. */
int err_run_status(const struct err *err);

#endif
