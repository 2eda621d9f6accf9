/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CDI. The files are read when a container asks for a device, and no other time. Every request is
 * first turned into names; a name is looked for in all files, and the file that has it contributes
 * the edits of the device and, once, those that it has for all of its devices.
 *
 * --gpus has no driver of ours behind it: NVIDIA's toolkit writes such files with the kind
 * nvidia.com/gpu, whose names are "all" and the indices, and that is what it means here.
 */
#include "engine/cdi.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/mount_point.h"
#include "json/value.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_MAX  (1 << 20)
#define FILES_MAX 256
#define GPU_KIND  "nvidia.com/gpu"
#define MAJOR_MAX ((1U << 12) - 1) /* of the kernel's dev_t */
#define MINOR_MAX ((1U << 20) - 1)

struct cdi_file {
	char *path; /* owned */
	json_t *spec;
	const char *kind; /* in spec */
	bool is_used;	  /* its edits for all devices were applied */
};

struct cdi {
	struct cdi_file *files; /* owned; what counts most first */
	size_t n;
	char *ignored; /* owned: the last file that was not in order, and why; NULL */
	struct oci_runtime_config *config;
};

static void cdi_done(struct cdi *cdi)
{
	for (size_t i = 0; i < cdi->n; i++) {
		free(cdi->files[i].path);
		json_decref(cdi->files[i].spec);
	}
	free(cdi->files);
	free(cdi->ignored);
}

/* ---- names ---- */

/* A letter or digit at both ends (START: a letter at the front), between them also one of OTHER. */
static bool word_is_valid(const char *s, size_t len, const char *other, bool letter_first)
{
	if (len == 0 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	if (letter_first && !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(other, s[i]))
			return false;
	return true;
}

/* "vendor/class". */
static bool kind_is_valid(const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t vendor = slash ? (size_t)(slash - text) : 0;

	return slash && word_is_valid(text, vendor, "_-.", true) &&
	       word_is_valid(slash + 1, len - vendor - 1, "_-", true);
}

bool cdi_name_is_valid(const char *text)
{
	size_t kind = strcspn(text, "=");

	return text[kind] && kind_is_valid(text, kind) &&
	       word_is_valid(text + kind + 1, strlen(text + kind + 1), "_-.:", false);
}

/* ---- reading ---- */

static const char *check_devices(const json_t *spec)
{
	const json_t *devices = json_object_get(spec, "devices");
	size_t i = 0;
	json_t *device = NULL;

	if (!json_is_array(devices) || json_array_size(devices) == 0)
		return "no devices";
	json_array_foreach (devices, i, device) {
		const char *name = json_get_string(device, "name", "");

		if (!word_is_valid(name, strlen(name), "_-.:", false))
			return "a device without a valid name";
		if (!json_is_object(json_object_get(device, "containerEdits")))
			return "a device without containerEdits";
	}
	return NULL;
}

/* NULL, or what is wrong with it. */
static const char *check_spec(const json_t *spec)
{
	const char *kind = json_get_string(spec, "kind", "");

	if (!json_is_object(spec))
		return "not an object";
	if (!str_has_prefix(json_get_string(spec, "cdiVersion", ""), "0.") &&
	    !str_has_prefix(json_get_string(spec, "cdiVersion", ""), "1."))
		return "an unknown cdiVersion";
	if (!kind_is_valid(kind, strlen(kind)))
		return "no valid kind";
	return check_devices(spec);
}

static void ignore(struct cdi *cdi, const char *path, const char *why)
{
	free(cdi->ignored);
	cdi->ignored = str_printf("%s was ignored: %s", path, why);
}

static void read_file(struct cdi *cdi, int dir_fd, const char *dir, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", dir, name);
	cleanup_str struct str text = STR_INIT;
	cleanup_json json_t *spec = NULL;
	struct err err = ERR_INIT;
	const char *wrong = NULL;
	int rc = fd_read_file_at(dir_fd, name, FILE_MAX, &text);

	if (rc < 0)
		wrong = strerrordesc_np(-rc);
	else if (json_parse(str_get(&text), text.len, FILE_MAX, "cdi", &spec, &err) < 0)
		wrong = err.msg;
	else
		wrong = check_spec(spec);
	if (wrong || cdi->n == FILES_MAX) {
		ignore(cdi, path, wrong ? wrong : "too many files");
		return;
	}
	cdi->files = mem_realloc_array(cdi->files, cdi->n + 1, sizeof(*cdi->files));
	cdi->files[cdi->n] = (struct cdi_file){.path = take_ptr(path), .spec = json_incref(spec)};
	cdi->files[cdi->n].kind = json_get_string(spec, "kind", "");
	cdi->n++;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_dir(struct cdi *cdi, const char *path)
{
	cleanup_strv struct strv names = STRV_INIT;
	/* lint: a directory of the host's administrator */
	DIR *dir = opendir(path);

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		if (str_has_suffix(e->d_name, ".json"))
			strv_add(&names, e->d_name);
		else if (str_has_suffix(e->d_name, ".yaml") || str_has_suffix(e->d_name, ".yml"))
			ignore(cdi, e->d_name, "only JSON is read, not YAML");
	}
	if (names.n)
		qsort(names.items, names.n, sizeof(names.items[0]), compare_names);
	strv_foreach (i, &names)
		read_file(cdi, dirfd(dir), path, names.items[i]);
	if (dir)
		closedir(dir);
}

static void read_dirs(struct cdi *cdi, const struct strv *dirs)
{
	static const char *const usual[] = {"/var/run/cdi", "/etc/cdi"};

	for (size_t i = 0; !dirs && i < ARRAY_LEN(usual); i++)
		read_dir(cdi, usual[i]);
	for (size_t i = dirs ? dirs->n : 0; i-- > 0;)
		read_dir(cdi, dirs->items[i]);
}

/* ---- edits ---- */

static int refuse(const char *name, const char *what, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "CDI device %s: %s", name, what);
}

