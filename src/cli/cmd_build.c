/* SPDX-License-Identifier: Apache-2.0 */
/* build: the request from the command line, progress while it goes on, and what came of it. */
#include "build/build.h"

#include "base/err.h"
#include "base/mem.h"
#include "cli/build_show.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

#define RULE "--------------------"

/* ---- what went wrong ---- */

/* Also of a quiet build: it is all there is to learn of why. */
static void print_failure(const struct build_failure *f, const struct err *err)
{
	if (f->step && f->log)
		fprintf(stderr, "------\n > %s:\n%s%s------\n", f->step, f->log,
			*f->log && f->log[strlen(f->log) - 1] != '\n' ? "\n" : "");
	if (f->excerpt)
		fputs(f->excerpt, stderr);
	fprintf(stderr, "ERROR: failed to build: %s\n", err->msg);
	if (*err->hint)
		fprintf(stderr, "%s\n", err->hint);
}

/* ---- findings of the checks ---- */

static void print_finding(const struct build_outcome *o, const struct check_finding *f)
{
	cleanup_str struct str excerpt = STR_INIT;

	printf("\nWARNING: %s", f->rule);
	if (*f->url)
		printf(" - %s", f->url);
	printf("\n%s\n", f->message);
	dockerfile_excerpt(&o->file, f->lines, &excerpt);
	fputs(str_get(&excerpt), stdout);
}

/* --check: all findings, and their number as exit status. */
static int print_check(const struct build_outcome *o)
{
	size_t n = o->findings.n;

	if (!n) {
		puts("Check complete, no warnings found.");
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		print_finding(o, &o->findings.items[i]);
	printf("\nCheck complete, %zu warning%s been found!\n", n, n == 1 ? " has" : "s have");
	return 1;
}

/* After an ordinary build: one line for each. */
static void print_warnings(const struct build_outcome *o)
{
	size_t n = o->findings.n;
	cleanup_free char *unused = strv_join(&o->unused_args, " ");

	if (*unused)
		fprintf(stderr, "[Warning] One or more build-args [%s] were not consumed\n",
			unused);
	if (!n)
		return;
	fprintf(stderr, "\n %zu warning%s found (use --check to expand):\n", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		const struct check_finding *f = &o->findings.items[i];

		fprintf(stderr, " - %s: %s (line %u)\n", f->rule, f->message, f->lines.first);
	}
}

int cmd_build(struct cli *cli, union verb_options *options, struct err *err)
{
	struct build_options *o = &options->build;
	cleanup_engine struct engine engine = {};
	cleanup_build_show struct build_show show = {};
	cleanup_build_outcome struct build_outcome outcome = {};
	int rc = build_request_finish(cli, o, err);

	if (rc < 0 || build_show_open(o->progress, o->quiet, &show, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	rc = build_run_request(&engine, &o->request, &show.progress, &outcome, err);
	build_show_close(&show);
	if (rc < 0) {
		print_failure(&outcome.failure, err);
		return outcome.signal ? 128 + outcome.signal : 1;
	}
	fputs(str_get(&outcome.explanation), stdout);
	if (o->request.call == BUILD_CALL_CHECK)
		return print_check(&outcome);
	if (outcome.listing) {
		fputs(outcome.listing, stdout);
		return 0;
	}
	if (!show.is_quiet)
		print_warnings(&outcome);
	if (o->quiet && outcome.image_id)
		puts(outcome.image_id);
	return 0;
}
