/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_RUN_PRIVATE_H
#define BUILD_RUN_PRIVATE_H
/*
 * A step RUN in the making; for the files run_*.c only.
 *
 * Beside `upper` and `work` its directory has `side` while it runs: what its mounts are made of and
 * nobody keeps.
 *
 *	side/stub, side/stub-work	a layer with places for mounts that the image does not have
 *	side/at				where something is mounted for a moment
 *	side/secrets			a tmpfs, in the step's own mount namespace
 *	side/<n>/source, at		of mount <n>: its tree, and the view of it that is mounted
 *	side/<n>/mask			what an ignore file leaves out
 *	side/<n>/upper, work		writes that are thrown away
 */
#include "build/run_step.h"
#include "engine/oneshot.h"
#include "runtime/container_plan.h"
#include "storage/snapshot.h"

/* One mount of the operation. What the child alone sets and uses means nothing in the builder. */
struct run_place {
	struct build_run *run;
	const struct build_mount *mount;
	struct build_tree *tree;   /* borrowed; NULL */
	const struct strv *lowers; /* borrowed; NULL */
	char *target;		   /* owned, absolute and clean; NULL: nothing is mounted */
	char *side;		   /* owned; NULL without a view */
	int tree_fd;   /* a detached copy of the tree's mount, for the child to attach */
	int mapped_fd; /* the same with owners mapped; -1 */
	char *content; /* owned: of a secret, CONTENT_LEN bytes; NULL */
	size_t content_len;
	char *socket;	   /* owned: of an agent, a path of ours; NULL */
	pid_t agent, keys; /* who serves it, and who has keys of the step's own; 0 */
	struct cache_mount cache;
	size_t index; /* among the mounts of the operation */
	int mount_fd; /* in the child: what is attached */
	bool is_dir;  /* in the child */
};

struct build_run {
	struct engine *engine;
	struct build_run_input input;
	struct container_spec spec;
	struct image_run image; /* command, user, working directory */
	struct strv env;	/* without what is secret */
	struct strv secret_env;
	struct strv lowers;
	char *side;		  /* owned; NULL: there is none */
	char *script;		  /* owned: where the program of a here-document is; NULL */
	bool is_dry;		  /* only explained */
	bool has_stub;		  /* a layer with places to mount on */
	struct run_place *places; /* owned, in the order in which they are mounted */
	size_t n_places;
	struct oneshot_request request;
	struct oneshot oneshot;
	struct runtime_process process;
	bool has_ended;
	bool oom;
	int code;
};

/* A new one of INPUT, which has done nothing yet. */
struct build_run *run_new(struct engine *engine, const struct build_run_input *input);
/* Takes everything down that is there, and frees it. */
void run_free(struct build_run *run);
/* Waits for the command, which has ended, and takes its container down; its layer and what is
 * mounted in it stay. */
int run_end(struct build_run *run, struct err *err);

/* Fills RUN->spec, RUN->image and RUN->env from the request and the operation. ERR_INVALID,
 * ERR_UNSUPPORTED. */
int run_spec_fill(struct build_run *run, struct err *err);

/* ---- run_mounts.c ---- */

/* Finds out what is mounted, makes RUN->side and has RUN->request add the steps. 1 when a cache is
 * in use elsewhere. With DRY_RUN nothing is made or read. */
int run_mounts_prepare(struct build_run *run, bool dry_run, struct err *err);
/* The plan has run: what the child has got of us is closed here. */
void run_mounts_release(struct build_run *run);
/* Frees everything, forgets secrets and removes RUN->side. */
void run_mounts_done(struct build_run *run);
/* Before the same mounts are made a second time: 0 or -code. */
int run_mounts_renew(struct build_run *run, struct err *err);

/* Whether something is attached at its target. */
bool run_place_is_mounted(const struct run_place *p);

/* ---- run_stub.c: places to mount on ---- */

/* Whether the layers LOWERS hide what every container is mounted on: some layer has /etc or one of
 * its sisters as something else than an ordinary directory, or made anew. */
bool run_stub_is_needed(const struct strv *lowers);
/* Makes the directories that it takes. */
int run_stub_prepare(struct build_run *run, struct err *err);
/* Adds the step in the child that makes the places, when what goes there is known. */
void run_stub_plan(struct plan *plan, struct build_run *run);

/* ---- run_view.c: what a bind shows ---- */

/* Makes the directories that the view of P takes. */
int run_view_prepare(struct run_place *p, struct err *err);
/* Adds the steps on the host and in the child. */
void run_view_plan_sources(struct plan *plan, struct run_place *p);
void run_view_plan(struct plan *plan, struct run_place *p);
/* Closes what the step on the host has left for the child. */
void run_view_release(struct run_place *p);
/* In the child: P->mount_fd becomes a detached mount of what it shows. 0 or -code. */
int run_view_open(struct run_place *p, struct err *err);

/* ---- run_secret.c ---- */

/* Finds the content of secret P, for a file or for RUN->secret_env. P->content stays NULL for one
 * that is not there and not required. ERR_NOT_FOUND "secret x: not found". */
int run_secret_prepare(struct run_place *p, struct err *err);
/* Adds the steps in the child that make the files of all secrets. */
void run_secrets_plan(struct plan *plan, struct build_run *run);
/* Overwrites and frees LEN bytes. */
void run_secret_forget(char *content, size_t len);
/* Adds the step that has SCRIPT as the file PATH, which lies in a directory of /dev. */
void run_script_plan(struct plan *plan, const char *path, const char *script);

#endif
