/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
/*
 * The program's own diagnostics: what it does, for whoever looks for a fault, and what nobody else
 * reports: failed clean-ups, fallbacks taken. Quiet below "warn" unless TARE_LOG_LEVEL, --log-level
 * or -D asks for more. Commands write to stderr, a monitor to a file of its container.
 *
 * A line is "tare: LEVEL: TEXT", or one JSON object with ts, level, msg, op (the command or
 * "monitor"), id (the container's, or "") and err (why, or "").
 *
 * A log is copied into reports and stays on disks: no value of an environment variable, no build
 * argument, no credential and no whole command line may be handed to these functions.
 */
enum log_level {
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE,
	N_LOG_LEVELS,
};

/* Sets the level by its name (trace debug info notice warn error fatal); -EINVAL for another. */
int log_set_level(const char *name);
enum log_level log_get_level(void);
/* "text" or "json"; -EINVAL for another. */
int log_set_format(const char *name);
/* Whether a line is JSON. */
int log_is_json(void);
/* What the lines that follow are about; copied. NULL leaves one as it is. */
void log_set_context(const char *op, const char *id);

/* From here on lines go to the file NAME under DIR_FD (borrowed), which is opened for each: a
 * process that is quiet has none. It takes LOG_FILE_MAX bytes; then it becomes "NAME.1", in the
 * place of the last such file. */
#define LOG_FILE_MAX 65536
void log_set_file(int dir_fd, const char *name);

/* One line. Control characters become "?" in text. */
void log_message(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with the reason WHY, which text shows after ": ". */
void log_failure(enum log_level level, const char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_trace(...)	log_message(LOG_LEVEL_TRACE, __VA_ARGS__)
#define log_debug(...)	log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)	log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warn(...)	log_message(LOG_LEVEL_WARN, __VA_ARGS__)

#endif
