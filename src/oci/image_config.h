/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_IMAGE_CONFIG_H
#define OCI_IMAGE_CONFIG_H
/*
 * The configuration of an image (image-spec config.md, with docker's additions Healthcheck,
 * OnBuild, Shell). It is data from outside: only the fields named here are read, everything else is
 * ignored, and labels under the prefix that the engine keeps for itself are dropped.
 */
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Labels that only the engine may set; an image that brings some is not believed. */
#define IMAGE_RESERVED_LABEL "io.tare."

/* Which layer is the result of which step of a build: a list that only the build cache reads. */
#define IMAGE_BUILD_CACHE "io.tare.buildcache.v1"

/* image_healthcheck.test: empty inherits, {"NONE"} disables, {"CMD", ...} or {"CMD-SHELL", text}.
 */
struct image_healthcheck {
	bool is_set;
	struct strv test;
	int64_t interval_ns; /* 0: not given, for these four */
	int64_t timeout_ns;
	int64_t start_period_ns;
	int64_t start_interval_ns;
	int64_t retries;
};

/* What a container of the image starts with: docker's "Config". */
struct image_run {
	char *user; /* strings are NULL when absent */
	char *working_dir;
	char *stop_signal;
	struct strv exposed_ports; /* "80/tcp", sorted, unique */
	struct strv env;	   /* "NAME=value" */
	struct strv entrypoint;
	struct strv cmd;
	struct strv volumes;	/* paths inside the container, sorted, unique */
	struct strv label_keys; /* sorted, unique; label_values has as many */
	struct strv label_values;
	struct strv shell;
	struct strv on_build;
	struct image_healthcheck healthcheck;
	bool args_escaped;
	/* Given, though empty: [] is not the same to docker as nothing. */
	bool has_entrypoint;
	bool has_cmd;
};

struct image_history {
	char *created;
	char *created_by;
	char *author;
	char *comment;
	bool empty_layer;
};

struct image_config {
	char *architecture;
	char *variant;
	char *os;
	char *created; /* RFC 3339 as written */
	char *author;
	char *comment;
	char *docker_version;
	struct image_run run;
	struct strv diff_ids; /* "sha256:<hex>", checked, base first */
	struct image_history *history;
	size_t n_history;
	char *build_cache; /* JSON text, written as IMAGE_BUILD_CACHE; never read, since it is of
			      one image and not of those made from it */
};

#define IMAGE_CONFIG_INIT \
	{                 \
	}
#define IMAGE_MAX_LAYERS 500 /* what overlayfs takes (OVL_MAX_STACK) */

/* Parses LEN bytes into RET (which must be empty). ERR_INVALID names what is wrong: not JSON, over
 * 4 MiB or 32 levels, a field of the wrong type, a bad diff ID, os or architecture missing. */
int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err);
void image_config_done(struct image_config *config);
#define cleanup_image_config __attribute__((cleanup(image_config_done)))

/* The configuration as compact JSON, keys in docker's (alphabetical) order: parsing and formatting
 * again gives the same bytes, so that its digest is stable. */
char *image_config_format(const struct image_config *config);

/* Docker's container "Config" members of RUN as a new object: User ExposedPorts Env Cmd Healthcheck
 * ArgsEscaped Volumes WorkingDir Entrypoint OnBuild Labels StopSignal Shell. Those that inspect
 * always shows are there even when empty ("" or null). */
json_t *image_run_to_json(const struct image_run *run);
/* The same from a "Config" object (borrowed). */
int image_run_parse(const json_t *config, struct image_run *ret, struct err *err);
void image_run_done(struct image_run *run);
#define cleanup_image_run __attribute__((cleanup(image_run_done)))

/* Editing: each replaces what has the same key. */
void image_run_set_env(struct image_run *run, const char *name, const char *value);
void image_run_set_label(struct image_run *run, const char *key, const char *value);
/* Adds ITEM to a sorted set such as exposed_ports or volumes. */
void image_set_add(struct strv *set, const char *item);
/* The same with many, in any order: what EXPOSE 1-65535 comes to. */
void image_set_add_all(struct strv *set, const struct strv *items);
/* Appends an empty history entry. */
struct image_history *image_config_add_history(struct image_config *config);

#endif
