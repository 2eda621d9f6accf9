/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of the container's first process between its root and its command: session, limits, user,
 * capabilities, filter, exec. They run after clone in memory shared with the parent, so they change
 * nothing but the process itself and the run's own state.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/caps.h"
#include "sys/path.h"
#include "sys/pty.h"
#include "sys/seccomp.h"
#include "sys/users.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* ---- session and console ---- */

/* The console is a terminal of the container's own devpts: its master is opened through the
 * descriptor of the mount we made and its slave taken from the master (TIOCGPTPEER), so no path of
 * the container is trusted (CVE-2025-52565). The caller's terminal never enters (TIOCSTI). */
static int open_console(struct plan_run *run, const struct step *step, struct err *err)
{
	struct winsize size = {.ws_row = (unsigned short)step->number[1],
			       .ws_col = (unsigned short)step->number[2]};
	cleanup_close int master = -1;
	int rc = 0;

	master = pty_open_master(run->dev_fd, "pts/ptmx");
	if (master < 0)
		return err_sys(err, -master, "open a terminal");
	rc = pty_open_peer(master);
	if (rc < 0)
		return err_sys(err, -rc, "open the terminal's other side");
	run->tty_fd = rc;
	if (size.ws_row && ioctl(master, TIOCSWINSZ, &size) < 0)
		return err_sys(err, errno, "set the terminal's size");
	rc = (int)pty_send_fds(run->report_fd, "t", 1, &master, 1, 0);
	return rc < 0 ? err_sys(err, -rc, "hand the terminal over") : 0;
}

static int run_session(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = 0;

	if (setsid() < 0)
		return err_sys(err, errno, "start a session");
	if (!step->number[0])
		return 0;
	rc = open_console(run, step, err);
	if (rc < 0)
		return rc;
	if (ioctl(run->tty_fd, TIOCSCTTY, 0) < 0)
		return err_sys(err, errno, "make the terminal the session's own");
	return 0;
}

static void explain_session(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, step->number[0] ? "# setsid, and a terminal of its own: no shell form"
				     : "# setsid: a session of its own");
}

static const struct step_op step_session = {"session", run_session, explain_session};

void plan_session(struct plan *plan, bool has_tty, unsigned short rows, unsigned short columns)
{
	struct step *step = plan_add(plan, &step_session, STEP_INSIDE);

	step->number[0] = has_tty;
	step->number[1] = rows;
	step->number[2] = columns;
}

static int run_keyring(struct plan_run *run, const struct step *step, struct err *err)
{
	/* Without a name: one that is there already could be joined, and some names are refused. */
	long rc = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

	/* A kernel without keys has none to protect. */
	if (rc < 0 && errno != ENOSYS)
		return err_sys(err, errno, "start a session keyring");
	return 0;
}

static void explain_keyring(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "# keyctl(JOIN_SESSION_KEYRING): none of the caller's keys");
}

static const struct step_op step_keyring = {"keyring", run_keyring, explain_keyring};

void plan_keyring(struct plan *plan)
{
	plan_add(plan, &step_keyring, STEP_INSIDE);
}

/* ---- limits ---- */

static int run_rlimit(struct plan_run *run, const struct step *step, struct err *err)
{
	const struct rlimit limit = {.rlim_cur = step->number[1], .rlim_max = step->number[2]};

	if (setrlimit((__rlimit_resource_t)step->number[0], &limit) < 0)
		return err_sys(err, errno, "limit %s", step->text);
	return 0;
}

static void add_limit(struct str *out, uint64_t v)
{
	if (v == RLIM_INFINITY)
		str_add(out, "unlimited");
	else
		str_addf(out, "%llu", (unsigned long long)v);
}

static void explain_rlimit(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "prlimit --pid $$ --%s=", step->text);
	add_limit(out, step->number[1]);
	str_add_char(out, ':');
	add_limit(out, step->number[2]);
}

static const struct step_op step_rlimit = {"rlimit", run_rlimit, explain_rlimit};

void plan_rlimit(struct plan *plan, int resource, const char *name, uint64_t soft, uint64_t hard,
		 const char *flag)
{
	struct step *step = plan_add(plan, &step_rlimit, STEP_INSIDE);

	step->text = str_dup(name);
	step->flag = str_dup(flag);
	step->number[0] = (uint64_t)resource;
	step->number[1] = soft;
	step->number[2] = hard;
}

