/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SPEC_H
#define ENGINE_SPEC_H
/*
 * What a caller wants of a container, as plain data: everything `run` and `create` can say, before
 * any of it was looked up. The command line fills it from options; an API, a compose file or a
 * build would fill the same struct. No field names a file descriptor, an image that was resolved
 * or a default of the host: those come later, from the engine.
 *
 * Strings and vectors are owned by the struct. A NULL string, an empty vector or a number's stated
 * value means "not said", which is not the same as an empty string where that has a meaning.
 */
#include "base/str.h"
#include "monitor/restart_policy.h"
#include "network/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum mount_type {
	MOUNT_BIND,
	MOUNT_VOLUME,
	MOUNT_TMPFS,
	MOUNT_IMAGE,
	MOUNT_UNKNOWN, /* a type word that is none of these; kept in type_name */
};

/* How a read-only bind treats the mounts below its source (docker's bind-recursive). */
enum mount_recursion {
	MOUNT_RECURSIVE_DEFAULT,  /* with submounts, read-only as far as the kernel can */
	MOUNT_RECURSIVE_DISABLED, /* without submounts */
	MOUNT_RECURSIVE_WRITABLE, /* submounts stay writable */
	MOUNT_RECURSIVE_READONLY, /* submounts read-only or failure */
};

/* One mount that the user asked for, by -v, --mount or --tmpfs. */
struct mount_spec {
	enum mount_type type;
	char *type_name; /* as typed; NULL means the default */
	char *source;	 /* host path, volume or image name; NULL for tmpfs and anonymous volumes */
	char *target;	 /* path inside the container, as typed */
	char *mode;	 /* third field of -v or the options of --tmpfs, as typed; NULL when none */
	char *propagation; /* "rprivate", "rslave", ...; NULL for the default */
	bool read_only;
	bool create_source; /* a missing bind source is created as a directory (-v does) */
	bool no_copy;	    /* volume-nocopy */
	bool from_option_v; /* came from -v: listed in HostConfig.Binds */
	bool from_tmpfs;    /* came from --tmpfs: listed in HostConfig.Tmpfs */
	char *consistency;  /* kept for inspect; NULL */
	char *wrong;	    /* what is said against it when the whole is validated; NULL */
	bool has_bind_options, has_volume_options, has_tmpfs_options,
		has_image_options; /* for the checks of mixtures */
	enum mount_recursion recursion;
	int64_t tmpfs_size;	    /* bytes; 0 when not said */
	uint32_t tmpfs_mode;	    /* permission bits; 0 when not said */
	char *subpath;		    /* volume-subpath or image-subpath */
	char *volume_driver;	    /* NULL for local */
	struct strv volume_options; /* "key=value" */
	struct strv volume_labels;  /* "key=value" */
	char *selinux;		    /* "z" or "Z" of -v; NULL */
	char *idmap; /* "UID:GID" on the disk that stand for the container's user; "": those of the
			source; NULL: no mapping */
};

struct device_spec {
	char *host;	 /* path on the host */
	char *container; /* path inside */
	char *perms;	 /* of "rwm" */
};

/* Devices by name instead of by path: --gpus, and --device VENDOR/CLASS=NAME (driver "cdi"). */
struct device_request {
	char *driver;				/* "" for the one that can */
	int64_t count;				/* -1 for all */
	struct strv ids, capabilities, options; /* options: "K=V" */
};

struct ulimit_spec {
	char *name;	    /* lower case, without RLIMIT_: "nofile" */
	int64_t soft, hard; /* -1 is unlimited */
};

/* A limit on one block device: a rate in bytes or operations a second, or a weight. */
struct throttle_spec {
	char *path;
	uint64_t value;
};

struct throttle_list {
	struct throttle_spec *items; /* owned */
	size_t n;
};

struct port_spec {
	char *host_ip;			/* NULL for every address */
	uint16_t host_first, host_last; /* 0 for any */
	bool has_host;			/* a port, 0 among them, was said */
	uint16_t container_port;
	char proto[8]; /* "tcp", "udp", "sctp" */
};

enum pull_policy { PULL_MISSING, PULL_ALWAYS, PULL_NEVER };

/* Streams of --attach. */
enum {
	ATTACH_STDIN = 1,
	ATTACH_STDOUT = 2,
	ATTACH_STDERR = 4,
};

struct health_spec {
	bool disabled; /* --no-healthcheck */
	char *command; /* shell form; NULL when the image decides */
	int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
	int64_t retries;
	char *on_failure; /* the action as typed; NULL when not said */
};

struct container_spec {
	/* What to run. */
	char *image;
	struct strv command;
	char *entrypoint; /* NULL: the image's; "": none */
	struct strv env;  /* "K=V"; a bare "K" removes the image's K */
	char *user, *workdir;
	bool tty, open_stdin;
	char *platform;
	enum pull_policy pull;
	bool quiet_pull;

	/* Who it is. */
	char *name, *hostname, *domainname;
	struct strv labels;	 /* "K=V", "K" with an empty value */
	struct strv annotations; /* the same */
	char *cidfile;

	/* How it lives. */
	unsigned attach; /* ATTACH_*; 0 when not said */
	bool detach, auto_remove, init;
	bool sig_proxy;
	char *detach_keys;
	char *stop_signal;
	bool has_stop_timeout;
	int64_t stop_timeout_s; /* -1 waits for ever */
	char *restart_name;	/* as typed; NULL when not said */
	enum restart_policy restart;
	int64_t restart_max;
	char *log_driver;
	struct strv log_options; /* "K=V" */
	struct health_spec health;

