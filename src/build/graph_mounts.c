/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of RUN: expanded, completed, and where their files are. */
#include "build/graph_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/mount_fields.h"

#define SECRET_DIR    "/run/secrets/"
#define SSH_SOCKET    "/run/buildkit/ssh_agent."
#define SSH_DEFAULT   "default"
#define CACHE_NS_NAME "BUILDKIT_CACHE_MOUNT_NS"

/* The value of FIELD when its key is KEY, in any case; NULL. */
static const char *field_value(const char *field, const char *key)
{
	size_t len = strlen(key);

	return strncasecmp(field, key, len) == 0 && field[len] == '=' ? field + len + 1 : NULL;
}

int graph_mount_peek(const char *text, char **ret_type, char **ret_from, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;

	if (mount_split_fields(text, &fields, err) < 0)
		return err_wrap(err, "failed to parse csv mounts");
	strv_foreach (i, &fields) {
		const char *type = field_value(fields.items[i], "type");
		const char *from = field_value(fields.items[i], "from");

		if (type)
			str_replace(ret_type, type);
		if (from)
			str_replace(ret_from, from);
	}
	return 0;
}

/* FIELD as a field of a record: in quotes where it has to be. */
static void add_field(struct str *record, const char *field)
{
	if (record->len)
		str_add_char(record, ',');
	if (!strpbrk(field, ",\"\r\n")) {
		str_add(record, field);
		return;
	}
	str_add_char(record, '"');
	for (; *field; field++) {
		if (*field == '"')
			str_add_char(record, '"');
		str_add_char(record, *field);
	}
	str_add_char(record, '"');
}

/* Expands the values one by one, so that a comma in a variable does not make a field. */
static int expand_fields(struct graph_make *m, struct graph_stage *s, const char *text,
			 struct str *ret, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;

	if (mount_split_fields(text, &fields, err) < 0)
		return err_wrap(err, "failed to parse csv mounts");
	strv_foreach (i, &fields) {
		const char *equals = strchr(fields.items[i], '=');
		cleanup_free char *value = NULL;
		cleanup_free char *field = NULL;

		if (!equals) {
			add_field(ret, fields.items[i]);
			continue;
		}
		if (graph_expand(m, &s->vars, equals + 1, &value, err) < 0)
			return -err->code;
		field = str_printf("%.*s=%s", (int)(equals - fields.items[i]), fields.items[i],
				   value);
		add_field(ret, field);
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Where it is mounted: TARGET, from the working directory. The root is no place for anything. */
static int set_target(const struct graph_stage *s, struct run_mount *mount, const char *target,
		      struct err *err)
{
	char *clean = str_clean_path(s->dir, target);

	free(mount->target);
	mount->target = clean;
	return strcmp(clean, "/") == 0
		       ? err_set(err, ERR_INVALID, "invalid mount target \"%s\"", clean)
		       : 0;
}

/* Whether NAME can be that of a file. */
static bool is_file_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int complete_secret(const struct graph_stage *s, struct run_mount *mount, struct err *err)
{
	cleanup_free char *target = str_dup(mount->target);

	if (!mount->id)
		mount->id = str_dup(target ? base_name(target) : "");
	if (!target && mount->env)
		return 0;
	if (!target) {
		const char *name = base_name(mount->id);

		target = str_printf(SECRET_DIR "%s", name);
		if (!is_file_name(name))
			return err_set(err, ERR_INVALID, "invalid mount target \"%s\"", target);
	}
	return set_target(s, mount, target, err);
}

/* N: how many sockets the instruction had before. */
static int complete_ssh(const struct graph_stage *s, struct run_mount *mount, size_t n,
			struct err *err)
{
	cleanup_free char *target = mount->target ? str_dup(mount->target)
						  : str_printf(SSH_SOCKET "%zu", n);

	if (!mount->id)
		mount->id = str_dup(SSH_DEFAULT);
	return set_target(s, mount, target, err);
}

/* The name of the directory is what was typed, without the working directory. */
static void name_cache(const struct graph_make *m, struct run_mount *mount, const char *target)
{
	const char *ns = graph_vars_get(&m->build_args, CACHE_NS_NAME);
	char *id = mount->id;

	if (!id)
		id = *target == '/' ? str_clean_path("/", target) : str_dup(target);
	mount->id = ns && *ns ? str_printf("%s/%s", ns, id) : str_dup(id);
	free(id);
}

static int complete_files(const struct graph_make *m, const struct graph_stage *s,
			  struct run_mount *mount, struct err *err)
{
	/* Without a target it is the working directory, as with BuildKit. */
	cleanup_free char *target = str_dup(mount->target ? mount->target : s->dir);

	if (mount->type == RUN_MOUNT_CACHE)
		name_cache(m, mount, target);
	return set_target(s, mount, target, err);
}

/* N_SSH counts the sockets of the instruction so far. */
static int complete(struct graph_make *m, const struct graph_stage *s, struct run_mount *mount,
		    size_t *n_ssh, struct err *err)
{
	bool is_secret = mount->type == RUN_MOUNT_SECRET;
	int rc = 0;

	if (!is_secret && mount->type != RUN_MOUNT_SSH)
		return complete_files(m, s, mount, err);
	rc = is_secret ? complete_secret(s, mount, err) : complete_ssh(s, mount, (*n_ssh)++, err);
	if (rc == 0)
		graph_note_add(m, is_secret ? NOTE_SECRET : NOTE_SSH, mount->id, *m->where)
			->is_required = mount->required;
	return rc;
}

static int find_files(struct graph_make *m, struct graph_stage *s, const struct graph_dep *dep,
		      struct build_mount *mount, struct err *err)
{
	struct graph_place place = GRAPH_NOWHERE;
	bool has_files = mount->mount.type == RUN_MOUNT_BIND ||
			 (mount->mount.type == RUN_MOUNT_CACHE && dep->name);

	if (has_files && graph_dep_find_place(m, s, dep, "mount", &place, err) < 0)
		return -err->code;
	mount->from_step = place.step;
	mount->from_source = place.source;
	return 0;
}

int graph_mounts_make(struct graph_make *m, struct graph_stage *s,
		      const struct graph_command *command, struct build_run_op *op, struct err *err)
{
	const struct strv *mounts = &command->instruction->run.mounts;
	size_t n_ssh = 0;

	if (!mounts->n)
		return 0;
	op->mounts = mem_zalloc(mounts->n * sizeof(*op->mounts));
	strv_foreach (i, mounts) {
		cleanup_str struct str text = STR_INIT;
		struct build_mount *mount = &op->mounts[op->n_mounts];

		if (expand_fields(m, s, mounts->items[i], &text, err) < 0 ||
		    run_mount_parse(str_get(&text), &mount->mount, err) < 0)
			return -err->code;
		op->n_mounts++;
		if (find_files(m, s, &command->deps[i], mount, err) < 0 ||
		    complete(m, s, &mount->mount, &n_ssh, err) < 0)
			return -err->code;
	}
	return 0;
}
