/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container will be: its command and environment from image and caller, its namespaces,
 * mounts, capabilities and limits from defaults and caller.
 */
#include "engine/configure.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/cdi.h"
#include "engine/health.h"
#include "engine/links.h"
#include "engine/resolv.h"
#include "oci/runtime_default.h"
#include "sys/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH	 "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_SHM_SIZE (64LL << 20)
/* Containers go before the host's own processes when memory runs out, and after nothing of ours. */
#define DEFAULT_OOM_SCORE  200
#define HOST_NAME_FILE_MAX 1024

/* ---- docker's Config ---- */

static void set_env(struct image_run *run, const char *text)
{
	const char *eq = strchr(text, '=');
	cleanup_free char *name = eq ? str_ndup(text, (size_t)(eq - text)) : str_dup(text);

	if (eq) {
		image_run_set_env(run, name, eq + 1);
		return;
	}
	/* A bare name that the host does not know removes the variable. */
	size_t len = strlen(name);

	for (size_t i = 0; i < run->env.n; i++) {
		if (strncmp(run->env.items[i], name, len) != 0 || run->env.items[i][len] != '=')
			continue;
		strv_remove(&run->env, i);
		return;
	}
}

static bool names_variable(const struct strv *env, const char *item)
{
	size_t len = strcspn(item, "=");

	strv_foreach (i, env)
		if (strncmp(env->items[i], item, len) == 0 &&
		    (env->items[i][len] == '=' || !env->items[i][len]))
			return true;
	return false;
}

/* As docker keeps it: the caller's, repeated and bare names included, then the rest of the image's.
 */
static void merge_env(const struct container_spec *spec, const struct image_run *image,
		      struct image_run *ret)
{
	strv_add_all(&ret->env, &spec->env);
	strv_foreach (i, &image->env)
		if (!names_variable(&spec->env, image->env.items[i]))
			strv_add(&ret->env, image->env.items[i]);
}

static void copy_run(const struct image_run *from, struct image_run *to)
{
	str_replace(&to->user, from->user);
	str_replace(&to->working_dir, from->working_dir);
	str_replace(&to->stop_signal, from->stop_signal);
	strv_add_all(&to->exposed_ports, &from->exposed_ports);
	strv_add_all(&to->volumes, &from->volumes);
	strv_add_all(&to->label_keys, &from->label_keys);
	strv_add_all(&to->label_values, &from->label_values);
	strv_add_all(&to->shell, &from->shell);
	strv_add_all(&to->on_build, &from->on_build);
}

static void set_command(const struct container_spec *spec, const struct image_run *image,
			struct image_run *ret)
{
	if (spec->entrypoint) {
		/* --entrypoint drops the image's CMD too; "" means none at all. */
		if (*spec->entrypoint)
			strv_add(&ret->entrypoint, spec->entrypoint);
		ret->has_entrypoint = *spec->entrypoint != '\0';
	} else {
		strv_add_all(&ret->entrypoint, &image->entrypoint);
		ret->has_entrypoint = image->has_entrypoint;
	}
	if (spec->command.n) {
		strv_add_all(&ret->cmd, &spec->command);
		ret->has_cmd = true;
	} else if (!spec->entrypoint) {
		strv_add_all(&ret->cmd, &image->cmd);
		ret->has_cmd = image->has_cmd;
	}
}

int configure_run(const struct container_spec *spec, const struct image_run *image,
		  struct image_run *ret, struct err *err)
{
	copy_run(image, ret);
	set_command(spec, image, ret);
	if (!ret->entrypoint.n && !ret->cmd.n)
		return err_set(err, ERR_INVALID, "no command specified");
	merge_env(spec, image, ret);
	strv_foreach (i, &spec->labels) {
		const char *label = spec->labels.items[i];
		const char *eq = strchr(label, '=');
		cleanup_free char *key = eq ? str_ndup(label, (size_t)(eq - label))
					    : str_dup(label);

		image_run_set_label(ret, key, eq ? eq + 1 : "");
	}
	strv_foreach (i, &spec->expose)
		image_set_add(&ret->exposed_ports, spec->expose.items[i]);
	for (size_t i = 0; i < spec->n_ports; i++) {
		cleanup_free char *port = str_printf("%u/%s", spec->ports[i].container_port,
						     spec->ports[i].proto);

		image_set_add(&ret->exposed_ports, port);
	}
	if (spec->user)
		str_replace(&ret->user, spec->user);
	if (spec->workdir)
		str_replace(&ret->working_dir, spec->workdir);
	if (spec->stop_signal)
		str_replace(&ret->stop_signal, spec->stop_signal);
	return health_merge(spec, &image->healthcheck, &ret->healthcheck, err);
}

