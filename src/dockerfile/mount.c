/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of RUN --mount: fields of one CSV record (RFC 4180), each "key=value" or a bare truth.
 * Keys are read in their order, so what a key may mean depends on the type said before it, as in
 * BuildKit.
 */
#include "dockerfile/mount.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "dockerfile/instruction_private.h"
#include "dockerfile/mount_fields.h"
#include "dockerfile/suggest.h"

static const char *const type_names[] = {
	[RUN_MOUNT_BIND] = "bind",     [RUN_MOUNT_CACHE] = "cache", [RUN_MOUNT_TMPFS] = "tmpfs",
	[RUN_MOUNT_SECRET] = "secret", [RUN_MOUNT_SSH] = "ssh",
};
static const char *const sharing_names[] = {
	[SHARING_SHARED] = "shared",
	[SHARING_PRIVATE] = "private",
	[SHARING_LOCKED] = "locked",
};

/* What is known while the fields are read. */
struct reading {
	struct run_mount *mount;
	bool says_access; /* whether it may be written to was said */
	bool says_sharing;
};

/* One field: VALUE is NULL for a bare key; TEXT is the whole field. */
struct field {
	const char *key, *value, *text;
};

static bool needs_permission(const struct run_mount *m)
{
	return m->type == RUN_MOUNT_SECRET || m->type == RUN_MOUNT_SSH;
}

/* The place of VALUE, in any case, in NAMES, or -1. */
static int find_name(const char *value, const char *const *names, size_t n)
{
	cleanup_free char *lower = str_dup(value);

	text_to_lower(lower);
	for (size_t i = 0; i < n; i++)
		if (strcmp(lower, names[i]) == 0)
			return (int)i;
	return -1;
}

static int refuse_value(const struct field *f, struct err *err)
{
	return err_set(err, ERR_INVALID, "invalid value for %s: %s", f->key, f->value);
}

static int refuse_for_type(const struct field *f, const struct run_mount *m, struct err *err)
{
	return err_set(err, ERR_INVALID, "unexpected key '%s' for mount type '%s'", f->key,
		       type_names[m->type]);
}

static int refuse_bare(const struct field *f, struct err *err)
{
	return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", f->text);
}

/* ---- one function for each key ---- */

static int set_type(struct reading *r, const struct field *f, struct err *err)
{
	int type = find_name(f->value, type_names, ARRAY_LEN(type_names));
	cleanup_free char *hint = NULL;

	if (type >= 0) {
		r->mount->type = (enum run_mount_type)type;
		return 0;
	}
	hint = suggest_text(f->value, type_names, ARRAY_LEN(type_names));
	return err_set(err, ERR_INVALID, "unsupported mount type \"%s\"%s", f->value, hint);
}

static int set_sharing(struct reading *r, const struct field *f, struct err *err)
{
	int sharing = find_name(f->value, sharing_names, ARRAY_LEN(sharing_names));
	cleanup_free char *hint = NULL;

	if (sharing >= 0) {
		r->mount->sharing = (enum run_mount_sharing)sharing;
		r->says_sharing = true;
		return 0;
	}
	hint = suggest_text(f->value, sharing_names, ARRAY_LEN(sharing_names));
	return err_set(err, ERR_INVALID, "unsupported sharing value \"%s\"%s", f->value, hint);
}

/* An empty text is one that was not given. */
static int set_text(char **to, const char *value)
{
	str_replace(to, *value ? value : NULL);
	return 0;
}

static int set_from(struct reading *r, const struct field *f, struct err *err)
{
	return set_text(&r->mount->from, f->value);
}

static int set_source(struct reading *r, const struct field *f, struct err *err)
{
	return set_text(&r->mount->source, f->value);
}

static int set_target(struct reading *r, const struct field *f, struct err *err)
{
	return set_text(&r->mount->target, f->value);
}

static int set_id(struct reading *r, const struct field *f, struct err *err)
{
	return set_text(&r->mount->id, f->value);
}

static int set_env(struct reading *r, const struct field *f, struct err *err)
{
	return set_text(&r->mount->env, f->value);
}

/* A bare key is true. */
static int parse_truth(const struct field *f, bool *ret, struct err *err)
{
	if (f->value && num_parse_bool(f->value, ret) < 0)
		return refuse_value(f, err);
	if (!f->value)
		*ret = true;
	return 0;
}

static int set_read_only(struct reading *r, const struct field *f, struct err *err)
{
	r->says_access = true;
	return parse_truth(f, &r->mount->read_only, err);
}

static int set_writable(struct reading *r, const struct field *f, struct err *err)
{
	bool writable = false;

	if (parse_truth(f, &writable, err) < 0)
		return -err->code;
	r->says_access = true;
	r->mount->read_only = !writable;
	return 0;
}

static int set_required(struct reading *r, const struct field *f, struct err *err)
{
	if (!needs_permission(r->mount))
		return refuse_for_type(f, r->mount, err);
	return parse_truth(f, &r->mount->required, err);
}

static int set_size(struct reading *r, const struct field *f, struct err *err)
{
	if (r->mount->type != RUN_MOUNT_TMPFS)
		return refuse_for_type(f, r->mount, err);
	return num_parse_size(f->value, &r->mount->size) < 0 ? refuse_value(f, err) : 0;
}

static int parse_number(const struct field *f, unsigned base, bool *ret_has, uint32_t *ret,
			struct err *err)
{
	uint64_t n = 0;

