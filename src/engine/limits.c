/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container gets of the host: the limits of the spec as control group limits, and devices.
 * Everything the user typed is marked so, for R9: it is applied or the container does not start.
 */
#include "engine/configure.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEFAULT_PIDS 2048
#define MAX_ONLINE   4096

static void set_user(struct cgroup_limit *limit, bool said, int64_t value)
{
	if (said)
		*limit = (struct cgroup_limit){.value = value, .source = LIMIT_USER};
}

static int check_cpus(const struct container_spec *spec, struct err *err)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	/* Below a hundredth the kernel has no quota to give: none may be taken for one. */
	if (spec->nano_cpus != 0 &&
	    (spec->nano_cpus < 10000000 || spec->nano_cpus > n * 1000000000LL))
		return err_set(err, ERR_INVALID,
			       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs "
			       "available",
			       n, n);
	return 0;
}

/* "3" or "0-3". */
static int parse_range(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	const char *dash = strchr(text, '-');
	cleanup_free char *first = dash ? str_ndup(text, (size_t)(dash - text)) : str_dup(text);

	if (num_parse_u64(first, ret_first) < 0)
		return -EINVAL;
	*ret_last = *ret_first;
	if (dash && num_parse_u64(dash + 1, ret_last) < 0)
		return -EINVAL;
	return *ret_last < *ret_first ? -EINVAL : 0;
}

/* Whether every number of LIST ("0-3,8") lies in what is ONLINE, written the same way: 1 or 0;
 * -EINVAL when LIST is no such list. */
static int list_is_within(const char *list, const char *online)
{
	cleanup_strv struct strv parts = STRV_INIT, have = STRV_INIT;
	bool is_within = true;

	strv_split(&parts, list, ',');
	strv_split(&have, online, ',');
	strv_foreach (i, &parts) {
		uint64_t first = 0, last = 0;
		bool is_there = false;

		if (parse_range(parts.items[i], &first, &last) < 0)
			return -EINVAL;
		strv_foreach (j, &have) {
			uint64_t from = 0, to = 0;

			if (parse_range(have.items[j], &from, &to) == 0)
				is_there = is_there || (first >= from && last <= to);
		}
		is_within = is_within && is_there;
	}
	return is_within;
}

/* WHAT and KIND are docker's words for the two sets. */
static int check_set(const char *list, const char *online_path, const char *what, const char *kind,
		     struct err *err)
{
	cleanup_str struct str online = STR_INIT;
	int rc = 0;

	if (!list || !*list || fd_read_kernel_file(online_path, MAX_ONLINE, &online) < 0)
		return 0;
	str_truncate(&online, strcspn(str_get(&online), "\n"));
	rc = list_is_within(list, str_get(&online));
	if (rc < 0)
		return err_set(err, ERR_INVALID, "Invalid value %s for cpuset %s", list, kind);
	if (rc > 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "Requested %s are not available - requested %s, available: %s", what, list,
		       str_get(&online));
}

static int check_sets(const struct container_spec *spec, struct err *err)
{
	int rc = check_set(spec->cpuset_cpus, "/sys/devices/system/cpu/online", "CPUs", "cpus",
			   err);

	return rc < 0 ? rc
		      : check_set(spec->cpuset_mems, "/sys/devices/system/node/online",
				  "memory nodes", "mems", err);
}

static int add_throttles(const struct throttle_list *from, struct cgroup_device_limits *to,
			 struct err *err)
{
	for (size_t i = 0; i < from->n; i++) {
		struct stat st;

		/* lint: path chosen by the user of the host */
		if (stat(from->items[i].path, &st) < 0)
			return err_sys(err, errno, "stat %s", from->items[i].path);
		if (!S_ISBLK(st.st_mode))
			return err_set(err, ERR_INVALID, "%s: not a block device",
				       from->items[i].path);
		cgroup_device_limits_add(to, major(st.st_rdev), minor(st.st_rdev),
					 from->items[i].value);
	}
	return 0;
}

static int set_block_io(const struct container_spec *spec, struct cgroup_limits *limits,
			struct err *err)
{
	int rc = 0;

	set_user(&limits->blkio_weight, spec->blkio_weight != 0, spec->blkio_weight);
	rc = add_throttles(&spec->blkio_weight_device, &limits->weight_device, err);
	if (rc == 0)
		rc = add_throttles(&spec->device_read_bps, &limits->read_bps, err);
	if (rc == 0)
		rc = add_throttles(&spec->device_write_bps, &limits->write_bps, err);
	if (rc == 0)
		rc = add_throttles(&spec->device_read_iops, &limits->read_iops, err);
	if (rc == 0)
		rc = add_throttles(&spec->device_write_iops, &limits->write_iops, err);
	return rc;
}

int configure_limits(const struct container_spec *spec, struct oci_runtime_config *ret,
		     struct err *err)
{
	struct cgroup_limits *l = &ret->limits;
	int rc = check_cpus(spec, err);

