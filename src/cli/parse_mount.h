/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PARSE_MOUNT_H
#define CLI_PARSE_MOUNT_H
/*
 * The three ways to ask for a mount: --mount (comma-separated fields with quotes), -v
 * (SOURCE:TARGET:MODE) and --tmpfs (TARGET:OPTIONS). Syntax only; whether the result makes sense is
 * spec_validate's to say. All return 0 or -ERR_INVALID with docker's texts, and leave the spec as
 * it was then.
 */

struct container_spec;
struct err;
struct strv;

/* option_set for --mount: FIELD is the struct container_spec. A relative source that starts with
 * "." is taken from the current directory. */
int mount_option_set(void *field, const char *value, struct err *err);
/* What docker's command line itself asks of -v; the rest is the engine's to refuse. */
int mount_check_volume(const char *value, struct err *err);
int mount_parse_volume(struct container_spec *spec, const char *value, struct err *err);
int mount_parse_tmpfs(struct container_spec *spec, const char *value, struct err *err);

/* One record of comma-separated values as Go's encoding/csv reads it: "a,""b" style quotes.
 * Appends the fields. An empty text gives the error "EOF". */
int csv_split(const char *text, struct strv *ret, struct err *err);

#endif