	if (num_parse_base(f->value, base, &n) < 0 || n > UINT32_MAX)
		return err_set(err, ERR_INVALID, "invalid value %s for %s", f->value, f->key);
	*ret_has = true;
	*ret = (uint32_t)n;
	return 0;
}

static int set_mode(struct reading *r, const struct field *f, struct err *err)
{
	return parse_number(f, 8, &r->mount->has_mode, &r->mount->mode, err);
}

static int set_uid(struct reading *r, const struct field *f, struct err *err)
{
	return parse_number(f, 10, &r->mount->has_uid, &r->mount->uid, err);
}

static int set_gid(struct reading *r, const struct field *f, struct err *err)
{
	return parse_number(f, 10, &r->mount->has_gid, &r->mount->gid, err);
}

static const struct key {
	const char *name;
	bool may_be_bare;
	int (*set)(struct reading *r, const struct field *f, struct err *err);
} keys[] = {
	{"type", false, set_type},
	{"from", false, set_from},
	{"source", false, set_source},
	{"src", false, set_source},
	{"target", false, set_target},
	{"dst", false, set_target},
	{"destination", false, set_target},
	{"readonly", true, set_read_only},
	{"ro", true, set_read_only},
	{"readwrite", true, set_writable},
	{"rw", true, set_writable},
	{"id", false, set_id},
	{"sharing", false, set_sharing},
	{"required", true, set_required},
	{"size", false, set_size},
	{"mode", false, set_mode},
	{"uid", false, set_uid},
	{"gid", false, set_gid},
	{"env", false, set_env},
};

static int refuse_key(const struct field *f, struct err *err)
{
	const char *names[ARRAY_LEN(keys)];
	cleanup_free char *hint = NULL;

	if (!f->value)
		return refuse_bare(f, err);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	hint = suggest_text(f->key, names, ARRAY_LEN(names));
	return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'%s", f->key, f->text, hint);
}

static int read_field(struct reading *r, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	cleanup_free char *key = equals ? str_ndup(text, (size_t)(equals - text)) : str_dup(text);
	const struct field f = {key, equals ? equals + 1 : NULL, text};

	text_to_lower(key);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		return f.value || keys[i].may_be_bare ? keys[i].set(r, &f, err)
						      : refuse_bare(&f, err);
	}
	return refuse_key(&f, err);
}

/* ---- what does not go together ---- */

static int check_owner(const struct run_mount *m, struct err *err)
{
	const char *what = m->has_mode ? "mode" : m->has_uid ? "uid" : m->has_gid ? "gid" : NULL;

	if (what && (m->type == RUN_MOUNT_BIND || m->type == RUN_MOUNT_TMPFS))
		return err_set(err, ERR_INVALID, "%s not allowed for \"%s\" type mounts", what,
			       type_names[m->type]);
	return 0;
}

static int check_secret(const struct reading *r, struct err *err)
{
	const struct run_mount *m = r->mount;

	if (m->from)
		return err_set(err, ERR_INVALID, "secret mount should not have a from");
	if (r->says_sharing)
		return err_set(err, ERR_INVALID, "secret mount should not define sharing");
	if (!m->source && !m->target && !m->id)
		return err_set(err, ERR_INVALID,
			       "invalid secret mount. one of source, target required");
	if (m->source && m->id)
		return err_set(err, ERR_INVALID, "both source and id can't be set");
	return 0;
}

/* "/", "//", "/.", "/a/..": nothing is mounted over the root. */
static bool is_root(const char *path)
{
	size_t depth = 0;

	if (*path != '/')
		return false;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			depth -= depth > 0;
		else if (len && !(len == 1 && *path == '.'))
			depth++;
		path += len + (path[len] == '/');
	}
	return depth == 0;
}

static int check(const struct reading *r, struct err *err)
{
	const struct run_mount *m = r->mount;

	if (check_owner(m, err) < 0)
		return -err->code;
	if (m->type == RUN_MOUNT_SECRET && check_secret(r, err) < 0)
		return -err->code;
	if (r->says_sharing && m->type != RUN_MOUNT_CACHE)
		return err_set(err, ERR_INVALID, "invalid cache sharing set for %s mount",
			       type_names[m->type]);
	if (m->target && is_root(m->target))
		return err_set(err, ERR_INVALID, "invalid mount target \"%s\"", m->target);
	return 0;
}

static void complete(struct reading *r)
{
	struct run_mount *m = r->mount;

	if (!r->says_access)
		m->read_only = m->type != RUN_MOUNT_CACHE && m->type != RUN_MOUNT_TMPFS;
	if (m->type == RUN_MOUNT_SECRET && m->source)
		str_replace(&m->id, m->source);
}

int run_mount_parse(const char *text, struct run_mount *ret, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;
	struct run_mount mount = {.type = RUN_MOUNT_BIND};
	struct reading r = {.mount = &mount};
	int rc = mount_split_fields(text, &fields, err);

	if (rc < 0)
		return err_wrap(err, "failed to parse csv mounts");
	for (size_t i = 0; i < fields.n && rc == 0; i++)
		rc = read_field(&r, fields.items[i], err);
	if (rc == 0)
		rc = check(&r, err);
	if (rc < 0) {
		run_mount_done(&mount);
		return rc;
	}
	complete(&r);
	*ret = mount;
	return 0;
}

void run_mount_done(struct run_mount *mount)
{
	free(mount->from);
	free(mount->source);
	free(mount->target);
	free(mount->id);
	free(mount->env);
	*mount = (struct run_mount){};
}
