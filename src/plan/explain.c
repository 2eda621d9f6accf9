/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans as text: a trace of what was run, with microseconds, and a script that does the same.
 *
 * The script's shape: a clean-up function made of the TEARDOWN and LATE steps, run by a trap; then
 * the HOST steps; then one unshare(1), whose child runs the INSIDE steps from a here-document held
 * in a variable, so that standard input stays free. A group's comment stands above its first step.
 */
#include "plan/plan.h"

#include "base/mem.h"
#include "plan/steps.h"

#include <stdio.h>

static bool is_in(const struct plan *plan, size_t i, unsigned parts)
{
	return (parts & (1U << plan->steps[i]->where)) != 0;
}

/* The comment of the group that step I belongs to, if it was not printed yet. A group whose first
 * step did not run is opened by the next one that did. */
static void add_comment(const struct plan *plan, size_t i, const char **last, struct str *out)
{
	const char *comment = NULL;

	for (size_t k = i + 1; k-- > 0 && !comment;)
		if (plan->steps[k]->where == plan->steps[i]->where)
			comment = plan->steps[k]->comment;
	if (comment && comment != *last)
		str_addf(out, "# %s\n", comment);
	*last = comment;
}

void plan_explain(const struct plan *plan, unsigned parts, struct str *out)
{
	const char *comment = NULL;

	for (size_t i = 0; i < plan->n; i++) {
		cleanup_str struct str text = STR_INIT;
		const struct step *step = plan->steps[i];

		if (!is_in(plan, i, parts) || !plan->results[i].state)
			continue;
		add_comment(plan, i, &comment, out);
		step->op->explain(step, TEXT_TRACE, &text);
		str_addf(out, "%6.0f us  ", (double)plan->results[i].ns / 1000);
		for (const char *p = str_get(&text); *p; p++) {
			str_add_char(out, *p);
			if (*p == '\n')
				str_add(out, "           ");
		}
		str_add(out, plan->results[i].state == 2 ? "   # not on this host\n" : "\n");
	}
}

static void add_json_string(struct str *out, const char *s)
{
	str_add_char(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			str_addf(out, "\\%c", c);
		else if (c == '\n')
			str_add(out, "\\n");
		else if (c < 0x20)
			str_addf(out, "\\u%04x", c);
		else
			str_add_char(out, (char)c);
	}
	str_add_char(out, '"');
}

void plan_explain_json(const struct plan *plan, unsigned parts, struct str *out)
{
	static const char *const where[] = {"host", "inside", "teardown", "late"};
	const char *comment = "";
	bool first = true;

	str_add(out, "[");
	for (size_t i = 0; i < plan->n; i++) {
		cleanup_str struct str text = STR_INIT;
		const struct step *step = plan->steps[i];

		if (step->comment)
			comment = step->comment;
		if (!is_in(plan, i, parts) || !plan->results[i].state)
			continue;
		step->op->explain(step, TEXT_TRACE, &text);
		str_addf(out,
			 "%s\n  {\"where\": \"%s\", \"step\": \"%s\", \"us\": %.1f, \"group\": ",
			 first ? "" : ",", where[step->where], step->op->name,
			 (double)plan->results[i].ns / 1000);
		add_json_string(out, comment);
		str_add(out, ", \"shell\": ");
		add_json_string(out, str_get(&text));
		str_add_char(out, '}');
		first = false;
	}
	str_add(out, "\n]\n");
}

/* Appends the steps of one part from index FROM up to the one whose op is STOP (NULL: all); returns
 * the index behind the last one looked at. Steps that clone or split the script are left out. */
static size_t add_part(const struct plan *plan, enum step_where where, size_t from,
		       const struct step_op *stop, const char *indent, struct str *out)
{
	const char *comment = NULL;
	size_t i = 0;

	for (i = from; i < plan->n; i++) {
		const struct step *step = plan->steps[i];
		cleanup_str struct str text = STR_INIT;
		cleanup_str struct str head = STR_INIT;

		if (step->where != where || step->op == &step_clone ||
		    step->op == &step_join_namespace)
			continue;
		if (step->op == stop)
			return i + 1;
		step->op->explain(step, TEXT_SCRIPT, &text);
		if (!text.len)
			continue;
		add_comment(plan, i, &comment, &head);
		if (head.len)
			str_addf(out, "%s%s", indent, str_get(&head));
		str_addf(out, "%s%s%s\n", indent, str_get(&text),
			 step->is_optional ? " 2>/dev/null || :" : "");
	}
	return i;
}

