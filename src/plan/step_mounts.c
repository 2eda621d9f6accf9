/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that build the container's tree of mounts. Every target is resolved under the root's
 * descriptor and every source is a descriptor that was opened before anything of the container
 * could run, so neither an image nor a neighbour who shares a volume can move a mount elsewhere
 * (CVE-2021-30465, CVE-2024-45310, CVE-2025-31133, CVE-2025-52881).
 */
#include "plan/steps.h"

#include "base/fd.h"
#include "base/mem.h"
#include "plan/mount_text.h"
#include "sys/mount.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PROC_SUPER_MAGIC 0x9fa0

/* "/proc" as a path of the shell that stands in the root: "./proc". */
static void add_inside(struct str *out, const char *path)
{
	cleanup_str struct str s = STR_INIT;

	str_addf(&s, "./%s", path + strspn(path, "/"));
	str_add_shell(out, str_get(&s));
}

/* In a script, before anything is made at PATH: plan_script defines the function. */
static void add_within(struct str *out, const char *path)
{
	str_add(out, "within ");
	add_inside(out, path);
	str_add(out, "; ");
}

/* ---- propagation ---- */

static int run_make_private(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = mount_set_propagation_all(step->number[0]);

	return rc < 0 ? err_sys(err, -rc, "keep mounts from the host") : 0;
}

static void explain_make_private(const struct step *step, enum step_text mode, struct str *out)
{
	str_addf(out, "mount --make-r%s /", mount_propagation_name(step->number[0]));
}

static const struct step_op step_make_private = {"propagation", run_make_private,
						 explain_make_private};

void plan_make_private(struct plan *plan, unsigned long propagation)
{
	plan_add(plan, &step_make_private, STEP_INSIDE)->number[0] = propagation;
}

/* ---- the root ---- */

/* More layers than an image may have; the kernel's own limit is 500. */
#define MAX_LOWERS 128

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Without the system's words for it: `run` would take "no such file" for that of the command. */
static int err_layer(const char *path, int errnum, struct err *err)
{
	if (errnum != ENOENT && errnum != ENOTDIR)
		return err_sys(err, errnum, "open layer %s", path);
	err_set(err, ERR_SYSTEM, "layer %s is missing", path);
	return err_hint(err, "tare system check");
}

static int open_lowers(const struct strv *paths, int *fds, struct err *err)
{
	if (paths->n > MAX_LOWERS)
		return err_set(err, ERR_UNSUPPORTED, "an image of %zu layers; at most %d", paths->n,
			       MAX_LOWERS);
	strv_foreach (i, paths) {
		/* lint: a layer directory of the store */
		fds[i] = open(paths->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0) {
			int saved = errno;

			close_all(fds, i);
			return err_layer(paths->items[i], saved, err);
		}
	}
	return 0;
}

