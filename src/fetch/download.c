/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl does the work (curl_easy_setopt(3)). Certificates are verified, whatever anybody says.
 * What the server sends goes to the file as it is: nothing is decompressed on the way.
 */
#include "fetch/download.h"

#include "base/fd.h"
#include "base/mem.h"
#include "storage/space.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
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
};

static struct str certificates;

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
	set_options(curl, &t, message);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		rc = explain(curl, &t, code, message, err);
	curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &modified_s);
	d->modified_s = modified_s;
	curl_easy_cleanup(curl);
	return rc;
}
