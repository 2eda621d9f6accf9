/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl does the work (curl_easy_setopt(3)). Certificates are verified, whatever anybody says.
 * What the server sends goes to the file as it is: nothing is decompressed on the way.
 */
#include "fetch/download.h"

#include "base/fd.h"
#include "base/mem.h"
#include "storage/space.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CERTIFICATES (8u << 20)
#define MAX_ETAG	 1024
#define MAX_REDIRECTS	 10L
#define CONNECT_S	 30L
#define STALL_S		 60L

/* One transfer and why the file could not be written. */
struct transfer {
	struct download *d;
	struct space space;
	struct err err;
	CURL *curl;
	bool is_private; /* the first server is one of our own networks */
};

static struct str certificates;

/* ---- whom a redirect may lead to ---- */

/* Of this host, its links and private networks (RFC 1122, 1918, 3927, 6598). */
static bool is_private_v4(uint32_t address)
{
	static const struct {
		uint32_t net, mask;
	} nets[] = {
		{0x00000000, 0xff000000}, {0x0a000000, 0xff000000}, {0x64400000, 0xffc00000},
		{0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000}, {0xac100000, 0xfff00000},
		{0xc0a80000, 0xffff0000},
	};

	for (size_t i = 0; i < ARRAY_LEN(nets); i++)
		if ((address & nets[i].mask) == nets[i].net)
			return true;
	return false;
}

static bool is_private_v6(const struct in6_addr *address)
{
	const unsigned char *bytes = address->s6_addr;
	uint32_t last = 0;

	for (size_t i = 12; i < 16; i++)
		last = last << 8 | bytes[i];
	if (IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address))
		return is_private_v4(last);
	return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address) ||
	       IN6_IS_ADDR_LINKLOCAL(address) || (bytes[0] & 0xfe) == 0xfc;
}

static bool is_private(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return is_private_v4(ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr));
	return addr->sa_family != AF_INET6 ||
	       is_private_v6(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/* A server of the world does not send us to what only we can reach. A proxy of ours is asked again
 * and decides itself. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct transfer *t = data;
	long n_redirects = 0;

	curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_COUNT, &n_redirects);
	if (n_redirects == 0)
		t->is_private = is_private(&addr->addr);
	else if (!t->is_private && is_private(&addr->addr)) {
		err_set(&t->err, ERR_DENIED, "redirected to an address of a private network");
		return CURL_SOCKET_BAD;
	}
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

/* ---- the transfer ---- */

int download_prepare(struct err *err)
{
	const char *path = getenv("SSL_CERT_FILE");
	int rc = 0;

	if (!path || !*path)
		return 0;
	/* lint: path chosen by the user of the host */
	rc = fd_read_kernel_file(path, MAX_CERTIFICATES, &certificates);
	return rc < 0 ? err_sys(err, -rc, "read %s", path) : 0;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *data)
{
	struct transfer *t = data;
	int rc = 0;

	n *= size;
	if (space_charge(&t->space, n, 0, &t->err) < 0)
		return CURL_WRITEFUNC_ERROR;
	rc = fd_write_full(t->d->out_fd, bytes, n);
	if (rc < 0) {
		err_sys(&t->err, -rc, "write what was downloaded");
		return CURL_WRITEFUNC_ERROR;
	}
	t->d->n_bytes += n;
	return n;
}

/* Of several answers, of redirects, the last one counts. */
static size_t take_header(char *line, size_t size, size_t n, void *data)
{
	static const char name[] = "etag:";
	struct transfer *t = data;

	n *= size;
	if (n >= 5 && strncmp(line, "HTTP/", 5) == 0)
		str_truncate(&t->d->etag, 0);
	if (n > sizeof(name) - 1 && n < MAX_ETAG &&
	    strncasecmp(line, name, sizeof(name) - 1) == 0) {
		cleanup_free char *value = str_ndup(line + sizeof(name) - 1, n - sizeof(name) + 1);

		str_truncate(&t->d->etag, 0);
		str_add(&t->d->etag, str_trim(value));
	}
	return n;
}

static void set_options(CURL *curl, struct transfer *t, char *message)
{
	bool is_safe = strncasecmp(t->d->url, "https:", 6) == 0;

	curl_easy_setopt(curl, CURLOPT_URL, t->d->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_safe ? "https" : "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "tare");
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
	if (certificates.len) {
		struct curl_blob blob = {certificates.buf, certificates.len, CURL_BLOB_NOCOPY};

		curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
	}
}

static int explain(CURL *curl, const struct transfer *t, CURLcode code, const char *message,
		   struct err *err)
{
	long status = 0;

	if (t->err.code) {
		*err = t->err;
		return -err->code;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return err_set(err, status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
			       "invalid response status %ld", status);
	return err_set(err, ERR_UNAVAILABLE, "%s", *message ? message : curl_easy_strerror(code));
}

int download_run(struct download *d, struct err *err)
{
	struct transfer t = {.d = d, .space = {.fd = d->out_fd}};
	char message[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;
	curl_off_t modified_s = -1;
	int rc = 0;

	if (!curl)
		return err_set(err, ERR_UNSUPPORTED, "libcurl cannot be used");
	t.curl = curl;
	set_options(curl, &t, message);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		rc = explain(curl, &t, code, message, err);
	curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &modified_s);
	d->modified_s = modified_s;
	curl_easy_cleanup(curl);
	return rc;
}
