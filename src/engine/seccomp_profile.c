/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call filters. The default one is composed in microseconds; a user's profile is compiled by
 * the helper program tare-seccomp and kept, under the hash of everything that went into it.
 */
#include "engine/seccomp_profile.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "engine/helper.h"
#include "storage/store.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FILTER_NAME "seccomp.bpf"
#define MAX_FILTER  (4096 * sizeof(struct sock_filter))
/* Part of the cache's key: raise it when the compiler's output changes. */
#define COMPILER_VERSION "1"

/* The text of the user's profile, NULL when there is none. */
static const char *find_profile(const struct container_spec *spec)
{
	const char *found = NULL;

	strv_foreach (i, &spec->security_options)
		if (str_has_prefix(spec->security_options.items[i], "seccomp=") ||
		    str_has_prefix(spec->security_options.items[i], "seccomp:"))
			found = spec->security_options.items[i] + strlen("seccomp=");
	return found && strcmp(found, "unconfined") != 0 && strcmp(found, "builtin") != 0 ? found
											  : NULL;
}

static char *cache_path(struct engine *engine, const char *profile, const char *caps)
{
	cleanup_free char *key = str_printf(COMPILER_VERSION " %s %s", caps, profile);
	char hex[SHA256_HEX_LEN + 1];

	sha256_hex(key, strlen(key), hex);
	return str_printf("%s/cache/seccomp/%s", engine->root, hex);
}

static int compile(struct engine *engine, const char *profile, const char *caps, struct str *ret,
		   struct err *err)
{
	cleanup_free char *path = engine_helper_path(engine, "tare-seccomp");
	char *argv[] = {path, (char[]){"--caps"}, str_dup(caps), NULL};
	int rc = helper_run(argv, profile, strlen(profile), MAX_FILTER, ret, err);

	free(argv[2]);
	return rc;
}

int seccomp_profile_store(struct engine *engine, const struct container_spec *spec, const char *dir,
			  uint64_t caps, struct err *err)
{
	const char *profile = find_profile(spec);
	cleanup_free char *target = str_printf("%s/" FILTER_NAME, dir);
	cleanup_free char *cached = NULL;
	cleanup_free char *cache_dir = str_printf("%s/cache/seccomp", engine->root);
	cleanup_str struct str filter = STR_INIT;
	char hex[20];
	int rc = 0;

	if (!profile)
		return 0;
	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)caps);
	cached = cache_path(engine, profile, hex);
	if (fd_read_file_at(AT_FDCWD, cached, MAX_FILTER, &filter) < 0 || !filter.len) {
		str_truncate(&filter, 0);
		rc = compile(engine, profile, hex, &filter, err);
		/* A cache that cannot be written costs the next container some milliseconds. */
		if (rc == 0 && fd_mkdir_p(cache_dir, 0700) == 0)
			fd_replace_file_at(AT_FDCWD, cached, filter.buf, filter.len, 0600, false);
	}
	if (rc < 0)
		return rc;
	rc = fd_write_file_at(AT_FDCWD, target, filter.buf, filter.len, 0600);
	return rc < 0 ? err_sys(err, -rc, "write %s", target) : 0;
}

int seccomp_profile_load(struct engine *engine, const struct oci_runtime_config *config,
			 const char *id, uint64_t caps, struct sock_fprog *ret,
			 const char **ret_name, struct err *err)
{
	const char *kind = oci_annotation(config, OCI_NOTE_SECCOMP);
	cleanup_free char *path = NULL;
	cleanup_str struct str filter = STR_INIT;
	int rc = 0;

	*ret = (struct sock_fprog){};
	*ret_name = "unconfined";
	if (kind && strcmp(kind, "unconfined") == 0)
		return 0;
	*ret_name = "default";
	if (!kind || strcmp(kind, "file") != 0) {
		rc = seccomp_build_default(caps, ret);
		return rc < 0 ? err_sys(err, -rc, "compose the system call filter") : 0;
	}
	*ret_name = "the user's";
	path = store_container_path(engine->store, id, FILTER_NAME);
	rc = fd_read_file_at(AT_FDCWD, path, MAX_FILTER, &filter);
	if (rc == 0)
		rc = seccomp_from_bytes(filter.buf, filter.len, ret);
	return rc < 0 ? err_sys(err, -rc, "read %s", path) : 0;
}
