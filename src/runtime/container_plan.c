/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a container, group by group. A person who reads the groups in order learns what a
 * container is: a place among the control groups, new namespaces, a root made of layers, the file
 * systems that programs expect, what is hidden, and how a process stops being anybody special.
 */
#include "runtime/container_plan.h"

#include "base/mem.h"
#include "oci/runtime_default.h"
#include "plan/mount_text.h"
#include "runtime/cgroup_steps.h"
#include "runtime/limit_steps.h"
#include "sys/caps.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

struct build {
	const struct oci_runtime_config *config;
	const struct runtime_place *place;
	struct plan *plan;
	size_t n_sources;
};

uint64_t runtime_clone_flags(const struct oci_runtime_config *config)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < config->n_namespaces; i++)
		if (!config->namespaces[i].path && config->namespaces[i].flag != CLONE_NEWCGROUP)
			flags |= config->namespaces[i].flag;
	return flags;
}

static bool has_new(const struct oci_runtime_config *config, uint64_t flag)
{
	const struct oci_namespace *ns = oci_find_namespace(config, flag);

	return ns && !ns->path;
}

static bool note_is(const struct oci_runtime_config *config, const char *key, const char *value)
{
	return str_is_equal(oci_annotation(config, key), value);
}

/* ---- on the host ---- */

static const struct runtime_shared *find_shared(const struct build *b, const struct oci_mount *m)
{
	for (size_t i = 0; m->volume && i < b->place->n_shared; i++)
		if (strcmp(b->place->shared[i].volume, m->volume) == 0)
			return &b->place->shared[i];
	return NULL;
}

/* Whether a mount is one that exists, and is opened outside. */
static bool is_bind(const struct build *b, const struct oci_mount *m)
{
	return strcmp(m->type, "bind") == 0 || strcmp(m->type, "shared") == 0 || find_shared(b, m);
}

static bool is_recursive(const struct oci_mount *m)
{
	return strv_has(&m->options, "rbind");
}

/* The option "idmap=DISK_UID:DISK_GID:UID:GID". */
static bool find_id_map(const struct oci_mount *m, uint32_t ids[4])
{
	strv_foreach (i, &m->options)
		if (sscanf(m->options.items[i], OCI_MOUNT_IDMAP "=%u:%u:%u:%u", &ids[0], &ids[1],
			   &ids[2], &ids[3]) == 4)
			return true;
	return false;
}

/* The two that stand for each other, in mount(8)'s words; NULL without a map. */
static char *format_id_map(const struct oci_mount *m)
{
	uint32_t ids[4];

	if (!find_id_map(m, ids))
		return NULL;
	return str_printf("u:%u:%u:1 u:%u:%u:1 g:%u:%u:1 g:%u:%u:1", ids[0], ids[2], ids[2], ids[0],
			  ids[1], ids[3], ids[3], ids[1]);
}

static void add_id_map(struct build *b, size_t index, const struct oci_mount *m)
{
	uint32_t ids[4];

	if (find_id_map(m, ids))
		plan_map_ids(b->plan, index, m->source, ids, is_recursive(m), m->flag);
}

/* Splits OPTIONS into attributes of the mount and options of the file system. */
static void split_options(const struct oci_mount *m, uint64_t *attrs, uint64_t *propagation,
			  struct strv *rest)
{
	*attrs = 0;
	*propagation = 0;
	strv_foreach (i, &m->options) {
		const char *word = m->options.items[i];

		if (mount_attrs_parse(word, attrs, propagation) || strcmp(word, "bind") == 0 ||
		    strcmp(word, "rbind") == 0 || strcmp(word, "rro") == 0 ||
		    str_has_prefix(word, OCI_MOUNT_IDMAP "="))
			continue;
		strv_add(rest, word);
	}
}

static void add_bind_source(struct build *b, size_t index, const struct oci_mount *m)
{
	cleanup_strv struct strv rest = STRV_INIT;
	uint64_t attrs = 0;
	uint64_t propagation = 0;

	if (m->volume)
		plan_open_volume(b->plan, index, m->source, m->subpath, is_recursive(m), m->flag);
	else
		plan_open_source(b->plan, index, m->source, is_recursive(m), m->flag);
	split_options(m, &attrs, &propagation, &rest);
	if (propagation & (MS_SHARED | MS_SLAVE))
		plan_check_propagation(b->plan, m->source, propagation, m->flag);
	add_id_map(b, index, m);
}

