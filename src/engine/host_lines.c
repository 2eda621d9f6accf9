/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of /etc/hosts. Ours are known by their names: a line is replaced when the text behind its
 * address is one that we write, whatever the address.
 */
/* lint file: the engine's own directory of the container */
#include "engine/host_lines.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/live.h"
#include "oci/runtime_config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HOSTS_NAME "hosts"
#define MAX_HOSTS  (1 << 20)

/* "web.example.org web", or "web" without a domain. */
static char *own_names(const struct oci_runtime_config *config)
{
	const char *host = config->hostname ? config->hostname : "";
	bool has_domain = config->domainname && *config->domainname;
	cleanup_free char *full = has_domain ? str_printf("%s.%s", host, config->domainname)
					     : str_dup(host);
	size_t len = strcspn(full, ".");

	return full[len] ? str_printf("%s %.*s", full, (int)len, full) : take_ptr(full);
}

static void gateway_names(const struct oci_runtime_config *config, struct strv *names)
{
	const char *text = oci_annotation(config, OCI_NOTE_HOST_GATEWAY);

	if (text && *text)
		strv_split(names, text, ',');
}

static void add_line(struct strv *lines, const struct ip_addr *addr, const char *names)
{
	if (addr->family) {
		char text[IP_TEXT_LEN];

		strv_addf(lines, "%s\t%s", ip_format(addr, text), names);
	}
}

/* The gateway that the container's default route leads to, else any. */
static struct ip_addr find_gateway(const struct live_network *live)
{
	struct ip_addr found = {};

	for (size_t i = 0; i < live->n_endpoints; i++) {
		const struct endpoint *e = &live->endpoints[i];

		if (e->is_gateway4 && !ip_is_any(&e->gateway4))
			return e->gateway4;
		if (e->is_gateway6 && !found.family && !ip_is_any(&e->gateway6))
			found = e->gateway6;
	}
	return found;
}

void host_lines_add(const struct oci_runtime_config *config, const struct live_network *live,
		    struct strv *lines)
{
	cleanup_free char *names = own_names(config);
	cleanup_strv struct strv others = STRV_INIT;
	struct ip_addr gateway = find_gateway(live);

	gateway_names(config, &others);
	strv_foreach (i, &others)
		add_line(lines, &gateway, others.items[i]);
	for (size_t i = 0; i < live->n_endpoints; i++) {
		add_line(lines, &live->endpoints[i].ip4.addr, names);
		add_line(lines, &live->endpoints[i].ip6.addr, names);
	}
}

/* Whether a line of LINES begins with the same name: that of a link. */
static bool is_renewed(const char *names, const struct strv *lines)
{
	size_t len = strcspn(names, " ");

	strv_foreach (i, lines) {
		const char *other = strchr(lines->items[i], '\t') + 1;

		if (strcspn(other, " ") == len && strncmp(other, names, len) == 0)
			return true;
	}
	return false;
}

static bool is_ours(const char *line, const char *names, const struct strv *others,
		    const struct strv *lines)
{
	const char *tab = strchr(line, '\t');

	return tab &&
	       (strcmp(tab + 1, names) == 0 || strv_has(others, tab + 1) ||
		is_renewed(tab + 1, lines)) &&
	       /* The three lines that every file has are of no address of ours. */
	       !str_has_prefix(line, "127.") && !str_has_prefix(line, "::1\t");
}

static void filter(const char *text, const char *names, const struct strv *others,
		   const struct strv *lines, struct str *out)
{
	cleanup_strv struct strv all = STRV_INIT;

	strv_split(&all, text, '\n');
	strv_foreach (i, &all)
		/* Behind the last newline there is no line. */
		if ((i + 1 < all.n || *all.items[i]) &&
		    !is_ours(all.items[i], names, others, lines))
			str_addf(out, "%s\n", all.items[i]);
}

static int rewrite(int fd, const struct str *text)
{
	int rc = fd_pwrite_full(fd, str_get(text), text->len, 0);

	if (rc == 0 && ftruncate(fd, (off_t)text->len) < 0)
		rc = -errno;
	return rc;
}

static int update(int dir_fd, const struct oci_runtime_config *config, const struct strv *lines,
		  struct str *added)
{
	cleanup_close int fd = openat(dir_fd, HOSTS_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *names = own_names(config);
	cleanup_strv struct strv others = STRV_INIT;
	cleanup_str struct str before = STR_INIT;
	cleanup_str struct str after = STR_INIT;
	int rc = fd < 0 ? -errno : fd_read_all(fd, MAX_HOSTS, &before);

	if (rc < 0)
		return rc;
	gateway_names(config, &others);
	filter(str_get(&before), names, &others, lines, &after);
	str_add(&after, str_get(added));
	return rewrite(fd, &after);
}

static int append(int dir_fd, const struct str *added)
{
	cleanup_close int fd = openat(dir_fd, HOSTS_NAME,
				      O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_full(fd, str_get(added), added->len);
}

int host_lines_update(int dir_fd, const struct oci_runtime_config *config, const struct strv *lines,
		      bool is_new, struct err *err)
{
	cleanup_str struct str added = STR_INIT;
	int rc = 0;

	strv_foreach (i, lines)
		str_addf(&added, "%s\n", lines->items[i]);
	rc = is_new ? append(dir_fd, &added) : update(dir_fd, config, lines, &added);
	/* One whose files somebody has removed is not to be kept from starting by that. */
	return rc < 0 && rc != -ENOENT ? err_sys(err, -rc, "write the container's hosts") : 0;
}