static void set_env(struct strv *env, const char *text)
{
	size_t len = strcspn(text, "=");

	strv_foreach (i, env) {
		if (strncmp(env->items[i], text, len + 1) != 0)
			continue;
		str_replace(&env->items[i], text);
		return;
	}
	strv_add(env, text);
}

static int add_env(struct cdi *cdi, const json_t *edits, const char *name, struct err *err)
{
	cleanup_strv struct strv env = STRV_INIT;

	if (json_get_strv(edits, "env", &env) < 0)
		return refuse(name, "env is no list of texts", err);
	strv_foreach (i, &env) {
		if (strcspn(env.items[i], "=") == 0 || !strchr(env.items[i], '='))
			return refuse(name, "env holds what is no NAME=VALUE", err);
		set_env(&cdi->config->env, env.items[i]);
	}
	return 0;
}

/* Replaces *VALUE by member KEY where there is one: false when that is no number up to MAX. */
static bool take_number(const json_t *node, const char *key, uint32_t max, uint32_t *value)
{
	const json_t *member = json_object_get(node, key);

	if (!member || json_is_null(member))
		return true;
	if (!json_is_integer(member) || json_integer_value(member) < 0 ||
	    json_integer_value(member) > max)
		return false;
	*value = (uint32_t)json_integer_value(member);
	return true;
}

/* What the file does not say of a node is read off the host's. */
static int stat_node(const json_t *node, const char *host, const char *name, struct stat *ret,
		     struct err *err)
{
	const char *type = json_get_string(node, "type", "");
	bool is_said = *type && json_object_get(node, "major") && json_object_get(node, "minor");
	uint32_t major_number = 0;
	uint32_t minor_number = 0;

	*ret = (struct stat){};
	if ((*type && strcmp(type, "b") != 0 && strcmp(type, "c") != 0 && strcmp(type, "u") != 0) ||
	    !take_number(node, "major", MAJOR_MAX, &major_number) ||
	    !take_number(node, "minor", MINOR_MAX, &minor_number))
		return refuse(name, "a device node of an unknown type or number", err);
	if (is_said) {
		ret->st_mode = (*type == 'b' ? S_IFBLK : S_IFCHR) | 0660;
		ret->st_rdev = makedev(major_number, minor_number);
	} else if (stat(host, ret) < 0) { /* lint: named by a file of the host's administrator */
		return err_sys(err, errno, "CDI device %s: %s", name, host);
	}
	if (!S_ISCHR(ret->st_mode) && !S_ISBLK(ret->st_mode))
		return refuse(name, "a device node that is none", err);
	return 0;
}

