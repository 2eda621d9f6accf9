/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last steps: where the command starts, and the command itself.
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/caps.h"
#include "sys/path.h"
#include "sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- working directory ---- */

static int run_create_workdir(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int dir = path_ensure_dir(run->root_fd, step->path, 0755, 0, 0);

	if (dir == -ENOTDIR || dir == -EEXIST)
		return err_set(err, ERR_INVALID, "Cannot mkdir: %s is not a directory", step->path);
	/* A magic link or a loop is left to the change of directory, which names it. */
	if (dir < 0 && dir != -ELOOP)
		return err_sys(err, -dir, "mkdir %s", step->path);
	return 0;
}

static void explain_create_workdir(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_free char *inside = str_printf(".%s", step->path);

	if (mode == TEXT_SCRIPT) {
		str_add(out, "within ");
		str_add_shell(out, inside);
		str_add(out, "; ");
	}
	str_add(out, "mkdir -p ");
	str_add_shell(out, inside);
}

static const struct step_op step_create_workdir = {"mkdir", run_create_workdir,
						   explain_create_workdir};

void plan_create_workdir(struct plan *plan, const char *path)
{
	plan_add(plan, &step_create_workdir, STEP_INSIDE)->path = str_dup(path);
}

static int run_workdir(struct plan_run *run, const struct step *step, struct err *err)
{
	/* lint: the root itself, to pin it; there is nothing to resolve */
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int dir = -1;
	char cwd[PATH_MAX];

	if (root < 0)
		return err_sys(err, errno, "open /");
	/* In root and without magic links: /proc/self/fd/N leads to the host (CVE-2024-21626). */
	dir = path_open_in_root(root, step->path, O_PATH | O_DIRECTORY, 0);
	if (dir < 0 || fchdir(dir) < 0)
		return err_sys(err, dir < 0 ? -dir : errno,
			       "chdir to cwd (\"%s\") set in config.json failed", step->path);
	/* The kernel answers with the raw call "(unreachable)/..." for a directory outside the
	 * root. */
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || cwd[0] != '/')
		return err_set(err, ERR_DENIED, "working directory %s is outside the container",
			       step->path);
	return 0;
}

static void explain_workdir(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT)
		return; /* the last command goes there itself */
	str_add(out, "cd ");
	str_add_shell(out, step->path);
}

static const struct step_op step_workdir = {"cwd", run_workdir, explain_workdir};

void plan_workdir(struct plan *plan, const char *path)
{
	plan_add(plan, &step_workdir, STEP_INSIDE)->path = str_dup(path);
}

/* ---- exec ---- */

static const char *env_get(const struct strv *env, const char *name)
{
	size_t len = strlen(name);

	strv_foreach (i, env)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* What docker says of a command that is there but cannot be executed. */
static int refuse(const char *name, int errnum, struct err *err)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return err_set(err, ERR_NO_COMMAND,
			       "exec: \"%s\": stat %s: no such file or directory", name, name);
	if (errnum == EISDIR)
		return err_set(err, ERR_NO_EXEC, "exec: \"%s\": is a directory", name);
	return err_set(err, ERR_NO_EXEC, "exec: \"%s\": permission denied", name);
}

static int check_executable(const char *path)
{
	struct stat st;

	/* lint: inside the container's root and as its user, as execve(2) will see it */
	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* With the effective user, who is the container's by now. */
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* Finds NAME in PATH as Go's LookPath does: a permission problem is remembered, not final. */
static int look_up(const char *name, const struct strv *env, char path[static PATH_MAX],
		   struct err *err)
{
	const char *dirs = env_get(env, "PATH");
	int found = ENOENT;

	if (strchr(name, '/')) {
		int rc = check_executable(name);

		snprintf(path, PATH_MAX, "%s", name);
		return rc < 0 ? refuse(name, -rc, err) : 0;
	}
	for (const char *p = dirs; p && *name;) {
		size_t len = strcspn(p, ":");
		int rc = 0;

		snprintf(path, PATH_MAX, "%.*s/%s", len ? (int)len : 1, len ? p : ".", name);
		rc = check_executable(path);
		if (rc == 0)
			return 0;
		if (rc == -EACCES)
			found = EACCES;
		p = p[len] ? p + len + 1 : NULL;
	}
	if (found == EACCES)
		return refuse(name, found, err);
	return err_set(err, ERR_NO_COMMAND, "exec: \"%s\": executable file not found in $PATH",
		       name);
}

static int set_stdio(struct plan_run *run, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int from = run->tty_fd >= 0 ? run->tty_fd : run->stdio[i];

		if (from >= 0 && dup2(from, i) < 0)
			return err_sys(err, errno, "set up stdio");
	}
	/* dup2 onto itself keeps O_CLOEXEC: nothing of 0, 1, 2 may be lost. */
	for (int i = 0; i < 3; i++)
		fcntl(i, F_SETFD, 0);
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	/* The monitor ignores some; a command that inherits that cannot be interrupted. */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A process has ended when its pidfd is readable, pidfd_open(2). */
static bool is_gone(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&p, 1, 0) > 0;
}

