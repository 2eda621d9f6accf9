/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From limits to a list of actions: what v1 and v2 have in common. The limits are checked, the list
 * is built by cgroup_v1.c or cgroup_v2.c with the helpers here, and each action is done by
 * cgroup_action_run.
 */
#include "sys/cgroup_plan.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_LIMIT 65536 /* of a control file: cgroup.procs of a full group is read in part */

#define LIMIT_INFO(field, option)                             \
	{                                                     \
		offsetof(struct cgroup_limits, field), option \
	}
const struct cgroup_limit_info cgroup_memory = LIMIT_INFO(memory, "--memory");
const struct cgroup_limit_info cgroup_memory_swap = LIMIT_INFO(memory_swap, "--memory-swap");
const struct cgroup_limit_info cgroup_swappiness = LIMIT_INFO(swappiness, "--memory-swappiness");
const struct cgroup_limit_info cgroup_reservation = LIMIT_INFO(reservation, "--memory-reservation");
const struct cgroup_limit_info cgroup_nano_cpus = LIMIT_INFO(nano_cpus, "--cpus");
const struct cgroup_limit_info cgroup_cpu_shares = LIMIT_INFO(cpu_shares, "--cpu-shares");
const struct cgroup_limit_info cgroup_cpu_quota = LIMIT_INFO(cpu_quota, "--cpu-quota");
const struct cgroup_limit_info cgroup_cpu_period = LIMIT_INFO(cpu_period, "--cpu-period");
const struct cgroup_limit_info cgroup_pids = LIMIT_INFO(pids, "--pids-limit");
const struct cgroup_limit_info cgroup_blkio_weight = LIMIT_INFO(blkio_weight, "--blkio-weight");

const struct cgroup_device_list cgroup_device_lists[CGROUP_N_DEVICE_LISTS] = {
	{offsetof(struct cgroup_limits, weight_device), "--blkio-weight-device", NULL, NULL},
	{offsetof(struct cgroup_limits, read_bps), "--device-read-bps",
	 "blkio.throttle.read_bps_device", "rbps"},
	{offsetof(struct cgroup_limits, write_bps), "--device-write-bps",
	 "blkio.throttle.write_bps_device", "wbps"},
	{offsetof(struct cgroup_limits, read_iops), "--device-read-iops",
	 "blkio.throttle.read_iops_device", "riops"},
	{offsetof(struct cgroup_limits, write_iops), "--device-write-iops",
	 "blkio.throttle.write_iops_device", "wiops"},
};

const struct cgroup_limit *cgroup_limit_get(const struct cgroup_limits *limits,
					    const struct cgroup_limit_info *info)
{
	return (const void *)((const char *)limits + info->offset);
}

const struct cgroup_device_limits *cgroup_device_list_get(const struct cgroup_limits *limits,
							  const struct cgroup_device_list *list)
{
	return (const void *)((const char *)limits + list->offset);
}

/* ---- limits ---- */

void cgroup_limits_done(struct cgroup_limits *limits)
{
	free(limits->cpuset_cpus);
	free(limits->cpuset_mems);
	free(limits->weight_device.items);
	free(limits->read_bps.items);
	free(limits->write_bps.items);
	free(limits->read_iops.items);
	free(limits->write_iops.items);
	free(limits->devices);
	*limits = (struct cgroup_limits){};
}

void cgroup_limits_add_device(struct cgroup_limits *limits, const struct device_rule *rule)
{
	limits->devices = mem_realloc_array(limits->devices, limits->n_devices + 1, sizeof(*rule));
	limits->devices[limits->n_devices++] = *rule;
}

