/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_BUILD_PRIVATE_H
#define BUILD_BUILD_PRIVATE_H
/* The inside of one build, shared by its files: what was asked for, the graph, and how far each
 * step has come. For nobody else. */
#include "build/build.h"
#include "build/copy.h"
#include "build/run_step.h"
#include "build/tree.h"
#include "build/worker.h"
#include "event/loop.h"
#include "oci/manifest.h"
#include "storage/snapshot.h"
#include "storage/staging.h"

#define KEY_LEN (DIGEST_HEX_LEN + 1)

enum node_phase {
	NODE_NEW,    /* nobody knows its key yet */
	NODE_DIGEST, /* a worker looks at what it copies */
	NODE_KEYED,  /* the key is known, and the cache has nothing under it */
	NODE_QUEUED, /* another build is making it */
	NODE_BUSY,   /* it is being made */
	NODE_READY,  /* its files are there */
	NODE_FAILED,
};

/* The last lines of what a command said. */
#define LOG_TAIL_LINES 10
struct log_tail {
	char *lines[LOG_TAIL_LINES]; /* owned; a ring */
	size_t n;		     /* lines so far */
	struct str part;	     /* of the one that has no end yet */
};

/* One step of the graph on its way. */
struct node {
	struct build *build;
	size_t number; /* of the step */
	enum node_phase phase;
	bool wants_key, wants_files;
	char key[KEY_LEN];    /* under which the cache has it; "" until it is known */
	char result[KEY_LEN]; /* what stands for it in the keys above it; "" until that is known */
	char fast[KEY_LEN];   /* by which its sources are named, not what is in them; "" */
	struct snapshot snapshot;	   /* in use; of a step that is READY */
	int claim_fd;			   /* -1, or: it is ours to make */
	int wait_fd;			   /* -1, or: lockable once somebody else has made it */
	uint64_t retry_ns;		   /* QUEUED for something else: when to try again */
	struct build_selection *selection; /* of a context's files */
	struct worker worker;
	bool worker_copies; /* it may go on from the digest to the copy */
	struct build_run *run;
	struct run_inputs *run_inputs; /* owned: what RUN works with, as long as it does */
	int log_fd;
	struct loop_source log_source, end_source;
	struct log_tail tail;
	char *dir;     /* owned, absolute: holds upper and work */
	size_t vertex; /* 0: not shown yet */
	bool is_told;  /* that it has failed */
	uint64_t began_ns;
	int64_t began_real_ns; /* as times of files have it */
};

struct build {
	struct engine *engine;
	const struct build_request *request;
	const struct build_progress *progress;
	struct build_outcome *ret;
	struct dockerfile file;
	struct build_input input;
	struct build_graph graph;
	struct staging staging; /* created by the first who needs it */
	struct file_digests *digests;
	struct build_tree *trees; /* owned, one for each source; root_fd -1: not opened yet */
	struct node *nodes;	  /* owned, one for each step */
	struct loop loop;
	struct loop_signals signals;
	int hold_fd; /* nothing of the store is removed */
	int64_t jobs, n_busy;
	int caught; /* the signal that ended it; 0 */
	bool is_canceled;
	struct err failure; /* the first; code ERR_NONE while there is none */
	size_t failed_node; /* BUILD_NONE */
	size_t n_vertices;
	size_t context_vertex;
	struct strv loaded; /* references whose metadata was shown */
};

/* ---- telling (vertex.c) ---- */

/* Shows a step that begins now; its number. */
size_t vertex_begin(struct build *b, const char *name);
void vertex_end(struct build *b, size_t vertex, const char *name, enum build_event_type how,
		const char *text);
/* "transferring dockerfile: 85B". */
void vertex_status(struct build *b, size_t vertex, const char *name, const char *text,
		   uint64_t current, uint64_t total);
void vertex_log(struct build *b, size_t vertex, const char *name, const char *bytes, size_t len);
/* Time has passed, for whoever shows times. */
void vertex_tick(struct build *b);
/* The same for a step of the graph, once for each of them. */
void node_begin(struct node *n);
void node_end(struct node *n, enum build_event_type how, const char *text);