static int add_node(struct cdi *cdi, const json_t *node, const char *name, struct err *err)
{
	const char *path = json_get_string(node, "path", "");
	const char *perms = json_get_string(node, "permissions", "");
	struct device_rule rule = {};
	struct stat st;
	mode_t mode = 0;

	if (*path != '/' || perms[strspn(perms, "rwm")])
		return refuse(name, "a device node without a path or with unknown permissions",
			      err);
	if (stat_node(node, json_get_string(node, "hostPath", path), name, &st, err) < 0)
		return -err->code;
	mode = st.st_mode & 0777;
	if (!take_number(node, "fileMode", UINT32_MAX, &mode) ||
	    !take_number(node, "uid", INT32_MAX, &st.st_uid) ||
	    !take_number(node, "gid", INT32_MAX, &st.st_gid))
		return refuse(name, "a device node with an owner or a mode out of range", err);
	oci_add_device(cdi->config, path, (st.st_mode & S_IFMT) | (mode & 0777), st.st_rdev,
		       st.st_uid, st.st_gid);
	rule.type = S_ISBLK(st.st_mode) ? 'b' : 'c';
	rule.major = major(st.st_rdev);
	rule.minor = minor(st.st_rdev);
	for (const char *p = *perms ? perms : "rwm"; *p; p++)
		rule.access |= *p == 'r' ? DEVICE_READ : *p == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
	cgroup_limits_add_device(&cdi->config->limits, &rule);
	return 0;
}

static int add_mount(struct cdi *cdi, const json_t *mount, const char *name, struct err *err)
{
	const char *source = json_get_string(mount, "hostPath", "");
	cleanup_free char *target = mount_clean_path(json_get_string(mount, "containerPath", ""));
	cleanup_strv struct strv options = STRV_INIT;
	struct oci_mount *m = NULL;

	if (*source != '/' || *target != '/' || strcmp(target, "/") == 0)
		return refuse(name, "a mount without absolute paths", err);
	if (json_get_strv(mount, "options", &options) < 0)
		return refuse(name, "options of a mount are no list of texts", err);
	m = oci_add_mount(cdi->config, target, "bind", source, NULL);
	strv_add_all(&m->options, &options);
	if (!strv_has(&options, "bind") && !strv_has(&options, "rbind"))
		strv_add(&m->options, "rbind");
	str_replace(&m->flag, "--device");
	return 0;
}

static void add_groups(struct cdi *cdi, const json_t *edits)
{
	const char *before = oci_annotation(cdi->config, OCI_NOTE_GROUPS);
	cleanup_str struct str groups = STR_INIT;
	size_t i = 0;
	json_t *gid = NULL;

	str_add(&groups, before ? before : "");
	json_array_foreach (json_object_get(edits, "additionalGids"), i, gid)
		if (json_integer_value(gid) > 0)
			str_addf(&groups, "%s%lld", groups.len ? "," : "",
				 (long long)json_integer_value(gid));
	if (groups.len)
		oci_annotate(cdi->config, OCI_NOTE_GROUPS, str_get(&groups));
}

static int apply_edits(struct cdi *cdi, const json_t *edits, const char *name, struct err *err)
{
	static const char *const lists[] = {"deviceNodes", "mounts", "hooks", "additionalGids"};
	size_t i = 0;
	json_t *item = NULL;
	int rc = 0;

	/* What is not understood might be what the device cannot do without. */
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		item = json_object_get(edits, lists[k]);
		if (item && !json_is_null(item) && !json_is_array(item))
			return refuse(name, "an edit that has to be a list is none", err);
	}
	if (json_array_size(json_object_get(edits, "hooks")) > 0)
		return refuse(name,
			      "it needs hooks, programs of the host for each container, which are "
			      "not run",
			      err);
	if (json_object_get(edits, "intelRdt"))
		return refuse(name, "it needs intelRdt, which is not supported", err);
	rc = add_env(cdi, edits, name, err);
	json_array_foreach (json_object_get(edits, "deviceNodes"), i, item)
		rc = rc < 0 ? rc : add_node(cdi, item, name, err);
	json_array_foreach (json_object_get(edits, "mounts"), i, item)
		rc = rc < 0 ? rc : add_mount(cdi, item, name, err);
	add_groups(cdi, edits);
	return rc;
}