/* Namespaces of others are entered on the way: nsenter(1) starts what comes next in them. */
static void add_joins(const struct plan *plan, struct str *out)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->steps[i]->op != &step_join_namespace)
			continue;
		plan->steps[i]->op->explain(plan->steps[i], TEXT_SCRIPT, out);
		str_add_char(out, ' ');
	}
}

static const struct step *find_clone(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i]->op == &step_clone)
			return plan->steps[i];
	return NULL;
}

/* Appends NAME=BODY as a here-document, whose closing word is none of BODY's lines. */
static void add_variable(struct str *out, const char *name, const char *body)
{
	cleanup_str struct str word = STR_INIT;

	for (const char *p = name; *p; p++)
		str_add_char(&word, (char)(*p - 'a' + 'A'));
	while (strstr(body, str_get(&word)))
		str_add_char(&word, '_');
	str_addf(out, "%s=$(cat <<'%s'\n%s%s\n)\n", name, str_get(&word), body, str_get(&word));
}

static void add_inside_part(const struct plan *plan, size_t from, struct str *out)
{
	str_add(out, "set -eu\n"
		     "# A link of the image's could lead out of its root: tare walks by openat2, a "
		     "shell asks.\n"
		     "within() {\n"
		     "\tcase $(realpath -m \"$1\")/ in \"$PWD\"/*) return ;; esac\n"
		     "\techo \"$1 leads out of the container\" >&2; exit 125\n"
		     "}\n");
	add_part(plan, STEP_INSIDE, from, NULL, "", out);
}

void plan_script(const struct plan *plan, struct str *out)
{
	const struct step *clone = find_clone(plan);
	cleanup_str struct str unshare = STR_INIT;
	cleanup_str struct str enter = STR_INIT;
	cleanup_str struct str inside = STR_INIT;
	size_t split = 0;

	str_add(out,
		"#!/bin/sh\n"
		"# What `tare run` would do, as a script: run it as root. It needs coreutils,\n"
		"# util-linux, iproute2 and, for networks, nftables, and leaves nothing behind.\n"
		"set -eu\n\n"
		"clean_up() {\n\tset +e\n");
	add_part(plan, STEP_TEARDOWN, 0, NULL, "\t", out);
	add_part(plan, STEP_LATE, 0, NULL, "\t", out);
	str_add(out, "}\ntrap clean_up EXIT\ntrap 'exit 130' INT TERM\n\n");
	add_part(plan, STEP_HOST, 0, NULL, "", out);
	str_add(&enter, "set -eu\n");
	split = add_part(plan, STEP_INSIDE, 0, &step_unshare_cgroup, "", &enter);
	/* Who keeps the host's view of the control groups has nothing to do before it. */
	if (split == plan->n) {
		split = 0;
		str_truncate(&enter, 0);
	}
	str_addf(&enter, "exec %ssh -c \"$1\"\n", split ? "unshare --cgroup " : "");
	add_inside_part(plan, split, &inside);
	str_add(out,
		"\n# the first process inside, before it has its view of the control groups\n");
	add_variable(out, "enter", str_get(&enter));
	str_add(out, "\n# and then, until it becomes the command\n");
	add_variable(out, "inside", str_get(&inside));
	str_add_char(out, '\n');
	add_joins(plan, &unshare);
	if (clone)
		clone->op->explain(clone, TEXT_SCRIPT, &unshare);
	if (clone && clone->comment)
		str_addf(out, "# %s\n", clone->comment);
	str_addf(out, "status=0\n%s sh -c \"$enter\" sh \"$inside\" || status=$?\nexit $status\n",
		 str_get(&unshare));
}