static void add_shared_source(struct build *b, size_t index, const struct oci_mount *m)
{
	const struct runtime_shared *shared = find_shared(b, m);

	if (shared) {
		plan_open_shared(b->plan, index, shared->fd, shared->container, shared->path);
		return;
	}
	for (size_t k = 0; k < b->place->n_joins; k++)
		if (b->place->joins[k].flag == CLONE_NEWNS)
			plan_open_shared(b->plan, index, b->place->joins[k].fd, m->source,
					 m->destination);
}

static void add_sources(struct build *b)
{
	size_t index = 0;

	plan_group(b->plan,
		   "what is mounted from outside: held by descriptor before anything of the "
		   "container runs");
	for (size_t i = 0; i < b->config->n_mounts; i++) {
		const struct oci_mount *m = &b->config->mounts[i];

		if (!is_bind(b, m))
			continue;
		if (strcmp(m->type, "bind") == 0)
			add_bind_source(b, index++, m);
		else
			add_shared_source(b, index++, m);
	}
	if (b->place->init_path)
		plan_open_source(b->plan, index++, b->place->init_path, false, "--init");
	b->n_sources = index;
	plan_group(b->plan, NULL);
}

static void add_joins(struct build *b, enum step_where where)
{
	for (size_t i = 0; i < b->place->n_joins; i++) {
		const struct runtime_join *join = &b->place->joins[i];
		/* A process never moves to another pid namespace itself: its children are born
		 * there. */
		enum step_where here = join->flag == CLONE_NEWPID ? STEP_HOST : STEP_INSIDE;

		if (join->flag != CLONE_NEWNS && here == where)
			plan_join_namespace(b->plan, where, join->fd, join->path, join->flag);
	}
}

/* ---- the root and its mounts ---- */

static void add_further(struct build *b, enum runtime_mounts_part part)
{
	if (b->place->add_mounts)
		b->place->add_mounts(b->plan, part, b->place->mounts_ctx);
}

static void add_root(struct build *b)
{
	cleanup_free char *root = NULL;
	const char *target = b->place->dir;
	unsigned long propagation = MS_PRIVATE;
	uint64_t unused = 0;
	uint64_t wanted = 0;

	if (b->config->propagation && mount_attrs_parse(b->config->propagation, &unused, &wanted) &&
	    wanted != MS_PRIVATE)
		propagation = MS_SLAVE;
	/* A script still needs the paths below: it mounts beside them. */
	if (b->place->script) {
		root = str_printf("%s/root", b->place->dir);
		target = root;
	}
	plan_group(b->plan, "the root: the image's layers, shared by all its containers, below one "
			    "fresh layer to write to");
	plan_make_private(b->plan, propagation);
	add_further(b, RUNTIME_MOUNTS_BELOW);
	plan_mount_overlay(b->plan, b->place->lowers, b->place->dir, target,
			   note_is(b->config, OCI_NOTE_VOLATILE, "true"));
}

/* What a volume gets of the image, all of it before anything covers the image's files. */
static void add_copy_ups(struct build *b)
{
	size_t index = 0;

	plan_group(b->plan, "volumes that are empty get what the image has in their place");
	for (size_t i = 0; i < b->config->n_mounts; i++) {
		const struct oci_mount *m = &b->config->mounts[i];

		if (!is_bind(b, m))
			continue;
		if (m->copy_up && strcmp(m->type, "bind") == 0)
			plan_copy_up(b->plan, index, m->source, m->destination);
		index++;
	}
	plan_group(b->plan, NULL);
}

static void add_image(struct build *b, const struct oci_mount *m)
{
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv dirs = STRV_INIT;

	strv_split(&ids, m->source, ':');
	strv_foreach (i, &ids)
		strv_addf(&dirs, "%s/%s/diff", b->place->layers, ids.items[i]);
	plan_mount_image(b->plan, &dirs, m->subpath, m->destination)->flag = str_dup(m->flag);
}

