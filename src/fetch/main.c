/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-fetch: downloads one URL, for contexts that are one and for ADD.
 *
 *	tare-fetch PARENT URL		3>FILE
 *
 * A program of its own because it carries libcurl and a TLS library, and because it talks to
 * strangers: it shuts itself in (fetch/confine.h) before it does. PARENT is the pid of who waits
 *for it, with whom it ends; 0: nobody. The content goes to descriptor 3. On success it prints lines
 *of a word and a value, as far as the server told: "size", "etag", "modified" (seconds); the exit
 * status is 0. Else one line of text goes to stderr and the status is 64 and the error's code.
 *
 * Variables: http_proxy, https_proxy, no_proxy (and the like, curl(1)); SSL_CERT_FILE.
 */
#include "fetch/confine.h"
#include "fetch/download.h"

#include "base/num.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

#define OUT_FD	  3
#define EXIT_BASE 64
#define EXIT_USE  2

static int run(pid_t parent, struct download *d, struct err *err)
{
	/* OpenSSL reads its settings now, where it still may. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_UNSUPPORTED, "libcurl cannot be used");
	if (download_prepare(err) < 0 || confine(parent, err) < 0)
		return -err->code;
	return download_run(d, err);
}

static int print_result(const struct download *d)
{
	printf("size %llu\n", (unsigned long long)d->n_bytes);
	if (d->etag.len)
		printf("etag %s\n", d->etag.buf);
	if (d->modified_s >= 0)
		printf("modified %lld\n", (long long)d->modified_s);
	return fflush(stdout) == EOF;
}

int main(int argc, char **argv)
{
	struct download d = {.out_fd = OUT_FD, .modified_s = -1};
	struct err err = ERR_INIT;
	int64_t parent = 0;

	if (argc != 3 || num_parse_i64(argv[1], &parent) < 0 || parent < 0 || parent > INT32_MAX) {
		fputs("tare-fetch is started by tare, to download something\n", stderr);
		return EXIT_USE;
	}
	signal(SIGPIPE, SIG_IGN);
	d.url = argv[2];
	if (run((pid_t)parent, &d, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return EXIT_BASE + err.code;
	}
	return print_result(&d);
}