/* ---- keys (key.c) ---- */

/* The key of a step that has no sources but steps and constants: IMAGE, SCRATCH, WORKDIR, RUN.
 * Those it depends on have theirs. */
int key_of_step(struct build *b, size_t step, char ret[static KEY_LEN], struct err *err);
/* Of a copy, by the digest of what is copied; with LINK without what is below. */
void key_of_copy(struct build *b, size_t step, const char *digest, char ret[static KEY_LEN]);
/* Of a copy, by the keys of the steps its sources are from; "" when it has others. */
void key_of_copy_fast(struct build *b, size_t step, char ret[static KEY_LEN]);

/* ---- what the files of a build share (build.c) ---- */

/* Room for what is made: until then nothing was written. */
int build_ensure_staging(struct build *b, struct err *err);
/* The tree of a source, opened by the first who asks. */
int build_ensure_tree(struct build *b, size_t source, struct build_tree **ret, struct err *err);
static inline const struct build_step *node_step(const struct node *n)
{
	return &n->build->graph.steps[n->number];
}
/* Whether no result of the cache may be used. */
bool node_skips_cache(const struct node *n);

/* ---- making (solve.c, solve_run.c, solve_copy.c) ---- */

/* Makes what the images of the graph need. */
int solve(struct build *b, struct err *err);
/* Ends whatever runs, but for EXCEPT (NULL: everything). */
void nodes_kill(struct build *b, const struct node *except);
void nodes_done(struct build *b);
/* How many steps S may need. */
size_t node_count_deps(const struct build_step *s);
/* Number I of them, the one below first; BUILD_NONE where there is none. */
size_t node_get_dep(const struct build_step *s, size_t i);
/* Wants the files of STEP with all below; whether that is news. */
bool node_want_files(struct build *b, size_t step);
/* Whether the step and all below it are there. */
bool node_has_files(const struct build *b, size_t step);
/* Appends the directories of the files after STEP, uppermost first; with the lease held. */
int node_add_lowers(struct build *b, size_t step, struct strv *ret, struct err *err);
/* Has the files of the step, which is READY, the times that they have with the build's epoch. */
int node_retime(struct node *n, struct err *err);
/* Makes the directory in which a step works. */
int node_prepare_dir(struct node *n, struct err *err);
void node_get_place(struct node *n, const struct strv *lowers, const char *id,
		    struct build_place *ret);
/* The step has ended well: its upper directory becomes a snapshot. */
int node_publish(struct node *n, struct err *err);
/* The step has failed with ERR: ends all others. */
void node_fail(struct node *n, const struct err *err);
/* The cache is asked for the node's key: 1 READY, 0, -code. */
int node_lookup(struct node *n, const char *key, struct err *err);
/* The step's key is KEY: looks it up, unless the cache is not to be used. 1, or -code. */
int node_settle(struct node *n, const char *key, struct err *err);
/* The result gets the key by which it would have been found without a look at its sources. */
int node_add_alias(struct node *n, struct err *err);

/* 1 when it has to wait for a cache mount. */
int run_node_start(struct node *n, struct err *err);
int run_node_explain(struct node *n, struct str *ret, struct err *err);
/* Takes down what is left of a command. */
void run_node_kill(struct node *n);

/* Selects what is copied and computes the key, here or in a worker. 1 when something is known now
 * that was not before. */
int copy_node_key(struct node *n, struct err *err);
int copy_node_start(struct node *n, struct err *err);
int workdir_node_start(struct node *n, struct err *err);
void copy_node_kill(struct node *n);

/* ---- failure.c ---- */

/* Keeps the lines of LEN bytes that came SINCE_NS after the step began. */
void log_tail_add(struct log_tail *t, uint64_t since_ns, const char *bytes, size_t len);
/* Owned; NULL when nothing was said. */
char *log_tail_format(const struct log_tail *t);
void log_tail_done(struct log_tail *t);
/* "process \"/bin/sh -c x\" did not complete successfully: exit code: 7" */
int failure_of_process(const struct strv *argv, int code, bool is_oom, struct err *err);
/* Fills the outcome's failure from the failed step. */
void failure_describe(struct build *b, const struct dockerfile_lines *where);