static int run_oom_score(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = -1;
	char path[48];
	int proc = plan_run_proc(run);
	int rc = proc;

	snprintf(path, sizeof(path), "%d/oom_score_adj", getpid());
	if (rc >= 0) {
		fd = path_open_strict(proc, path, O_WRONLY);
		rc = fd;
	}
	if (rc >= 0)
		rc = fd_write_full(fd, step->text, strlen(step->text));
	return rc < 0 ? err_sys(err, -rc, "set the OOM score to %s", step->text) : 0;
}

static void explain_oom_score(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "echo %s > /proc/self/oom_score_adj", step->text);
}

static const struct step_op step_oom_score = {"oom score", run_oom_score, explain_oom_score};

void plan_oom_score(struct plan *plan, int score, const char *flag)
{
	struct step *step = plan_add(plan, &step_oom_score, STEP_INSIDE);

	step->text = str_printf("%d", score);
	step->flag = str_dup(flag);
}

/* ---- user ---- */

static int run_user(struct plan_run *run, const struct step *step, struct err *err)
{
	struct user user;
	int rc = users_resolve(run->root_fd, step->text, &step->words, &user, err);

	if (rc < 0)
		return rc;
	run->uid = user.uid;
	run->gid = user.gid;
	run->n_groups = user.n_groups;
	memcpy(run->groups, user.groups, user.n_groups * sizeof(user.groups[0]));
	/* HOME as docker sets it: from the passwd file, "/" when nothing is known. */
	strv_foreach (i, &run->env)
		if (str_has_prefix(run->env.items[i], "HOME="))
			return 0;
	strv_addf(&run->env, "HOME=%s", *user.home ? user.home : user.uid ? "/" : "/root");
	return 0;
}

/* What the script's lookups share: a line of the image's passwd or group file by one of its
 * columns, and the list of groups. A number is only compared with numbers, a name with names. */
static const char lookup_functions[] =
	"# the user and its groups, from the image's own files\n"
	"find_line() {\n"
	"\twithin \"./etc/$1\"; [ -f \"./etc/$1\" ] || return 1\n"
	"\twhile IFS=: read -r name _ number group _ home _ || [ -n \"$name\" ]; do\n"
	"\t\tcase $2 in name) [ \"$name\" != \"$3\" ] ;; *) [ \"$number\" != \"$3\" ] ;; esac || "
	"return 0\n"
	"\tdone < \"./etc/$1\"\n"
	"\treturn 1\n"
	"}\n"
	"add_group() {\n"
	"\tcase ,$groups, in *,\"$1\",*) ;; *) groups=$groups,$1 ;; esac\n"
	"}\n"
	"fail() {\n"
	"\techo \"$1\" >&2; exit 125\n"
	"}\n";

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* find_line FILE name VALUE || fail …: WHAT is the user or group of the message. */
static void add_find(struct str *out, const char *what, const char *file, const char *value)
{
	cleanup_free char *message = str_printf(
		"unable to find %s %s: no matching entries in %s file", what, value, file);

	str_addf(out, "find_line %s name ", file);
	str_add_shell(out, value);
	str_add(out, " || fail ");
	str_add_shell(out, message);
	str_add_char(out, '\n');
}

/* uid, gid and home; $name is the user's, or empty. */
static void add_find_user(struct str *out, const char *user)
{
	if (is_number(user)) {
		str_addf(out,
			 "if find_line passwd number %s; then gid=$group; else name='' gid=0 "
			 "home=''; "
			 "fi\n"
			 "uid=%s\n",
			 user, user);
	} else {
		add_find(out, "user", "passwd", user);
		str_add(out, "uid=$number gid=$group\n");
	}
	str_add(out,
		"dir=$home; [ -n \"$dir\" ] || dir=/; [ \"$uid,$home\" != 0, ] || dir=/root\n");
}

/* The groups that list the user as a member. */
static void add_find_memberships(struct str *out)
{
	str_add(out, "groups=$gid user=$name\n"
		     "[ -z \"$user\" ] || ! [ -f ./etc/group ] || "
		     "while IFS=: read -r _ _ number members; do\n"
		     "\tcase ,$members, in *,\"$user\",*) add_group \"$number\" ;; esac\n"
		     "done < ./etc/group");
}

