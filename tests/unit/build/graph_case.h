/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_CASE_H
#define GRAPH_CASE_H
/*
 * Cases of graphs as text, several in a file:
 *
 *	== its name
 *	arg V=1                      what the request says, a line each (see graph_case.c)
 *	image base {"Cmd":["x"]}     an image that is there: "config" as JSON, with one layer
 *	--
 *	FROM base                    the Dockerfile
 *	--
 *	Cmd ["x"]                    lines that the graph's description has
 *	!env V=1                     and lines that it has not
 *
 * "busybox" is always there. Lines that begin with "#" , but in the Dockerfile, are comments.
 */
#include "build/graph.h"

struct fake_image {
	char *name, *platform, *config; /* config: the whole document */
	bool is_empty;			/* it has no layer */
};

struct graph_case {
	char *name;
	struct build_request request;
	struct fake_image *images; /* owned array */
	size_t n_images;
	char *file; /* the Dockerfile */
	struct strv expected;
	bool lacks_context;
	struct strv ignored; /* lines of the ignore file */
};

struct graph_cases {
	struct graph_case **items; /* owned array of owned */
	size_t n;
};

/* Reads all cases of the file PATH; ends the program when it is none of its kind. */
void graph_cases_load(const char *path, struct graph_cases *ret);
void graph_cases_done(struct graph_cases *cases);
/* Makes the graph of C and describes it, or the error, as lines. */
void graph_case_describe(const struct graph_case *c, struct strv *ret);

/* The lines that describe G (graph_dump.c). */
void graph_dump(const struct build_graph *g, struct strv *ret);

#endif
