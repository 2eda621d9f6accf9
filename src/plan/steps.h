/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_STEPS_H
#define PLAN_STEPS_H
/*
 * The vocabulary of plans: one function per kind of step, which adds it, and the state that a run
 * of a plan carries from step to step. Paths of HOST and TEARDOWN steps are the engine's own; paths
 * of INSIDE steps are seen from the container's root ("/dev/null") and resolved under it by
 * descriptor.
 */
#include "plan/plan.h"

struct sock_fprog;
struct plan_net_batch;

#define PLAN_NET_SIDES 2 /* enum net_side (plan/net_steps.h) */

/* Descriptors and results that one step leaves for another. All descriptors are -1 when unset. */
struct plan_run {
	int dir_fd;    /* the container's directory */
	int root_fd;   /* the container's root, once mounted */
	int dev_fd;    /* the root of its /dev */
	int proc_fd;   /* a procfs of the engine's own, never the container's */
	int null_fd;   /* the engine's own null device: what files are masked with */
	int empty_fd;  /* an empty read-only file system: what directories are masked with */
	int tty_fd;    /* console of the container (slave side), -1 without one */
	int stdio[3];  /* what becomes 0, 1, 2 */
	int report_fd; /* where the console's master goes, by SCM_RIGHTS */
	int *sources;  /* detached mounts of bind sources, by index */
	size_t n_sources;
	uid_t uid;
	gid_t gid;
	gid_t groups[128];
	size_t n_groups;
	struct strv env;	    /* of the payload; completed by plan_user */
	int pdeath_signal;	    /* what the process gets when its parent dies; 0 for none */
	int parent_fd;		    /* pidfd of that parent, -1 when nobody asks */
	int net_fd[PLAN_NET_SIDES]; /* netlink sockets of the two network namespaces */
	struct plan_net_batch *net_batch[PLAN_NET_SIDES]; /* what is not sent yet; NULL: nothing */
	struct plan *plan;				  /* for marks; may be NULL in tests */
	/* Does the clone when its step comes (set by the runtime); ARG is its own. */
	int (*clone)(struct plan_run *run, const struct step *step, struct err *err);
	void *clone_arg;
};

/* Nothing is open, nobody looked up, the environment is empty. Undone by plan_run_done. */
void plan_run_init(struct plan_run *run);
/* Closes all descriptors, frees the environment. */
void plan_run_done(struct plan_run *run);
/* A procfs that no container can have tampered with (the one just mounted for it, by the descriptor
 * it was made with, else a detached one); borrowed, or -errno. */
int plan_run_proc(struct plan_run *run);
/* Keeps FD (taken) as bind source INDEX; 0. */
int plan_run_set_source(struct plan_run *run, size_t index, int fd);

/* ---- files of the engine (HOST, TEARDOWN) ---- */

/* mkdir -p -m MODE PATH. */
void plan_mkdir(struct plan *plan, enum step_where where, const char *path, mode_t mode);
/* Writes TEXT as the whole content of a small new file. */
void plan_create_file(struct plan *plan, const char *path, const char *text, mode_t mode);
/* Unpacks layer archive PATH into directory DIR: in scripts for images not yet unpacked. */
void plan_unpack(struct plan *plan, const char *path, const char *dir);
/* rmdir PATH, again while it is busy, for a bounded time. */
void plan_rmdir(struct plan *plan, const char *path);
/* rmdir PATH if it is empty; for what several containers share. */
void plan_rmdir_if_empty(struct plan *plan, const char *path);
/* rm -r PATH. */
void plan_remove_tree(struct plan *plan, const char *path);

/* ---- mounts (INSIDE) ---- */

/* No mount made from here on is seen by the host. */
void plan_make_private(struct plan *plan, unsigned long propagation);
/* The root: LOWERS (uppermost first) below DIR/upper; attached to TARGET, which may be DIR itself:
 * in this mount namespace nobody needs what is below any more. */
void plan_mount_overlay(struct plan *plan, const struct strv *lowers, const char *dir,
			const char *target, bool is_volatile);