/* ---- devices ---- */

static bool has_kind(const struct cdi_file *f, const char *kind, size_t len)
{
	return strlen(f->kind) == len && memcmp(f->kind, kind, len) == 0;
}

static const json_t *find_device(const struct cdi_file *f, const char *name)
{
	size_t i = 0;
	json_t *device = NULL;

	json_array_foreach (json_object_get(f->spec, "devices"), i, device)
		if (strcmp(json_get_string(device, "name", ""), name) == 0)
			return device;
	return NULL;
}

/* NAME is valid. */
static int apply_device(struct cdi *cdi, const char *name, struct err *err)
{
	size_t kind = strcspn(name, "=");

	for (size_t i = 0; i < cdi->n; i++) {
		struct cdi_file *f = &cdi->files[i];
		const json_t *device = NULL;
		int rc = 0;

		if (has_kind(f, name, kind))
			device = find_device(f, name + kind + 1);
		if (!device)
			continue;
		if (!f->is_used)
			rc = apply_edits(cdi, json_object_get(f->spec, "containerEdits"), name,
					 err);
		f->is_used = true;
		return rc < 0 ? rc
			      : apply_edits(cdi, json_object_get(device, "containerEdits"), name,
					    err);
	}
	err_set(err, ERR_NOT_FOUND, "CDI device injection failed: unresolvable CDI devices %s",
		name);
	return cdi->ignored ? err_hint(err, "%s", cdi->ignored) : -err->code;
}

static int no_driver(const struct device_request *r, struct err *err)
{
	cleanup_free char *words = strv_join(&r->capabilities, " ");

	return err_set(err, ERR_NOT_FOUND,
		       "could not select device driver \"%s\" with capabilities: [[%s]]", r->driver,
		       words);
}

/* The names that --gpus means. */
static int name_gpus(const struct cdi *cdi, const struct device_request *r, struct strv *ret,
		     struct err *err)
{
	bool has_gpus = false;

	for (size_t i = 0; i < cdi->n; i++)
		has_gpus |= has_kind(&cdi->files[i], GPU_KIND, strlen(GPU_KIND));
	if (!has_gpus || (*r->driver && strcmp(r->driver, "nvidia") != 0))
		return no_driver(r, err);
	strv_foreach (i, &r->ids)
		strv_addf(ret, GPU_KIND "=%s", r->ids.items[i]);
	if (!r->ids.n && r->count < 0)
		strv_add(ret, GPU_KIND "=all");
	for (int64_t i = 0; !r->ids.n && i < r->count && i < FILES_MAX; i++)
		strv_addf(ret, GPU_KIND "=%lld", (long long)i);
	return 0;
}

static int apply_request(struct cdi *cdi, const struct device_request *r, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	int rc = 0;

	if (strcmp(r->driver, "cdi") == 0)
		strv_add_all(&names, &r->ids);
	else
		rc = name_gpus(cdi, r, &names, err);
	for (size_t i = 0; rc == 0 && i < names.n; i++)
		rc = cdi_name_is_valid(names.items[i])
			     ? apply_device(cdi, names.items[i], err)
			     : err_set(err, ERR_INVALID, "invalid CDI device name %s",
				       names.items[i]);
	return rc;
}

int cdi_apply(const struct container_spec *spec, const struct strv *dirs,
	      struct oci_runtime_config *config, struct err *err)
{
	cleanup_with(cdi_done) struct cdi cdi = {.config = config};
	int rc = 0;

	if (!spec->n_requests)
		return 0;
	read_dirs(&cdi, dirs);
	for (size_t i = 0; rc == 0 && i < spec->n_requests; i++)
		rc = apply_request(&cdi, &spec->requests[i], err);
	return rc;
}
