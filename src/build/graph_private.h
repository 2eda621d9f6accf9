/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_GRAPH_PRIVATE_H
#define BUILD_GRAPH_PRIVATE_H
/*
 * Between the parts of graph_*.c. For each platform the stages are looked at in three passes: names
 * and bases are expanded (graph_stages.c), what the target needs is found, with the triggers of
 * bases (graph_bases.c), and the instructions of those stages are applied in the order of the file
 * (graph_apply.c and the files of the instructions).
 */
#include "build/graph.h"
#include "dockerfile/expand.h"
#include "oci/platform.h"

/* A place that files come from: one of both is not BUILD_NONE. */
struct graph_place {
	size_t step, source;
};
#define GRAPH_NOWHERE ((struct graph_place){.step = BUILD_NONE, .source = BUILD_NONE})

/* What an instruction takes files from besides the stage it is in. */
struct graph_dep {
	char *name;   /* as typed; NULL: the main context, or nothing */
	size_t stage; /* BUILD_NONE: it is no stage */
};

struct graph_command {
	const struct instruction *instruction;
	struct dockerfile_lines lines; /* of FROM for a trigger */
	bool is_trigger;
	struct graph_dep *deps; /* owned: one for COPY, one for each mount of RUN */
	size_t n_deps;
};

/* A trigger of a base image: the instruction borrows from the syntax. */
struct graph_trigger {
	struct dockerfile_instruction syntax;
	struct instruction instruction;
};

/* --build-context. */
struct graph_context {
	char *name; /* familiar, without ":latest" */
	char *where;
	const char *image; /* the reference within `where`; NULL: it is files */
};

/* What a build takes from outside, as --call=outline lists it. */
enum graph_note_kind { NOTE_ARG, NOTE_SECRET, NOTE_SSH };
struct graph_note {
	enum graph_note_kind kind;
	bool is_global; /* an ARG before the first FROM: listed when somebody uses it */
	bool is_used;
	bool is_required;
	char *name, *value, *doc; /* the last two NULL when there is none */
	struct strv deps;	  /* other arguments that its default uses */
	struct dockerfile_lines lines;
};

/* A stage for one platform, and what it has come to so far. */
struct graph_stage {
	const struct dockerfile_stage *parsed;
	size_t index;
	char *name;			     /* in lower case; NULL */
	char *label;			     /* in the names of its steps; NULL: not shown */
	char *base;			     /* of FROM, expanded */
	struct strv used;		     /* arguments that FROM uses */
	struct platform platform;	     /* what it is made for */
	bool has_platform;		     /* FROM says so, or its base does */
	size_t base_stage;		     /* BUILD_NONE: an image, a context or nothing */
	const struct graph_context *context; /* that stands in for it; NULL */
	struct graph_command *commands;	     /* owned array */
	size_t n_commands;
	struct graph_trigger **triggers; /* owned array of owned */
	size_t n_triggers;
	bool is_planned, is_done, no_cache;
	bool runs_trigger; /* at the moment */
	bool has_cmd;	   /* CMD was in this stage */
	size_t number, total;
	size_t step;		    /* the last one; BUILD_NONE: a context stands in for it */
	size_t n_layers;	    /* below and with that one */
	struct graph_place place;   /* what others copy from, once it is done */
	struct image_config config; /* so far */
	size_t *history_steps;	    /* owned, config.n_history items */
	size_t first_history;
	struct strv vars; /* "K=V": environment and arguments; the later wins */
	struct strv args; /* names of arguments, in the order of their declaration */
	char *dir;	  /* absolute */
};

/* An image that was asked for. */
struct graph_image {
	char *ref, *platform; /* as they were asked for */
	char *name;	      /* "docker.io/library/busybox:latest" */
	struct image image;
	struct image_config config;
	char *real_platform;
};

struct graph_make {
	const struct build_request *request;
	const struct dockerfile *file;
	const struct build_resolver *resolver;
	struct build_graph *graph;
	struct dockerfile_lines *where;
	struct dockerfile_stages parsed;
	struct strv build_args; /* "K=V", each name once */
	struct graph_context *contexts;
	size_t n_contexts;
	struct graph_image **images; /* owned array of owned: pointers stay good */
	size_t n_images;
	size_t *spent;		  /* bytes of all that was expanded and copied */
	struct strv step_keys;	  /* digests of all that a step is, one for each of graph->steps */
	bool is_lenient;	  /* an image that is not there is an empty one: for checks */
	struct graph_note *notes; /* owned array */
	size_t n_notes;
	/* Of the platform at hand: */
	struct platform build, target;
	bool is_implicit; /* nobody said --platform */
	struct strv globals;
	struct graph_stage *stages; /* owned array, as many as parsed */
	size_t n_stages;
	size_t n_extra; /* images of COPY --from and mounts */
	size_t wanted;	/* the stage that is built */
};