/* A new instance of TYPE at TARGET. OPTIONS as for mount(8); ATTRS are MOUNT_ATTR_*. */
struct step *plan_mount(struct plan *plan, const char *type, const char *source, const char *target,
			const struct strv *options, uint64_t attrs);
/* HOST: opens the source of a bind mount (a detached copy), checks that it exists and what it is.
 * INDEX is what plan_bind takes. */
void plan_open_source(struct plan *plan, size_t index, const char *path, bool recursive,
		      const char *flag);
/* HOST: the mount that PATH lies on must be as PROPAGATION (MS_SHARED, MS_SLAVE) needs it. */
void plan_check_propagation(struct plan *plan, const char *path, uint64_t propagation,
			    const char *flag);
/* HOST: opens the same of a volume's content, whose directory PATH is the engine's own: no link is
 * followed there, nor out of it on the way to SUBPATH (NULL for all of it). */
void plan_open_volume(struct plan *plan, size_t index, const char *path, const char *subpath,
		      bool recursive, const char *flag);
/* The directory PATH, whose last two components are the engine's own, O_PATH: -errno, for a link as
 * well. */
int plan_open_content(const char *path);
/* HOST: source INDEX shows the ids DISK_UID:DISK_GID as UID:GID, and the other way round. */
void plan_map_ids(struct plan *plan, size_t index, const char *source, const uint32_t ids[4],
		  bool recursive, const char *flag);
/* INSIDE, on the root before anything is mounted on it: an empty source INDEX, the volume of
 * directory DIR, gets what is at PATH there, with the directory's owner and mode. */
void plan_copy_up(struct plan *plan, size_t index, const char *dir, const char *path);
/* The same at once: CONTENT_FD is the volume's content; 0 or -errno. */
int plan_copy_up_now(int root_fd, const char *path, int content_fd, const char *dir);
/* A detached read-only mount of the layers LOWERS (uppermost first), or of SUBPATH in it: -errno.
 * The caller's mount namespace must be one that nobody else looks at. */
int plan_open_image(const struct strv *lowers, const char *subpath);
/* A read-only view of the layers LOWERS (uppermost first), or of SUBPATH (NULL) in it, at TARGET.
 */
struct step *plan_mount_image(struct plan *plan, const struct strv *lowers, const char *subpath,
			      const char *target);
/* HOST: takes the mount at directory PATH of another container as source INDEX: NAMESPACE_FD is its
 * mount namespace, CONTAINER its name for people. */
void plan_open_shared(struct plan *plan, size_t index, int namespace_fd, const char *container,
		      const char *path);
/* Attaches source INDEX at TARGET, which is created as a file or directory like the source. ATTRS
 * are the topmost mount's; with PLAN_ATTRS_DEEP among them also those of the mounts below it. Who
 * has mapped its ids says so in the step's type, in mount(8)'s words ("u:0:1000:1"). */
#define PLAN_ATTRS_DEEP (1ULL << 63)
struct step *plan_bind(struct plan *plan, size_t index, const char *source, const char *target,
		       uint64_t attrs, uint64_t propagation, bool recursive);
/* What a step does to attach the detached mount SOURCE at PATH of the root, where a mount may be.
 */
int plan_attach_source(struct plan_run *run, int source, bool is_dir, const char *path,
		       struct err *err);
/* Nodes and links of /dev, on the fresh file system that was mounted there. */
void plan_mknod(struct plan *plan, const char *path, mode_t mode, dev_t dev, uid_t uid, gid_t gid);
void plan_symlink(struct plan *plan, const char *target, const char *path);
/* Hides PATH: a file behind the null device, a directory behind an empty one; a missing one is
 * fine. */
void plan_mask(struct plan *plan, const char *path);
/* Makes PATH and all below read-only; a missing one is fine. */
void plan_readonly(struct plan *plan, const char *path);
/* Makes the mount that an earlier step put at PATH read-only, but not what is mounted below it. */
void plan_readonly_mount(struct plan *plan, const char *path);
/* Makes the whole root read-only. */
void plan_readonly_root(struct plan *plan);
/* Writes kernel parameter KEY ("net.ipv4.ip_forward") through the engine's own procfs. */
void plan_sysctl(struct plan *plan, const char *key, const char *value, const char *flag);
/* The root becomes "/"; the old one is gone. */
void plan_pivot(struct plan *plan);

