/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_GRAPH_H
#define BUILD_GRAPH_H
/*
 * What a Dockerfile comes to for one request: steps that change files, each with what it needs, and
 * for each platform the configuration of the image that ends with one of them. Instructions that
 * only change the configuration are no steps. Variables are expanded, stages that nothing needs are
 * not there, ONBUILD triggers are.
 */
#include "base/err.h"
#include "build/request.h"
#include "dockerfile/check.h"
#include "dockerfile/mount.h"
#include "oci/image_config.h"
#include "storage/image.h"

#define BUILD_NONE SIZE_MAX

/* ---- where files come from that are no step ---- */

enum build_source_kind {
	BUILD_SOURCE_LOCAL,  /* a directory: the main context, or a named one */
	BUILD_SOURCE_STREAM, /* the main context as an archive on stdin */
	BUILD_SOURCE_GIT,
	BUILD_SOURCE_HTTP,
	BUILD_SOURCE_LAYOUT, /* oci-layout://: an image, becomes a step */
};

struct build_source {
	enum build_source_kind kind;
	char *where;	/* path or URL as typed */
	char *name;	/* "context", or that of --build-context */
	char *checksum; /* ADD --checksum: "sha256:..."; NULL */
	bool keep_git_dir;
};

/* ---- steps ---- */

enum build_step_kind {
	BUILD_STEP_IMAGE,   /* a base: layers that are there already */
	BUILD_STEP_SCRATCH, /* nothing at all */
	BUILD_STEP_RUN,
	BUILD_STEP_COPY,    /* COPY and ADD */
	BUILD_STEP_WORKDIR, /* the directory of WORKDIR */
};

/* One source of COPY or ADD. */
enum build_item_kind {
	BUILD_ITEM_PATH,   /* of `step` or `source` of the operation */
	BUILD_ITEM_INLINE, /* a here-document: file NAME with CONTENT */
	BUILD_ITEM_REMOTE, /* ADD of a URL or a git repository: `source` of its own */
};
struct build_copy_item {
	enum build_item_kind kind;
	char *path;    /* expanded; may be a pattern */
	char *name;    /* INLINE */
	char *content; /* INLINE, expanded */
	size_t source; /* REMOTE: of graph.sources */
};

struct build_copy_op {
	bool is_add;
	struct build_copy_item *items; /* owned array */
	size_t n_items;
	size_t from_step;    /* BUILD_NONE, or the step that PATH items are from */
	size_t from_source;  /* BUILD_NONE, or the source */
	char *target;	     /* absolute: the working directory is in it; a "/" at its end counts */
	char *chown, *chmod; /* expanded; NULL */
	struct strv excludes;
	bool link, parents;
	int unpack; /* -1: as the instruction has it */
};

struct build_workdir_op {
	char *path; /* absolute, clean */
	char *user; /* who owns it; NULL root */
};

/* A mount of RUN with what it is of. */
struct build_mount {
	struct run_mount mount;	       /* target made absolute, ids filled in */
	size_t from_step, from_source; /* BUILD_NONE */
};

struct build_run_op {
	struct strv argv;
	/* The text of a here-document that is a program of its own ("#!"), run as the file that
	 * `argv` names (below /dev/pipes, executable); NULL. */
	char *script;
	struct strv env; /* "K=V": configuration, arguments */
	/* What comes on top and is not part of the key: proxy variables. */
	struct strv unkeyed_env;
	char *user, *workdir;
	char *network; /* "default", "none", "host" */
	bool insecure; /* --security=insecure, allowed */
	struct strv devices; /* paths of the host or names of CDI, allowed */
	struct build_mount *mounts; /* owned array */
	size_t n_mounts;
};

struct build_step {
	enum build_step_kind kind;
	size_t parent; /* the step below; BUILD_NONE for IMAGE and SCRATCH */
	union {
		struct {
			struct image image;
			char *typed; /* as FROM has it */
		} base;
		struct build_run_op run;
		struct build_copy_op copy;
		struct build_workdir_op workdir;
	};
	char *name;  /* for progress: "[build 2/3] RUN make" */
	char *stage; /* lower case name, or number; of --no-cache-filter */
	struct dockerfile_lines lines;
	char *platform; /* "linux/amd64" */
	bool no_cache;
};

/* One image that comes out. */
struct build_result_image {
	char *platform;
	size_t step;		    /* whose files it has */
	struct image_config config; /* complete, but that diff_ids are those of the base; history
				       has one entry for each instruction, its `empty_layer` as if
				       every step changed something */
	/* For each history entry of this build the step that made its layer, BUILD_NONE for an
	 * instruction without one. Entries before FIRST_HISTORY are those of the base. */
	size_t *history_steps; /* owned, config.n_history items */
	size_t first_history;
};

struct build_graph {
	struct build_step *steps; /* owned array; what a step needs stands before it */
	size_t n_steps;
	struct build_source *sources; /* owned array; [0] is the main context if there is one */
	size_t n_sources;
	struct build_result_image *images; /* owned array: one for each platform */
	size_t n_images;
	struct strv unused_args; /* --build-args that nothing consumed */
	struct check_findings findings;
	bool findings_are_errors;
	char *listing;	 /* what --call=outline and --call=targets print; NULL for other calls */
	int64_t epoch_s; /* for all times of what comes out */
	bool is_multi_platform;
};

/* What the graph cannot know by itself. */
struct build_resolver {
	/* Finds the image REF for PLATFORM (by the pull policy, or in an oci-layout). 0 or -code
	 * with docker's words. */
	int (*find_image)(void *ctx, const char *ref, const char *platform, struct image *ret,
			  struct err *err);
	void *ctx;
	const struct ignore *ignore; /* of the main context; NULL */
	/* The main context as it was opened; NULL: it is what the request says. */
	const struct build_source *context;
	bool lacks_context; /* there is none: the Dockerfile came alone on stdin */
};

/* Makes the graph of FILE for REQUEST. ERR_INVALID, ERR_NOT_FOUND; RET_WHERE has the lines then. A
 * call that builds nothing (check, outline, targets) takes an image that is not there for an empty
 * one.
 * RET must be empty and is the caller's to free also after an error. */
int build_graph_make(const struct build_request *request, const struct dockerfile *file,
		     const struct build_resolver *resolver, struct build_graph *ret,
		     struct dockerfile_lines *ret_where, struct err *err);
void build_graph_done(struct build_graph *g);
#define cleanup_build_graph __attribute__((cleanup(build_graph_done)))

#endif