/* ---- results (output*.c, squash.c, metadata.c, cache_exchange.c) ---- */

/* One platform's image as it goes out. */
struct built_image {
	struct build_result_image *result; /* borrowed; its configuration is completed here */
	struct snapshot **snapshots; /* owned array, borrowed items: above the base, bottom first */
	size_t n_snapshots;
	size_t base;   /* the step below them */
	bool has_base; /* its layers belong to the image */
	struct strv base_diffs;
	struct strv diffs; /* "sha256:..." of all layers, the base's first */
	char *config;	   /* owned: the text */
	char id[DIGEST_HEX_LEN + 1];
	struct snapshot squashed; /* what takes the place of all others with --squash */
	bool was_there;		  /* the store had it already */
};

/* Everything that a build's outputs share; images are made by the first that needs them. */
struct output {
	struct build *b;
	struct strv names; /* canonical, of -t and name= */
	struct built_image *images;
	size_t n;
	bool is_made;			 /* the images are in the store */
	bool is_kept;			 /* and are to stay there */
	char target[DIGEST_HEX_LEN + 1]; /* of the manifest or index; "" until somebody asks */
	int64_t target_size;		 /* of the index */
};

/* Before anything is done: whether the outputs and names make sense. */
int build_output_check(const struct build_request *request, struct err *err);
/* Removes the file of --iidfile: a build that fails must not leave an older one's ID. */
int build_output_forget(const struct build_request *request, struct err *err);
/* Replaces the file PATH at once; what is a pipe or a device is written to as it is. */
int output_write_text(const char *path, const char *text, size_t len, struct err *err);
int build_output(struct build *b, struct err *err);
/* Ensures that all images are in the store. Writes nothing when they are. */
int output_make_images(struct output *o, struct err *err);
/* Gives them the names; several platforms are joined in an index. */
int output_name_images(struct output *o, struct err *err);
/* Whether NAME leads to image ID already, with the manifest or index TARGET ("": whatever). */
int output_has_name(struct build *b, const char *name, const char *id, const char *target,
		    struct err *err);
/* Has SOURCE, which is one of the images in the store, hand out the index of all, or the only one,
 * with layers as the store keeps them. */
struct layer_info;
struct source;
int output_set_index(struct output *o, const char *format, struct source *source, struct err *err);
/* Makes the archive of LAYER as FORMAT ("gzip", "zstd", "plain") says, as a blob of SOURCE that
 * RET gets the digest and the size of. */
int output_pack_layer(struct store *store, const struct layer_info *layer, const char *format,
		      struct source *source, struct descriptor *ret, struct err *err);
/* Names of an index of all images; sets o->target. */
int output_join_images(struct output *o, struct err *err);
/* Sets o->target of a single image: the manifest as which it would be handed out. */
int output_describe(struct output *o, struct descriptor *ret, struct err *err);
int output_local(struct output *o, const struct build_attributes *a, struct err *err);
int output_tar(struct output *o, const struct build_attributes *a, struct err *err);
/* ERR_INVALID when KIND would go to a terminal. */
int output_to_console(const char *kind, struct err *err);
/* "oci" and "docker". */
int output_archive(struct output *o, const struct build_attributes *a, struct err *err);
/* Replaces IMAGE's snapshots by a single one. */
int squash_image(struct build *b, struct built_image *image, struct err *err);
int metadata_write(struct output *o, struct err *err);

/* --cache-from and --cache-to: whether they make sense, and what they do. */
int cache_check(const struct build_request *request, struct err *err);
int cache_import(struct build *b, struct err *err);
int cache_export(struct build *b, struct err *err);
/* Whether images are to say which of their layers come of which steps. */
bool cache_is_inline(const struct build *b);

#endif