static void add_devices(struct build *b)
{
	for (size_t i = 0; i < b->config->n_devices; i++) {
		const struct oci_device *d = &b->config->devices[i];

		plan_mknod(b->plan, d->path, d->mode, d->dev, d->uid, d->gid);
	}
	for (size_t i = 0; oci_default_links[i][0]; i++)
		plan_symlink(b->plan, oci_default_links[i][0], oci_default_links[i][1]);
}

static void add_new_mount(struct build *b, const struct oci_mount *m)
{
	cleanup_strv struct strv rest = STRV_INIT;
	uint64_t attrs = 0;
	uint64_t propagation = 0;

	split_options(m, &attrs, &propagation, &rest);
	if (strcmp(m->type, "cgroup") == 0) {
		runtime_add_cgroup_mounts(b->plan, b->place->cgroups, m->destination, attrs);
		return;
	}
	if (strcmp(m->type, "image") == 0) {
		add_image(b, m);
		return;
	}
	if (strv_has(&m->options, "rro"))
		attrs |= MOUNT_ATTR_RDONLY;
	plan_mount(b->plan, m->type, m->source, m->destination, &rest, attrs)->flag = str_dup(
		m->flag);
	if (strcmp(m->destination, "/dev") == 0)
		add_devices(b);
}

static void add_bind(struct build *b, const struct oci_mount *m, size_t index)
{
	cleanup_strv struct strv rest = STRV_INIT;
	uint64_t attrs = 0;
	uint64_t propagation = 0;
	struct step *step = NULL;
	cleanup_free char *part = m->subpath ? str_printf("%s/%s", m->source, m->subpath) : NULL;

	/* A script has said that it cannot share it. */
	if (b->place->script && strcmp(m->type, "shared") == 0)
		return;
	split_options(m, &attrs, &propagation, &rest);
	if (strv_has(&m->options, "rro"))
		attrs |= MOUNT_ATTR_RDONLY | PLAN_ATTRS_DEEP;
	step = plan_bind(b->plan, index, part ? part : m->source, m->destination, attrs,
			 propagation ? propagation : MS_PRIVATE, is_recursive(m));
	step->flag = str_dup(m->flag);
	step->type = format_id_map(m);
}

static void add_mounts(struct build *b)
{
	size_t index = 0;
	bool told = false;

	plan_group(b->plan, "what programs expect to find: processes, devices, terminals, kernel "
			    "objects, shared memory");
	for (size_t i = 0; i < b->config->n_mounts; i++) {
		const struct oci_mount *m = &b->config->mounts[i];

		if (!is_bind(b, m)) {
			add_new_mount(b, m);
			continue;
		}
		if (!told)
			plan_group(b->plan,
				   "what the user mounts, and the files with the container's "
				   "names");
		told = true;
		add_bind(b, m, index++);
	}
	if (b->place->init_path)
		plan_bind(b->plan, index, b->place->init_path, "/dev/init",
			  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, MS_PRIVATE, false);
}

/* ---- names and the network ---- */

static void add_network(struct build *b, enum runtime_network_part part)
{
	if (b->place->add_network)
		b->place->add_network(b->plan, part, b->place->network_ctx);
}

static void add_names(struct build *b)
{
	const struct oci_runtime_config *c = b->config;

	plan_group(b->plan, b->place->add_network
				    ? "its own name, its own network, its own kernel parameters"
				    : "its own name, its own network (nothing but loopback), its "
				      "own kernel parameters");
	if (c->hostname && has_new(c, CLONE_NEWUTS))
		plan_set_hostname(b->plan, c->hostname);
	if (c->domainname && has_new(c, CLONE_NEWUTS))
		plan_set_domainname(b->plan, c->domainname);
	if (b->place->add_network)
		add_network(b, RUNTIME_NETWORK_INSIDE);
	else if (has_new(c, CLONE_NEWNET))
		plan_link_up(b->plan, "lo");
	for (size_t i = 0; i < c->n_sysctls; i++)
		plan_sysctl(b->plan, c->sysctls[i].key, c->sysctls[i].value, "--sysctl");
	plan_group(b->plan, NULL);
}

static void add_hidden(struct build *b)
{
	plan_group(b->plan, "what tells about the host, or changes it, is hidden or read-only");
	strv_foreach (i, &b->config->masked_paths)
		plan_mask(b->plan, b->config->masked_paths.items[i]);
	strv_foreach (i, &b->config->readonly_paths)
		plan_readonly(b->plan, b->config->readonly_paths.items[i]);
	if (b->config->root_readonly)
		plan_readonly_root(b->plan);
	plan_group(b->plan, NULL);
}

