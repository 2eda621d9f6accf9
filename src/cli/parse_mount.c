/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options. Keys of --mount are a table of name and setter; modes of -v a table of word and
 * class, of which each class may be given once.
 */
#include "cli/parse_mount.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/spec.h"

#include <strings.h>
#include <unistd.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

/* ---- comma-separated values ---- */

static int fail_quote(struct err *err, const char *what, size_t at)
{
	return fail("parse error on line 1, column %zu: %s", at + 1, what);
}

/* The quoted field at *P (behind its opening quote); leaves *P at the comma or the end. */
static int csv_quoted(const char *text, const char **p, struct str *field, struct err *err)
{
	static const char what[] = "extraneous or missing \" in quoted-field";
	const char *s = *p;

	for (;; s++) {
		if (!*s)
			return fail_quote(err, what, (size_t)(s - text));
		if (*s == '"' && s[1] == '"')
			s++;
		else if (*s == '"')
			break;
		str_add_char(field, *s);
	}
	if (s[1] && s[1] != ',' && s[1] != '\n')
		return fail_quote(err, what, (size_t)(s - text));
	*p = s + 1;
	return 0;
}

static int csv_plain(const char *text, const char **p, struct str *field, struct err *err)
{
	const char *s = *p;
	size_t len = strcspn(s, ",\n");
	const char *quote = memchr(s, '"', len);

	if (quote)
		return fail_quote(err, "bare \" in non-quoted-field", (size_t)(quote - text));
	str_add_bytes(field, s, len);
	*p = s + len;
	return 0;
}

int csv_split(const char *text, struct strv *ret, struct err *err)
{
	const char *p = text;

	if (!*text)
		return fail("EOF");
	for (;;) {
		cleanup_str struct str field = STR_INIT;
		int rc = 0;

		if (*p == '"') {
			p++;
			rc = csv_quoted(text, &p, &field, err);
		} else {
			rc = csv_plain(text, &p, &field, err);
		}
		if (rc < 0)
			return rc;
		strv_add_take(ret, str_take(&field));
		if (*p != ',')
			return 0;
		p++;
	}
}

/* ---- --mount ---- */

/* "." and "./x" and "../x" become absolute; everything else is kept. */
static char *source_resolve(const char *source)
{
	cleanup_free char *cwd = NULL;

	if (source[0] != '.')
		return str_dup(source);
	cwd = getcwd(NULL, 0);
	if (!cwd || strcmp(source, ".") == 0)
		return cwd ? take_ptr(cwd) : str_dup(source);
	if (str_has_prefix(source, "./"))
		return str_printf("%s/%s", cwd, source + 2);
	return str_printf("%s/%s", cwd, source);
}

static void lower_text(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s | 0x20);
}

static const struct {
	const char *name;
	enum mount_type type;
} mount_types[] = {
	{"bind", MOUNT_BIND},
	{"volume", MOUNT_VOLUME},
	{"tmpfs", MOUNT_TMPFS},
	{"image", MOUNT_IMAGE},
};

static int key_type(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	str_replace(&m->type_name, value);
	lower_text(m->type_name);
	m->type = MOUNT_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(mount_types); i++)
		if (strcmp(m->type_name, mount_types[i].name) == 0)
			m->type = mount_types[i].type;
	return 0;
}

static int key_source(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	free(m->source);
	m->source = source_resolve(value);
	return 0;
}

static int key_target(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	str_replace(&m->target, value);
	return 0;
}

static int parse_flag(const char *key, const char *value, bool *ret, struct err *err)
{
	if (!value)
		*ret = true;
	else if (num_parse_bool(value, ret) < 0)
		return fail("invalid value for %s: %s", key, value);
	return 0;
}

static int key_read_only(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	return parse_flag(key, value, &m->read_only, err);
}

static int key_create(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	m->has_bind_options = true;
	return parse_flag(key, value, &m->create_source, err);
}

