/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command again and again and prints the nanoseconds of each run on a line: from before the
 * spawn (vfork inside posix_spawn(3), so the size of this process costs nothing) until it is waited
 * for. For each line it reads it runs once, so that a driver can interleave several commands.
 *
 *     timeit [-p N] [-m] [-o FILE] COMMAND [ARGUMENT...]
 *
 * -p starts N at once and gives the time until the last has ended; -m gives the largest resident
 * set of the command or of any process that it waited for, in KiB, instead of a time. Output of the
 * command goes to FILE (/dev/null). A command that does not exit 0 gives "failed STATUS" instead of
 * a time.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The wait status of a run that failed, else 0. */
static int run_once(const posix_spawn_file_actions_t *actions, char **argv, long parallel)
{
	int failed = 0;
	int status;

	for (long i = 0; i < parallel; i++) {
		pid_t pid;

		if (posix_spawnp(&pid, argv[0], actions, NULL, argv, environ) != 0)
			return 127 << 8;
	}
	for (long i = 0; i < parallel; i++) {
		if (wait(&status) < 0 || status != 0)
			failed = status;
	}
	return failed;
}

static uint64_t largest_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (uint64_t)usage.ru_maxrss;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	const char *output = "/dev/null";
	bool is_memory = false;
	long parallel = 1;
	char line[16];
	int c;

	while ((c = getopt(argc, argv, "+p:mo:")) != -1) {
		if (c == 'o')
			output = optarg;
		else if (c == 'm')
			is_memory = true;
		else if (c != 'p' || sscanf(optarg, "%ld", &parallel) != 1)
			return 2;
	}
	if (optind == argc)
		return 2;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		uint64_t start = now_ns();
		int status = run_once(&actions, argv + optind, parallel);
		uint64_t took = now_ns() - start;

		if (status != 0)
			printf("failed %d\n",
			       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		else
			printf("%llu\n", (unsigned long long)(is_memory ? largest_kib() : took));
		fflush(stdout);
	}
	posix_spawn_file_actions_destroy(&actions);
	return 0;
}