/* ---- process ---- */

static bool env_has(const struct strv *env, const char *prefix)
{
	strv_foreach (i, env)
		if (str_has_prefix(env->items[i], prefix))
			return true;
	return false;
}

/* PATH, HOSTNAME and TERM first, as docker orders them, then everything else over them. */
static void set_process_env(const struct container_spec *spec, const struct image_run *run,
			    const char *hostname, struct strv *env)
{
	cleanup_image_run struct image_run vars = {};

	strv_foreach (i, &run->env)
		set_env(&vars, run->env.items[i]);
	if (!env_has(&vars.env, "PATH="))
		strv_add(env, "PATH=" DEFAULT_PATH);
	strv_foreach (i, &vars.env)
		if (str_has_prefix(vars.env.items[i], "PATH="))
			strv_add(env, vars.env.items[i]);
	if (!env_has(&vars.env, "HOSTNAME="))
		strv_addf(env, "HOSTNAME=%s", hostname);
	if (spec->tty && !env_has(&vars.env, "TERM="))
		strv_add(env, "TERM=xterm");
	strv_foreach (i, &vars.env)
		if (!str_has_prefix(vars.env.items[i], "PATH="))
			strv_add(env, vars.env.items[i]);
}

static int set_rlimit(const struct ulimit_spec *u, struct oci_runtime_config *ret,
		      struct strv *warnings, struct err *err)
{
	int resource = oci_rlimit_parse(u->name);
	rlim_t soft = u->soft < 0 ? RLIM_INFINITY : (rlim_t)u->soft;
	rlim_t hard = u->hard < 0 ? RLIM_INFINITY : (rlim_t)u->hard;
	struct rlimit now;

	if (resource < 0)
		return err_set(err, ERR_INVALID, "invalid ulimit type: %s", u->name);
	if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
		return err_sys(err, errno, "read limit %s", u->name);
	/* Raising takes CAP_SYS_RESOURCE; a host that has taken it away is an ordinary host. */
	if (hard > now.rlim_max && !(caps_get_bounding() & CAPS_BIT(24))) {
		strv_addf(
			warnings,
			"--ulimit %s: this host does not let anybody raise the limit beyond %llu; "
			"using that",
			u->name, (unsigned long long)now.rlim_max);
		hard = now.rlim_max;
		soft = soft > hard ? hard : soft;
	}
	oci_add_rlimit(ret, resource, soft, hard, "--ulimit");
	return 0;
}

static bool has_ulimit(const struct container_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->n_ulimits; i++)
		if (strcmp(spec->ulimits[i].name, name) == 0)
			return true;
	return false;
}

static int set_rlimits(const struct container_spec *spec, struct oci_runtime_config *ret,
		       struct strv *warnings, struct err *err)
{
	struct rlimit files;