void cgroup_device_limits_add(struct cgroup_device_limits *list, uint32_t major, uint32_t minor,
			      uint64_t value)
{
	list->items = mem_realloc_array(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = (struct cgroup_device_limit){major, minor, value};
}

#define MEMORY_MIN (6LL << 20)

/* docker's words, also where they could be better: scripts know them. */
static const char *check_memory(const struct cgroup_limits *l)
{
	int64_t memory = l->memory.value, swap = l->memory_swap.value;

	if (memory > 0 && memory < MEMORY_MIN)
		return "Minimum memory limit allowed is 6MB";
	if (memory > 0 && swap > 0 && swap < memory)
		return "Minimum memoryswap limit should be larger than memory limit, see usage";
	if (memory <= 0 && swap > 0)
		return "You should always set the Memory limit when using Memoryswap limit, see "
		       "usage";
	if (l->reservation.value > 0 && l->reservation.value < MEMORY_MIN)
		return "Minimum memory reservation allowed is 6MB";
	if (memory > 0 && l->reservation.value > memory)
		return "Minimum memory limit can not be less than memory reservation limit, see "
		       "usage";
	if (l->swappiness.source && (l->swappiness.value < 0 || l->swappiness.value > 100))
		return "Valid memory swappiness range is 0-100";
	return NULL;
}

static const char *check_cpu(const struct cgroup_limits *l)
{
	int64_t period = l->cpu_period.value, quota = l->cpu_quota.value;

	if (l->nano_cpus.value > 0 && period != 0)
		return "Conflicting options: Nano CPUs and CPU Period cannot both be set";
	if (l->nano_cpus.value > 0 && quota != 0)
		return "Conflicting options: Nano CPUs and CPU Quota cannot both be set";
	if (period != 0 && (period < 1000 || period > 1000000))
		return "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
		       "(i.e. "
		       "1000000)";
	if (quota > 0 && quota < 1000)
		return "CPU cfs quota can not be less than 1ms (i.e. 1000)";
	if (l->cpu_shares.value < 0)
		return "invalid CPU shares: value must be a positive integer";
	return NULL;
}

static const char *check_blkio(const struct cgroup_limits *l)
{
	int64_t weight = l->blkio_weight.value;

	if (weight != 0 && (weight < 10 || weight > 1000))
		return "Range of blkio weight is from 10 to 1000";
	for (size_t i = 0; i < l->weight_device.n; i++)
		if (l->weight_device.items[i].value < 10 || l->weight_device.items[i].value > 1000)
			return "Range of blkio weight is from 10 to 1000";
	return NULL;
}

int cgroup_limits_check(const struct cgroup_limits *limits, struct err *err)
{
	static const char *(*const checks[])(const struct cgroup_limits *) = {
		check_memory, check_cpu, check_blkio};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const char *text = checks[i](limits);

		if (text)
			return err_set(err, ERR_INVALID, "%s", text);
	}
	if (limits->n_devices + device_n_defaults() > DEVFILTER_MAX_RULES)
		return err_set(err, ERR_INVALID, "too many devices: at most %zu",
			       DEVFILTER_MAX_RULES - device_n_defaults());
	return 0;
}

bool cgroup_bandwidth_get(const struct cgroup_limits *l, struct cgroup_bandwidth *ret)
{
	if (l->nano_cpus.value > 0) {
		*ret = (struct cgroup_bandwidth){l->nano_cpus.value / 10000, 100000,
						 cgroup_nano_cpus.flag, l->nano_cpus.source};
		return true;
	}
	if (l->cpu_quota.value == 0 && l->cpu_period.value == 0)
		return false;
	*ret = (struct cgroup_bandwidth){
		.quota = l->cpu_quota.value > 0 ? l->cpu_quota.value : -1,
		.period = l->cpu_period.value,
		.flag = l->cpu_quota.value ? cgroup_cpu_quota.flag : cgroup_cpu_period.flag,
		.source = l->cpu_quota.value ? l->cpu_quota.source : l->cpu_period.source,
	};
	return true;
}

/* ---- actions ---- */

void cgroup_actions_done(struct cgroup_actions *actions)
{
	for (size_t i = 0; i < actions->n; i++) {
		free(actions->items[i].path);
		free(actions->items[i].value);
	}
	free(actions->items);
	free(actions->rules);
	strv_done(&actions->dirs);
	strv_done(&actions->warnings);
	*actions = (struct cgroup_actions){};
}

static struct cgroup_action *add_action(struct cgroup_build *b, enum cgroup_action_kind kind)
{
	struct cgroup_actions *a = b->actions;

	if (a->n % 16 == 0)
		a->items = mem_realloc_array(a->items, a->n + 16, sizeof(*a->items));
	a->items[a->n] = (struct cgroup_action){.kind = kind, .required = true};
	return &a->items[a->n++];
}