static int key_consistency(struct mount_spec *m, const char *key, const char *value,
			   struct err *err)
{
	/* A hint for other systems, without effect. */
	str_replace(&m->consistency, value);
	lower_text(m->consistency);
	return 0;
}

static int key_propagation(struct mount_spec *m, const char *key, const char *value,
			   struct err *err)
{
	m->has_bind_options = true;
	str_replace(&m->propagation, value);
	return 0;
}

static int key_nonrecursive(struct mount_spec *m, const char *key, const char *value,
			    struct err *err)
{
	bool on = false;
	int rc = parse_flag(key, value, &on, err);

	m->has_bind_options = true;
	m->recursion = on ? MOUNT_RECURSIVE_DISABLED : MOUNT_RECURSIVE_DEFAULT;
	return rc;
}

static int key_recursive(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	static const char *const words[] = {
		[MOUNT_RECURSIVE_DEFAULT] = "enabled",
		[MOUNT_RECURSIVE_DISABLED] = "disabled",
		[MOUNT_RECURSIVE_WRITABLE] = "writable",
		[MOUNT_RECURSIVE_READONLY] = "readonly",
	};

	m->has_bind_options = true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			m->recursion = (enum mount_recursion)i;
			return 0;
		}
	}
	return fail("invalid value for %s: %s (must be \"enabled\", \"disabled\", \"writable\", or "
		    "\"readonly\")",
		    key, value);
}

static int key_idmap(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	str_replace(&m->idmap, value ? value : "");
	return 0;
}

static int key_nocopy(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	m->has_volume_options = true;
	return parse_flag(key, value, &m->no_copy, err);
}

static int key_volume_subpath(struct mount_spec *m, const char *key, const char *value,
			      struct err *err)
{
	m->has_volume_options = true;
	str_replace(&m->subpath, value);
	return 0;
}

static int key_image_subpath(struct mount_spec *m, const char *key, const char *value,
			     struct err *err)
{
	m->has_image_options = true;
	str_replace(&m->subpath, value);
	return 0;
}

static int key_driver(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	m->has_volume_options = true;
	str_replace(&m->volume_driver, value);
	return 0;
}

static int key_volume_label(struct mount_spec *m, const char *key, const char *value,
			    struct err *err)
{
	m->has_volume_options = true;
	strv_add(&m->volume_labels, value);
	return 0;
}

static int key_volume_opt(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	m->has_volume_options = true;
	strv_add(&m->volume_options, value);
	return 0;
}

static int key_size(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	m->has_tmpfs_options = true;
	if (num_parse_size(value, &m->tmpfs_size) < 0)
		return fail("invalid value for %s: %s", key, value);
	return 0;
}

static int key_mode(struct mount_spec *m, const char *key, const char *value, struct err *err)
{
	uint64_t mode = 0;

	m->has_tmpfs_options = true;
	if (num_parse_base(value, 8, &mode) < 0 || mode > UINT32_MAX)
		return fail("invalid value for %s: %s", key, value);
	m->tmpfs_mode = (uint32_t)mode;
	return 0;
}

static const struct mount_key {
	const char *name;
	int (*set)(struct mount_spec *m, const char *key, const char *value, struct err *err);
	bool alone; /* may stand without "=value"; the setter then gets NULL */
} mount_keys[] = {
	{"type", key_type, false},
	{"source", key_source, false},
	{"src", key_source, false},
	{"target", key_target, false},
	{"dst", key_target, false},
	{"destination", key_target, false},
	{"readonly", key_read_only, true},
	{"ro", key_read_only, true},
	{"consistency", key_consistency, false},
	{"bind-propagation", key_propagation, false},
	{"bind-nonrecursive", key_nonrecursive, true},
	{"bind-recursive", key_recursive, false},
	{"bind-create-src", key_create, true},
	{"volume-nocopy", key_nocopy, true},
	{"volume-subpath", key_volume_subpath, false},
	{"volume-driver", key_driver, false},
	{"volume-label", key_volume_label, false},
	{"volume-opt", key_volume_opt, false},
	{"image-subpath", key_image_subpath, false},
	{"idmap", key_idmap, true},
	{"tmpfs-size", key_size, false},
	{"tmpfs-mode", key_mode, false},
};

