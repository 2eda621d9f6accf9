/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime configuration as JSON. Written directly and not through a tree: this stands in the
 * path of every `run`, and the text is also meant to be read by people, so the order is ours.
 */
#include "oci/runtime_config.h"

#include "base/mem.h"
#include "oci/runtime_resources.h"
#include "sys/caps.h"
#include "json/dump.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A writer that knows whether a comma is due. */
struct writer {
	struct str *out;
	int depth;
	bool comma;
};

static void start_item(struct writer *w, const char *key)
{
	str_add(w->out, w->comma ? ",\n" : "\n");
	for (int i = 0; i < w->depth; i++)
		str_add_char(w->out, '\t');
	if (key) {
		json_dump_string(w->out, key, strlen(key), 0);
		str_add(w->out, ": ");
	}
	w->comma = true;
}

static void open_block(struct writer *w, const char *key, char bracket)
{
	start_item(w, key);
	str_add_char(w->out, bracket);
	w->depth++;
	w->comma = false;
}

static void close_block(struct writer *w, char bracket)
{
	w->depth--;
	if (w->comma) {
		str_add_char(w->out, '\n');
		for (int i = 0; i < w->depth; i++)
			str_add_char(w->out, '\t');
	}
	str_add_char(w->out, bracket);
	w->comma = true;
}

static void put_string(struct writer *w, const char *key, const char *value)
{
	if (!value)
		return;
	start_item(w, key);
	json_dump_string(w->out, value, strlen(value), 0);
}

static void put_number(struct writer *w, const char *key, int64_t value)
{
	start_item(w, key);
	str_addf(w->out, "%lld", (long long)value);
}

static void put_bool(struct writer *w, const char *key, bool value)
{
	start_item(w, key);
	str_add(w->out, value ? "true" : "false");
}

static void put_strings(struct writer *w, const char *key, const struct strv *v)
{
	start_item(w, key);
	str_add_char(w->out, '[');
	strv_foreach (i, v) {
		str_add(w->out, i ? ", " : "");
		json_dump_string(w->out, v->items[i], strlen(v->items[i]), 0);
	}
	str_add_char(w->out, ']');
}

static void put_pairs(struct writer *w, const char *key, const struct oci_pair *pairs, size_t n)
{
	if (!n)
		return;
	open_block(w, key, '{');
	for (size_t i = 0; i < n; i++)
		put_string(w, pairs[i].key, pairs[i].value);
	close_block(w, '}');
}

static void put_capabilities(struct writer *w, uint64_t mask)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};
	cleanup_strv struct strv names = STRV_INIT;

	for (int cap = 0; cap < CAPS_N; cap++)
		if (mask & CAPS_BIT(cap))
			strv_add(&names, caps_name(cap));
	open_block(w, "capabilities", '{');
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		put_strings(w, sets[i], &names);
	close_block(w, '}');
}

static void put_rlimits(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "rlimits", '[');
	for (size_t i = 0; i < c->n_rlimits; i++) {
		const char *name = oci_rlimit_name(c->rlimits[i].resource);

		start_item(w, NULL);
		str_add(w->out, "{\"type\": \"RLIMIT_");
		for (; name && *name; name++)
			str_add_char(w->out,
				     (char)(*name >= 'a' && *name <= 'z' ? *name - 32 : *name));
		str_addf(w->out, "\", \"soft\": %lld, \"hard\": %lld}",
			 (long long)c->rlimits[i].soft, (long long)c->rlimits[i].hard);
	}
	close_block(w, ']');
}

static void put_process(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "process", '{');
	put_bool(w, "terminal", c->terminal);
	start_item(w, "user");
	str_add(w->out, "{\"uid\": 0, \"gid\": 0}");
	put_strings(w, "args", &c->args);
	put_strings(w, "env", &c->env);
	put_string(w, "cwd", c->cwd);
	put_capabilities(w, c->capabilities);
	put_rlimits(w, c);
	put_bool(w, "noNewPrivileges", c->no_new_privs);
	put_number(w, "oomScoreAdj", c->oom_score_adj);
	close_block(w, '}');
}

static void put_mounts(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "mounts", '[');
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];

		open_block(w, NULL, '{');
		put_string(w, "destination", m->destination);
		put_string(w, "type", m->type);
		put_string(w, "source", m->source);
		put_strings(w, "options", &m->options);
		put_string(w, "flag", m->flag);
		put_string(w, "volume", m->volume);
		put_string(w, "subpath", m->subpath);
		close_block(w, '}');
	}
	close_block(w, ']');
}

static const char *namespace_type(uint64_t flag)
{
	switch (flag) {
	case CLONE_NEWNS:
		return "mount";
	case CLONE_NEWPID:
		return "pid";
	case CLONE_NEWUTS:
		return "uts";
	case CLONE_NEWIPC:
		return "ipc";
	case CLONE_NEWNET:
		return "network";
	case CLONE_NEWUSER:
		return "user";
	default:
		return "cgroup";
	}
}

static void put_namespaces(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "namespaces", '[');
	for (size_t i = 0; i < c->n_namespaces; i++) {
		open_block(w, NULL, '{');
		put_string(w, "type", namespace_type(c->namespaces[i].flag));
		put_string(w, "path", c->namespaces[i].path);
		close_block(w, '}');
	}
	close_block(w, ']');
}

static void put_devices(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "devices", '[');
	for (size_t i = 0; i < c->n_devices; i++) {
		const struct oci_device *d = &c->devices[i];

		open_block(w, NULL, '{');
		put_string(w, "path", d->path);
		put_string(w, "type", S_ISBLK(d->mode) ? "b" : "c");
		put_number(w, "major", major(d->dev));
		put_number(w, "minor", minor(d->dev));
		put_number(w, "fileMode", d->mode & 07777);
		put_number(w, "uid", d->uid);
		put_number(w, "gid", d->gid);
		close_block(w, '}');
	}
	close_block(w, ']');
}

static void put_linux(struct writer *w, const struct oci_runtime_config *c)
{
	open_block(w, "linux", '{');
	put_namespaces(w, c);
	put_devices(w, c);
	put_string(w, "cgroupsPath", c->cgroup);
	start_item(w, "resources");
	oci_resources_format(&c->limits, w->out);
	put_pairs(w, "sysctl", c->sysctls, c->n_sysctls);
	put_strings(w, "maskedPaths", &c->masked_paths);
	put_strings(w, "readonlyPaths", &c->readonly_paths);
	put_string(w, "rootfsPropagation", c->propagation);
	close_block(w, '}');
}

char *oci_config_format(const struct oci_runtime_config *c)
{
	struct str out = STR_INIT;
	struct writer w = {.out = &out, .depth = 1};

	str_reserve(&out, 16384);
	str_add_char(&out, '{');
	put_string(&w, "ociVersion", "1.0.2");
	put_process(&w, c);
	open_block(&w, "root", '{');
	put_string(&w, "path", "root");
	put_bool(&w, "readonly", c->root_readonly);
	close_block(&w, '}');
	put_string(&w, "hostname", c->hostname);
	put_string(&w, "domainname", c->domainname);
	put_mounts(&w, c);
	put_linux(&w, c);
	put_pairs(&w, "annotations", c->annotations, c->n_annotations);
	str_add(&out, "\n}\n");
	return str_take(&out);
}
