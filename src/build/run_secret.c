/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets of RUN. Their content is read when the step starts and is in this process's memory until
 * it has ended; then it is overwritten. For the command it is a file on a tmpfs that exists in the
 * step's mount namespace alone, or a variable of its environment: it is in no argument list, in no
 * other process's environment, in no file of a disk and in no plan that is printed.
 *
 * The program of a here-document goes the same way: a file in memory.
 */
#include "build/run_private.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_DIR "/dev/pipes"

void run_secret_forget(char *content, size_t len)
{
	if (content)
		explicit_bzero(content, len);
	free(content);
}

/* ---- what it is ---- */

static const struct build_secret *find_secret(const struct build_request *r, const char *id)
{
	for (size_t i = 0; i < r->n_secrets; i++)
		if (str_is_equal(r->secrets[i].id, id))
			return &r->secrets[i];
	return NULL;
}

static int not_found(const struct run_mount *m, struct err *err)
{
	if (!m->required)
		return 0;
	return err_set(err, ERR_NOT_FOUND, "secret %s: not found", m->id);
}

/* A name ends up as another's memory if the string grows: it is read into one block of its size. */
static int read_secret(struct run_place *p, int fd, const char *path, struct err *err)
{
	char *content = mem_zalloc(BUILD_SECRET_MAX + 2);
	ssize_t n = fd_read_full(fd, content, BUILD_SECRET_MAX + 1);

	if (n >= 0 && n <= BUILD_SECRET_MAX) {
		p->content = content;
		p->content_len = (size_t)n;
		return 0;
	}
	run_secret_forget(content, BUILD_SECRET_MAX + 2);
	if (n < 0)
		return err_sys(err, (int)-n, "read secret %s from %s", p->mount->mount.id, path);
	return err_set(err, ERR_INVALID, "invalid secret size: %s is larger than %d bytes", path,
		       BUILD_SECRET_MAX);
}