static int field_apply(struct mount_spec *m, const char *field, struct err *err)
{
	size_t len = strcspn(field, "=");
	const char *value = field[len] ? field + len + 1 : NULL;

	for (size_t i = 0; i < ARRAY_LEN(mount_keys); i++) {
		const struct mount_key *k = &mount_keys[i];

		if (strlen(k->name) != len || strncasecmp(k->name, field, len) != 0)
			continue;
		if (value || k->alone)
			return k->set(m, k->name, value, err);
	}
	if (!value)
		return fail("invalid field '%s' must be a key=value pair", field);
	return fail("unexpected key '%.*s' in '%s'", (int)len, field, field);
}

static int check_recursion(const struct mount_spec *m, struct err *err)
{
	if (m->recursion == MOUNT_RECURSIVE_WRITABLE && !m->read_only)
		return fail(
			"option 'bind-recursive=writable' requires 'readonly' to be specified in "
			"conjunction");
	if (m->recursion != MOUNT_RECURSIVE_READONLY)
		return 0;
	if (!m->read_only)
		return fail(
			"option 'bind-recursive=readonly' requires 'readonly' to be specified in "
			"conjunction");
	if (!str_is_equal(m->propagation, "rprivate"))
		return fail(
			"option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to "
			"be specified in conjunction");
	return 0;
}

static int check_mixture(const struct mount_spec *m, struct err *err)
{
	const char *type = m->type_name ? m->type_name : "volume";

	if (!*type)
		return fail("type is required");
	if (!m->target || !m->target[0])
		return fail("target is required");
	if (m->has_volume_options && m->type != MOUNT_VOLUME)
		return fail("cannot mix 'volume-*' options with mount type '%s'", type);
	if (m->has_image_options && m->type != MOUNT_IMAGE)
		return fail("cannot mix 'image-*' options with mount type '%s'", type);
	if (m->has_bind_options && m->type != MOUNT_BIND)
		return fail("cannot mix 'bind-*' options with mount type '%s'", type);
	if (m->has_tmpfs_options && m->type != MOUNT_TMPFS)
		return fail("cannot mix 'tmpfs-*' options with mount type '%s'", type);
	return check_recursion(m, err);
}

int mount_option_set(void *field, const char *value, struct err *err)
{
	cleanup_strv struct strv fields = STRV_INIT;
	cleanup_with(mount_spec_done) struct mount_spec m = {.type = MOUNT_VOLUME};
	int rc = csv_split(value, &fields, err);

	for (size_t i = 0; rc == 0 && i < fields.n; i++)
		rc = field_apply(&m, fields.items[i], err);
	if (rc == 0)
		rc = check_mixture(&m, err);
	if (rc == 0)
		spec_add_mount(field, &m);
	return rc;
}

/* ---- -v ---- */

enum mode_class {
	MODE_ACCESS,
	MODE_SELINUX,
	MODE_PROPAGATION,
	MODE_COPY,
	MODE_CONSISTENCY,
	MODE_IDMAP,
	N_MODES
};

static const struct {
	const char *word;
	enum mode_class class;
} volume_modes[] = {
	{"ro", MODE_ACCESS},	       {"rw", MODE_ACCESS},
	{"z", MODE_SELINUX},	       {"Z", MODE_SELINUX},
	{"private", MODE_PROPAGATION}, {"rprivate", MODE_PROPAGATION},
	{"slave", MODE_PROPAGATION},   {"rslave", MODE_PROPAGATION},
	{"shared", MODE_PROPAGATION},  {"rshared", MODE_PROPAGATION},
	{"nocopy", MODE_COPY},	       {"consistent", MODE_CONSISTENCY},
	{"cached", MODE_CONSISTENCY},  {"delegated", MODE_CONSISTENCY},
	{"default", MODE_CONSISTENCY}, {"idmap", MODE_IDMAP},
};

#define IDMAP "idmap"