/* ---- variables (graph_vars.c) ---- */

/* The borrowed value of NAME in VARS ("K=V"); NULL. */
const char *graph_vars_get(const struct strv *vars, const char *name);
void graph_vars_set(struct strv *vars, const char *name, const char *value);
/* Appends what VARS has and is not in RET, or replaces it. */
void graph_vars_set_all(struct strv *ret, const struct strv *vars);
/* The owned word TEXT with quotes and variables replaced. */
int graph_expand(const struct graph_make *m, const struct strv *vars, const char *text, char **ret,
		 struct err *err);
/* Takes down that BYTES more are held. ERR_INVALID when a file comes to more than anybody means. */
int graph_spend(const struct graph_make *m, size_t bytes, struct err *err);
/* The bytes of all of LIST. */
size_t graph_strv_bytes(const struct strv *list);
/* The same; NULL stays NULL. */
int graph_expand_maybe(const struct graph_make *m, const struct strv *vars, const char *text,
		       char **ret, struct err *err);
/* Each word of WORDS, appended. */
int graph_expand_each(const struct graph_make *m, const struct strv *vars, const struct strv *words,
		      struct strv *ret, struct err *err);
/* The words that TEXT comes to: blanks in variables split. Appends. */
int graph_expand_words(const struct graph_make *m, const struct strv *vars, const char *text,
		       struct strv *ret, struct err *err);
/* The text of a here-document: quotes are nothing special. */
int graph_expand_document(const struct graph_make *m, const struct strv *vars, const char *text,
			  char **ret, struct err *err);
/* TEXT as progress shows it; as it is where it cannot be expanded. Owned. KEEPS: quotes and what is
 * not set stay. */
char *graph_expand_shown(const struct graph_make *m, const struct strv *vars, const char *text,
			 bool keeps);

/* The same, and the names that were used are appended to USED. */
int graph_expand_noting(const struct graph_make *m, const struct strv *vars, const char *text,
			struct strv *used, char **ret, struct err *err);

/* ---- outlines (graph_outline.c) ---- */

/* Takes down an argument, secret or socket at LINES; returns the note, good until the next one. */
struct graph_note *graph_note_add(struct graph_make *m, enum graph_note_kind kind, const char *name,
				  struct dockerfile_lines lines);
/* Marks the global argument NAME, and what its default uses, as used. */
void graph_note_use(struct graph_make *m, const char *name);
void graph_notes_done(struct graph_make *m);
/* Owned text of --call=outline for what was noted, and of --call=targets. */
char *graph_outline_format(struct graph_make *m);
char *graph_targets_format(const struct graph_make *m);

/* ---- arguments (graph_args.c) ---- */

/* Fills build_args, and says which of them nothing declares. */
void graph_args_collect(struct graph_make *m);
void graph_args_find_unused(struct graph_make *m);
/* Fills globals for the platform at hand: its names, and the ARGs before the first FROM. */
int graph_args_make_globals(struct graph_make *m, struct err *err);
int graph_apply_arg(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		    struct err *err);
/* Appends the proxy variables of the command line that VARS does not set itself. */
void graph_args_add_proxies(const struct graph_make *m, const struct strv *vars, struct strv *ret);
/* Whether the build argument NAME says yes. */
bool graph_args_is_true(const struct graph_make *m, const char *name);
/* Sets graph->epoch_s. */
int graph_args_set_epoch(struct graph_make *m, struct err *err);

/* ---- stages (graph_stages.c) ---- */

/* Makes the stages for the platform at hand: expands FROM, finds the target and cycles. */
int graph_stages_make(struct graph_make *m, struct err *err);
void graph_stages_done(struct graph_make *m);
/* The stage that NAME (any case) means in stage BEFORE: the last one above it, else the first one
 * below, BUILD_NONE. NUMBERS: a number counts. */
size_t graph_stage_find(const struct graph_make *m, const char *name, size_t before, bool numbers);
/* Fills COMMAND's deps: what --from of COPY and of mounts names. */
int graph_command_find_deps(struct graph_make *m, const struct graph_stage *s,
			    struct graph_command *command, struct err *err);
/* Where the files of DEP are, for an instruction of S; the main context for none. VERB: "copy". */
int graph_dep_find_place(struct graph_make *m, const struct graph_stage *s,
			 const struct graph_dep *dep, const char *verb, struct graph_place *ret,
			 struct err *err);
/* Whether INSTRUCTION has a line in the progress. */
bool graph_is_step(const struct instruction *instruction);

/* ---- bases (graph_bases.c) ---- */