static int read_source(struct run_place *p, const char *path, struct err *err)
{
	/* lint: named by the user of the command line, on the host; not stopped by a FIFO */
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	/* What was named and is not there is a mistake, whether a step requires it or not. */
	if (fd < 0 && errno == ENOENT)
		return err_sys(err, errno, "failed to stat %s", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open secret %s", path);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "read secret %s from %s", p->mount->mount.id, path);
	/* What somebody pipes in is waited for. */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return err_sys(err, errno, "open secret %s", path);
	return read_secret(p, fd, path, err);
}

static int take_variable(struct run_place *p, const char *name, struct err *err)
{
	const char *value = getenv(name);

	if (!value)
		return not_found(&p->mount->mount, err);
	p->content_len = strlen(value);
	p->content = mem_dup(value, p->content_len + 1);
	return 0;
}

/* Without a source the name says it all: a variable of that name, else a file. */
static int load(struct run_place *p, const struct build_secret *s, struct err *err)
{
	if (s->env)
		return take_variable(p, s->env, err);
	if (s->source)
		return read_source(p, s->source, err);
	return getenv(s->id) ? take_variable(p, s->id, err) : read_source(p, s->id, err);
}

int run_secret_prepare(struct run_place *p, struct err *err)
{
	const struct run_mount *m = &p->mount->mount;
	const struct build_secret *s = find_secret(p->run->input.request, m->id);
	int rc = s ? load(p, s, err) : not_found(m, err);

	if (rc < 0 || !p->content)
		return rc;
	if (m->env && memchr(p->content, '\0', p->content_len))
		return err_set(err, ERR_INVALID,
			       "secret %s has a zero byte in it: it cannot be a variable", m->id);
	if (m->env)
		strv_addf(&p->run->secret_env, "%s=%s", m->env, p->content);
	return 0;
}

/* ---- files in memory ---- */

/* A tmpfs of its own at directory PATH; swapped out where the kernel does not know better. */
static int mount_memory(const char *path, bool runs_programs)
{
	char *options[] = {(char[]){"mode=0700"}, (char[]){"size=16m"}, (char[]){"noswap"}, NULL};
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			 (runs_programs ? 0 : MOUNT_ATTR_NOEXEC);
	/* lint: the step's own directory */
	cleanup_close int at = path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				    : -1;
	cleanup_close int fd = mount_new("tmpfs", "tmpfs", options, attrs);
	int rc = 0;

	if (path && at < 0)
		return -errno;
	if (fd == -EINVAL) {
		/* noswap is of Linux 6.4. */
		options[2] = NULL;
		fd = mount_new("tmpfs", "tmpfs", options, attrs);
	}
	if (fd < 0)
		return fd;
	rc = path ? mount_attach(fd, at) : 0;
	return rc < 0 ? rc : take_fd(fd);
}

static int write_file(int dir, const char *name, const void *content, size_t len, mode_t mode)
{
	cleanup_close int fd = openat(dir, name,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : fd_write_full(fd, content, len);

	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = -errno;
	return rc;
}

/* ---- the steps of secrets ---- */

static int make_secret(struct run_place *p, int dir)
{
	const struct run_mount *m = &p->mount->mount;
	cleanup_close int fd = -1;
	char name[24];
	int rc = 0;

	snprintf(name, sizeof(name), "%zu", p->index);
	rc = write_file(dir, name, p->content, p->content_len, m->has_mode ? m->mode : 0400);
	if (rc == 0)
		fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (rc == 0 && fchownat(dir, name, m->has_uid ? m->uid : 0, m->has_gid ? m->gid : 0,
				AT_SYMLINK_NOFOLLOW) < 0)
		rc = -errno;
	if (rc < 0 || fd < 0)
		return rc < 0 ? rc : -errno;
	p->is_dir = false;
	p->mount_fd = mount_clone(fd, false);
	if (p->mount_fd < 0)
		return p->mount_fd;
	return mount_change(p->mount_fd, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false);
}

static bool is_file(const struct run_place *p)
{
	return p->mount->mount.type == RUN_MOUNT_SECRET && p->target;
}

static int run_secrets(struct plan_run *unused, const struct step *step, struct err *err)
{
	struct build_run *run = (struct build_run *)(uintptr_t)step->data;
	cleanup_close int dir = mount_memory(step->path, false);
	int rc = dir < 0 ? dir : 0;

	for (size_t i = 0; rc == 0 && i < run->n_places; i++)
		if (is_file(&run->places[i]) && run->places[i].content)
			rc = make_secret(&run->places[i], dir);
	return rc < 0 ? err_sys(err, -rc, "keep secrets in memory") : 0;
}

static void explain_secrets(const struct step *step, enum step_text mode, struct str *out)
{
	const struct build_run *run = step->data;

	str_addf(out, "mkdir -p %s; mount -t tmpfs -o mode=0700,noexec,nosuid,nodev tmpfs %s",
		 step->path, step->path);
	for (size_t i = 0; i < run->n_places; i++)
		if (is_file(&run->places[i]))
			str_addf(out, "; touch %s/%zu   # what secret %s is, is not told here",
				 step->path, run->places[i].index, run->places[i].mount->mount.id);
}

static const struct step_op step_secrets = {"secrets", run_secrets, explain_secrets};

void run_secrets_plan(struct plan *plan, struct build_run *run)
{
	struct step *step = NULL;
	size_t n = 0;

	for (size_t i = 0; i < run->n_places; i++)
		n += is_file(&run->places[i]);
	if (!n)
		return;
	step = plan_add(plan, &step_secrets, STEP_INSIDE);
	step->path = str_printf("%s/secrets", run->side);
	step->data = run;
}

/* ---- the program of a here-document ---- */

static int run_script(struct plan_run *run, const struct step *step, struct err *err)
{
	const char *name = strrchr(step->path, '/') + 1;
	cleanup_close int target = path_ensure_dir(run->root_fd, SCRIPT_DIR, 0755, 0, 0);
	cleanup_close int dir = mount_memory(NULL, true);
	int rc = dir < 0 ? dir : write_file(dir, name, step->text, strlen(step->text), 0755);

	/* Every user may run it. */
	if (rc == 0 && target < 0)
		rc = target;
	if (rc == 0 && fchmodat(dir, ".", 0755, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = mount_change(dir, MOUNT_ATTR_RDONLY, 0, 0, false);
	if (rc >= 0)
		rc = mount_attach(dir, target);
	return rc < 0 ? err_sys(err, -rc, "write %s", step->path) : 0;
}

static void explain_script(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "mkdir -p ." SCRIPT_DIR "; mount -t tmpfs -o mode=755 tmpfs ." SCRIPT_DIR
		     "; printf %s ");
	str_add_shell(out, step->text);
	str_addf(out, " >.%s; chmod 755 .%s", step->path, step->path);
}

static const struct step_op step_script = {"script", run_script, explain_script};

void run_script_plan(struct plan *plan, const char *path, const char *script)
{
	struct step *step = plan_add(plan, &step_script, STEP_INSIDE);

	step->path = str_dup(path);
	step->text = str_dup(script);
}