static int run_overlay(struct plan_run *run, const struct step *step, struct err *err)
{
	/* lint: the store's own directory of this container */
	cleanup_close int dir = open(step->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int upper = dir < 0 ? -1
					  : openat(dir, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int work = dir < 0 ? -1
					 : openat(dir, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int lowers[MAX_LOWERS] = {};
	int rc = 0;

	if (upper < 0 || work < 0)
		return err_sys(err, errno, "open the writable layer in %s", step->path);
	rc = open_lowers(&step->words, lowers, err);
	if (rc < 0)
		return rc;
	rc = mount_overlay(lowers, step->words.n, upper, work, step->number[0], step->text);
	close_all(lowers, step->words.n);
	if (rc < 0)
		return err_sys(err, -rc, "mount the overlay in %s", step->path);
	run->root_fd = rc;
	return 0;
}

static void explain_overlay(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str options = STR_INIT;

	strv_foreach (i, &step->words)
		str_addf(&options, "%s%s", i ? ":" : "lowerdir=", step->words.items[i]);
	str_addf(&options, ",upperdir=%s/upper,workdir=%s/work", step->path, step->path);
	for (size_t i = 0; mount_overlay_options[i]; i++)
		str_addf(&options, ",%s", mount_overlay_options[i]);
	if (step->number[0])
		str_add(&options, ",volatile");
	str_add(out, "mount -t overlay -o ");
	str_add_shell(out, str_get(&options));
	str_add(out, " overlay ");
	str_add_shell(out, step->text);
	str_add(out, "; cd ");
	str_add_shell(out, step->text);
}

static const struct step_op step_overlay = {"overlay", run_overlay, explain_overlay};

void plan_mount_overlay(struct plan *plan, const struct strv *lowers, const char *dir,
			const char *target, bool is_volatile)
{
	struct step *step = plan_add(plan, &step_overlay, STEP_INSIDE);

	strv_add_all(&step->words, lowers);
	step->path = str_dup(dir);
	step->text = str_dup(target);
	step->number[0] = is_volatile;
}

/* ---- where a mount may go ---- */

/* Files of procfs that others have good reasons to replace (lxcfs), as runc allows. */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/net/dev",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
};

static bool is_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* A container's own procfs must never be covered by what an image or a volume brings
 * (CVE-2019-16884), neither under its own name nor through a link of the image. SOURCE_FD is -1 for
 * a new file system. */
static int check_target(const char *target, int target_fd, int source_fd, struct err *err)
{
	bool named = strcmp(target, "/proc") == 0 || str_has_prefix(target, "/proc/");

	if (!named && !is_proc(target_fd))
		return 0;
	if (strcmp(target, "/proc") == 0 && source_fd >= 0 && is_proc(source_fd))
		return 0;
	for (size_t i = 0; source_fd >= 0 && i < ARRAY_LEN(proc_files); i++)
		if (strcmp(target, proc_files[i]) == 0)
			return 0;
	return err_set(err, ERR_DENIED, "\"%s\" cannot be mounted because it is inside /proc",
		       target);
}

/* What programs trust to be the kernel's stands where it is named: a link of the image there could
 * be turned to something else later (CVE-2019-19921, CVE-2026-41579). */
static int check_ordinary(struct plan_run *run, const struct step *step, struct err *err)
{
	struct stat st;

	if (strcmp(step->path, "/proc") != 0 && strcmp(step->path, "/sys") != 0 &&
	    strcmp(step->path, "/dev") != 0)
		return 0;
	if (fstatat(run->root_fd, step->path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISDIR(st.st_mode))
		return 0;
	return err_set(err, ERR_DENIED,
		       "filesystem \"%s\" must be mounted on an ordinary directory", step->type);
}

/* ---- new file systems ---- */

static int attach_at(struct plan_run *run, int mount_fd, const struct step *step, struct err *err)
{
	cleanup_close int target_fd = path_ensure_dir(run->root_fd, step->path, 0755, 0, 0);
	int rc = 0;

	/* A procfs goes to /proc, of course. */
	if (target_fd >= 0 && strcmp(step->type, "tmpfs") == 0)
		rc = check_target(step->path, target_fd, -1, err);
	if (rc < 0)
		return rc;
	rc = target_fd < 0 ? target_fd : mount_attach(mount_fd, target_fd);
	return rc < 0 ? err_sys(err, -rc, "mount on %s", step->path) : 0;
}

static int run_mount(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int fd = mount_new(step->type, step->text, step->words.items,
					 step->number[0]);
	int rc = 0;

	if (fd < 0)
		return err_sys(err, -fd, "mount a new %s for %s", step->type, step->path);
	rc = check_ordinary(run, step, err);
	if (rc == 0)
		rc = attach_at(run, fd, step, err);
	if (rc < 0)
		return rc;
	if (strcmp(step->path, "/dev") == 0) {
		fd_cleanup_close(&run->dev_fd);
		run->dev_fd = take_fd(fd);
	} else if (strcmp(step->path, "/proc") == 0 && run->proc_fd < 0) {
		run->proc_fd = take_fd(fd);
	}
	return 0;
}

static void explain_mount(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str options = STR_INIT;

	if (mode == TEXT_SCRIPT) {
		add_within(out, step->path);
		str_add(out, "mkdir -p ");
		add_inside(out, step->path);
		str_add(out, "; ");
	}
	mount_attrs_format(step->number[0], &options);
	strv_foreach (i, &step->words)
		str_addf(&options, "%s%s", options.len ? "," : "", step->words.items[i]);
	str_addf(out, "mount -t %s ", step->type);
	if (options.len) {
		str_add(out, "-o ");
		str_add_shell(out, str_get(&options));
		str_add_char(out, ' ');
	}
	str_add_shell(out, step->text);
	str_add_char(out, ' ');
	add_inside(out, step->path);
}

static const struct step_op step_mount = {"mount", run_mount, explain_mount};

struct step *plan_mount(struct plan *plan, const char *type, const char *source, const char *target,
			const struct strv *options, uint64_t attrs)
{
	struct step *step = plan_add(plan, &step_mount, STEP_INSIDE);

	step->type = str_dup(type);
	step->text = str_dup(source ? source : type);
	step->path = str_dup(target);
	if (options)
		strv_add_all(&step->words, options);
	step->number[0] = attrs;
	return step;
}

/* ---- binds ---- */

static int run_open_source(struct plan_run *run, const struct step *step, struct err *err)
{
	/* lint: named by the user of the command line, on the host */
	cleanup_close int source = open(step->path, O_PATH | O_CLOEXEC);
	int fd = source < 0 ? -errno : mount_clone(source, step->number[1]);

	if (fd < 0)
		return err_sys(err, -fd, "bind source %s", step->path);
	return plan_run_set_source(run, step->number[0], fd);
}

static void explain_open_source(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "test -e ");
	str_add_shell(out, step->path);
	if (mode == TEXT_TRACE)
		str_add(out, "   # and keep a descriptor of it, so that nobody can exchange it");
}

static const struct step_op step_open_source = {"source", run_open_source, explain_open_source};

void plan_open_source(struct plan *plan, size_t index, const char *path, bool recursive,
		      const char *flag)
{
	struct step *step = plan_add(plan, &step_open_source, STEP_HOST);

	step->path = str_dup(path);
	step->flag = str_dup(flag);
	step->number[0] = index;
	step->number[1] = recursive;
}

/* Attributes and propagation, while nobody can use the mount yet. */
static int change_bind(int source, const struct step *step)
{
	uint64_t attrs = step->number[1] & ~PLAN_ATTRS_DEEP;
	bool recursive = step->number[3];
	bool is_deep = recursive && (step->number[1] & PLAN_ATTRS_DEEP);
	int rc = 0;

	if (attrs && !is_deep)
		rc = mount_change(source, attrs, 0, 0, false);
	if (rc >= 0)
		rc = mount_change(source, is_deep ? attrs : 0, 0, step->number[2], recursive);
	return rc;
}

int plan_attach_source(struct plan_run *run, int source, bool is_dir, const char *path,
		       struct err *err)
{
	cleanup_close int target = is_dir ? path_ensure_dir(run->root_fd, path, 0755, 0, 0)
					  : path_ensure_file(run->root_fd, path, 0755);
	struct stat at;
	int rc = 0;

	/* In a procfs nothing can be made: what stands in the way is that it is one. */
	if (target < 0 && str_has_prefix(path, "/proc/"))
		return check_target(path, run->root_fd, source, err);
	if (target < 0)
		return err_sys(err, -target, "create mount point %s", path);
	/* move_mount(2) says EINVAL where mount(2) says what is wrong. */
	if (fstat(target, &at) == 0 && S_ISDIR(at.st_mode) != is_dir)
		return err_sys(err, ENOTDIR, "bind to %s", path);
	rc = check_target(path, target, source, err);
	if (rc < 0)
		return rc;
	rc = mount_attach(source, target);
	return rc < 0 ? err_sys(err, -rc, "bind to %s", path) : 0;
}

static int run_bind(struct plan_run *run, const struct step *step, struct err *err)
{
	int source = run->sources[step->number[0]];
	struct stat st;
	int rc = 0;

	if (fstat(source, &st) < 0)
		return err_sys(err, errno, "look at bind source %s", step->text);
	rc = change_bind(source, step);
	if (rc < 0)
		return err_sys(err, -rc, "bind %s to %s", step->text, step->path);
	return plan_attach_source(run, source, S_ISDIR(st.st_mode), step->path, err);
}

/* A shell has no recursive remount: one for each mount that findmnt(8) shows, with blanks as \x20.
 */
static void add_remount_below(const struct step *step, const char *options, struct str *out)
{
	str_add(out, "; findmnt -Rrno TARGET \"$(realpath ");
	add_inside(out, step->path);
	str_addf(out,
		 ")\" | while read -r below; do mount -o remount,bind,%s \"$(env printf %%b "
		 "\"$below\")\"; done",
		 options);
}

static void explain_bind(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str options = STR_INIT;

	if (mode == TEXT_SCRIPT) {
		add_within(out, step->path);
		str_add(out, "if [ -d ");
		str_add_shell(out, step->text);
		str_add(out, " ]; then mkdir -p ");
		add_inside(out, step->path);
		str_add(out, "; else mkdir -p \"$(dirname ");
		add_inside(out, step->path);
		str_add(out, ")\"; touch ");
		add_inside(out, step->path);
		str_add(out, "; fi; ");
	}
	str_addf(out, "mount --%sbind ", step->number[3] ? "r" : "");
	if (step->type)
		str_addf(out, "-o 'X-mount.idmap=%s' ", step->type);
	str_add_shell(out, step->text);
	str_add_char(out, ' ');
	add_inside(out, step->path);
	mount_attrs_format(step->number[1] & ~PLAN_ATTRS_DEEP, &options);
	if (options.len) {
		str_addf(out, "; mount -o remount,bind,%s ", str_get(&options));
		add_inside(out, step->path);
	}
	if (mode == TEXT_SCRIPT && step->number[3] && (step->number[1] & PLAN_ATTRS_DEEP))
		add_remount_below(step, str_get(&options), out);
	if (step->number[2]) {
		str_addf(out, "; mount --make-%s%s ", step->number[3] ? "r" : "",
			 mount_propagation_name(step->number[2]));
		add_inside(out, step->path);
	}
}

static const struct step_op step_bind = {"bind", run_bind, explain_bind};

struct step *plan_bind(struct plan *plan, size_t index, const char *source, const char *target,
		       uint64_t attrs, uint64_t propagation, bool recursive)
{
	struct step *step = plan_add(plan, &step_bind, STEP_INSIDE);

	step->text = str_dup(source);
	step->path = str_dup(target);
	step->number[0] = index;
	step->number[1] = attrs;
	step->number[2] = propagation;
	step->number[3] = recursive;
	return step;
}

/* ---- hiding and freezing ---- */

static int empty_dir(struct plan_run *run)
{
	char *options[] = {(char[]){"size=0"}, (char[]){"nr_inodes=2"}, (char[]){"mode=755"}, NULL};

	if (run->empty_fd < 0)
		run->empty_fd = mount_new("tmpfs", "tmpfs", options,
					  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						  MOUNT_ATTR_NOEXEC);
	return run->empty_fd;
}

/* Masks come from nodes that the engine made itself a moment ago, checked by what they are: the
 * image's /dev/null may be a symlink to /proc/sys/kernel/core_pattern (CVE-2025-31133). */
static int null_node(struct plan_run *run)
{
	struct stat st;

	if (run->null_fd < 0)
		run->null_fd = openat(run->dev_fd, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (run->null_fd < 0)
		return -errno;
	if (fstat(run->null_fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return -EBADF;
	return run->null_fd;
}

static int run_mask(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int target = path_open_in_root(run->root_fd, step->path, O_PATH | O_NOFOLLOW,
						     0);
	cleanup_close int copy = -1;
	struct stat st;
	int rc = 0;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return err_sys(err, target < 0 ? -target : errno, "look at %s", step->path);
	if (S_ISDIR(st.st_mode)) {
		if (empty_dir(run) < 0)
			return err_sys(err, -run->empty_fd, "make an empty file system");
		/* One instance hides every directory: the first is the mount, the others copies. */
		copy = fcntl(run->empty_fd, F_DUPFD_CLOEXEC, 3);
		rc = mount_attach(copy, target);
		if (rc >= 0) {
			fd_cleanup_close(&run->empty_fd);
			run->empty_fd = mount_clone(copy, false);
		}
	} else {
		int null_fd = null_node(run);

		copy = null_fd < 0 ? null_fd : mount_clone(null_fd, false);
		rc = copy < 0 ? copy : mount_attach(copy, target);
	}
	return rc < 0 ? err_sys(err, -rc, "mask %s", step->path) : 0;
}

static void explain_mask(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str target = STR_INIT;

	add_inside(&target, step->path);
	if (mode == TEXT_SCRIPT) {
		str_addf(out,
			 "if [ -d %s ]; then mount -t tmpfs -o ro,size=0,nr_inodes=2 tmpfs %s; "
			 "elif [ -e %s ]; then mount --bind ./dev/null %s; fi",
			 str_get(&target), str_get(&target), str_get(&target), str_get(&target));
		return;
	}
	str_addf(out, "mount --bind ./dev/null %s   # an empty tmpfs where it is a directory",
		 str_get(&target));
}

static const struct step_op step_mask = {"mask", run_mask, explain_mask};

void plan_mask(struct plan *plan, const char *path)
{
	plan_add(plan, &step_mask, STEP_INSIDE)->path = str_dup(path);
}

static int run_readonly(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int target = path_open_in_root(run->root_fd, step->path, O_PATH | O_NOFOLLOW,
						     0);
	cleanup_close int copy = -1;
	int rc = 0;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return err_sys(err, -target, "look at %s", step->path);
	copy = mount_clone(target, true);
	rc = copy < 0 ? copy : mount_change(copy, MOUNT_ATTR_RDONLY, 0, 0, true);
	if (rc >= 0)
		rc = mount_attach(copy, target);
	return rc < 0 ? err_sys(err, -rc, "make %s read-only", step->path) : 0;
}

static void explain_readonly(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_str struct str target = STR_INIT;
	const char *p = NULL;

	add_inside(&target, step->path);
	p = str_get(&target);
	if (mode == TEXT_SCRIPT)
		str_addf(out, "! [ -e %s ] || { ", p);
	str_addf(out, "mount --rbind %s %s; mount -o remount,bind,ro %s", p, p, p);
	if (mode == TEXT_SCRIPT)
		str_add(out, "; }");
}

static const struct step_op step_readonly = {"read-only", run_readonly, explain_readonly};

void plan_readonly(struct plan *plan, const char *path)
{
	plan_add(plan, &step_readonly, STEP_INSIDE)->path = str_dup(path);
}

static int run_readonly_mount(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_close int target = path_open_in_root(run->root_fd, step->path, O_PATH | O_NOFOLLOW,
						     0);
	int rc = target < 0 ? target : mount_change(target, MOUNT_ATTR_RDONLY, 0, 0, false);

	return rc < 0 ? err_sys(err, -rc, "make %s read-only", step->path) : 0;
}

static void explain_readonly_mount(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "mount -o remount,bind,ro ");
	add_inside(out, step->path);
}

static const struct step_op step_readonly_mount = {"read-only", run_readonly_mount,
						   explain_readonly_mount};

void plan_readonly_mount(struct plan *plan, const char *path)
{
	plan_add(plan, &step_readonly_mount, STEP_INSIDE)->path = str_dup(path);
}

static int run_readonly_root(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = mount_change(run->root_fd, MOUNT_ATTR_RDONLY, 0, 0, false);

	return rc < 0 ? err_sys(err, -rc, "make the root read-only") : 0;
}

static void explain_readonly_root(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "mount -o remount,bind,ro .");
}

static const struct step_op step_readonly_root = {"read-only root", run_readonly_root,
						  explain_readonly_root};

void plan_readonly_root(struct plan *plan)
{
	plan_add(plan, &step_readonly_root, STEP_INSIDE)->flag = str_dup("--read-only");
}

/* ---- the new root ---- */

static int run_pivot(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = mount_pivot(run->root_fd);

	return rc < 0 ? err_sys(err, -rc, "change the root") : 0;
}

static void explain_pivot(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_TRACE)
		str_add(out, "pivot_root . . && umount -l .");
	else
		str_add(out, "# tare calls pivot_root here; a script still needs the host's tools, "
			     "so it\n"
			     "# moves the root into place and enters it with the last command\n"
			     "mount --move . /");
}

static const struct step_op step_pivot = {"pivot_root", run_pivot, explain_pivot};

void plan_pivot(struct plan *plan)
{
	plan_add(plan, &step_pivot, STEP_INSIDE);
}
