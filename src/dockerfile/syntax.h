/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_SYNTAX_H
#define DOCKERFILE_SYNTAX_H
/*
 * The syntax of Dockerfiles: lines become instructions with their positions, here-documents and
 * flags. What an instruction means is instruction.h's business, what its words mean expand.h's.
 * Everything here is a pure function of the text.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCKERFILE_MAX_SIZE (4 << 20)
#define DOCKERFILE_MAX_LINE 65535 /* bytes of one physical line */

enum dockerfile_keyword {
	KEYWORD_ADD,
	KEYWORD_ARG,
	KEYWORD_CMD,
	KEYWORD_COPY,
	KEYWORD_ENTRYPOINT,
	KEYWORD_ENV,
	KEYWORD_EXPOSE,
	KEYWORD_FROM,
	KEYWORD_HEALTHCHECK,
	KEYWORD_LABEL,
	KEYWORD_MAINTAINER,
	KEYWORD_ONBUILD,
	KEYWORD_RUN,
	KEYWORD_SHELL,
	KEYWORD_STOPSIGNAL,
	KEYWORD_USER,
	KEYWORD_VOLUME,
	KEYWORD_WORKDIR,
	KEYWORD_COUNT,
};

/* Lines of the file, from 1, both included. */
struct dockerfile_lines {
	unsigned first, last;
};

/* A here-document of RUN, COPY or ADD. */
struct dockerfile_heredoc {
	char *name;    /* the delimiter, unquoted */
	char *content; /* tabs already chomped for "<<-" */
	char *raw;     /* as typed */
	unsigned fd;   /* "3<<EOF"; 0 when not said */
	bool expands;  /* the delimiter was not quoted */
	bool chomps;
};

struct dockerfile_instruction {
	enum dockerfile_keyword keyword;
	char *word; /* the keyword as typed */
	struct dockerfile_lines lines;
	char *original; /* the logical line as typed, continuations joined, without comment lines:
			   what progress and history show */
	struct strv flags; /* "--from=x", as typed, not expanded */
	char *rest;	   /* what follows keyword and flags, trimmed, not expanded */
	bool is_json;	   /* `rest` is a JSON list of strings... */
	struct strv json;  /* ...and these are its items */
	struct strv words; /* `rest` in words as the keyword has them: for ENV and LABEL "k", "v",
			      "k", "v"; for ARG with quotes obeyed; for ADD, COPY, EXPOSE, FROM and
			      VOLUME split at blanks, whatever stands in quotes; quotes and escapes
			      are kept. For HEALTHCHECK the first word alone. Empty where the rest
			      is one text (RUN, CMD, ... in shell form) and for a JSON list */
	bool is_legacy;	   /* ENV or LABEL in the form "key value" */
	/* Owned array. Those of ONBUILD are its trigger's. */
	struct dockerfile_heredoc *heredocs;
	size_t n_heredocs;
	char *doc; /* the comment block directly above, without "# "; NULL */
	/* ONBUILD: what it will be, owned; NULL otherwise. The trigger of an ONBUILD that is itself
	 * one has none: that is refused anyway. */
	struct dockerfile_instruction *trigger;
};

struct dockerfile {
	char *name;	    /* as messages call it ("Dockerfile"); owned */
	struct strv source; /* the physical lines, for excerpts */
	char escape;	    /* '\\' or '`' */
	char *syntax;	    /* of the directives, all of the value; NULL when there was none */
	char *check;
	struct dockerfile_instruction *items; /* owned array */
	size_t n;
	/* Places of "empty continuation line" and the like, in order. */
	struct dockerfile_lines *empty_continuations; /* owned array */
	size_t n_empty_continuations;
};

#define DOCKERFILE_INIT \
	{               \
	}

/* Parses LEN bytes. RET must be empty; its owner calls dockerfile_done also after an error, when
 * `source` is filled for the excerpt and RET_WHERE (may be NULL) has the lines to mark. ERR_INVALID
 * with BuildKit's words: "dockerfile parse error on line 3: unknown instruction: RUM (did you mean
 * RUN?)", "unterminated heredoc", "Syntax error - can't find = in "x". Must be of the form:
 * name=value", "the Dockerfile cannot be empty", "file with no instructions". An unknown
 * instruction is told only when nothing else is wrong, as BuildKit's parser does not know which
 * there are. */
int dockerfile_parse(const char *name, const char *text, size_t len, struct dockerfile *ret,
		     struct dockerfile_lines *ret_where, struct err *err);
void dockerfile_done(struct dockerfile *file);
#define cleanup_dockerfile __attribute__((cleanup(dockerfile_done)))

/* Parses one instruction of its own, with its here-documents: a trigger of an image, a change of
 * commit. RET is the caller's to free with dockerfile_instruction_done. ERR_INVALID as above, but
 * without a line number; several instructions are none. */
int dockerfile_parse_line(const char *text, char escape, struct dockerfile_instruction *ret,
			  struct err *err);
void dockerfile_instruction_done(struct dockerfile_instruction *i);

/* Whether WORD is a here-document ("<<EOF", "3<<-"E"", but not "x<<EOF" or "<<<x"); RET then has
 * all but the content, and an owned name. For words of COPY and ADD, and for the whole text of RUN.
 */
bool dockerfile_parse_heredoc(const char *word, struct dockerfile_heredoc *ret);

/* "RUN" of KEYWORD_RUN. */
const char *dockerfile_keyword_name(enum dockerfile_keyword keyword);

/* The excerpt that an error shows: lines around WHERE with numbers, those in it marked ">>>":
 *
 *	Dockerfile:3
 *	--------------------
 *	   1 |     FROM busybox
 *	   2 |     WORKDIR /x
 *	   3 | >>> RUN false
 *	   4 |
 *	--------------------
 *
 * Appends nothing when WHERE is outside the file. */
void dockerfile_excerpt(const struct dockerfile *file, struct dockerfile_lines where,
			struct str *ret);

#endif