static int run_exec(struct plan_run *run, const struct step *step, struct err *err)
{
	char path[PATH_MAX];
	int rc = look_up(step->words.items[0], &run->env, path, err);

	if (rc < 0)
		return rc;
	/* Not the engine itself, nor anything else behind a magic link (CVE-2019-5736). */
	if (program_check_origin(path) < 0)
		return refuse(path, EACCES, err);
	rc = set_stdio(run, err);
	if (rc < 0)
		return rc;
	reset_signals();
	/* A change of user has cleared it. */
	if (prctl(PR_SET_PDEATHSIG, run->pdeath_signal, 0, 0, 0) < 0)
		return err_sys(err, errno, "tie the container to its monitor");
	/* A parent that died before that line sends nothing any more. */
	if (run->pdeath_signal && is_gone(run->parent_fd))
		_exit(128 + SIGKILL);
	/* Whatever leaked into this process, from whoever started it, stays out (CVE-2024-21626).
	 * Closed now and not by exec, so that no path through /proc/self/fd leads anywhere
	 * meanwhile. */
	if (syscall(SYS_close_range, 3, ~0U, 0) < 0)
		return err_sys(err, errno, "close descriptors");
	if (run->plan)
		plan_mark(run->plan, PLAN_EXEC);
	execve(path, step->words.items, run->env.items ? run->env.items : (char *[]){NULL});
	if (errno == ENOENT)
		return err_set(err, ERR_NO_COMMAND, "exec %s: no such file or directory", path);
	if (errno == ENOEXEC)
		return err_set(err, ERR_NO_EXEC, "exec %s: exec format error", path);
	return errno == EACCES ? refuse(path, errno, err) : err_sys(err, errno, "exec %s", path);
}

static void add_command(const struct step *step, struct str *out)
{
	strv_foreach (i, &step->words) {
		str_add_char(out, ' ');
		str_add_shell(out, step->words.items[i]);
	}
}

/* The capabilities that the script's own tools need for the last steps. */
#define TOOLS_NEED (CAPS_BIT(7) | CAPS_BIT(18)) /* SETUID, SYS_CHROOT */

/* setpriv starts the tool that changes the root, which starts the command: capabilities are dropped
 * at the first exec, the root changes at the second. */
static void add_setpriv(const struct plan_exec_info *info, bool lend, struct str *out)
{
	str_addf(out, " \"$(command -v setpriv)\" --inh-caps=-all%s",
		 lend ? ",+setuid,+sys_chroot" : "");
	/* The inheritable set can only grow while the bounding set has it. */
	if (lend)
		str_add(out, " \"$(command -v setpriv)\"");
	str_add(out, " --regid=\"$gid\" --groups=\"$groups\" --bounding-set=");
	caps_format_setpriv(info->bounding, out);
	if (info->no_new_privs)
		str_add(out, " --no-new-privs");
}

static void explain_exec_script(const struct step *step, struct str *out)
{
	const struct plan_exec_info *info = step->data;
	bool has_user = info->user && *info->user;
	bool lend = (info->bounding & TOOLS_NEED) != TOOLS_NEED;

	if (lend)
		str_add(out, "# A script's tools change root and user after capabilities are "
			     "dropped, so they are\n"
			     "# lent two of them, which stay inheritable; tare drops last, and "
			     "keeps none.\n");
	str_add(out, "exec env -i");
	strv_foreach (i, info->env) {
		str_add_char(out, ' ');
		str_add_shell(out, info->env->items[i]);
	}
	if (!env_get(info->env, "HOME"))
		str_add(out, " HOME=\"$dir\"");
	add_setpriv(info, lend, out);
	if (!has_user && strcmp(info->cwd, "/") == 0) {
		str_add(out, " \"$(command -v chroot)\" .");
	} else {
		str_add(out, " \"$(command -v unshare)\" --root=. --wd=");
		str_add_shell(out, info->cwd);
		if (has_user)
			str_add(out, " --setuid=\"$uid\"");
	}
	add_command(step, out);
	if (!info->open_stdin)
		str_add(out, " </dev/null");
}

static void explain_exec(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_SCRIPT) {
		explain_exec_script(step, out);
		return;
	}
	str_add(out, "exec");
	add_command(step, out);
}

const struct step_op step_exec = {"exec", run_exec, explain_exec};

void plan_exec(struct plan *plan, const struct strv *args, const struct plan_exec_info *info)
{
	struct step *step = plan_add(plan, &step_exec, STEP_INSIDE);

	strv_add_all(&step->words, args);
	step->data = info;
}
