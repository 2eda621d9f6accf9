/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: what the kernel alone charges for the work of `run --rm --network none busybox true`.
 *
 * One round makes a control group in each hierarchy that run uses, clones into new mount, pid, uts,
 * ipc, cgroup and network namespaces, mounts an overlay (volatile: its upper layer is discarded),
 * proc, dev, devpts, mqueue, shm and sys, pivots, executes a static `true`, waits, and removes what
 * it made. There is no image, no state, no log, no seccomp filter and no error handling beyond
 * giving up: a container engine cannot be faster than this, and its weight is what it adds.
 *
 * With --bridge the container also gets what it needs for a bridge (bench/floor_net.c): the network
 * floor, for `run` on the default network.
 *
 *     floor --rootfs DIR [--work DIR] [--no-net | --bridge] [--no-cgroup] [--parallel N] [--rounds
 * N]
 *
 * Prints the nanoseconds of each round on a line. Without --rounds it does one round for each line
 * it reads, so that a driver can interleave it with others. --parallel forks N processes at once,
 * each does a round, and the time until the last has ended is one figure. Needs root.
 */
#include "floor_net.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_GROUPS = 8, MAX_PATH = 512 };

/* The v1 hierarchies that run uses; on v2 the one directory stands for all. */
static const char *const controllers[] = {"devices", "pids",	"memory", "freezer",
					  "cpu",     "cpuacct", "blkio"};

struct floor {
	const char *rootfs;
	const char *work;
	bool net;
	bool bridge;
	int net_fd; /* the host's netlink socket */
	bool cgroup;
	long parallel;
	long rounds;
	char hierarchy[MAX_GROUPS][MAX_PATH]; /* where groups are made */
	size_t n_hierarchies;
};

/* What one round makes, and has to remove. */
struct round {
	char dir[MAX_PATH];
	char group[MAX_GROUPS][MAX_PATH];
	int procs_fd[MAX_GROUPS];
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void join(char *buf, const char *a, const char *b)
{
	int n = snprintf(buf, MAX_PATH, "%s/%s", a, b);

	check(n > 0 && n < MAX_PATH, "path too long");
}

/* Finds each hierarchy once: cpu and cpuacct may be two names of one. */
static void find_hierarchies(struct floor *f)
{
	dev_t seen[MAX_GROUPS];
	struct stat st;

	if (!f->cgroup)
		return;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		char *path = f->hierarchy[f->n_hierarchies];
		bool known = false;

		join(path, "/sys/fs/cgroup", controllers[i]);
		if (stat(path, &st) < 0)
			continue;
		for (size_t j = 0; j < f->n_hierarchies; j++)
			known = known || seen[j] == st.st_dev;
		if (!known)
			seen[f->n_hierarchies++] = st.st_dev;
	}
	if (f->n_hierarchies == 0)
		join(f->hierarchy[f->n_hierarchies++], "/sys/fs/cgroup", "");
}

static void make_groups(const struct floor *f, struct round *r, const char *name)
{
	char procs[MAX_PATH];

	for (size_t i = 0; i < f->n_hierarchies; i++) {
		join(r->group[i], f->hierarchy[i], name);
		check(mkdir(r->group[i], 0755) == 0, r->group[i]);
		/* v1's "tasks" is cheaper: one thread moves itself, and the machine's forks go on.
		 */
		join(procs, r->group[i], "tasks");
		r->procs_fd[i] = open(procs, O_WRONLY | O_CLOEXEC);
		if (r->procs_fd[i] < 0) {
			join(procs, r->group[i], "cgroup.procs");
			r->procs_fd[i] = open(procs, O_WRONLY | O_CLOEXEC);
		}
		check(r->procs_fd[i] >= 0, procs);
	}
}

static void remove_groups(const struct floor *f, struct round *r)
{
	for (size_t i = 0; i < f->n_hierarchies; i++) {
		close(r->procs_fd[i]);
		check(rmdir(r->group[i]) == 0, r->group[i]);
	}
}

static void mount_root(const struct floor *f, const struct round *r)
{
	char options[4 * MAX_PATH];
	int n = snprintf(options, sizeof(options),
			 "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", f->rootfs,
			 r->dir, r->dir);

	check(n > 0 && (size_t)n < sizeof(options), "options too long");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make / private");
	check(chdir(r->dir) == 0, r->dir);
	check(mount("overlay", "root", "overlay", 0, options) == 0, "mount overlay");
	check(chdir("root") == 0, "root");
}

