/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LOG_OPTIONS_H
#define ENGINE_LOG_OPTIONS_H
/*
 * --log-driver and --log-opt: which drivers there are, what they can be told, and docker's words
 * for what is wrong with it.
 */
#include "monitor/log_driver.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct strv;

struct log_options {
	enum log_driver_kind kind;
	int64_t max_size; /* 0: the driver's default */
	int64_t max_files;
	bool compress;
	bool has_no_cache; /* of a driver that sends: nothing is kept for `logs` */
	bool non_blocking;
	int64_t max_buffer;  /* 0: the default */
	const char *address; /* these are borrowed from the options; "" when not given */
	int facility;
	enum log_syslog_format format;
	const char *tag;
	const char *labels, *labels_regex, *env, *env_regex;
};

/* Reads OPTIONS ("K=V", the last one of a key counts) for DRIVER (NULL or "": json-file).
 * ERR_INVALID in docker's words. */
int log_options_parse(const char *driver, const struct strv *options, struct log_options *ret,
		      struct err *err);

/* The drivers there are, sorted, ended by NULL: what `info` lists. */
extern const char *const log_driver_names[];

#endif