static void explain_user_script(const struct step *step, struct str *out)
{
	const char *colon = strchr(step->text, ':');
	cleanup_free char *name = colon ? str_ndup(step->text, (size_t)(colon - step->text))
					: str_dup(step->text);

	str_add(out, lookup_functions);
	add_find_user(out, *name ? name : "0");
	if (!colon || !colon[1]) {
		str_add(out, "within ./etc/group\n");
		add_find_memberships(out);
	} else if (is_number(colon + 1)) {
		str_addf(out, "gid=%s groups=%s", colon + 1, colon + 1);
	} else {
		add_find(out, "group", "group", colon + 1);
		str_add(out, "gid=$number groups=$number");
	}
	strv_foreach (i, &step->words) {
		str_add_char(out, '\n');
		if (!is_number(step->words.items[i]))
			add_find(out, "group", "group", step->words.items[i]);
		str_add(out, "add_group ");
		str_add(out,
			is_number(step->words.items[i]) ? step->words.items[i] : "\"$number\"");
	}
}

static void explain_user(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT) {
		explain_user_script(step, out);
		return;
	}
	str_addf(out, "# user %s: looked up in the image's own /etc/passwd and /etc/group",
		 *step->text ? step->text : "root");
}

static const struct step_op step_user = {"user", run_user, explain_user};

void plan_user(struct plan *plan, const char *user, const struct strv *groups)
{
	struct step *step = plan_add(plan, &step_user, STEP_INSIDE);

	step->text = str_dup(user ? user : "");
	if (groups)
		strv_add_all(&step->words, groups);
}

#define CAP_LOOK CAPS_BIT(2) /* CAP_DAC_READ_SEARCH */

static int run_identity(struct plan_run *run, const struct step *step, struct err *err)
{
	uint64_t bounding = step->number[0];
	uint64_t held = run->uid == 0 ? bounding : 0;
	int rc = caps_drop_bounding(bounding);

	if (rc < 0)
		return err_sys(err, -rc, "drop capabilities");
	/* Capabilities must survive the change of user just long enough to be set exactly. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "keep capabilities");
	if (setgroups(run->n_groups, run->groups) < 0)
		return err_sys(err, errno, "set groups");
	/* Raw calls: glibc's wrappers change all threads of a process, and this one shares its
	 * memory with the parent. */
	if (syscall(SYS_setresgid, run->gid, run->gid, run->gid) < 0)
		return err_sys(err, errno, "become group %u", run->gid);
	if (syscall(SYS_setresuid, run->uid, run->uid, run->uid) < 0)
		return err_sys(err, errno, "become user %u", run->uid);
	/* A change of user may have made the process dumpable again (fs.suid_dumpable). */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, errno, "protect the new process");
	rc = caps_clear_ambient();
	/* Permitted, not effective, until exec takes it: to look into a program that the user may
	 * execute but not read (program_check_origin). A host may not have it to give. */
	if (rc >= 0 && caps_set(held | CAP_LOOK, held, 0) < 0)
		rc = caps_set(held, held, 0);
	return rc < 0 ? err_sys(err, -rc, "set capabilities") : 0;
}

static void explain_identity(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT)
		return; /* setpriv comes with the last command, which it has to start */
	str_add(out, "setpriv --inh-caps=-all --bounding-set=");
	caps_format_setpriv(step->number[0], out);
	str_add(out, " …");
}

static const struct step_op step_identity = {"identity", run_identity, explain_identity};

void plan_identity(struct plan *plan, uint64_t bounding)
{
	plan_add(plan, &step_identity, STEP_INSIDE)->number[0] = bounding;
}

static int run_no_new_privs(struct plan_run *run, const struct step *step, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "forbid new privileges");
	return 0;
}

static void explain_no_new_privs(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_TRACE)
		str_add(out, "setpriv --no-new-privs …");
}

static const struct step_op step_no_new_privs = {"no new privileges", run_no_new_privs,
						 explain_no_new_privs};

void plan_no_new_privs(struct plan *plan)
{
	plan_add(plan, &step_no_new_privs, STEP_INSIDE)->flag = str_dup(
		"--security-opt no-new-privileges");
}

static int run_seccomp(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = seccomp_install(step->data);

	return rc < 0 ? err_sys(err, -rc, "load the system call filter") : 0;
}

static void explain_seccomp(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "# seccomp: profile %s, %u instructions; no shell form", step->text,
		 (unsigned)step->number[0]);
}

static const struct step_op step_seccomp = {"seccomp", run_seccomp, explain_seccomp};

void plan_seccomp(struct plan *plan, const struct sock_fprog *fprog, const char *name)
{
	struct step *step = plan_add(plan, &step_seccomp, STEP_INSIDE);

	step->data = fprog;
	step->text = str_dup(name);
	step->number[0] = fprog->len;
}
