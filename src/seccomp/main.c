/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-seccomp: compiles a user's seccomp profile. Apart from tare itself, because libseccomp with
 * its tables would be weight on every command.
 *
 *	tare-seccomp --caps HEX [--check] < profile.json > filter
 *
 * HEX are the container's capabilities as in /proc/PID/status. The filter is an array of struct
 * sock_filter in this machine's byte order. One line on stderr and status 1 when the profile cannot
 * be used; nothing is written to stdout then. --check writes nothing in any case.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "seccomp/compile.h"
#include "seccomp/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* docker's own profile has 14 KiB. */
#define MAX_PROFILE (1024 * 1024)

static int parse_options(int argc, char **argv, uint64_t *ret_caps, bool *ret_check,
			 struct err *err)
{
	bool has_caps = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0)
			*ret_check = true;
		else if (strcmp(argv[i], "--caps") == 0 && i + 1 < argc &&
			 num_parse_base(argv[++i], 16, ret_caps) == 0)
			has_caps = true;
		else
			return err_set(err, ERR_INVALID, "invalid argument: %s", argv[i]);
	}
	if (!has_caps)
		return err_set(err, ERR_INVALID, "usage: tare-seccomp --caps HEX [--check]");
	return 0;
}

static int compile_stdin(uint64_t caps, struct str *ret, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_with(profile_done) struct profile profile = {};
	struct profile_host host;
	int r = fd_read_all(STDIN_FILENO, MAX_PROFILE, &text);

	if (r < 0)
		return err_sys(err, -r, "read seccomp profile");
	profile_host_init(&host, caps);
	r = profile_parse(str_get(&text), text.len, &host, &profile, err);
	return r < 0 ? r : compile_profile(&profile, ret, err);
}

int main(int argc, char **argv)
{
	cleanup_str struct str filter = STR_INIT;
	struct err err = ERR_INIT;
	uint64_t caps = 0;
	bool check = false;
	int r = parse_options(argc, argv, &caps, &check, &err);

	if (r >= 0)
		r = compile_stdin(caps, &filter, &err);
	if (r >= 0 && !check) {
		r = fd_write_full(STDOUT_FILENO, filter.buf, filter.len);
		if (r < 0)
			r = err_sys(&err, -r, "write seccomp filter");
	}
	if (r < 0)
		fprintf(stderr, "%s\n", err.msg);
	return r < 0 ? 1 : 0;
}