	/* Its file system. */
	struct mount_spec *mounts; /* owned array */
	size_t n_mounts;
	bool read_only;
	int64_t shm_size;	  /* 0: the default of 64 MiB */
	struct strv volumes_from; /* "CONTAINER" or "CONTAINER:ro|rw" */
	char *volume_driver;	  /* of volumes that are made; NULL for local */
	struct strv storage_options;

	/* Its namespaces: NULL for the default, else the mode as typed ("host", "container:x",
	 * ...). */
	char *isolation, *runtime; /* as typed */
	struct strv links;	   /* "NAME[:ALIAS]" */
	struct strv link_targets;  /* "ID:ALIAS" of those on the default bridge (engine/peers.h) */
	char *pid_mode, *ipc_mode, *uts_mode, *userns_mode, *cgroupns_mode;
	struct endpoint_request *networks; /* owned array: names and modes; empty for the default */
	size_t n_networks;
	char *network_peer; /* the directory of the container whose network it joins (peers_check);
			     * NULL otherwise */
	struct strv dns, dns_search, dns_options;
	struct strv extra_hosts; /* "name:address" */
	struct strv expose;	 /* "80/tcp" */
	struct port_spec *ports; /* owned array */
	size_t n_ports;
	bool publish_all;

	/* What it may do. */
	bool privileged;
	struct strv cap_add, cap_drop, security_options, group_add;
	struct device_spec *devices; /* owned array */
	size_t n_devices;
	struct device_request *requests; /* owned array */
	size_t n_requests;
	struct strv device_cgroup_rules;
	struct strv sysctls;	     /* "K=V" */
	struct ulimit_spec *ulimits; /* owned array, one for each name */
	size_t n_ulimits;

	/* How much it gets. Numbers are 0 when not said unless another value is named. */
	char *cgroup_parent;
	int64_t memory, memory_reservation;
	int64_t memory_swap;	   /* total of memory and swap; -1 is unlimited */
	int64_t memory_swappiness; /* -1 when not said */
	int64_t nano_cpus, cpu_shares, cpu_period, cpu_quota;
	char *cpuset_cpus, *cpuset_mems;
	bool has_pids_limit;
	int64_t pids_limit; /* 0 and -1 are unlimited */
	int64_t blkio_weight;
	struct throttle_list blkio_weight_device;
	struct throttle_list device_read_bps, device_write_bps, device_read_iops, device_write_iops;
	int64_t oom_score_adj;
	bool oom_kill_disable;
};

/* The state in which nothing was said. */
void spec_init(struct container_spec *spec);
/* Frees everything inside; the struct is as after spec_init without its defaults. Accepts one that
 * is all zero. */
void spec_done(struct container_spec *spec);
#define cleanup_spec __attribute__((cleanup(spec_done)))

/* Append to the arrays of the spec; the strings inside ITEM move to the spec, ITEM is left zeroed.
 */
void spec_add_mount(struct container_spec *spec, struct mount_spec *item);
void spec_add_device(struct container_spec *spec, struct device_spec *item);
void spec_add_request(struct container_spec *spec, struct device_request *item);
void spec_add_port(struct container_spec *spec, struct port_spec *item);
void spec_add_network(struct container_spec *spec, struct endpoint_request *item);
/* Replaces an ulimit of the same name, as a later --ulimit does. */
void spec_set_ulimit(struct container_spec *spec, struct ulimit_spec *item);
/* Appends a copy of PATH with VALUE. */
void throttle_add(struct throttle_list *list, const char *path, uint64_t value);

/* Free what is inside and leave the struct zeroed. Accept one that is all zero. */
void mount_spec_done(struct mount_spec *m);
void device_spec_done(struct device_spec *d);
void device_request_done(struct device_request *r);
void ulimit_spec_done(struct ulimit_spec *u);
void port_spec_done(struct port_spec *p);

/* Sets name and count from docker's syntax "no|always|unless-stopped|on-failure[:N]". An unknown
 * name is kept and reported by spec_validate. ERR_INVALID when the count is not a number. */
int spec_parse_restart(struct container_spec *spec, const char *text, struct err *err);

/* The owned name of the group that --cgroup-parent names, from the top of each hierarchy, whether
 * typed with a slash in front or not; NULL when none was. */
char *spec_cgroup_parent(const struct container_spec *spec);

/* The mode of the network namespace: the first network as typed, "bridge" when none was. */
const char *spec_network_mode(const struct container_spec *spec);
/* What the index keeps of its networks, owned: "" where the mode says all. */
char *spec_networks_format(const struct container_spec *spec);
/* Whether MODE names a network that somebody has made. */
bool network_mode_is_user_defined(const char *mode);
/* Whether a container of MODE has a namespace with links of its own. */
bool network_mode_has_links(const char *mode);

/* What docker's command line refuses itself, before any engine is asked: contradictions and unknown
 * modes. A part of spec_validate; 0 or -ERR_INVALID. */
int spec_validate_usage(const struct container_spec *spec, struct err *err);

/* Checks everything that needs no host and no image, with docker's texts: contradictions, ranges,
 * mount targets, names and modes. 0 or -ERR_INVALID. What needs the host (number of CPUs, a bind
 * source that exists, swap accounting) is checked by the engine when it builds the container. */
int spec_validate(const struct container_spec *spec, struct err *err);

#endif
