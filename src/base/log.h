/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
/*
 * The program's own diagnostics on stderr: quiet unless TARE_LOG_LEVEL (or --log-level, -D) asks
 * for more. Only what nobody else reports belongs here: failed clean-ups, fallbacks taken.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Sets the level by docker's names (debug info warn error fatal); -EINVAL for another. */
int log_set_level(const char *name);
enum log_level log_get_level(void);
void log_message(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_message(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_WARN, __VA_ARGS__)

#endif
