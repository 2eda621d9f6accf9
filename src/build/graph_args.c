/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build arguments. Those before the first FROM are for FROM alone; a stage that declares one of
 * their names gets its value. The names of platforms are there without a declaration for FROM,
 * and for a stage that declares them. Proxy variables reach commands undeclared, and count nowhere.
 */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

/* Everything that has no time of its own gets this one: 2020-01-01. */
#define DEFAULT_EPOCH_S 1577836800

static const char epoch_name[] = "SOURCE_DATE_EPOCH";

static const char *const proxy_names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
					  "FTP_PROXY",	"ftp_proxy",  "NO_PROXY",    "no_proxy",
					  "ALL_PROXY",	"all_proxy"};

static const char *const platform_names[] = {"BUILDPLATFORM", "BUILDOS",	 "BUILDOSVERSION",
					     "BUILDARCH",     "BUILDVARIANT",	 "TARGETPLATFORM",
					     "TARGETOS",      "TARGETOSVERSION", "TARGETARCH",
					     "TARGETVARIANT", "TARGETSTAGE"};

void graph_args_collect(struct graph_make *m)
{
	graph_vars_set_all(&m->build_args, &m->request->build_args);
	if (m->request->epoch && !graph_vars_get(&m->build_args, epoch_name))
		graph_vars_set(&m->build_args, epoch_name, m->request->epoch);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_declared_by(const struct instruction *i, const char *name)
{
	if (i->keyword == KEYWORD_ONBUILD)
		return i->trigger && is_declared_by(i->trigger, name);
	if (i->keyword != KEYWORD_ARG)
		return false;
	for (size_t k = 0; k < i->arg.n; k++)
		if (strcmp(i->arg.items[k].name, name) == 0)
			return true;
	return false;
}

static bool is_declared(const struct graph_make *m, const char *name)
{
	for (size_t i = 0; i < m->parsed.n_globals; i++)
		if (is_declared_by(&m->parsed.globals[i], name))
			return true;
	for (size_t i = 0; i < m->parsed.n; i++)
		for (size_t k = 0; k < m->parsed.items[i].n; k++)
			if (is_declared_by(&m->parsed.items[i].items[k], name))
				return true;
	for (size_t i = 0; i < m->n_stages; i++)
		for (size_t k = 0; k < m->stages[i].n_triggers; k++)
			if (is_declared_by(&m->stages[i].triggers[k]->instruction, name))
				return true;
	return false;
}

void graph_args_find_unused(struct graph_make *m)
{
	strv_foreach (i, &m->request->build_args) {
		const char *item = m->request->build_args.items[i];
		cleanup_free char *name = str_ndup(item, strcspn(item, "="));

		if (str_has_prefix(name, "BUILDKIT_") || strcmp(name, epoch_name) == 0 ||
		    is_one_of(name, proxy_names, ARRAY_LEN(proxy_names)) ||
		    is_one_of(name, platform_names, ARRAY_LEN(platform_names)))
			continue;
		if (!is_declared(m, name) && !strv_has(&m->graph->unused_args, name))
			strv_add(&m->graph->unused_args, name);
	}
}

static void set_platform(struct graph_make *m, const char *prefix, const struct platform *p)
{
	char text[PLATFORM_LEN];
	const struct {
		const char *name, *value;
	} parts[] = {{"PLATFORM", platform_format(p, text)},
		     {"OS", p->os},
		     {"OSVERSION", ""},
		     {"ARCH", p->arch},
		     {"VARIANT", p->variant}};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		cleanup_free char *name = str_printf("%s%s", prefix, parts[i].name);
		const char *said = graph_vars_get(&m->build_args, name);

		graph_vars_set(&m->globals, name, said ? said : parts[i].value);
	}
}

/* The name of the stage that is built, as TARGETSTAGE has it. */
static const char *target_name(const struct graph_make *m)
{
	const struct dockerfile_stage *last = &m->parsed.items[m->parsed.n - 1];
	const char *name = m->request->target ? m->request->target : last->from->from.name;

	return name && *name ? name : "default";
}

static int add_global(struct graph_make *m, const struct arg_item *arg,
		      struct dockerfile_lines lines, struct err *err)
{
	const char *said = graph_vars_get(&m->build_args, arg->name);
	struct graph_note *note = graph_note_add(m, NOTE_ARG, arg->name, lines);
	cleanup_free char *value = NULL;

