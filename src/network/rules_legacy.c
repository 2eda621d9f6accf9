/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The older iptables, whose tables nobody sees in nf_tables: where a filter table of it is in use,
 * its program is asked to have rules in DOCKER-USER.
 */
#include "network/rules.h"

#include "base/fd.h"
#include "base/mem.h"
#include "network/rules_private.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES_LIMIT 4096

static const char *const programs[] = {"/usr/sbin/iptables-legacy", "/usr/sbin/ip6tables-legacy"};
static const char *const names[] = {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"};
static const char *const directions[] = {"-i", "-o"};

bool rules_legacy_is_used(size_t family)
{
	cleanup_str struct str text = STR_INIT;

	/* Asking the program would make the table. */
	if (fd_read_kernel_file(names[family], NAMES_LIMIT, &text) < 0 ||
	    !strstr(str_get(&text), "filter"))
		return false;
	/* lint: where distributions have it */
	return access(programs[family], X_OK) == 0;
}

/* Silently; the exit status or -errno. */
static int run_program(size_t family, const char *verb, const char *direction, const char *ifname)
{
	const char *const args[] = {
		programs[family], "-w", verb, RULES_USER_CHAIN, direction, ifname, "-j",
		"ACCEPT",	  NULL};
	char *const env[] = {NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int status = 0;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc != 0)
		return -rc;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	rc = posix_spawn(&pid, args[0], &actions, NULL, (char *const *)(uintptr_t)args, env);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

bool rules_legacy_has(size_t family, const char *ifname)
{
	for (size_t i = 0; i < ARRAY_LEN(directions); i++)
		if (run_program(family, "-C", directions[i], ifname) != 0)
			return false;
	return true;
}

void rules_legacy_change(size_t family, const char *ifname, bool add)
{
	for (size_t i = 0; i < ARRAY_LEN(directions); i++) {
		bool is_there = run_program(family, "-C", directions[i], ifname) == 0;

		/* Without such a chain there is nobody to give way. */
		if (is_there != add)
			(void)run_program(family, add ? "-I" : "-D", directions[i], ifname);
	}
}