void cgroup_add_mkdir(struct cgroup_build *b, const char *path)
{
	add_action(b, CGROUP_MKDIR)->path = str_dup(path);
}

void cgroup_add_devfilter(struct cgroup_build *b, const char *dir, bool required)
{
	struct cgroup_action *a = add_action(b, CGROUP_DEVFILTER);

	a->path = str_dup(dir);
	a->required = required;
	a->flag = b->limits->n_devices ? "--device" : NULL;
}

void cgroup_add_write(struct cgroup_build *b, const char *dir, const char *file, const char *value,
		      const char *flag, bool required)
{
	struct cgroup_action *a = add_action(b, CGROUP_WRITE);

	a->path = str_printf("%s/%s", dir, file);
	a->value = str_dup(value);
	a->flag = flag;
	a->required = required;
}

void cgroup_add_writef(struct cgroup_build *b, const char *dir, const char *file, const char *flag,
		       bool required, const char *fmt, ...)
{
	char value[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	cgroup_add_write(b, dir, file, value, flag, required);
}

char *cgroup_add_path(struct cgroup_build *b, const char *root)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, b->name, '/');
	str_add(&path, root);
	strv_foreach (i, &words) {
		str_addf(&path, "/%s", words.items[i]);
		cgroup_add_mkdir(b, str_get(&path));
	}
	return str_take(&path);
}

char *cgroup_parent(const struct cgroup_build *b, const char *root)
{
	const char *slash = strrchr(b->name, '/');

	return slash ? str_printf("%s/%.*s", root, (int)(slash - b->name), b->name) : str_dup(root);
}

int cgroup_missing(struct cgroup_build *b, enum limit_source source, const char *flag,
		   const char *what, const char *warning, struct err *err)
{
	if (source == LIMIT_USER) {
		err_set(err, ERR_UNSUPPORTED, "%s: %s on this host (control groups %s)", flag, what,
			cgroup_mode_name(b->layout->mode));
		return err_hint(err, "leave %s out, or mount the control group hierarchy", flag);
	}
	if (source == LIMIT_IMPLIED && warning)
		strv_add(&b->actions->warnings, warning);
	return 0;
}

/* ---- looking at the host ---- */

