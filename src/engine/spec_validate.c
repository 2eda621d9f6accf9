/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a container specification that need neither host nor image. Each group of rules is
 * one function; the texts are docker's, which scripts and people know. spec_validate runs the
 * groups in order and stops at the first that objects.
 */
#include "engine/spec.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/health.h"
#include "engine/lifecycle.h"
#include "engine/log_options.h"
#include "engine/mount_point.h"
#include "sys/cgroup.h"

#include <inttypes.h>

#define MEMORY_MIN (6LL << 20) /* docker's floor: less cannot hold an exec'd init */

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

static bool is_in(const char *s, const char *const *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, set[i]) == 0)
			return true;
	return false;
}

static int check_lifecycle(const struct container_spec *s, struct err *err)
{
	static const char *const policies[] = {"", "no", "always", "on-failure", "unless-stopped"};
	const char *name = s->restart_name ? s->restart_name : "";

	if (s->stop_signal && s->stop_signal[0] && signal_parse(s->stop_signal) < 0)
		return fail("Invalid signal: %s", s->stop_signal);
	if (!is_in(name, policies, ARRAY_LEN(policies)))
		return fail(
			"invalid restart policy: unknown policy '%s'; use one of 'no', 'always', "
			"'on-failure', or 'unless-stopped'",
			name);
	if (s->restart_max != 0 && s->restart != RESTART_ON_FAILURE)
		return fail("invalid restart policy: maximum retry count can only be used with "
			    "'on-failure'%s",
			    s->restart_max < 0 ? " and cannot be negative" : "");
	if (s->restart_max < 0)
		return fail("invalid restart policy: maximum retry count cannot be negative");
	if (s->has_stop_timeout && s->stop_timeout_s < -1)
		return fail("invalid stop timeout: %" PRId64 ", -1 waits for ever",
			    s->stop_timeout_s);
	return 0;
}

static int check_memory(const struct container_spec *s, struct err *err)
{
	if (s->memory < 0 || s->memory_reservation < 0)
		return fail("invalid memory limit: must not be negative");
	if (s->memory > 0 && s->memory < MEMORY_MIN)
		return fail("Minimum memory limit allowed is 6MB");
	if (s->memory > 0 && s->memory_swap > 0 && s->memory_swap < s->memory)
		return fail(
			"Minimum memoryswap limit should be larger than memory limit, see usage");
	if (s->memory == 0 && s->memory_swap > 0)
		return fail(
			"You should always set the Memory limit when using Memoryswap limit, see "
			"usage");
	if (s->memory_reservation > 0 && s->memory_reservation < MEMORY_MIN)
		return fail("Minimum memory reservation allowed is 6MB");
	if (s->memory > 0 && s->memory_reservation > s->memory)
		return fail(
			"Minimum memory limit can not be less than memory reservation limit, see "
			"usage");
	if (s->shm_size < 0)
		return fail("SHM size can not be less than 0");
	if (s->oom_score_adj < -1000 || s->oom_score_adj > 1000)
		return fail("Invalid value %" PRId64 ", range for oom score adj is [-1000, 1000]",
			    s->oom_score_adj);
	return 0;
}