/* Marks stage S and all that it needs, asks for base images and puts their triggers in front. */
int graph_stage_plan(struct graph_make *m, struct graph_stage *s, struct err *err);
/* Gives a planned stage what it begins with: the step, the configuration, the variables. */
int graph_stage_begin(struct graph_make *m, struct graph_stage *s, struct err *err);
/* Makes a step of a stage that a context stands in for. */
void graph_stage_ensure_step(struct graph_make *m, struct graph_stage *s);
/* The place that NAME is for PLATFORM when it is no stage: a named context or an image. */
int graph_find_place(struct graph_make *m, const char *name, const struct platform *platform,
		     struct graph_place *ret, struct err *err);
/* The image REF for PLATFORM, borrowed; NULL when there is an error. */
const struct graph_image *graph_find_image(struct graph_make *m, const char *ref,
					   const struct platform *platform, struct err *err);

/* ---- contexts (graph_contexts.c) ---- */

/* Fills and frees `contexts`. ERR_INVALID for what is no "name=where". */
int graph_contexts_parse(struct graph_make *m, struct err *err);
void graph_contexts_done(struct graph_make *m);
/* The context that stands in for NAME on PLATFORM; NULL. */
const struct graph_context *graph_context_find(const struct graph_make *m, const char *name,
					       const struct platform *platform);
/* The number of SOURCE (borrowed), which is added when it is new. */
size_t graph_add_source(struct graph_make *m, const struct build_source *source);
/* Makes the main context the first source, when there is one. */
void graph_add_main_context(struct graph_make *m);
/* The place of the main context; an empty step when there is none. */
struct graph_place graph_main_context(struct graph_make *m);
/* What kind of source TEXT is: a URL, a git repository, else LOCAL. */
enum build_source_kind graph_source_kind(const char *text);

/* ---- steps (graph_steps.c) ---- */

/* Adds STEP (moved; freed when there is an equal one) and returns its number. */
size_t graph_add_step(struct graph_make *m, struct build_step *step);
/* Moves S on to STEP, named by TEXT (as typed), for an instruction at LINES. */
void graph_stage_add(struct graph_make *m, struct graph_stage *s, struct build_step *step,
		     const char *text, struct dockerfile_lines lines);
/* The owned name of the next step of S. */
char *graph_step_name(struct graph_make *m, struct graph_stage *s, const char *text);
void graph_step_done(struct build_step *step);
/* The step that holds nothing; and the one with the layers of IMAGE. NAME is moved. */
size_t graph_add_scratch(struct graph_make *m, const struct platform *platform);
size_t graph_add_image(struct graph_make *m, const struct graph_image *image, const char *typed,
		       char *name);

/* ---- instructions ---- */

/* Applies all of S (graph_apply.c). */
int graph_stage_apply(struct graph_make *m, struct graph_stage *s, struct err *err);
/* Adds a line to the history: CREATED_BY is moved; STEP BUILD_NONE for one without a layer. */
void graph_add_history(struct graph_make *m, struct graph_stage *s, char *created_by, size_t step);
/* graph_config.c: ENV, LABEL, CMD, ENTRYPOINT, ... */
int graph_apply_config(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		       struct err *err);
int graph_apply_workdir(struct graph_make *m, struct graph_stage *s,
			const struct graph_command *command, struct err *err);
int graph_apply_copy(struct graph_make *m, struct graph_stage *s,
		     const struct graph_command *command, struct err *err);
int graph_apply_run(struct graph_make *m, struct graph_stage *s,
		    const struct graph_command *command, struct err *err);
/* graph_mounts.c: the fields of a --mount value: "type" and "from" as they are typed, owned, NULL
 * when they are not there. */
int graph_mount_peek(const char *text, char **ret_type, char **ret_from, struct err *err);
/* The mounts of RUN, completed. */
int graph_mounts_make(struct graph_make *m, struct graph_stage *s,
		      const struct graph_command *command, struct build_run_op *op,
		      struct err *err);
/* The shell of S in front of TEXT. */
void graph_add_shell(const struct graph_stage *s, const char *text, struct strv *ret);

/* ---- texts and paths (graph_text.c) ---- */

/* ["a" "b"], as Go's %q has a list; [a b], as %v has it. Appended. */
void graph_add_quoted_list(struct str *s, const struct strv *list);
void graph_add_plain_list(struct str *s, const struct strv *list);
/* str_clean_path, but an absolute PATH stays as it is written. Owned. */
char *graph_join_typed(const char *dir, const char *path);
/* " (did you mean build?)" for the stage of a name like WORD, else "". Owned. */
char *graph_suggest_stage(const struct graph_make *m, const char *word);
/* A deep copy. */
void graph_copy_config(const struct image_config *from, struct image_config *ret);

#endif