	if (rc == 0)
		rc = check_sets(spec, err);
	if (rc < 0)
		return rc;
	set_user(&l->memory, spec->memory != 0, spec->memory);
	set_user(&l->memory_swap, spec->memory_swap != 0, spec->memory_swap);
	set_user(&l->swappiness, spec->memory_swappiness >= 0, spec->memory_swappiness);
	set_user(&l->reservation, spec->memory_reservation != 0, spec->memory_reservation);
	set_user(&l->nano_cpus, spec->nano_cpus != 0, spec->nano_cpus);
	set_user(&l->cpu_shares, spec->cpu_shares != 0, spec->cpu_shares);
	set_user(&l->cpu_quota, spec->cpu_quota != 0, spec->cpu_quota);
	set_user(&l->cpu_period, spec->cpu_period != 0, spec->cpu_period);
	if (spec->has_pids_limit)
		set_user(&l->pids, true, spec->pids_limit);
	else
		l->pids = (struct cgroup_limit){.value = DEFAULT_PIDS, .source = LIMIT_IMPLIED};
	if (spec->cpuset_cpus && *spec->cpuset_cpus)
		l->cpuset_cpus = str_dup(spec->cpuset_cpus);
	if (spec->cpuset_mems && *spec->cpuset_mems)
		l->cpuset_mems = str_dup(spec->cpuset_mems);
	l->oom_kill_disable = spec->oom_kill_disable;
	l->all_devices = spec->privileged;
	rc = set_block_io(spec, l, err);
	return rc < 0 ? rc : cgroup_limits_check(l, err);
}

/* ---- devices ---- */

static int add_device(const char *host, const char *inside, const char *perms,
		      struct oci_runtime_config *ret, struct err *err)
{
	struct device_rule rule = {};
	struct stat st;

	if (stat(host, &st) < 0) /* lint: path chosen by the user of the host */
		return err_set(
			err, errno == ENOENT ? ERR_NO_COMMAND : ERR_SYSTEM,
			"error gathering device information while adding custom device \"%s\": "
			"no such file or directory",
			host);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(
			err, ERR_INVALID,
			"error gathering device information while adding custom device \"%s\": "
			"not a device node",
			host);
	oci_add_device(ret, inside && *inside ? inside : host, st.st_mode, st.st_rdev, st.st_uid,
		       st.st_gid);
	rule.type = S_ISBLK(st.st_mode) ? 'b' : 'c';
	rule.major = major(st.st_rdev);
	rule.minor = minor(st.st_rdev);
	for (const char *p = perms && *perms ? perms : "rwm"; *p; p++)
		rule.access |= *p == 'r' ? DEVICE_READ : *p == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
	cgroup_limits_add_device(&ret->limits, &rule);
	return 0;
}

static bool has_device(const struct oci_runtime_config *config, const char *path)
{
	for (size_t i = 0; i < config->n_devices; i++)
		if (strcmp(config->devices[i].path, path) == 0)
			return true;
	return false;
}

/* --privileged: every device of the host's /dev, but terminals and what the container has already.
 */
static int add_host_devices(const char *dir, int depth, struct oci_runtime_config *ret,
			    struct err *err)
{
	static const char *const skip[] = {"pts", "shm", "fd", "mqueue", "console", "ptmx", "init"};
	/* lint: the host's own /dev */
	DIR *d = opendir(dir);
	struct dirent *e = NULL;

	for (e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		cleanup_free char *path = str_printf("%s/%s", dir, e->d_name);
		struct stat st;
		bool skipped = e->d_name[0] == '.';

		for (size_t i = 0; i < ARRAY_LEN(skip); i++)
			skipped |= depth == 0 && strcmp(e->d_name, skip[i]) == 0;
		if (skipped || has_device(ret, path) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISDIR(st.st_mode) && depth < 4)
			add_host_devices(path, depth + 1, ret, err);
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			oci_add_device(ret, path, st.st_mode, st.st_rdev, st.st_uid, st.st_gid);
	}
	if (d)
		closedir(d);
	return 0;
}

int configure_devices(const struct container_spec *spec, struct oci_runtime_config *ret,
		      struct err *err)
{
	if (spec->privileged) {
		int rc = add_host_devices("/dev", 0, ret, err);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct device_spec *d = &spec->devices[i];
		int rc = has_device(ret, d->container ? d->container : d->host)
				 ? 0
				 : add_device(d->host, d->container, d->perms, ret, err);

		if (rc < 0)
			return rc;
	}
	strv_foreach (i, &spec->device_cgroup_rules) {
		struct device_rule rule;

		if (device_rule_parse(spec->device_cgroup_rules.items[i], &rule) < 0)
			return err_set(err, ERR_INVALID, "invalid device cgroup rule format: '%s'",
				       spec->device_cgroup_rules.items[i]);
		cgroup_limits_add_device(&ret->limits, &rule);
	}
	return 0;
}
