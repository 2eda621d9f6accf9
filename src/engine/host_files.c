/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts, hostname and resolv.conf. With the host's network a container sees the host's files (a
 * copy); else its own.
 */
#include "engine/host_files.h"

#include "base/fd.h"
#include "base/mem.h"
#include "engine/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAX_FILE (1 << 20)

static const char standard_hosts[] = "127.0.0.1\tlocalhost\n"
				     "::1\tlocalhost ip6-localhost ip6-loopback\n"
				     "fe00::\tip6-localnet\n"
				     "ff00::\tip6-mcastprefix\n"
				     "ff02::1\tip6-allnodes\n"
				     "ff02::2\tip6-allrouters\n";

static bool is_host_network(const struct container_spec *spec)
{
	return strcmp(spec_network_mode(spec), "host") == 0;
}

static int write_file(int dir_fd, const char *path, const struct str *text, struct err *err)
{
	int rc = fd_write_file_at(dir_fd, path, str_get(text), text->len, 0644);

	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

static void add_hosts(const struct container_spec *spec, struct str *out)
{
	if (!is_host_network(spec) || fd_read_kernel_file("/etc/hosts", MAX_FILE, out) < 0) {
		str_truncate(out, 0);
		str_add(out, standard_hosts);
	}
	strv_foreach (i, &spec->extra_hosts) {
		const char *text = spec->extra_hosts.items[i];
		size_t name = strcspn(text, ":=");

		/* Where the gateway is, a start will know (engine/host_lines.h). */
		if (text[name] && strcmp(text + name + 1, "host-gateway") != 0)
			str_addf(out, "%s\t%.*s\n", text + name + 1, (int)name, text);
	}
}

/* On a network with names the start writes it anew (engine/resolv.h). */
static void add_resolv(const struct container_spec *spec, struct str *out)
{
	cleanup_resolv_request struct resolv_request request = {};

	resolv_request_from_spec(spec, &request);
	resolv_add(&request, is_host_network(spec) ? RESOLV_HOST : RESOLV_PRIVATE, out);
}

/* The three files, by what fills them. */
enum host_file { FILE_HOSTS, FILE_RESOLV, FILE_NAME, N_HOST_FILES };

static const char *const file_paths[] = {
	[FILE_HOSTS] = "hosts", [FILE_RESOLV] = "resolv.conf", [FILE_NAME] = "hostname"};

static void add_content(enum host_file file, const struct oci_runtime_config *config,
			const struct container_spec *spec, struct str *out)
{
	if (file == FILE_HOSTS)
		add_hosts(spec, out);
	else if (file == FILE_RESOLV)
		add_resolv(spec, out);
	else
		str_addf(out, "%s\n", config->hostname);
}

int host_files_write(int dir_fd, const struct oci_runtime_config *config,
		     const struct container_spec *spec, struct err *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < N_HOST_FILES; i++) {
		cleanup_str struct str text = STR_INIT;

		add_content((enum host_file)i, config, spec, &text);
		rc = write_file(dir_fd, file_paths[i], &text, err);
		/* Every user inside reads them, whatever the caller's umask. */
		if (rc == 0 && fchmodat(dir_fd, file_paths[i], 0644, 0) < 0)
			rc = err_sys(err, errno, "set the mode of %s", file_paths[i]);
	}
	return rc;
}

void host_files_plan(struct plan *plan, const char *dir, const struct oci_runtime_config *config,
		     const struct container_spec *spec)
{
	for (int i = 0; i < N_HOST_FILES; i++) {
		cleanup_str struct str text = STR_INIT;
		cleanup_free char *path = str_printf("%s/%s", dir, file_paths[i]);

		add_content((enum host_file)i, config, spec, &text);
		plan_create_file(plan, path, str_get(&text), 0644);
	}
}