/* ---- namespaces and identity (HOST: clone; INSIDE: the rest) ---- */

/* The clone itself: FLAGS are CLONE_NEW*, CGROUP the v2 directory that the child is born in, or
 * NULL. Run by the runtime, explained here. */
void plan_clone(struct plan *plan, uint64_t flags, const char *cgroup);
/* Joins the namespace that FD (borrowed, open until the plan ran) refers to; FLAG is its
 * CLONE_NEW*, PATH its name for people. */
void plan_join_namespace(struct plan *plan, enum step_where where, int fd, const char *path,
			 uint64_t flag);
/* Enters a running container through PIDFD (borrowed) of its first process PID: HOST, so that the
 * clone that follows is born in its pid namespace; and INSIDE, all other namespaces at once. */
void plan_enter_pid(struct plan *plan, int pidfd, pid_t pid);
void plan_enter(struct plan *plan, int pidfd, pid_t pid);
/* A copy of the mounts of the container that was entered, for this process and its children alone.
 */
void plan_own_mounts(struct plan *plan);
/* Attaches the detached mount MOUNT_FD (borrowed, open until the plan ran) on directory PATH, which
 * exists: for the mounts of one process alone. */
void plan_mount_tools(struct plan *plan, int mount_fd, const char *path);
/* Joins the control group directory PATH of a v1 hierarchy; on v2 the clone has done it. */
void plan_join_cgroup(struct plan *plan, const char *path, bool is_v1);
/* A view of the control groups that starts at the current one. */
void plan_unshare_cgroup(struct plan *plan);
void plan_set_hostname(struct plan *plan, const char *name);
void plan_set_domainname(struct plan *plan, const char *name);
void plan_link_up(struct plan *plan, const char *name);

/* ---- the process (INSIDE) ---- */

/* A session and, with TTY, a console of the container's own devpts. */
void plan_session(struct plan *plan, bool has_tty, unsigned short rows, unsigned short columns);
/* The terminal of plan_session at /dev/console. */
void plan_console(struct plan *plan);
/* A session keyring of its own, with none of the caller's keys. */
void plan_keyring(struct plan *plan);
void plan_rlimit(struct plan *plan, int resource, const char *name, uint64_t soft, uint64_t hard,
		 const char *flag);
void plan_oom_score(struct plan *plan, int score, const char *flag);
/* Looks USER ("name", "uid", "user:group"; "" for root) and GROUPS up in the container's own files;
 * completes HOME in the environment. */
void plan_user(struct plan *plan, const char *user, const struct strv *groups);
/* Loads the filter (borrowed until the plan ends). */
void plan_seccomp(struct plan *plan, const struct sock_fprog *fprog, const char *name);
void plan_no_new_privs(struct plan *plan);
/* Before the root changes and privileges go: PATH is created if it is missing. */
void plan_create_workdir(struct plan *plan, const char *path);
/* Goes there as the container's user, and verifies that it is inside. */
void plan_workdir(struct plan *plan, const char *path);
/* Bounding set BOUNDING; permitted and effective the same for root, empty otherwise unless AMBIENT;
 * inheritable and ambient empty. Also changes to the user found by plan_user. */
void plan_identity(struct plan *plan, uint64_t bounding);
/* Becomes ARGS; the last step. Looked up in PATH of the payload's environment. INFO is what a
 * script needs to say the same with setpriv(1); borrowed until the plan ends. */
struct plan_exec_info {
	const struct strv *env;
	const char *user;
	const char *cwd;
	uint64_t bounding;
	bool no_new_privs;
	bool open_stdin;
};
void plan_exec(struct plan *plan, const struct strv *args, const struct plan_exec_info *info);

extern const struct step_op step_clone;
extern const struct step_op step_unshare_cgroup;
extern const struct step_op step_join_namespace;
extern const struct step_op step_exec;

#endif