static int check_cpu_and_io(const struct container_spec *s, struct err *err)
{
	if (s->nano_cpus != 0 && s->cpu_period != 0)
		return fail("Conflicting options: Nano CPUs and CPU Period cannot both be set");
	if (s->nano_cpus != 0 && s->cpu_quota != 0)
		return fail("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
	if (s->cpu_period != 0 && (s->cpu_period < 1000 || s->cpu_period > 1000000))
		return fail("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
			    "(i.e. 1000000)");
	if (s->cpu_quota > 0 && s->cpu_quota < 1000)
		return fail("CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (s->cpu_shares < 0)
		return fail("invalid CPU shares (%" PRId64 "): value must be a positive integer",
			    s->cpu_shares);
	if (s->blkio_weight != 0 && (s->blkio_weight < 10 || s->blkio_weight > 1000))
		return fail("Range of blkio weight is from 10 to 1000");
	return 0;
}

/* "host", "", one of EXTRA, or (when CONTAINER) "container:NAME". */
static bool mode_is_valid(const char *mode, const char *extra, bool container)
{
	if (!mode || !mode[0] || strcmp(mode, "host") == 0)
		return true;
	if (extra && strcmp(mode, extra) == 0)
		return true;
	return container && strncmp(mode, "container:", 10) == 0 && mode[10];
}

static int check_namespaces(const struct container_spec *s, struct err *err)
{
	static const char *const ipc[] = {"none", "private", "shareable"};
	static const char *const runtimes[] = {"", "tare", "runc", "io.containerd.runc.v2"};

	if (s->ipc_mode && !is_in(s->ipc_mode, ipc, ARRAY_LEN(ipc)) &&
	    !mode_is_valid(s->ipc_mode, NULL, true))
		return fail("invalid IPC mode: %s", s->ipc_mode);
	if (s->isolation && !is_in(s->isolation, (const char *const[]){"", "default"}, 2))
		return fail("Invalid isolation: \"%s\" - linux only supports 'default'",
			    s->isolation);
	if (s->runtime && !is_in(s->runtime, runtimes, ARRAY_LEN(runtimes))) {
		fail("unknown or invalid runtime name: %s", s->runtime);
		return err_hint(err, "tare is its own runtime, under the names tare and runc");
	}
	if (str_is_equal(s->uts_mode, "host") && s->hostname)
		return fail("conflicting options: hostname and the UTS mode");
	return 0;
}

/* What docker's daemon says against a single network of a container. */
static int check_endpoints(const struct container_spec *s, struct err *err)
{
	const char *mode = spec_network_mode(s);

	for (size_t i = 0; i < s->n_networks; i++) {
		const struct endpoint_request *r = &s->networks[i];

		if (r->wrong)
			return fail("%s", r->wrong);
		if (mac_is_set(r->mac) && !network_mode_has_links(mode))
			return fail("conflicting options: mac-address and the network mode");
		if ((r->ip4.family || r->ip6.family) && !network_mode_is_user_defined(r->network))
			return fail("user specified IP address is supported on user defined "
				    "networks only");
	}
	/* Several networks are never modes: docker's command line sees to that for all but these.
	 */
	if (s->n_networks > 1 && !network_mode_is_user_defined(mode))
		return fail("Container cannot be connected to network endpoints: %s, %s",
			    s->networks[0].network, s->networks[1].network);
	return 0;
}

static int check_network(const struct container_spec *s, struct err *err)
{
	const char *mode = spec_network_mode(s);
	bool is_container = strncmp(mode, "container:", 10) == 0;

	if (strcmp(mode, "container") == 0 || (is_container && !mode[10]))
		return fail("invalid container format container:<name|id>");
	if (s->links.n && (is_container || strcmp(mode, "host") == 0))
		return fail(
			"conflicting options: %s can't be used with links. This would result in "
			"undefined behavior",
			is_container ? "container type network" : "host type networking");
	if (check_endpoints(s, err) < 0)
		return -err->code;
	if (!is_container)
		return 0;
	if (s->hostname)
		return fail("conflicting options: hostname and the network mode");
	if (s->dns.n)
		return fail("conflicting options: dns and the network mode");
	if (s->extra_hosts.n)
		return fail("conflicting options: custom host-to-IP mapping and the network mode");
	if (s->n_ports || s->publish_all)
		return fail(
			"conflicting options: port publishing and the container type network mode");
	if (s->expose.n)
		return fail(
			"conflicting options: port exposing and the container type network mode");
	return 0;
}

/* A limit on the writable layer takes project quotas, which docker has on one file system. */
static int check_storage(const struct container_spec *s, struct err *err)
{
	strv_foreach (i, &s->storage_options) {
		const char *text = s->storage_options.items[i];

		if (strncmp(text, "size=", 5) == 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "--storage-opt is supported only for overlay over xfs with "
				       "'pquota' mount option, and not by tare yet");
		return fail("Unknown option %.*s", (int)strcspn(text, "="), text);
	}
	return 0;
}

static int check_cgroup_parent(const struct container_spec *s, struct err *err)
{
	const char *parent = s->cgroup_parent;
	cleanup_free char *name = parent ? spec_cgroup_parent(s) : NULL;

	if (!name)
		return 0;
	if (!cgroup_name_is_valid(name))
		return fail("--cgroup-parent %s: not a path below the control groups' top", parent);
	if (!str_has_suffix(name, ".slice"))
		return 0;
	err_set(err, ERR_UNSUPPORTED, "--cgroup-parent %s: slices are systemd's to make", parent);
	return err_hint(err, "name a group without \".slice\", for example /containers");
}

static bool hostname_is_valid(const char *name)
{
	size_t label = 0;

	for (const char *p = name; *p; p++) {
		bool alnum = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z');

		if (*p == '.') {
			if (label == 0 || p[-1] == '-')
				return false;
			label = 0;
			continue;
		}
		/* An underscore is not in RFC 1123, but Linux and docker take it. */
		if (!alnum && *p != '_' && (*p != '-' || label == 0))
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

/* docker's rule [a-zA-Z0-9][a-zA-Z0-9_.-]+, with or without a leading slash. */
static bool name_is_valid(const char *name)
{
	static const char alnum[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char other[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	name += *name == '/';
	return name[0] && strchr(alnum, name[0]) && name[1] && name[strspn(name, other)] == '\0';
}

static int check_identity(const struct container_spec *s, struct err *err)
{
	if (s->name && s->name[0] && !name_is_valid(s->name))
		return fail(
			"Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			s->name);
	/* sethostname(2) takes at most HOST_NAME_MAX (64) bytes. */
	if (s->hostname && (strlen(s->hostname) > 64 || !hostname_is_valid(s->hostname)))
		return fail("invalid hostname format: %s", s->hostname);
	if (s->domainname && strlen(s->domainname) > 64)
		return fail("invalid domain name: %s is longer than 64 bytes", s->domainname);
	if (s->workdir && s->workdir[0] && s->workdir[0] != '/')
		return fail(
			"the working directory '%s' is invalid, it needs to be an absolute path",
			s->workdir);
	strv_foreach (i, &s->env)
		if (!s->env.items[i][0] || s->env.items[i][0] == '=')
			return fail("invalid environment variable: %s", s->env.items[i]);
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* What becomes part of a line of /etc/hosts or /etc/resolv.conf is not several lines. */
static int check_lines(const struct container_spec *s, struct err *err)
{
	const struct {
		const char *option;
		const struct strv *words;
	} lists[] = {{"add-host", &s->extra_hosts},
		     {"dns-option", &s->dns_options},
		     {"link", &s->links}};

	if (s->domainname && has_control(s->domainname))
		return fail("--domainname %s: it has control characters", s->domainname);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		strv_foreach (k, lists[i].words)
			if (has_control(lists[i].words->items[k]))
				return fail("--%s %s: it has control characters", lists[i].option,
					    lists[i].words->items[k]);
	return 0;
}

static const char *const type_names[] = {
	[MOUNT_BIND] = "bind",	 [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs",
	[MOUNT_IMAGE] = "image", [MOUNT_UNKNOWN] = "",
};

/* Whether PATH names the root: "/", "//", "/.", "/x/..". Purely lexical, as docker's path.Clean. */
static bool path_is_root(const char *path)
{
	size_t depth = 0;

	if (path[0] != '/')
		return false;
	while (*path) {
		size_t len = 0;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.')
			depth -= depth > 0;
		else if (len > 0 && !(len == 1 && path[0] == '.'))
			depth++;
		path += len;
	}
	return depth == 0;
}

/* Whether PATH, by its text alone, stays in the directory that it starts from. */
static bool path_is_local(const char *path)
{
	size_t depth = 0;

	if (!*path || *path == '/')
		return false;
	while (*path) {
		size_t len = 0;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			if (depth == 0)
				return false;
			depth--;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			depth++;
		}
		path += len;
	}
	return true;
}

static int check_mount_type(const struct mount_spec *m, struct err *err)
{
	static const char *const modes[] = {"private", "rprivate", "slave",
					    "rslave",  "shared",   "rshared"};

	switch (m->type) {
	case MOUNT_BIND:
		if (!m->source || !m->source[0])
			return fail("field Source must not be empty");
		if (m->no_copy)
			return fail("field VolumeOptions must not be specified");
		if (m->propagation && !is_in(m->propagation, modes, ARRAY_LEN(modes)))
			return fail("invalid propagation mode: %s", m->propagation);
		if (m->source[0] != '/')
			return fail("invalid mount path: '%s' mount path must be absolute",
				    m->source);
		return 0;
	case MOUNT_TMPFS:
		return m->source ? fail("field Source must not be specified") : 0;
	case MOUNT_IMAGE:
		return m->source && m->source[0] ? 0 : fail("field Source must not be empty");
	case MOUNT_VOLUME:
		if (m->read_only && (!m->source || !m->source[0]) && !m->from_option_v)
			return fail("must not set ReadOnly mode when using anonymous volumes");
		if (m->propagation)
			return fail("field BindOptions must not be specified");
		if (m->subpath && !path_is_local(m->subpath))
			return fail("subpath must be a relative path within the volume");
		return 0;
	case MOUNT_UNKNOWN:
		break;
	}
	return fail("mount type unknown");
}

static int check_mount(const struct mount_spec *m, struct err *err)
{
	int rc = 0;

	if (m->wrong)
		return fail("%s", m->wrong);
	if (!m->target || !m->target[0])
		rc = fail("field Target must not be empty");
	else if (path_is_root(m->target))
		rc = fail("invalid specification: destination can't be '/'");
	else if (m->target[0] != '/')
		rc = fail("invalid mount path: '%s' mount path must be absolute", m->target);
	else
		rc = check_mount_type(m, err);
	if (rc == 0)
		return 0;
	if (m->from_tmpfs)
		return rc;
	err_wrap(err, "invalid mount config for type \"%s\"",
		 m->type == MOUNT_UNKNOWN ? m->type_name : type_names[m->type]);
	if (m->from_option_v)
		err_wrap(err, "invalid volume specification: '%s%s%s%s%s'",
			 m->source ? m->source : "", m->source ? ":" : "",
			 m->target ? m->target : "", m->mode ? ":" : "", m->mode ? m->mode : "");
	return -err->code;
}

/* The words that --tmpfs takes: flags of mount(8) and the options of tmpfs(5). */
static int check_tmpfs_options(const char *mode, struct err *err)
{
	static const char *const words[] = {
		"",
		"defaults",
		"ro",
		"rw",
		"suid",
		"nosuid",
		"dev",
		"nodev",
		"exec",
		"noexec",
		"sync",
		"async",
		"dirsync",
		"mand",
		"nomand",
		"atime",
		"noatime",
		"diratime",
		"nodiratime",
		"relatime",
		"norelatime",
		"strictatime",
		"nostrictatime",
		"private",
		"rprivate",
		"shared",
		"rshared",
		"slave",
		"rslave",
		"unbindable",
		"runbindable",
		"mode=",
		"uid=",
		"gid=",
		"nr_inodes=",
		"nr_blocks=",
		"size=",
		"mpol=",
	};
	cleanup_strv struct strv parts = STRV_INIT;

	strv_split(&parts, mode ? mode : "", ',');
	strv_foreach (i, &parts) {
		const char *value = strchr(parts.items[i], '=');
		size_t len = value ? (size_t)(value + 1 - parts.items[i]) : strlen(parts.items[i]);
		cleanup_free char *word = str_ndup(parts.items[i], len);

		if (!is_in(word, words, ARRAY_LEN(words)))
			return fail("Invalid tmpfs option \"%s\"", parts.items[i]);
	}
	return 0;
}

/* -v /x only says that there is a volume; anything else that is mounted there goes before. */
static bool is_declaration(const struct mount_spec *m)
{
	return m->type == MOUNT_VOLUME && m->from_option_v && !(m->source && *m->source);
}

static int check_duplicate(const struct container_spec *s, size_t index, struct err *err)
{
	const struct mount_spec *m = &s->mounts[index];
	cleanup_free char *path = mount_clean_path(m->target);

	for (size_t i = 0; i < index; i++) {
		cleanup_free char *other = mount_clean_path(s->mounts[i].target);

		/* docker's parser of -v has the clean path, --mount what was typed. */
		if (!is_declaration(m) && !is_declaration(&s->mounts[i]) &&
		    strcmp(path, other) == 0)
			return fail("Duplicate mount point: %s",
				    m->from_option_v ? path : m->target);
	}
	return 0;
}

static int check_mounts(const struct container_spec *s, struct err *err)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		int rc = check_mount(&s->mounts[i], err);

		if (rc == 0 && s->mounts[i].from_tmpfs)
			rc = check_tmpfs_options(s->mounts[i].mode, err);
		if (rc < 0)
			return rc;
		if (check_duplicate(s, i, err) < 0)
			return -err->code;
	}
	return 0;
}

static int check_logging(const struct container_spec *s, struct err *err)
{
	struct log_options ignored;

	return log_options_parse(s->log_driver, &s->log_options, &ignored, err);
}

static bool is_repeated(const struct container_spec *s, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(s->networks[i].network, s->networks[index].network) == 0)
			return true;
	return false;
}

static int check_networks_usage(const struct container_spec *s, struct err *err)
{
	size_t n_user_defined = 0;

	for (size_t i = 0; i < s->n_networks; i++) {
		const struct endpoint_request *r = &s->networks[i];
		bool is_user_defined = network_mode_is_user_defined(r->network);

		if (!r->network[strspn(r->network, " \t")])
			return fail("no name set for network");
		if (!is_user_defined && r->aliases.n)
			return fail("network-scoped aliases are only supported for user-defined "
				    "networks");
		if (!is_user_defined && r->links.n)
			return fail("links are only supported for user-defined networks");
		if (is_repeated(s, i))
			return fail("network \"%s\" is specified multiple times", r->network);
		/* Other addresses are the engine's to refuse. */
		if (r->is_mac_wrong)
			return fail("%s", r->wrong);
		n_user_defined += is_user_defined;
	}
	if (n_user_defined && n_user_defined < s->n_networks)
		return fail("conflicting options: cannot attach both user-defined and "
			    "non-user-defined network-modes");
	return 0;
}

int spec_validate_usage(const struct container_spec *s, struct err *err)
{
	const char *restart = s->restart_name ? s->restart_name : "";

	if (s->detach && s->attach)
		return fail("conflicting options: cannot specify both --attach and --detach");
	if (s->auto_remove && restart[0] && strcmp(restart, "no") != 0)
		return fail("conflicting options: cannot specify both --restart and --rm");
	if (s->memory_swappiness < -1 || s->memory_swappiness > 100)
		return fail("invalid value: %" PRId64 ". Valid memory swappiness range is 0-100",
			    s->memory_swappiness);
	if (!mode_is_valid(s->pid_mode, NULL, true))
		return fail("--pid: invalid PID mode");
	strv_foreach (i, &s->storage_options)
		if (!strchr(s->storage_options.items[i], '='))
			return fail("invalid storage option");
	/* docker has only the host's; a container's is as good. */
	if (!mode_is_valid(s->uts_mode, NULL, true))
		return fail("--uts: invalid UTS mode");
	if (!mode_is_valid(s->userns_mode, NULL, false))
		return fail("--userns: invalid USER mode");
	if (!mode_is_valid(s->cgroupns_mode, "private", false))
		return fail("--cgroupns: invalid CGROUP mode");
	if (check_networks_usage(s, err) < 0)
		return -err->code;
	if (s->log_options.n && str_is_equal(s->log_driver, "none"))
		return fail("invalid logging opts for driver none");
	return health_validate_usage(s, err);
}

int spec_validate(const struct container_spec *spec, struct err *err)
{
	static int (*const groups[])(const struct container_spec *, struct err *) = {
		spec_validate_usage, check_lifecycle, check_memory,   check_cpu_and_io,
		check_namespaces,    check_network,   check_identity, check_lines,
		check_mounts,	     check_logging,   check_storage,  check_cgroup_parent,
		health_validate,
	};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int rc = groups[i](spec, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}
