/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of an SSH agent in a step: made below the runroot, with the owner and mode that the
 * step asks for, served by a process of ours (run_agent.c), and mounted by descriptor.
 */
#include "build/run_ssh.h"

#include "base/fd.h"
#include "base/mem.h"
#include "build/run_agent.h"
#include "build/run_keys.h"
#include "build/run_private.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_ID   "default"
#define DEFAULT_MODE 0600
#define AGENT_ENV    "SSH_AUTH_SOCK"

static const char *id_of(const struct run_place *p)
{
	return p->mount->mount.id ? p->mount->mount.id : DEFAULT_ID;
}

size_t run_ssh_number(const struct run_place *p)
{
	const struct build_run_op *op = p->run->input.op;
	size_t n = 0;

	for (size_t i = 0; i < p->index; i++)
		n += op->mounts[i].mount.type == RUN_MOUNT_SSH;
	return n;
}

/* ---- the user's agent ---- */

static const struct build_ssh *find_agent(const struct build_request *r, const char *id)
{
	for (size_t i = 0; i < r->n_ssh; i++)
		if (str_is_equal(r->ssh[i].id, id))
			return &r->ssh[i];
	return NULL;
}

static int refuse_missing(const struct run_place *p, struct err *err)
{
	if (!p->mount->mount.required)
		return 0;
	if (p->run->input.request->n_ssh)
		return err_set(err, ERR_NOT_FOUND, "unset ssh forward key %s", id_of(p));
	err_set(err, ERR_NOT_FOUND, "no SSH key \"%s\" forwarded from the client", id_of(p));
	return err_hint(err, "start an ssh-agent and say --ssh %s", id_of(p));
}

static bool is_socket(const char *path)
{
	struct stat st;

	/* lint: named by the user of the command line, on the host */
	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int check_files(const struct strv *paths, struct err *err)
{
	strv_foreach (i, paths) {
		struct stat st;

		/* lint: named by the user of the command line, on the host */
		if (stat(paths->items[i], &st) < 0)
			return err_sys(err, errno, "look for the ssh key %s", paths->items[i]);
		if (S_ISSOCK(st.st_mode))
			return err_set(
				err, ERR_INVALID,
				"only a single ssh agent is allowed, without keys beside it");
	}
	return 0;
}

/* An agent of the step's own for the keys in files; RET becomes the name of its socket. */
static int start_keys(struct run_place *p, const struct strv *files, char **ret, struct err *err)
{
	cleanup_free char *name = str_printf("agent%zu", p->index);
	pid_t pid = 0;

	if (check_files(files, err) < 0)
		return -err->code;
	pid = run_keys_start(p->run->oneshot.state_fd, name, files, err);
	if (pid < 0)
		return -err->code;
	p->keys = pid;
	*ret = take_ptr(name);
	return 0;
}

/* RET gets the agent's socket (owned): a path of the host, or with P->keys a name in the step's
 * directory. NULL: there is none, and none is needed. */
static int choose_agent(struct run_place *p, char **ret, struct err *err)
{
	const struct build_ssh *ssh = find_agent(p->run->input.request, id_of(p));
	const char *path = NULL;

	*ret = NULL;
	if (!ssh)
		return refuse_missing(p, err);
	path = ssh->paths.n ? ssh->paths.items[0] : getenv(AGENT_ENV);
	if (!path || !*path) {
		err_set(err, ERR_NOT_FOUND,
			"invalid empty ssh agent socket: make sure " AGENT_ENV " is set");
		return err_hint(err, "eval \"$(ssh-agent)\"; ssh-add");
	}
	if (ssh->paths.n && (ssh->paths.n > 1 || !is_socket(path)))
		return start_keys(p, &ssh->paths, ret, err);
	*ret = str_dup(path);
	return 0;
}

/* ---- our socket ---- */

/* By descriptor: a path of the runroot may be longer than an address may be. */
static int listen_at(const struct run_place *p, const char *name, struct err *err)
{
	const struct run_mount *m = &p->mount->mount;
	int dir = p->run->oneshot.state_fd;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (fd < 0 || bind(fd, (const void *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0 ||
	    fchmodat(dir, name, m->has_mode ? m->mode : DEFAULT_MODE, 0) < 0 ||
	    fchownat(dir, name, m->has_uid ? m->uid : 0, m->has_gid ? m->gid : 0,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "make the socket of an ssh agent");
	return take_fd(fd);
}

static void set_variable(struct run_place *p)
{
	cleanup_free char *text = str_printf(AGENT_ENV "=%s", p->target);

	if (run_ssh_number(p) == 0 && !strv_has(&p->run->env, text))
		strv_add(&p->run->env, text);
}

int run_ssh_prepare(struct run_place *p, struct err *err)
{
	cleanup_free char *name = str_printf("ssh%zu", p->index);
	cleanup_free char *agent = NULL;
	cleanup_close int listener = -1;
	int rc = 0;

	set_variable(p);
	rc = choose_agent(p, &agent, err);
	if (rc < 0 || !agent)
		return rc;
	listener = listen_at(p, name, err);
	if (listener < 0)
		return -err->code;
	p->agent = run_agent_start(listener, p->keys ? p->run->oneshot.state_fd : -1, agent);
	if (p->agent < 0)
		return err_sys(err, -(int)p->agent, "forward the ssh agent");
	p->socket = str_printf("%s/%s", p->run->oneshot.dir, name);
	return 0;
}

/* A child of ours that nobody has waited for: the number is still its. */
static void end_child(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

void run_ssh_done(struct run_place *p)
{
	cleanup_free char *keys = str_printf("agent%zu", p->index);

	end_child(&p->agent);
	if (p->socket)
		unlink(p->socket); /* lint: the engine's own directory of the step */
	if (p->keys)
		unlinkat(p->run->oneshot.state_fd, keys, 0);
	end_child(&p->keys);
	free(take_ptr(p->socket));
}

/* ---- in the child ---- */

static int run_socket(struct plan_run *run, const struct step *step, struct err *err)
{
	struct run_place *p = (struct run_place *)(uintptr_t)step->data;
	/* lint: the engine's own directory of the step */
	cleanup_close int fd = open(step->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	p->is_dir = false;
	p->mount_fd = fd < 0 ? -errno : mount_clone(fd, false);
	if (p->mount_fd < 0)
		return err_sys(err, -p->mount_fd, "mount the ssh agent's socket");
	mount_change(p->mount_fd, 0, 0, MS_PRIVATE, false);
	return 0;
}

static void explain_socket(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "test -S ");
	str_add_shell(out, step->path ? step->path : "");
	if (mode == TEXT_TRACE)
		str_add(out, "   # behind it a process hands on to the user's agent");
}

static const struct step_op step_socket = {"agent", run_socket, explain_socket};

void run_ssh_plan(struct plan *plan, struct run_place *p)
{
	struct step *step = NULL;

	if (!p->socket && !p->run->is_dry)
		return;
	step = plan_add(plan, &step_socket, STEP_INSIDE);
	step->path = str_dup(p->socket ? p->socket : "$SSH_AUTH_SOCK");
	step->data = p;
}