	if (!has_ulimit(spec, "nofile") && getrlimit(RLIMIT_NOFILE, &files) == 0)
		oci_add_rlimit(ret, RLIMIT_NOFILE, files.rlim_max < 1024 ? files.rlim_max : 1024,
			       files.rlim_max, NULL);
	if (!has_ulimit(spec, "core") && getrlimit(RLIMIT_CORE, &files) == 0)
		oci_add_rlimit(ret, RLIMIT_CORE, 0, files.rlim_max, NULL);
	for (size_t i = 0; i < spec->n_ulimits; i++) {
		int rc = set_rlimit(&spec->ulimits[i], ret, warnings, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int set_security_option(const char *option, struct oci_runtime_config *ret,
			       const char **seccomp, struct err *err)
{
	size_t len = strcspn(option, "=:");
	cleanup_free char *key = str_ndup(option, len);
	const char *value = option[len] ? option + len + 1 : "true";

	if (strcmp(key, "no-new-privileges") == 0 && num_parse_bool(value, &ret->no_new_privs) == 0)
		return 0;
	if (strcmp(key, "seccomp") == 0) {
		*seccomp = strcmp(value, "unconfined") == 0 ? "unconfined"
			   : strcmp(value, "builtin") == 0  ? "default"
							    : "file";
		return 0;
	}
	if (strcmp(option, "systempaths=unconfined") == 0) {
		strv_done(&ret->masked_paths);
		strv_done(&ret->readonly_paths);
		return 0;
	}
	/* Labels mean nothing without SELinux; a profile that is not applied must not seem to be.
	 */
	if (strcmp(key, "label") == 0 || strcmp(option, "apparmor=unconfined") == 0)
		return 0;
	if (strcmp(key, "apparmor") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--security-opt %s: there are no AppArmor profiles yet", option);
	return err_set(err, ERR_INVALID, "invalid --security-opt 2: \"%s\"", option);
}

static int set_security(const struct container_spec *spec, struct oci_runtime_config *ret,
			struct err *err)
{
	const char *seccomp = spec->privileged ? "unconfined" : "default";
	uint64_t base = spec->privileged ? CAPS_ALL : CAPS_DEFAULT;
	int rc = caps_resolve(base, &spec->cap_add, &spec->cap_drop, &ret->capabilities, err);

	if (rc < 0)
		return rc;
	/* What the kernel or this host does not have cannot be given. */
	ret->capabilities &= caps_get_bounding();
	strv_foreach (i, &spec->security_options) {
		rc = set_security_option(spec->security_options.items[i], ret, &seccomp, err);
		if (rc < 0)
			return rc;
	}
	oci_annotate(ret, OCI_NOTE_SECCOMP, seccomp);
	return 0;
}

/* ---- namespaces ---- */

static void set_namespace(struct oci_runtime_config *ret, uint64_t flag, const char *mode)
{
	if (mode && strcmp(mode, "host") == 0)
		return;
	oci_add_namespace(ret, flag, mode && str_has_prefix(mode, "container:") ? mode : NULL);
}

static bool is_host(const char *mode)
{
	return mode && strcmp(mode, "host") == 0;
}

static void set_namespaces(const struct container_spec *spec, struct oci_runtime_config *ret)
{
	oci_add_namespace(ret, CLONE_NEWNS, NULL);
	set_namespace(ret, CLONE_NEWPID, spec->pid_mode);
	set_namespace(ret, CLONE_NEWUTS, spec->uts_mode);
	set_namespace(ret, CLONE_NEWIPC, spec->ipc_mode);
	set_namespace(ret, CLONE_NEWNET, spec_network_mode(spec));
	set_namespace(ret, CLONE_NEWCGROUP, spec->cgroupns_mode);
}

/* ---- kernel parameters ---- */

static bool sysctl_is_namespaced(const char *key, const struct oci_runtime_config *config,
				 const char **ret_namespace)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",	    "kernel.msgmni",
					  "kernel.sem",	   "kernel.shmall",	    "kernel.shmmax",
					  "kernel.shmmni", "kernel.shm_rmid_forced"};
	uint64_t flag = 0;

	if (str_has_prefix(key, "net."))
		flag = CLONE_NEWNET;
	if (str_has_prefix(key, "fs.mqueue."))
		flag = CLONE_NEWIPC;
	for (size_t i = 0; i < ARRAY_LEN(ipc); i++)
		if (strcmp(key, ipc[i]) == 0)
			flag = CLONE_NEWIPC;
	if (strcmp(key, "kernel.domainname") == 0 || strcmp(key, "kernel.hostname") == 0)
		flag = CLONE_NEWUTS;
	*ret_namespace = flag == CLONE_NEWNET ? "network" : flag == CLONE_NEWIPC ? "IPC" : "UTS";
	return flag && oci_find_namespace(config, flag) && !oci_find_namespace(config, flag)->path;
}

static int set_sysctls(const struct container_spec *spec, struct oci_runtime_config *ret,
		       struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";
	const struct oci_namespace *net = oci_find_namespace(ret, CLONE_NEWNET);

	/* Any user may ping, and serve port 80, in a network that is the container's own. */
	if (net && !net->path) {
		oci_set_sysctl(ret, "net.ipv4.ping_group_range", "0 2147483647");
		oci_set_sysctl(ret, "net.ipv4.ip_unprivileged_port_start", "0");
	}
	strv_foreach (i, &spec->sysctls) {
		const char *text = spec->sysctls.items[i];
		const char *eq = strchr(text, '=');
		cleanup_free char *key = eq ? str_ndup(text, (size_t)(eq - text)) : NULL;
		const char *ns = NULL;

		/* What holds anything else is an attempt to reach another parameter
		 * (CVE-2022-0811). */
		if (!key || !*key || key[strspn(key, allowed)] || strstr(key, ".."))
			return err_set(err, ERR_INVALID, "invalid argument \"%s\" for --sysctl",
				       text);
		if (!sysctl_is_namespaced(key, ret, &ns))
			return err_set(err, ERR_INVALID,
				       "sysctl \"%s\" is not in a separate kernel namespace", key);
		oci_set_sysctl(ret, key, eq + 1);
	}
	return 0;
}

/* ---- all of it ---- */

static void note_gateway_names(const struct container_spec *spec, struct oci_runtime_config *ret)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *text = NULL;

	strv_foreach (i, &spec->extra_hosts) {
		const char *item = spec->extra_hosts.items[i];

		if (str_has_suffix(item, ":host-gateway"))
			strv_add_take(&names, str_ndup(item, strcspn(item, ":=")));
	}
	if (!names.n)
		return;
	text = strv_join(&names, ",");
	oci_annotate(ret, OCI_NOTE_HOST_GATEWAY, text);
}

static void annotate(const struct container_spec *spec, const struct image_run *run,
		     struct oci_runtime_config *ret)
{
	cleanup_free char *groups = strv_join(&spec->group_add, ",");
	cleanup_free char *dns = resolv_request_format(spec);

