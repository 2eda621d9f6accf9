/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_DEVICE_H
#define CLI_PARSE_DEVICE_H
/*
 * Values of options that name devices by what they are, and containers. Syntax only; both setters
 * take the struct container_spec and return 0 or -ERR_INVALID with docker's texts.
 */
#include <stdbool.h>

struct container_spec;
struct err;

/* --gpus: "all", a number, or comma-separated driver=, count=, device=, capabilities=, options=. */
int gpus_option_set(void *spec, const char *value, struct err *err);
/* --link: "NAME" or "NAME:ALIAS". */
int link_option_check(void *field, const char *value, struct err *err);

/* Adds a request to SPEC when VALUE is a device of the Container Device Interface,
 * "vendor.com/class=name"; false when it is a path. */
bool cdi_device_add(struct container_spec *spec, const char *value);

#endif