static void mount_kernel_files(const struct floor *f)
{
	static const struct {
		const char *type, *target, *options;
		unsigned long flags;
	} mounts[] = {
		{"proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"tmpfs", "dev", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME},
		{"devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC},
		{"mqueue", "dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"tmpfs", "dev/shm", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"sysfs", "sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!f->net && strcmp(mounts[i].type, "sysfs") == 0)
			continue; /* sysfs belongs to a network namespace that is not ours */
		if (mounts[i].target[0] == 'd' && mounts[i].target[3] == '/')
			check(mkdir(mounts[i].target, 0755) == 0, mounts[i].target);
		check(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			    mounts[i].options) == 0,
		      mounts[i].target);
	}
}

static void make_devices(void)
{
	static const struct {
		const char *path;
		unsigned int minor;
	} devices[] = {{"dev/null", 3},
		       {"dev/zero", 5},
		       {"dev/full", 7},
		       {"dev/random", 8},
		       {"dev/urandom", 9}};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		check(mknod(devices[i].path, S_IFCHR | 0666, makedev(1, devices[i].minor)) == 0,
		      devices[i].path);
}

/* The cloned half: the root, then the program. */
__attribute__((noreturn)) static void be_container(const struct floor *f, const struct round *r)
{
	static char name[] = "true";
	static char path[] = "PATH=/bin";
	char *argv[] = {name, NULL};
	char *envp[] = {path, NULL};

	for (size_t i = 0; i < f->n_hierarchies; i++)
		check(write(r->procs_fd[i], "0", 1) == 1, "enter a control group");
	if (f->cgroup)
		check(unshare(CLONE_NEWCGROUP) == 0, "unshare cgroup"); /* rooted where it is now */
	mount_root(f, r);
	mount_kernel_files(f);
	if (f->bridge)
		floor_net_join(f->net_fd);
	make_devices();
	check(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	check(umount2(".", MNT_DETACH) == 0, "umount the old root");
	check(chdir("/") == 0, "chdir /");
	execve("/bin/true", argv, envp);
	check(false, "exec /bin/true");
	_exit(1);
}

static void remove_dir(const struct round *r)
{
	/* work/work is overlay's own, with the mark of a volatile mount in it. */
	static const char *const names[] = {"work/work/incompat/volatile/dirty",
					    "work/work/incompat/volatile",
					    "work/work/incompat",
					    "work/work",
					    "work",
					    "upper",
					    "root",
					    ""};
	char path[2 * MAX_PATH];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
		check(remove(path) == 0, path);
	}
}

static void make_dir(const struct floor *f, struct round *r, const char *name)
{
	static const char *const names[] = {"", "upper", "work", "root"};
	char path[2 * MAX_PATH];

	join(r->dir, f->work, name);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
		check(mkdir(path, 0755) == 0, path);
	}
}

static void run_round(const struct floor *f, long number)
{
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC,
				  .exit_signal = SIGCHLD};
	struct round r;
	char name[64];
	int status = 0;
	long pid;

	if (f->net)
		args.flags |= CLONE_NEWNET;
	snprintf(name, sizeof(name), "tare-floor.%d.%ld", (int)getpid(), number);
	make_dir(f, &r, name);
	make_groups(f, &r, name);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	check(pid >= 0, "clone3");
	if (pid == 0)
		be_container(f, &r);
	check(waitpid((pid_t)pid, &status, 0) == pid, "wait");
	remove_groups(f, &r);
	remove_dir(&r);
	errno = 0;
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the container failed");
}

static void run_parallel(const struct floor *f, long number)
{
	int status;

	for (long i = 0; i < f->parallel; i++) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0) {
			run_round(f, number);
			_exit(0);
		}
	}
	for (long i = 0; i < f->parallel; i++) {
		check(wait(&status) > 0, "wait");
		errno = 0;
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a round failed");
	}
}

static void run_timed(const struct floor *f, long number)
{
	uint64_t start = now_ns();

	if (f->parallel > 1)
		run_parallel(f, number);
	else
		run_round(f, number);
	printf("%llu\n", (unsigned long long)(now_ns() - start));
	fflush(stdout);
}

static void parse(struct floor *f, int argc, char **argv)
{
	static const struct option options[] = {{"rootfs", required_argument, NULL, 'r'},
						{"work", required_argument, NULL, 'w'},
						{"no-net", no_argument, NULL, 'n'},
						{"bridge", no_argument, NULL, 'b'},
						{"no-cgroup", no_argument, NULL, 'c'},
						{"parallel", required_argument, NULL, 'p'},
						{"rounds", required_argument, NULL, 'N'},
						{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			f->rootfs = optarg;
		else if (c == 'w')
			f->work = optarg;
		else if (c == 'n')
			f->net = false;
		else if (c == 'b')
			f->bridge = true;
		else if (c == 'c')
			f->cgroup = false;
		else if (c == 'p' && sscanf(optarg, "%ld", &f->parallel) == 1)
			continue;
		else if (c == 'N' && sscanf(optarg, "%ld", &f->rounds) == 1)
			continue;
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct floor f = {.work = "/var/tmp", .net = true, .cgroup = true, .parallel = 1};
	char line[16];

	parse(&f, argc, argv);
	if (f.rootfs == NULL) {
		fputs("usage: floor --rootfs DIR [--work DIR] [--no-net | --bridge] [--no-cgroup] "
		      "[--parallel N] [--rounds N]\n",
		      stderr);
		return 2;
	}
	find_hierarchies(&f);
	if (f.bridge) {
		f.net_fd = floor_net_open();
		floor_net_make_bridge(f.net_fd);
	}
	for (long i = 0; f.rounds > 0 ? i < f.rounds : fgets(line, sizeof(line), stdin) != NULL;
	     i++)
		run_timed(&f, i);
	if (f.bridge)
		floor_net_remove_bridge(f.net_fd);
	return 0;
}
