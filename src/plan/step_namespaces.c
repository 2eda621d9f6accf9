/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that make or join namespaces and control groups, and that set what belongs to a namespace:
 * host name, links, kernel parameters.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/net.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
	uint64_t flag;
	const char *word;
} namespace_words[] = {
	{CLONE_NEWNS, "mount"},	     {CLONE_NEWPID, "pid"}, {CLONE_NEWUTS, "uts"},
	{CLONE_NEWIPC, "ipc"},	     {CLONE_NEWNET, "net"}, {CLONE_NEWUSER, "user"},
	{CLONE_NEWCGROUP, "cgroup"},
};

static const char *namespace_word(uint64_t flag)
{
	for (size_t i = 0; i < ARRAY_LEN(namespace_words); i++)
		if (namespace_words[i].flag == flag)
			return namespace_words[i].word;
	return "?";
}

/* ---- clone ---- */

static int run_clone(struct plan_run *run, const struct step *step, struct err *err)
{
	return run->clone(run, step, err);
}

static void explain_clone(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "unshare --fork");
	for (size_t i = 0; i < ARRAY_LEN(namespace_words); i++)
		if (step->number[0] & namespace_words[i].flag)
			str_addf(out, " --%s", namespace_words[i].word);
}

const struct step_op step_clone = {"clone", run_clone, explain_clone};

void plan_clone(struct plan *plan, uint64_t flags, const char *cgroup)
{
	struct step *step = plan_add(plan, &step_clone, STEP_HOST);

	step->number[0] = flags;
	step->path = str_dup(cgroup);
}

/* ---- join ---- */

static int run_join_namespace(struct plan_run *run, const struct step *step, struct err *err)
{
	if (setns((int)step->number[1], (int)step->number[0]) < 0)
		return err_sys(err, errno, "join the %s namespace of %s",
			       namespace_word(step->number[0]), step->path);
	return 0;
}

static void explain_join_namespace(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "nsenter --%s=", namespace_word(step->number[0]));
	str_add_shell(out, step->path);
	if (mode == TEXT_TRACE)
		str_add(out, " …");
}

const struct step_op step_join_namespace = {"join", run_join_namespace, explain_join_namespace};

void plan_join_namespace(struct plan *plan, enum step_where where, int fd, const char *path,
			 uint64_t flag)
{
	struct step *step = plan_add(plan, &step_join_namespace, where);

	step->path = str_dup(path);
	step->number[0] = flag;
	step->number[1] = (uint64_t)fd;
}

static int run_join_cgroup(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = -1;
	int rc = 0;

	if (step->number[0])
		return 0; /* born there */
	/* lint: a file of the host's cgroupfs */
	fd = open(step->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	/* "0" is the writer itself, whatever its pid in whichever namespace. */
	rc = fd < 0 ? -errno : fd_write_full(fd, "0", 1);

	return rc < 0 ? err_sys(err, -rc, "join control group %s", step->path) : 0;
}

static void explain_join_cgroup(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "echo 0 > ");
	str_add_shell(out, step->path);
	if (step->number[0] && mode == TEXT_TRACE)
		str_add(out, "   # clone3(CLONE_INTO_CGROUP): it was born there");
}

static const struct step_op step_join_cgroup = {"join cgroup", run_join_cgroup,
						explain_join_cgroup};

void plan_join_cgroup(struct plan *plan, const char *path, bool is_v1)
{
	struct step *step = plan_add(plan, &step_join_cgroup, STEP_INSIDE);

	/* A thread that moves itself by v1's "tasks" does not stop the forks of the whole machine
	 * for a moment, as "cgroup.procs" does (cgroup_procs_write_start in the kernel): up to 10
	 * ms on a busy host. The child has one thread. On v2 it is cloned into the group instead.
	 */
	step->path = str_printf("%s/%s", path, is_v1 ? "tasks" : "cgroup.procs");
	step->number[0] = !is_v1;
}

static int run_unshare_cgroup(struct plan_run *run, const struct step *step, struct err *err)
{
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, errno, "make a cgroup namespace");
	return 0;
}

static void explain_unshare_cgroup(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "unshare --cgroup");
}

const struct step_op step_unshare_cgroup = {"unshare cgroup", run_unshare_cgroup,
					    explain_unshare_cgroup};

void plan_unshare_cgroup(struct plan *plan)
{
	plan_add(plan, &step_unshare_cgroup, STEP_INSIDE);
}

/* ---- what belongs to a namespace ---- */

static int run_hostname(struct plan_run *run, const struct step *step, struct err *err)
{
	if (sethostname(step->text, strlen(step->text)) < 0)
		return err_sys(err, errno, "sethostname");
	return 0;
}

static void explain_hostname(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "echo ");
	str_add_shell(out, step->text);
	str_add(out, " > /proc/sys/kernel/hostname");
}

static const struct step_op step_hostname = {"hostname", run_hostname, explain_hostname};

void plan_set_hostname(struct plan *plan, const char *name)
{
	plan_add(plan, &step_hostname, STEP_INSIDE)->text = str_dup(name);
}

static int run_domainname(struct plan_run *run, const struct step *step, struct err *err)
{
	if (setdomainname(step->text, strlen(step->text)) < 0)
		return err_sys(err, errno, "setdomainname");
	return 0;
}

static void explain_domainname(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "echo ");
	str_add_shell(out, step->text);
	str_add(out, " > /proc/sys/kernel/domainname");
}

static const struct step_op step_domainname = {"domainname", run_domainname, explain_domainname};

void plan_set_domainname(struct plan *plan, const char *name)
{
	struct step *step = plan_add(plan, &step_domainname, STEP_INSIDE);

	step->text = str_dup(name);
	step->flag = str_dup("--domainname");
}

static int run_link_up(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = net_set_link_up(step->text);

	return rc < 0 ? err_sys(err, -rc, "set link %s up", step->text) : 0;
}

static void explain_link_up(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "ip link set ");
	str_add_shell(out, step->text);
	str_add(out, " up");
}

static const struct step_op step_link_up = {"link up", run_link_up, explain_link_up};

void plan_link_up(struct plan *plan, const char *name)
{
	plan_add(plan, &step_link_up, STEP_INSIDE)->text = str_dup(name);
}

/* "net.ipv4.ip_forward" as a path below /proc; "/" in a key stands for a dot in a name. */
static char *sysctl_path(const char *key)
{
	char *path = str_printf("sys/%s", key);

	for (char *p = path + 4; *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return path;
}

static int run_sysctl(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_free char *path = sysctl_path(step->path);
	cleanup_close int fd = -1;
	int rc = plan_run_proc(run);

	if (rc >= 0) {
		fd = path_open_strict(rc, path, O_WRONLY);
		rc = fd < 0 ? fd : fd_write_full(fd, step->text, strlen(step->text));
	}
	return rc < 0 ? err_sys(err, -rc, "set kernel parameter %s to %s", step->path, step->text)
		      : 0;
}

static void explain_sysctl(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_free char *path = sysctl_path(step->path);

	str_add(out, "echo ");
	str_add_shell(out, step->text);
	str_addf(out, " > ./proc/%s", path);
}

static const struct step_op step_sysctl = {"sysctl", run_sysctl, explain_sysctl};

void plan_sysctl(struct plan *plan, const char *key, const char *value, const char *flag)
{
	struct step *step = plan_add(plan, &step_sysctl, STEP_INSIDE);

	step->path = str_dup(key);
	step->text = str_dup(value);
	step->flag = str_dup(flag);
}
