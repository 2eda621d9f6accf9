/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_LIMIT_H
#define CLI_PARSE_LIMIT_H
/*
 * Values of the options that limit or grant: ulimits, CPUs, block device rates and weights, devices
 * and their rules, sysctls. The option_set functions take the field named beside each. All return 0
 * or -ERR_INVALID with docker's texts.
 */

struct container_spec;
struct err;

int ulimit_option_set(void *spec, const char *value, struct err *err);	  /* container_spec */
int cpus_option_set(void *nano_cpus, const char *value, struct err *err); /* int64_t */
int swap_option_set(void *bytes, const char *value, struct err *err);	  /* int64_t; "-1" is -1 */
int pids_option_set(void *spec, const char *value, struct err *err);	  /* container_spec */
int stop_timeout_option_set(void *spec, const char *value, struct err *err); /* container_spec */
int rate_bps_option_set(void *list, const char *value, struct err *err);     /* throttle_list */
int rate_iops_option_set(void *list, const char *value, struct err *err);    /* throttle_list */
int blkio_weight_option_set(void *list, const char *value, struct err *err); /* throttle_list */
int attach_option_set(void *mask, const char *value, struct err *err); /* unsigned, ATTACH_* */

/* Checks only, for lists. */
int sysctl_option_check(void *field, const char *value, struct err *err);
int device_rule_option_check(void *field, const char *value, struct err *err);

/* HOST[:CONTAINER[:PERMS]] or HOST:PERMS; PERMS of "rwm", all three when not said. */
int device_parse(struct container_spec *spec, const char *value, struct err *err);

#endif
