/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCKER_CONFIG_H
#define CLI_DOCKER_CONFIG_H
/*
 * docker's own configuration file: config.json in --config DIR, $DOCKER_CONFIG or ~/.docker.
 *
 * The file is opened when a command first asks for something in it, once, and is kept in the
 * command's struct cli; a command that asks for nothing does not pay for it. A file that is missing
 * is an empty one. One that cannot be used is an empty one too, after docker's warning on standard
 * error. Unknown members are left alone: credentials are never looked at.
 */
#include <jansson.h>

struct cli;
struct strv;

/* Member KEY ("psFormat", "detachKeys", "proxies"), borrowed; NULL when there is none. The text is
 * parsed only when KEY occurs in it. */
const json_t *docker_config_get(struct cli *cli, const char *key);

/* Its text, borrowed until the command ends; NULL when there is none, or an empty one. */
const char *docker_config_get_text(struct cli *cli, const char *key);

/* The detach keys to use: TYPED, or where that is NULL or empty the file's `detachKeys`, or NULL.
 * Borrowed. */
const char *docker_config_detach_keys(struct cli *cli, const char *typed);

/* Appends what `proxies` says for the local engine to ENV ("HTTP_PROXY=..." and "http_proxy=...",
 * also for HTTPS, NO, FTP and ALL). A name that ENV has, with or without a value, stays as it is.
 */
void docker_config_add_proxies(struct cli *cli, struct strv *env);

/* Frees what was read for CLI; the dispatcher calls it. */
void docker_config_done(struct cli *cli);

#endif
