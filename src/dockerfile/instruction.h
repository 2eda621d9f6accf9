/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_INSTRUCTION_H
#define DOCKERFILE_INSTRUCTION_H
/*
 * What instructions say, as typed data, still unexpanded: flags known and checked, forms told
 * apart. Errors carry BuildKit's words ("unknown flag: --frm (did you mean from?)", "COPY
 * requires at least two arguments, but only one was provided", ...).
 */
#include "dockerfile/syntax.h"
#include "oci/image_config.h"

struct command_line {
	bool is_shell;	   /* one text for the shell, not a list */
	struct strv words; /* the list, or the one text */
};

struct from_instruction {
	char *image, *platform, *name; /* NULL when absent; `name` in lower case */
	char *name_typed;	       /* as typed */
};

struct arg_item {
	char *name, *value; /* `value` NULL: no default */
	char *doc;	    /* NULL */
};
struct arg_instruction {
	struct arg_item *items; /* owned array */
	size_t n;
};

/* ENV and LABEL: pairs, also of the legacy form. */
struct pairs_instruction {
	struct strv keys, values; /* as many of each */
	bool is_legacy;
};

struct run_instruction {
	struct command_line command; /* empty when all is in here-documents */
	struct strv mounts;	     /* values of --mount, unexpanded; see mount.h */
	struct strv devices;
	char *network, *security; /* NULL when not given */
				  /* The here-documents are the instruction's own. */
};

struct copy_instruction {
	bool is_add;
	struct strv sources; /* unexpanded; those that are here-documents are "<<NAME" */
	char *target;
	char *from, *chown, *chmod; /* NULL when not given */
	char *checksum;
	struct strv excludes;
	bool link, parents;
	bool keep_git_dir;
	int unpack; /* -1 when not given */
};

struct health_instruction {
	bool is_none;
	struct command_line command;
	struct image_healthcheck check; /* with `test` as the configuration has it */
};

struct text_instruction {
	char *text; /* MAINTAINER, STOPSIGNAL, USER, WORKDIR */
};

struct list_instruction {
	struct strv words; /* EXPOSE, VOLUME, SHELL: each may expand */
	bool is_json;
};

struct instruction {
	enum dockerfile_keyword keyword;
	const struct dockerfile_instruction *syntax; /* borrowed */
	union {
		struct from_instruction from;
		struct arg_instruction arg;
		struct pairs_instruction pairs; /* ENV, LABEL */
		struct run_instruction run;
		struct copy_instruction copy; /* COPY, ADD */
		struct command_line command;  /* CMD, ENTRYPOINT */
		struct health_instruction health;
		struct text_instruction text;
		struct list_instruction list;
		struct instruction *trigger; /* ONBUILD: owned; what it will be, checked */
	};
};

/* What SYNTAX (borrowed by RET as long as that lives) says. ERR_INVALID. */
int instruction_parse(const struct dockerfile_instruction *syntax, struct instruction *ret,
		      struct err *err);
void instruction_done(struct instruction *i);
/* What a configuration keeps of the trigger of ONBUILD, an instruction of its own with its
 * here-documents. Owned. */
char *instruction_format_trigger(const struct instruction *onbuild);

/* A stage: FROM and what follows it. */
struct dockerfile_stage {
	struct instruction *from;
	struct instruction *items; /* after FROM; owned array */
	size_t n;
};

/* The whole file in stages. */
struct dockerfile_stages {
	struct instruction *globals; /* ARGs before the first FROM; owned array */
	size_t n_globals;
	struct dockerfile_stage *items; /* owned array */
	size_t n;
};

/* Parses all instructions of FILE (borrowed by RET). ERR_INVALID ("no build stage in current
 * context", "dockerfile parse error on line 3: ..."), RET_WHERE (may be NULL) has the lines then.
 */
int dockerfile_get_stages(const struct dockerfile *file, struct dockerfile_stages *ret,
			  struct dockerfile_lines *ret_where, struct err *err);
void dockerfile_stages_done(struct dockerfile_stages *stages);
#define cleanup_stages __attribute__((cleanup(dockerfile_stages_done)))
/* The stage called NAME (any case) or, with a number, that one; -1 when there is none. A stage may
 * refer to those before BEFORE only. */
int dockerfile_find_stage(const struct dockerfile_stages *stages, const char *name, size_t before);

#endif