bool cgroup_has_file(const char *dir, const char *file)
{
	char path[512];

	return snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

void cgroup_read_line(const char *dir, const char *file, struct str *ret)
{
	cleanup_free char *path = str_printf("%s/%s", dir, file);

	str_truncate(ret, 0);
	if (fd_read_kernel_file(path, LINE_LIMIT, ret) < 0)
		str_truncate(ret, 0);
	else if (ret->len > 0)
		str_truncate(ret, strcspn(ret->buf, "\n"));
}

static int64_t lower_of(int64_t limit, const char *dir)
{
	cleanup_str struct str line = STR_INIT;
	int64_t max = 0;

	cgroup_read_line(dir, "pids.max", &line);
	if (num_parse_i64(str_get(&line), &max) < 0)
		return limit;
	max = max * 9 / 10 > 1 ? max * 9 / 10 : 1;
	return limit < 0 || max < limit ? max : limit;
}

int64_t cgroup_pids_within_parents(const struct cgroup_build *b, const char *root, int64_t limit)
{
	cleanup_free char *parent = cgroup_parent(b, root);
	size_t root_len = strlen(root);

	limit = limit > 0 ? limit : -1;
	while (strlen(parent) > root_len) {
		limit = lower_of(limit, parent);
		*strrchr(parent, '/') = '\0';
	}
	return lower_of(limit, root);
}

/* ---- the plan ---- */

static void unite_rules(struct cgroup_actions *a, const struct cgroup_limits *l)
{
	size_t n = device_n_defaults();

	a->rules = mem_alloc((n + l->n_devices) * sizeof(*a->rules));
	memcpy(a->rules, device_defaults, n * sizeof(*a->rules));
	if (l->n_devices)
		memcpy(a->rules + n, l->devices, l->n_devices * sizeof(*a->rules));
	a->n_rules = n + l->n_devices;
}

/* What -m alone implies: as much swap as memory. */
static struct cgroup_limit implied_swap(const struct cgroup_limits *l)
{
	if (l->memory.value <= 0 || l->memory_swap.value != 0 || l->memory.value > INT64_MAX / 2)
		return l->memory_swap;
	return (struct cgroup_limit){l->memory.value * 2, LIMIT_IMPLIED};
}

int cgroup_plan(const struct cgroup_layout *layout, const char *name,
		const struct cgroup_limits *limits, struct cgroup_actions *ret, struct err *err)
{
	struct cgroup_limits complete = *limits; /* a view: nothing inside is freed */
	struct cgroup_build b = {layout, name, &complete, ret};
	int rc = cgroup_limits_check(limits, err);

	if (rc < 0)
		return rc;
	if (!cgroup_name_is_valid(name))
		return err_set(err, ERR_INVALID, "invalid control group name: %s", name);
	complete.memory_swap = implied_swap(limits);
	if (!limits->all_devices)
		unite_rules(ret, limits);
	return layout->mode == CGROUP_V2 ? cgroup_plan_v2(&b, err) : cgroup_plan_v1(&b, err);
}

int cgroup_plan_update(const struct cgroup_layout *layout, const char *name,
		       const struct cgroup_limits *limits, struct cgroup_actions *ret,
		       struct err *err)
{
	struct cgroup_limits complete = *limits; /* a view: nothing inside is freed */
	struct cgroup_build b = {layout, name, &complete, ret, .is_update = true};
	int rc = cgroup_limits_check(limits, err);

	if (rc < 0)
		return rc;
	if (!cgroup_name_is_valid(name))
		return err_set(err, ERR_INVALID, "invalid control group name: %s", name);
	complete.all_devices = true; /* their filter stays as it is */
	return layout->mode == CGROUP_V2 ? cgroup_plan_v2(&b, err) : cgroup_plan_v1(&b, err);
}

/* ---- doing it ---- */

static int write_value(const char *path, const char *value)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd_write_full(fd, value, strlen(value));
}

static int attach_filter(const struct cgroup_actions *actions, const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : devfilter_attach(fd, actions->rules, actions->n_rules);
}

static const char *hint_for(const struct cgroup_action *a, int errnum)
{
	if (errnum == EROFS)
		return "the control groups are mounted read-only here: inside a container, start "
		       "that "
		       "one with --privileged";
	if (a->kind == CGROUP_WRITE && errnum == EBUSY &&
	    str_has_suffix(a->path, "subtree_control"))
		return "a group with processes of its own cannot have limited groups below it: "
		       "move "
		       "its processes into a group beside";
	if (a->kind == CGROUP_WRITE && str_has_suffix(a->path, "/cpuset.cpus"))
		return "the processors of this host: /sys/devices/system/cpu/online";
	if (a->kind == CGROUP_WRITE && (errnum == ENOENT || errnum == EOPNOTSUPP))
		return "this kernel does not have that control";
	return NULL;
}

int cgroup_action_error(const struct cgroup_action *a, int errnum, struct err *err)
{
	const char *hint = hint_for(a, errnum);

	if (a->kind == CGROUP_MKDIR)
		err_sys(err, errnum, "make control group %s", a->path);
	else if (a->kind == CGROUP_DEVFILTER)
		err_sys(err, errnum, "filter the devices of control group %s", a->path);
	else
		err_sys(err, errnum, "write %s to %s", a->value, a->path);
	if (a->flag)
		err_wrap(err, "%s", a->flag);
	if (hint)
		err_hint(err, "%s", hint);
	return -err->code;
}

int cgroup_action_run(const struct cgroup_actions *actions, size_t i, struct err *err)
{
	const struct cgroup_action *a = &actions->items[i];
	int rc = 0;

	if (a->kind == CGROUP_MKDIR)
		rc = mkdir(a->path, 0755) < 0 && errno != EEXIST ? -errno : 0;
	else if (a->kind == CGROUP_WRITE)
		rc = write_value(a->path, a->value);
	else
		rc = attach_filter(actions, a->path);
	if (rc >= 0)
		return 0;
	cgroup_action_error(a, -rc, err);
	return a->required ? -err->code : 1;
}
