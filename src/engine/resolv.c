/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolv.conf(5), with docker's order of lines: search, nameserver, options where there are names;
 * what the user said before what is left of the host's file elsewhere.
 */
#include "engine/resolv.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/spec.h"
#include "network/name_server.h"
#include "oci/runtime_config.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#define HOST_FILE "/etc/resolv.conf"
#define FILE_NAME "resolv.conf"
#define MAX_FILE  ((size_t)1 << 20)

void resolv_request_done(struct resolv_request *request)
{
	strv_done(&request->servers);
	strv_done(&request->search);
	strv_done(&request->options);
}

void resolv_request_from_spec(const struct container_spec *spec, struct resolv_request *ret)
{
	strv_add_all(&ret->servers, &spec->dns);
	strv_add_all(&ret->search, &spec->dns_search);
	strv_foreach (i, &spec->dns_options)
		if (spec->dns_options.items[i][0])
			strv_add(&ret->options, spec->dns_options.items[i]);
}

/* ---- as an annotation: lines of resolv.conf, one for each word ---- */

static void add_words(const char *key, const struct strv *words, struct str *out)
{
	strv_foreach (i, words)
		if (words->items[i][0])
			str_addf(out, "%s %s\n", key, words->items[i]);
}

char *resolv_request_format(const struct container_spec *spec)
{
	struct str out = STR_INIT;

	if (!spec->dns.n && !spec->dns_search.n && !spec->dns_options.n)
		return NULL;
	add_words("nameserver", &spec->dns, &out);
	add_words("search", &spec->dns_search, &out);
	add_words("options", &spec->dns_options, &out);
	return str_take(&out);
}

/* Where the words of lines with KEY go, as an offset; -1 for any other key. */
static ssize_t list_of(const char *key)
{
	return strcmp(key, "nameserver") == 0 ? (ssize_t)offsetof(struct resolv_request, servers)
	       : strcmp(key, "search") == 0   ? (ssize_t)offsetof(struct resolv_request, search)
	       : strcmp(key, "options") == 0  ? (ssize_t)offsetof(struct resolv_request, options)
					      : -1;
}

void resolv_request_from_config(const struct oci_runtime_config *config, struct resolv_request *ret)
{
	cleanup_free char *text = str_dup(oci_annotation(config, OCI_NOTE_DNS));
	char *cursor = text;
	char *line = NULL;

	while ((line = strsep(&cursor, "\n")) != NULL) {
		ssize_t list = list_of(strsep(&line, " "));

		if (list >= 0 && line)
			strv_add((void *)((char *)ret + list), line);
	}
}

/* ---- the file ---- */

static bool is_loopback(const char *address)
{
	return str_has_prefix(address, "127.") || strcmp(address, "::1") == 0;
}

/* The host's file without what the user's words replace, and without servers on loopback. */
static void add_host_lines(const struct resolv_request *request, bool keep_loopback,
			   struct str *out)
{
	cleanup_str struct str text = STR_INIT;
	char *line = NULL;
	char *cursor = NULL;

	if (fd_read_kernel_file(HOST_FILE, MAX_FILE, &text) < 0 || !text.buf)
		return;
	cursor = text.buf;
	while ((line = strsep(&cursor, "\n")) != NULL) {
		size_t key_len = strcspn(line, " \t");
		cleanup_free char *key = str_ndup(line, key_len);
		ssize_t offset = line[key_len] ? list_of(key) : -1;
		const struct strv *list = offset < 0
						  ? NULL
						  : (const void *)((const char *)request + offset);
		const char *value = line + key_len + strspn(line + key_len, " \t");

		if (!*line || (list && list->n) ||
		    (!keep_loopback && list == &request->servers && is_loopback(value)))
			continue;
		str_addf(out, "%s\n", line);
	}
}

static void add_joined(const char *key, const struct strv *words, struct str *out)
{
	cleanup_free char *text = strv_join(words, " ");

	if (words->n)
		str_addf(out, "%s %s\n", key, text);
}

/* "." alone means no search list at all. */
static bool has_search(const struct resolv_request *request)
{
	return request->search.n && strcmp(request->search.items[0], ".") != 0;
}

/* What the host says of KEY, where the user says nothing. */
static void take_host_words(const char *key, struct strv *ret)
{
	cleanup_str struct str text = STR_INIT;
	char *line = NULL;
	char *cursor = NULL;

	if (fd_read_kernel_file(HOST_FILE, MAX_FILE, &text) < 0 || !text.buf)
		return;
	cursor = text.buf;
	while ((line = strsep(&cursor, "\n")) != NULL) {
		char *word = strsep(&line, " \t");

		if (strcmp(word, key) != 0)
			continue;
		/* The last line counts. */
		strv_done(ret);
		while ((word = strsep(&line, " \t")) != NULL)
			if (*word)
				strv_add(ret, word);
	}
}

static bool has_ndots(const struct strv *options)
{
	strv_foreach (i, options)
		if (str_has_prefix(options->items[i], "ndots:"))
			return true;
	return false;
}

static void add_names(const struct resolv_request *request, struct str *out)
{
	cleanup_strv struct strv search = STRV_INIT;
	cleanup_strv struct strv options = STRV_INIT;

	if (has_search(request))
		strv_add_all(&search, &request->search);
	else if (!request->search.n)
		take_host_words("search", &search);
	if (request->options.n)
		strv_add_all(&options, &request->options);
	else
		take_host_words("options", &options);
	/* A name is asked for as it stands: most of them are of containers. */
	if (!has_ndots(&options))
		strv_add(&options, NAME_SERVER_OPTION);
	add_joined("search", &search, out);
	str_add(out, "nameserver " NAME_SERVER_ADDRESS "\n");
	add_joined("options", &options, out);
}

void resolv_add(const struct resolv_request *request, enum resolv_kind kind, struct str *out)
{
	if (kind == RESOLV_NAMES) {
		add_names(request, out);
		return;
	}
	add_words("nameserver", &request->servers, out);
	if (has_search(request))
		add_joined("search", &request->search, out);
	add_joined("options", &request->options, out);
	add_host_lines(request, kind == RESOLV_HOST, out);
}

int resolv_write(int dir_fd, const struct oci_runtime_config *config, enum resolv_kind kind,
		 struct err *err)
{
	cleanup_resolv_request struct resolv_request request = {};
	cleanup_str struct str text = STR_INIT;
	cleanup_str struct str old = STR_INIT;
	int rc = 0;

	resolv_request_from_config(config, &request);
	resolv_add(&request, kind, &text);
	if (fd_read_file_at(dir_fd, FILE_NAME, MAX_FILE, &old) == 0 &&
	    strcmp(str_get(&old), str_get(&text)) == 0)
		return 0;
	rc = fd_write_file_at(dir_fd, FILE_NAME, str_get(&text), text.len, 0644);
	/* Every user inside reads it, whatever the caller's umask. */
	if (rc == 0 && fchmodat(dir_fd, FILE_NAME, 0644, 0) < 0)
		rc = -errno;
	return rc < 0 ? err_sys(err, -rc, "write " FILE_NAME) : 0;
}