	oci_annotate(ret, OCI_NOTE_USER, run->user ? run->user : "");
	if (spec->group_add.n)
		oci_annotate(ret, OCI_NOTE_GROUPS, groups);
	if (spec->init)
		oci_annotate(ret, OCI_NOTE_INIT, "true");
	note_gateway_names(spec, ret);
	links_annotate(spec, ret);
	if (spec->auto_remove) {
		oci_annotate(ret, OCI_NOTE_AUTO_REMOVE, "true");
		oci_annotate(ret, OCI_NOTE_VOLATILE, "true");
	}
	if (spec->open_stdin)
		oci_annotate(ret, OCI_NOTE_STDIN, spec->detach ? "open" : "once");
	if (run->stop_signal)
		oci_annotate(ret, OCI_NOTE_STOP_SIGNAL, run->stop_signal);
	if (dns)
		oci_annotate(ret, OCI_NOTE_DNS, dns);
	health_annotate(spec, run, ret);
	strv_foreach (i, &spec->annotations) {
		const char *text = spec->annotations.items[i];
		const char *eq = strchrnul(text, '=');
		cleanup_free char *key = str_ndup(text, (size_t)(eq - text));

		/* The engine's own are not for users to set. */
		if (!str_has_prefix(key, "io.tare."))
			oci_annotate(ret, key, *eq ? eq + 1 : "");
	}
}

/* What the container whose network it joins is called; NULL when there is none. */
static char *read_peer_name(const struct container_spec *spec)
{
	cleanup_free char *path = NULL;
	cleanup_str struct str text = STR_INIT;

	if (!spec->network_peer)
		return NULL;
	path = str_printf("%s/hostname", spec->network_peer);
	if (fd_read_file_at(AT_FDCWD, path, HOST_NAME_FILE_MAX, &text) < 0 || !text.len)
		return NULL;
	return str_ndup(text.buf, strcspn(text.buf, "\n"));
}

static void set_names(const struct container_spec *spec, const char *id,
		      struct oci_runtime_config *ret)
{
	char host[256] = "";
	char *peer = read_peer_name(spec);

	if (spec->hostname && *spec->hostname)
		ret->hostname = str_dup(spec->hostname);
	else if (peer)
		ret->hostname = take_ptr(peer);
	else if (is_host(spec->uts_mode) || is_host(spec_network_mode(spec)))
		ret->hostname = str_dup(gethostname(host, sizeof(host) - 1) == 0 ? host
										 : "localhost");
	else
		ret->hostname = str_ndup(id, 12);
	ret->domainname = str_dup(spec->domainname);
	free(peer);
}

int configure_oci(const struct container_spec *spec, const struct image_run *run,
		  struct mount_points *points, const char *id, const char *dir,
		  struct oci_runtime_config *ret, struct strv *warnings, struct err *err)
{
	cleanup_free char *parent = NULL;
	int rc = 0;

	oci_config_set_defaults(ret, spec->shm_size ? spec->shm_size : DEFAULT_SHM_SIZE,
				spec->privileged);
	set_names(spec, id, ret);
	set_namespaces(spec, ret);
	strv_add_all(&ret->args, &run->entrypoint);
	strv_add_all(&ret->args, &run->cmd);
	set_process_env(spec, run, ret->hostname, &ret->env);
	ret->cwd = mount_clean_path(run->working_dir && *run->working_dir ? run->working_dir : "/");
	ret->terminal = spec->tty;
	ret->root_readonly = spec->read_only;
	ret->oom_score_adj = spec->oom_score_adj ? (int)spec->oom_score_adj : DEFAULT_OOM_SCORE;
	parent = spec_cgroup_parent(spec);
	ret->cgroup = str_printf("%s/%s", parent ? parent : "tare", id);
	annotate(spec, run, ret);
	configure_mounts(spec, points, dir, ret);
	if (rc == 0)
		rc = set_rlimits(spec, ret, warnings, err);
	if (rc == 0)
		rc = set_security(spec, ret, err);
	if (rc == 0)
		rc = set_sysctls(spec, ret, err);
	if (rc == 0)
		rc = configure_devices(spec, ret, err);
	if (rc == 0)
		rc = cdi_apply(spec, NULL, ret, err);
	if (rc == 0)
		rc = configure_limits(spec, ret, err);
	return rc;
}
