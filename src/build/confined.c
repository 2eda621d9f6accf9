/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order is that of sys/ and unpack/: what needs rights comes before they go, the filter last.
 * The program stays root's, so that what it makes is, but root without capabilities is nobody whom
 * the file system knows more of than its owner.
 *
 * Where the kernel has no Landlock the rest still holds, and --log-level debug says so.
 */
/* lint file: where programs of the host and their settings are */
#include "build/confined.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/interrupt.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (1u << 20)
#define MAX_PLACES 32
#define CANNOT_RUN 126

static const char *const program_dirs[] = {"/usr/local/bin", "/usr/bin", "/bin"};

/* What programs of the host are, and what they look up: names, hosts, certificates. */
static const char *const execute_places[] = {"/usr",   "/bin", "/sbin", "/lib",
					     "/lib64", "/nix", NULL};
static const char *const read_places[] = {"/etc",
					  "/run/systemd/resolve",
					  "/run/resolvconf",
					  "/run/NetworkManager",
					  "/var/lib/ca-certificates",
					  "/dev/random",
					  "/dev/urandom",
					  NULL};
static const char *const change_places[] = {"/dev/null", NULL};

struct child {
	char *path; /* of the program; owned */
	struct landlock_place places[MAX_PLACES];
	size_t n_places;
	struct sock_fprog filter;
	int out_fd, err_fd;
};

static void child_done(struct child *c)
{
	free(c->path);
	for (size_t i = 0; i < c->n_places; i++)
		fd_cleanup_close(&c->places[i].fd);
	seccomp_done(&c->filter);
	fd_cleanup_close(&c->out_fd);
	fd_cleanup_close(&c->err_fd);
}

/* ---- before the fork ---- */

static int find_program(const char *name, char **ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(program_dirs); i++) {
		cleanup_free char *path = str_printf("%s/%s", program_dirs[i], name);

		if (access(path, X_OK) == 0) {
			*ret = take_ptr(path);
			return 0;
		}
	}
	err_set(err, ERR_UNSUPPORTED, "%s is not installed", name);
	return err_hint(err, "apt-get install %s", name);
}

static void add_places(struct child *c, const char *const *paths, enum landlock_use use)
{
	for (; paths && *paths && c->n_places < MAX_PLACES - 1; paths++) {
		int fd = open(*paths, O_PATH | O_CLOEXEC);

		if (fd >= 0)
			c->places[c->n_places++] = (struct landlock_place){fd, use};
	}
}

static int prepare(const struct confined *how, struct child *c, struct err *err)
{
	int rc = find_program(how->program, &c->path, err);

	if (rc < 0)
		return rc;
	c->out_fd = memfd_create("output", MFD_CLOEXEC);
	c->err_fd = memfd_create("error", MFD_CLOEXEC);
	if (c->out_fd < 0 || c->err_fd < 0) {
		err_sys(err, errno, "create a memory file");
		return -ERR_SYSTEM;
	}
	add_places(c, execute_places, LANDLOCK_USE_EXECUTE);
	add_places(c, read_places, LANDLOCK_USE_READ);
	add_places(c, change_places, LANDLOCK_USE_CHANGE);
	add_places(c, how->reads, LANDLOCK_USE_READ);
	c->places[c->n_places++] = (struct landlock_place){fcntl(how->dir_fd, F_DUPFD_CLOEXEC, 0),
							   LANDLOCK_USE_CHANGE};
	rc = seccomp_build_default(0, &c->filter);
	if (rc < 0)
		return err_sys(err, -rc, "compose the system call filter");
	rc = landlock_abi();
	if (rc < 2)
		log_debug("%s runs without Landlock", how->program);
	return 0;
}

/* ---- in the child ---- */

static int drop_rights(const struct child *c)
{
	int rc = caps_drop_bounding(0);

	if (rc == 0)
		rc = caps_clear_ambient();
	if (rc == 0)
		rc = caps_set(0, 0, 0);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	rc = landlock_confine_program(c->places, c->n_places);
	if (rc < 0 && rc != -ENOSYS && rc != -EOPNOTSUPP)
		return rc;
	return seccomp_install(&c->filter);
}

static int lay_descriptors(const struct child *c)
{
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(c->out_fd, STDOUT_FILENO) < 0 ||
	    dup2(c->err_fd, STDERR_FILENO) < 0)
		return -errno;
	return close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static _Noreturn void run_child(const struct confined *how, const struct child *c)
{
	sigset_t none;
	int rc = 0;

	/* What it starts ends with it. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(022);
	rc = fchdir(how->dir_fd) < 0 ? -errno : 0;
	if (rc == 0)
		rc = lay_descriptors(c);
	if (rc == 0)
		rc = drop_rights(c);
	if (rc == 0) {
		execve(c->path, how->argv->items, how->env->items);
		rc = -errno;
	}
	dprintf(STDERR_FILENO, "cannot be run: %s\n", strerrordesc_np(-rc));
	_exit(CANNOT_RUN);
}

/* ---- after it ---- */

/* What a program says at its end matters: "fatal: ..." */
static const char *last_line(struct str *text)
{
	char *start = str_trim(text->buf);
	char *fatal = strstr(start, "fatal: ");
	char *line = fatal ? fatal : strrchr(start, '\n');

	line = line ? line + (*line == '\n') : start;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int finish(const struct confined *how, const struct child *c, pid_t pid, struct str *ret,
		  struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	int status = 0;
	int rc = interrupt_wait_child(pid, &status);

	if (rc < 0)
		return err_sys(err, -rc, "wait for %s", how->program);
	if (status == 0) {
		rc = ret ? fd_read_back(c->out_fd, MAX_OUTPUT, ret) : 0;
		return rc < 0 ? err_sys(err, -rc, "read what %s printed", how->program) : 0;
	}
	if (WIFSIGNALED(status))
		return err_set(err, ERR_UNAVAILABLE, "%s was killed by signal %d", how->program,
			       WTERMSIG(status));
	if (fd_read_back(c->err_fd, MAX_OUTPUT, &text) < 0 || !text.len)
		return err_set(err, ERR_UNAVAILABLE, "%s failed: exit status %d", how->program,
			       WEXITSTATUS(status));
	return err_set(err, ERR_UNAVAILABLE, "%s", last_line(&text));
}

int confined_run(const struct confined *how, struct str *ret, struct err *err)
{
	cleanup_with(child_done) struct child c = {.out_fd = -1, .err_fd = -1};
	pid_t pid = 0;

	assert(how->argv->n > 0 && how->env->n > 0);
	if (prepare(how, &c, err) < 0)
		return -err->code;
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork");
	if (pid == 0)
		run_child(how, &c);
	return finish(how, &c, pid, ret, err);
}
