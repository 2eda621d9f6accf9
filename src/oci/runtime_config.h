/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_RUNTIME_CONFIG_H
#define OCI_RUNTIME_CONFIG_H
/*
 * The runtime configuration of a container (runtime-spec config.md), the part of it that tare
 * writes and runs. It is the one description of how a container starts: `create` writes it beside
 * the container, `start` reads it, and people may read it too. What the specification has no field
 * for stands in annotations with the prefix "io.tare.".
 */
#include "base/err.h"
#include "base/str.h"
#include "sys/cgroup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Annotations of the engine. */
#define OCI_NOTE_LAYERS	      "io.tare.layers" /* chain IDs, uppermost first, separated by ":" */
#define OCI_NOTE_USER	      "io.tare.user"   /* user as typed, looked up at start */
#define OCI_NOTE_GROUPS	      "io.tare.groups" /* --group-add, separated by "," */
#define OCI_NOTE_SECCOMP      "io.tare.seccomp" /* "default", "unconfined", or "file" (seccomp.bpf) */
#define OCI_NOTE_INIT	      "io.tare.init"	/* "true": a reaper in front of the command */
#define OCI_NOTE_LINKS	      "io.tare.links"	/* "ID:ALIAS" on the default bridge, by "," */
#define OCI_NOTE_HOST_GATEWAY "io.tare.host-gateway" /* names of --add-host, separated by "," */
#define OCI_NOTE_VOLATILE     "io.tare.volatile"     /* "true": the writable layer is thrown away */
#define OCI_NOTE_DNS	      "io.tare.dns"   /* lines of resolv.conf: --dns and its sisters */
#define OCI_NOTE_STDIN	      "io.tare.stdin" /* "open" or "once" */
#define OCI_NOTE_LOG	      "io.tare.log"   /* log driver */
#define OCI_NOTE_LOG_SIZE     "io.tare.log.max-size" /* bytes of one file; absent: the default */
#define OCI_NOTE_LOG_FILES    "io.tare.log.max-file"
#define OCI_NOTE_LOG_OPTIONS  "io.tare.log.options" /* JSON object (engine/log_setup.c) */
#define OCI_NOTE_AUTO_REMOVE  "io.tare.auto-remove" /* "true": --rm */
#define OCI_NOTE_STOP_SIGNAL  "io.tare.stop-signal"
#define OCI_NOTE_HEALTH	      "io.tare.health" /* JSON object (engine/health.c) */

struct oci_mount {
	char *destination, *type, *source;
	struct strv options; /* in the words of mount(8) */
	char *flag;	     /* the user's option behind it, NULL for the engine's own */
	/* Beside what the specification has, where they are not NULL: */
	char *volume;  /* the volume that it is the content of: of a bind, opened without following
			  links; of a new file system, shared with who has it mounted already */
	char *subpath; /* the part of a volume or an image that is mounted, resolved inside it */
	bool copy_up;  /* this first start puts the image's content into it; not saved */
};

/* Options of a mount that are ours: the user's ids in the container and the ones on the disk that
 * stand for each other, "idmap=UID:GID". */
#define OCI_MOUNT_IDMAP "idmap"

struct oci_namespace {
	uint64_t flag; /* CLONE_NEW* */
	char *path;    /* NULL for a new one; "/proc/PID/ns/X", or "container:ID" until start */
};

struct oci_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
	char *flag;
};

struct oci_device {
	char *path;  /* inside */
	mode_t mode; /* type and permissions */
	dev_t dev;
	uid_t uid;
	gid_t gid;
};

struct oci_pair {
	char *key, *value;
};

struct oci_runtime_config {
	/* process */
	bool terminal, no_new_privs;
	struct strv args, env;
	char *cwd;
	uint64_t capabilities; /* bounding = permitted = effective for root */
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	int oom_score_adj;
	/* root and who */
	bool root_readonly;
	char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	/* linux */
	struct oci_namespace *namespaces;
	size_t n_namespaces;
	struct oci_device *devices;
	size_t n_devices;
	struct cgroup_limits limits;
	char *cgroup; /* path below each hierarchy: "tare/<id>" */
	struct oci_pair *sysctls;
	size_t n_sysctls;
	struct strv masked_paths, readonly_paths;
	char *propagation; /* of the root: "private", "slave", ...; NULL for private */
	struct oci_pair *annotations;
	size_t n_annotations;
};

#define OCI_RUNTIME_CONFIG_INIT \
	{                       \
	}

/* Frees everything inside and leaves the struct zeroed. Accepts one that is all zero. */
void oci_config_done(struct oci_runtime_config *config);
#define cleanup_oci_config __attribute__((cleanup(oci_config_done)))

/* Append to the arrays; strings are copied. The returned element is valid until the next append. */
struct oci_mount *oci_add_mount(struct oci_runtime_config *config, const char *destination,
				const char *type, const char *source, const char *options);
/* Frees what is inside and leaves it zeroed. Accepts one that is all zero. */
void oci_mount_done(struct oci_mount *mount);
void oci_add_namespace(struct oci_runtime_config *config, uint64_t flag, const char *path);
void oci_add_rlimit(struct oci_runtime_config *config, int resource, uint64_t soft, uint64_t hard,
		    const char *flag);
void oci_add_device(struct oci_runtime_config *config, const char *path, mode_t mode, dev_t dev,
		    uid_t uid, gid_t gid);
void oci_set_sysctl(struct oci_runtime_config *config, const char *key, const char *value);
/* Replaces an annotation of the same key. */
void oci_annotate(struct oci_runtime_config *config, const char *key, const char *value);
/* Borrowed value, NULL when there is none. */
const char *oci_annotation(const struct oci_runtime_config *config, const char *key);
/* The namespace of kind FLAG; NULL when the container shares the host's. */
const struct oci_namespace *oci_find_namespace(const struct oci_runtime_config *config,
					       uint64_t flag);

/* The configuration as JSON text (owned), indented by one tab. */
char *oci_config_format(const struct oci_runtime_config *config);
/* Reads what oci_config_format wrote. RET must be empty. ERR_INVALID says what is wrong. */
int oci_config_parse(const char *text, size_t len, struct oci_runtime_config *ret, struct err *err);

/* Resource number of an rlimit name ("nofile", "RLIMIT_NOFILE"), -1 for an unknown one; and back.
 */
int oci_rlimit_parse(const char *name);
const char *oci_rlimit_name(int resource);

#endif
