/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H
/*
 * The verb build. One process: it makes the graph, asks the cache for each step, runs what is
 * missing as far as the graph allows it at the same time, and hands the result out.
 */
#include "build/graph.h"
#include "build/progress.h"
#include "build/request.h"

struct engine;

/* Why a build failed, for the person who reads it. */
struct build_failure {
	char *step;    /* its name as progress shows it; NULL when no step failed */
	char *excerpt; /* of the Dockerfile; NULL */
	char *log;     /* the last lines of the command's output; NULL */
	int exit_code; /* of the command; 0 when it was not that */
};

struct build_outcome {
	char *image_id; /* "sha256:..." of the configuration, of the first platform; NULL when none
			   was made */
	char *target;	/* "sha256:..." of the manifest or index; NULL */
	struct strv names; /* familiar, as given */
	struct build_failure failure;
	struct check_findings findings; /* of the checks */
	bool findings_are_errors;	/* "# check=error=true" */
	char *listing;			/* what --call=outline and targets print; NULL */
	struct strv unused_args;	/* names of --build-args that nothing consumed */
	struct str explanation;		/* of --explain: the plans of all steps */
	int signal;			/* that ended it; 0 */
	struct dockerfile file;		/* for excerpts of the findings */
};

/* Builds. RET is the caller's to free also after an error. Nothing is left of a build that fails or
 * is killed but the results of the steps that succeeded. */
int build_run_request(struct engine *engine, const struct build_request *request,
		      const struct build_progress *progress, struct build_outcome *ret,
		      struct err *err);
void build_outcome_done(struct build_outcome *o);
#define cleanup_build_outcome __attribute__((cleanup(build_outcome_done)))

#endif