	note->is_global = true;
	note->doc = str_dup(arg->doc);
	if (!said && arg->value &&
	    graph_expand_noting(m, &m->globals, arg->value, &note->deps, &value, err) < 0)
		return -err->code;
	note->value = str_dup(said ? said : value);
	if (said || value)
		graph_vars_set(&m->globals, arg->name, said ? said : value);
	return 0;
}

int graph_args_make_globals(struct graph_make *m, struct err *err)
{
	const char *stage = graph_vars_get(&m->build_args, "TARGETSTAGE");

	strv_done(&m->globals);
	set_platform(m, "BUILD", &m->build);
	set_platform(m, "TARGET", &m->target);
	graph_vars_set(&m->globals, "TARGETSTAGE", stage ? stage : target_name(m));
	for (size_t i = 0; i < m->parsed.n_globals; i++) {
		const struct instruction *global = &m->parsed.globals[i];

		for (size_t k = 0; k < global->arg.n; k++) {
			*m->where = global->syntax->lines;
			if (add_global(m, &global->arg.items[k], *m->where, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

/* What ARG declares in stage S; *RET NULL: no value. What it has from the global one is noted as
 * that one's. */
static int find_value(struct graph_make *m, struct graph_stage *s, const struct arg_item *arg,
		      char **ret, struct err *err)
{
	const char *said = graph_vars_get(&m->build_args, arg->name);
	const char *global = arg->value || said ? NULL : graph_vars_get(&m->globals, arg->name);
	struct graph_note *note = NULL;

	if (global) {
		graph_note_use(m, arg->name);
		*ret = str_dup(global);
		return 0;
	}
	if (said)
		*ret = str_dup(said);
	else if (graph_expand_maybe(m, &s->vars, arg->value, ret, err) < 0)
		return -err->code;
	note = graph_note_add(m, NOTE_ARG, arg->name, *m->where);
	note->doc = str_dup(arg->doc);
	note->value = str_dup(*ret);
	return 0;
}

int graph_apply_arg(struct graph_make *m, struct graph_stage *s, const struct instruction *i,
		    struct err *err)
{
	cleanup_str struct str line = STR_INIT;

	str_add(&line, "ARG");
	for (size_t k = 0; k < i->arg.n; k++) {
		const struct arg_item *arg = &i->arg.items[k];
		cleanup_free char *value = NULL;

		if (find_value(m, s, arg, &value, err) < 0)
			return -err->code;
		if (value)
			graph_vars_set(&s->vars, arg->name, value);
		if (!strv_has(&s->args, arg->name))
			strv_add(&s->args, arg->name);
		str_addf(&line, " %s", arg->name);
		if (value)
			str_addf(&line, "=%s", value);
	}
	graph_add_history(m, s, str_take(&line), BUILD_NONE);
	return 0;
}

/* The proxy that the command line gives for NAME, in whatever case. */
static const char *find_proxy(const struct graph_make *m, const char *name)
{
	size_t len = strlen(name);

	strv_foreach (i, &m->build_args) {
		const char *item = m->build_args.items[i];

		if (strncasecmp(item, name, len) == 0 && item[len] == '=' && item[len + 1])
			return item + len + 1;
	}
	return NULL;
}

void graph_args_add_proxies(const struct graph_make *m, const struct strv *vars, struct strv *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++) {
		const char *exact = graph_vars_get(&m->build_args, proxy_names[i]);
		const char *value = exact && *exact ? exact : find_proxy(m, proxy_names[i]);

		if (value && !graph_vars_get(vars, proxy_names[i]))
			strv_addf(ret, "%s=%s", proxy_names[i], value);
	}
}

bool graph_args_is_true(const struct graph_make *m, const char *name)
{
	const char *value = graph_vars_get(&m->build_args, name);
	bool is_true = false;

	return value && num_parse_bool(value, &is_true) == 0 && is_true;
}

int graph_args_set_epoch(struct graph_make *m, struct err *err)
{
	const char *value = graph_vars_get(&m->build_args, epoch_name);

	if (!value)
		value = graph_vars_get(&m->globals, epoch_name);
	m->graph->epoch_s = DEFAULT_EPOCH_S;
	if (!value || !*value)
		return 0;
	if (strcmp(value, "context") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "SOURCE_DATE_EPOCH=context is not supported: say the seconds");
	if (num_parse_i64(value, &m->graph->epoch_s) < 0 ||
	    m->graph->epoch_s > INT64_MAX / CLOCK_NS_PER_S ||
	    m->graph->epoch_s < INT64_MIN / CLOCK_NS_PER_S)
		return err_set(err, ERR_INVALID, "invalid SOURCE_DATE_EPOCH: %s", value);
	return 0;
}
