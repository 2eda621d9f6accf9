/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each kind of instruction. */
#include "describe.h"

#include "base/mem.h"

static void add(struct str *s, const char *name, const char *value)
{
	if (value)
		str_addf(s, " %s=%s", name, value);
}

static void add_list(struct str *s, const char *name, const struct strv *v)
{
	cleanup_free char *list = v->n ? strv_join(v, "|") : NULL;

	if (list)
		str_addf(s, " %s[%s]", name, list);
}

static void add_command(struct str *s, const struct command_line *c)
{
	cleanup_free char *list = c->words.n ? strv_join(&c->words, "|") : str_dup("");

	str_addf(s, "%s[%s]", c->is_shell ? "shell" : "list", list);
}

static void describe_from(const struct from_instruction *f, struct str *s)
{
	str_add(s, f->image);
	add(s, "as", f->name);
	if (!str_is_equal(f->name, f->name_typed))
		add(s, "typed", f->name_typed);
	add(s, "platform", f->platform);
}

static void describe_arg(const struct arg_instruction *a, struct str *s)
{
	for (size_t i = 0; i < a->n; i++) {
		str_addf(s, "%s%s", i ? "|" : "", a->items[i].name);
		if (a->items[i].value)
			str_addf(s, "=>%s", a->items[i].value);
		if (a->items[i].doc)
			str_addf(s, "(%s)", a->items[i].doc);
	}
}

static void describe_pairs(const struct pairs_instruction *p, struct str *s)
{
	strv_foreach (i, &p->keys)
		str_addf(s, "%s%s=>%s", i ? "|" : "", p->keys.items[i], p->values.items[i]);
	if (p->is_legacy)
		str_add(s, " legacy");
}

static void describe_run(const struct run_instruction *r, struct str *s)
{
	add_command(s, &r->command);
	add_list(s, "mounts", &r->mounts);
	add_list(s, "devices", &r->devices);
	add(s, "network", r->network);
	add(s, "security", r->security);
}

static void describe_copy(const struct copy_instruction *c, struct str *s)
{
	cleanup_free char *sources = strv_join(&c->sources, "|");

	str_addf(s, "%s%s -> %s", c->is_add ? "add " : "", sources, c->target);
	add(s, "from", c->from);
	add(s, "chown", c->chown);
	add(s, "chmod", c->chmod);
	add(s, "checksum", c->checksum);
	add_list(s, "excludes", &c->excludes);
	str_add(s, c->link ? " link" : "");
	str_add(s, c->parents ? " parents" : "");
	str_add(s, c->keep_git_dir ? " keep-git-dir" : "");
	if (c->unpack >= 0)
		str_addf(s, " unpack=%d", c->unpack);
}

static void add_number(struct str *s, const char *name, int64_t n)
{
	if (n)
		str_addf(s, " %s=%lld", name, (long long)n);
}

static void describe_health(const struct health_instruction *h, struct str *s)
{
	cleanup_free char *test = strv_join(&h->check.test, "|");

	str_addf(s, "%s%s", h->is_none ? "none " : "", test);
	add_number(s, "interval", h->check.interval_ns);
	add_number(s, "timeout", h->check.timeout_ns);
	add_number(s, "start-period", h->check.start_period_ns);
	add_number(s, "start-interval", h->check.start_interval_ns);
	add_number(s, "retries", h->check.retries);
}

static void describe_list(const struct list_instruction *l, struct str *s)
{
	cleanup_free char *words = strv_join(&l->words, "|");

	str_addf(s, "%s%s", words, l->is_json ? " json" : "");
}

void describe_instruction(const struct instruction *i, struct str *ret)
{
	switch (i->keyword) {
	case KEYWORD_FROM:
		return describe_from(&i->from, ret);
	case KEYWORD_ARG:
		return describe_arg(&i->arg, ret);
	case KEYWORD_ENV:
	case KEYWORD_LABEL:
		return describe_pairs(&i->pairs, ret);
	case KEYWORD_RUN:
		return describe_run(&i->run, ret);
	case KEYWORD_ADD:
	case KEYWORD_COPY:
		return describe_copy(&i->copy, ret);
	case KEYWORD_CMD:
	case KEYWORD_ENTRYPOINT:
		return add_command(ret, &i->command);
	case KEYWORD_HEALTHCHECK:
		return describe_health(&i->health, ret);
	case KEYWORD_EXPOSE:
	case KEYWORD_VOLUME:
	case KEYWORD_SHELL:
		return describe_list(&i->list, ret);
	case KEYWORD_ONBUILD:
		str_addf(ret, "%s ", dockerfile_keyword_name(i->trigger->keyword));
		return describe_instruction(i->trigger, ret);
	default:
		return str_add(ret, i->text.text);
	}
}
