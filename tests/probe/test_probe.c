/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden table against the kernel: the probe runs under the default filter and each answer must
 * be the table's. "allow" means that the answer is the kernel's own, so one that looks like a
 * refusal is asked for again without a filter and must come out the same.
 */
#include "../unit/unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/caps.h"
#include "sys/seccomp.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts the probe with ARGV, under the default filter or none, and reads what it prints. */
static void run_probe(char *const argv[], bool filtered, struct str *ret)
{
	cleanup_seccomp struct sock_fprog prog = {};
	int pipe_fds[2], status = 0;
	pid_t pid = 0;

	assert_int_equal(seccomp_build_default(CAPS_DEFAULT, &prog), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(pipe_fds[1], STDOUT_FILENO) < 0 ||
		    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    (filtered && seccomp_install(&prog) < 0))
			_exit(100);
		execv(argv[0], argv);
		_exit(101);
	}
	close(pipe_fds[1]);
	assert_int_equal(fd_read_all(pipe_fds[0], 1 << 20, ret), 0);
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The word after NAME in TEXT (lines of "call.NAME word" or "case.NAME word"); owned, or NULL. */
static char *find_answer(const struct str *text, const char *name)
{
	cleanup_strv struct strv lines = STRV_INIT;
	size_t len = strlen(name);

	strv_split(&lines, str_get(text), '\n');
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];

		if (strlen(line) > 5 + len && strncmp(line + 5, name, len) == 0 &&
		    line[5 + len] == ' ')
			return str_dup(line + 5 + len + 1);
	}
	return NULL;
}

/* What this kernel and this user answer to the call NAME without a filter. */
static void check_unfiltered(const char *probe, const char *name, const char *filtered)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_free char *answer = NULL;
	cleanup_free char *args[] = {str_dup(probe)};
	char *argv[] = {args[0], (char[]){"calls"}, str_dup(name), NULL};

	run_probe(argv, false, &text);
	free(argv[2]);
	answer = find_answer(&text, name);
	if (!answer || strcmp(answer, filtered) != 0)
		fail_msg("%s: %s under the filter, %s without", name, filtered, answer);
}

static void check_line(const char *probe, const struct str *seen, const char *name,
		       const char *expected)
{
	cleanup_free char *answer = find_answer(seen, name);
	bool refused = false;

	if (!answer) /* not a call of this architecture */
		return;
	refused = strcmp(answer, "EPERM") == 0 || strcmp(answer, "ENOSYS") == 0 ||
		  strcmp(answer, "SIGSYS") == 0;
	if (strcmp(answer, "skipped") == 0 || strcmp(answer, expected) == 0)
		return;
	if (strcmp(expected, "allow") != 0)
		fail_msg("%s: %s, not %s", name, answer, expected);
	if (refused && strchr(name, '.'))
		fail_msg("%s: %s, but is allowed", name, answer);
	if (refused)
		check_unfiltered(probe, name, answer);
}

static void golden(void **state)
{
	cleanup_str struct str seen = STR_INIT, table = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free char *probe = str_dup(getenv("PROBE"));
	char *argv[] = {probe, (char[]){"cases"}, (char[]){"calls"}, NULL};
	unsigned n = 0;

	run_probe(argv, true, &seen);
	assert_int_equal(fd_read_file_at(AT_FDCWD, getenv("GOLDEN"), 1 << 20, &table), 0);
	strv_split(&lines, str_get(&table), '\n');
	strv_foreach (i, &lines) {
		char name[64] = "", word[16] = "";

		if (lines.items[i][0] == '#' ||
		    sscanf(lines.items[i], "%63s %15s", name, word) != 2)
			continue;
		check_line(probe, &seen, name, word);
		n++;
	}
	assert_true(n > 370);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(golden)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