/* The class of a word, or N_MODES. */
static enum mode_class mode_class_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(volume_modes); i++)
		if (strcmp(word, volume_modes[i].word) == 0)
			return volume_modes[i].class;
	return str_has_prefix(word, IDMAP "=") ? MODE_IDMAP : N_MODES;
}

/* Reads MODE into M (NULL only asks whether it is one). */
static bool mode_apply(struct mount_spec *m, const char *mode)
{
	cleanup_strv struct strv words = STRV_INIT;
	unsigned seen[N_MODES + 1] = {};

	strv_split(&words, mode, ',');
	strv_foreach (i, &words) {
		const char *word = words.items[i];
		enum mode_class class = mode_class_of(word);

		if (class == N_MODES || ++seen[class] > 1)
			return false;
		if (!m)
			continue;
		m->read_only |= strcmp(word, "ro") == 0;
		m->no_copy |= class == MODE_COPY;
		if (class == MODE_SELINUX)
			str_replace(&m->selinux, word);
		if (class == MODE_PROPAGATION)
			str_replace(&m->propagation, word);
		if (class == MODE_IDMAP)
			str_replace(&m->idmap, word[strlen(IDMAP)] ? word + strlen(IDMAP "=") : "");
	}
	return true;
}

/* The ids of a mapping have a colon between them, which is no end of a field. */
static void join_idmap(struct strv *parts)
{
	char *joined = NULL;

	if (parts->n != 4 || !strstr(parts->items[2], IDMAP "="))
		return;
	joined = str_printf("%s:%s", parts->items[2], parts->items[3]);
	strv_remove(parts, 3);
	free(parts->items[2]);
	parts->items[2] = joined;
}

int mount_check_volume(const char *value, struct err *err)
{
	size_t last = strlen(value);

	if (!last)
		return fail("invalid empty volume spec");
	if (value[0] == ':' || value[last - 1] == ':' || strstr(value, "::"))
		return fail("invalid spec: %s: empty section between colons", value);
	return 0;
}

/* The fields of VALUE; *RET_WRONG (owned) is what docker's daemon would say of them, which is not
 * for its client to say. */
static int volume_fields(const char *value, struct strv *parts, char **ret_wrong, struct err *err)
{
	if (mount_check_volume(value, err) < 0)
		return -err->code;
	strv_split(parts, value, ':');
	join_idmap(parts);
	if (parts->n == 0 || parts->n > 3 || (parts->n == 2 && mode_apply(NULL, parts->items[1])))
		*ret_wrong = str_printf("invalid volume specification: '%s'", value);
	return 0;
}

int mount_parse_volume(struct container_spec *spec, const char *value, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_with(mount_spec_done) struct mount_spec m = {.type = MOUNT_VOLUME,
							     .from_option_v = true};
	int rc = volume_fields(value, &parts, &m.wrong, err);

	if (rc < 0)
		return rc;
	if (m.wrong) {
		spec_add_mount(spec, &m);
		return 0;
	}
	/* There are one to three;
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	m.target = str_dup(parts.items[parts.n > 1]);
	if (parts.n > 1)
		m.source = source_resolve(parts.items[0]);
	if (parts.n == 3)
		m.mode = str_dup(parts.items[2]);
	if (m.mode && !mode_apply(&m, m.mode))
		m.wrong = str_printf("invalid mode: %s", m.mode);
	if (m.source && m.source[0] == '/') {
		m.type = MOUNT_BIND;
		m.create_source = true;
	}
	spec_add_mount(spec, &m);
	return 0;
}

/* ---- --tmpfs ---- */

int mount_parse_tmpfs(struct container_spec *spec, const char *value, struct err *err)
{
	cleanup_with(mount_spec_done) struct mount_spec m = {.type = MOUNT_TMPFS,
							     .from_tmpfs = true};
	size_t len = strcspn(value, ":");

	m.target = str_ndup(value, len);
	if (value[len])
		m.mode = str_dup(value + len + 1);
	spec_add_mount(spec, &m);
	return 0;
}