/* ---- the process ---- */

static void add_args(struct build *b, const struct plan_exec_info *info)
{
	cleanup_strv struct strv args = STRV_INIT;

	if (b->place->init_path) {
		strv_add(&args, "/dev/init");
		strv_add(&args, "--");
	}
	strv_add_all(&args, &b->config->args);
	plan_exec(b->plan, &args, info);
}

static void add_process(struct build *b, const struct plan_exec_info *info)
{
	const struct oci_runtime_config *c = b->config;
	const char *groups = oci_annotation(c, OCI_NOTE_GROUPS);
	cleanup_strv struct strv extra = STRV_INIT;

	if (groups)
		strv_split(&extra, groups, ',');
	plan_group(b->plan, "a session and limits of its own");
	plan_session(b->plan, c->terminal, b->place->rows, b->place->columns);
	if (c->terminal)
		plan_console(b->plan);
	plan_keyring(b->plan);
	runtime_add_limits(b->plan, c, false);
	plan_oom_score(b->plan, c->oom_score_adj, NULL);
	plan_group(b->plan, "the new root, and nothing of the old one");
	plan_user(b->plan, oci_annotation(c, OCI_NOTE_USER), &extra);
	plan_create_workdir(b->plan, c->cwd);
	plan_pivot(b->plan);
	plan_group(b->plan, "nobody special any more");
	/* Without no_new_privs a filter takes CAP_SYS_ADMIN to load, which is about to go. */
	if (b->place->seccomp && !c->no_new_privs)
		plan_seccomp(b->plan, b->place->seccomp, b->place->seccomp_name);
	plan_identity(b->plan, c->capabilities);
	if (c->no_new_privs)
		plan_no_new_privs(b->plan);
	plan_workdir(b->plan, c->cwd);
	runtime_add_limits(b->plan, c, true);
	if (b->place->seccomp && c->no_new_privs)
		plan_seccomp(b->plan, b->place->seccomp, b->place->seccomp_name);
	add_args(b, info);
}

static void fill_info(const struct oci_runtime_config *config, struct plan_exec_info *info)
{
	*info = (struct plan_exec_info){
		.env = &config->env,
		.user = oci_annotation(config, OCI_NOTE_USER),
		.cwd = config->cwd,
		.bounding = config->capabilities,
		.no_new_privs = config->no_new_privs,
		.open_stdin = oci_annotation(config, OCI_NOTE_STDIN) != NULL,
	};
}

int runtime_plan_start(const struct oci_runtime_config *config, const struct runtime_place *place,
		       struct plan_exec_info *info, struct plan *plan, struct strv *warnings,
		       struct err *err)
{
	struct build b = {.config = config, .place = place, .plan = plan};
	struct cgroup_actions actions = {};
	int rc = 0;

	fill_info(config, info);
	rc = runtime_add_cgroup_steps(plan, place->cgroups, config->cgroup, &config->limits,
				      &actions, warnings, err);
	if (rc < 0)
		return rc;
	add_sources(&b);
	add_further(&b, RUNTIME_MOUNTS_SOURCES);
	add_network(&b, RUNTIME_NETWORK_BEFORE);
	plan_group(plan, "new namespaces: a view of its own of mounts, processes, names, message "
			 "queues, network");
	add_joins(&b, STEP_HOST);
	plan_clone(plan, runtime_clone_flags(config),
		   actions.join_by_clone ? actions.dirs.items[0] : NULL);
	runtime_add_cgroup_joins(plan, place->cgroups, &actions);
	cgroup_actions_done(&actions);
	if (has_new(config, CLONE_NEWCGROUP))
		plan_unshare_cgroup(plan);
	add_joins(&b, STEP_INSIDE);
	add_root(&b);
	add_copy_ups(&b);
	add_mounts(&b);
	add_further(&b, RUNTIME_MOUNTS_INSIDE);
	if (place->tools_path)
		plan_mount_tools(plan, place->tools_fd, place->tools_path);
	add_names(&b);
	add_hidden(&b);
	add_process(&b, info);
	add_network(&b, RUNTIME_NETWORK_AFTER);
	return 0;
}
