/* SPDX-License-Identifier: Apache-2.0 */
/* The checks one after the other, and their findings in the order of lines. */
#include "dockerfile/check.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/check_private.h"
#include "oci/platform.h"

#define OPTIONS_ARG "BUILDKIT_DOCKERFILE_CHECK"

enum { LOOK_BACK = 64 }; /* findings that are compared with a new one */

const char *check_build_arg(const struct check *c, const char *name)
{
	size_t len = strlen(name);

	/* The last one said counts. */
	for (size_t i = c->in->build_args ? c->in->build_args->n : 0; i > 0; i--) {
		const char *pair = c->in->build_args->items[i - 1];

		if (strncmp(pair, name, len) == 0 && pair[len] == '=')
			return pair + len + 1;
	}
	return NULL;
}

static int read_options(struct check *c, struct err *err)
{
	const char *text = check_build_arg(c, OPTIONS_ARG);

	if (!text)
		text = c->in->file->check;
	if (text && check_options_parse(text, &c->options, err) < 0)
		return err_wrap(err, "failed to parse check options");
	return 0;
}

static void set_platform(struct check *c)
{
	char text[PLATFORM_LEN];
	struct platform host;

	if (c->in->platform) {
		c->platform = str_dup(c->in->platform);
		return;
	}
	platform_get_host(&host);
	c->platform = str_dup(platform_format(&host, text));
}

static int compare_found(const void *a, const void *b)
{
	const struct check_found *x = a, *y = b;
	unsigned line_x = x->finding.lines.first, line_y = y->finding.lines.first;

	if (line_x != line_y)
		return line_x < line_y ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Whether one of the last findings says the same of the same lines. */
static bool is_repeated(const struct check_findings *all, const struct check_finding *f)
{
	for (size_t i = all->n; i > 0 && all->n - i < LOOK_BACK; i--) {
		const struct check_finding *other = &all->items[i - 1];

		if (other->lines.first != f->lines.first)
			return false;
		if (other->rule == f->rule && strcmp(other->message, f->message) == 0)
			return true;
	}
	return false;
}

/* Moves what was found to RET. */
static void take_findings(struct check *c, struct check_findings *ret)
{
	struct check_findings all = {};

	if (c->n_found) {
		qsort(c->found, c->n_found, sizeof(*c->found), compare_found);
		all.items = mem_alloc(c->n_found * sizeof(*all.items));
	}
	for (size_t i = 0; i < c->n_found; i++) {
		if (is_repeated(&all, &c->found[i].finding))
			free(c->found[i].finding.message);
		else
			all.items[all.n++] = c->found[i].finding;
	}
	c->n_found = 0;
	*ret = all;
}

static void check_done(struct check *c)
{
	check_options_done(&c->options);
	check_vars_done(&c->globals);
	strv_done(&c->declared_globals);
	free(c->platform);
	free(c->found);
}

int dockerfile_check(const struct check_input *input, struct check_findings *ret,
		     bool *ret_is_error, struct err *err)
{
	struct check c __attribute__((cleanup(check_done))) = {.in = input};

	if (read_options(&c, err) < 0)
		return -err->code;
	set_platform(&c);
	check_text(&c);
	check_from(&c);
	check_stages(&c);
	take_findings(&c, ret);
	*ret_is_error = c.options.is_error;
	return 0;
}

void check_findings_done(struct check_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->items[i].message);
	free(f->items);
	*f = (struct check_findings){};
}

char *check_findings_format_error(const struct check_findings *f)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *list = NULL;

	for (size_t i = 0; i < f->n; i++)
		if (!strv_has(&names, f->items[i].rule))
			strv_add(&names, f->items[i].rule);
	if (!names.n)
		return NULL;
	list = strv_join(&names, ", ");
	return str_printf("lint violation found for rules: %s", list);
}
