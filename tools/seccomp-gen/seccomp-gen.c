/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes src/sys/seccomp_profile.h with numbers instead of names: a C file to include, one sorted
 * table of ranges for each architecture. Runs on the build host while the program is built; names
 * become numbers by libseccomp, or by the profile's own list for those that it is too old to know.
 *
 * With --names it writes the list of all calls instead, for the probe of the tests.
 *
 * Fails (exit status 1) for a name that no architecture has, and for a number that two rows claim:
 * a profile that says less than it seems to say must not be built.
 */
#include "sys/seccomp_profile.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NR	 512
#define NAME_MAX 64
#define N(a)	 (sizeof(a) / sizeof((a)[0]))

struct arch {
	const char *name;
	uint32_t token; /* SCMP_ARCH_*, which is AUDIT_ARCH_* for these */
	ptrdiff_t number_offset;
};

static const struct arch arches[] = {
	{"x86_64", SCMP_ARCH_X86_64, offsetof(struct seccomp_number, x86_64)},
	{"aarch64", SCMP_ARCH_AARCH64, offsetof(struct seccomp_number, aarch64)},
};

/* Row of each call number, NULL where there is none. */
struct numbers {
	const struct seccomp_profile_row *rows[MAX_NR];
};

static int find_number(const struct arch *arch, const char *name)
{
	int nr = 0;

	for (size_t i = 0; i < N(seccomp_numbers); i++)
		if (strcmp(seccomp_numbers[i].name, name) == 0) {
			memcpy(&nr, (const char *)&seccomp_numbers[i] + arch->number_offset,
			       sizeof(nr));
			return nr;
		}
	nr = seccomp_syscall_resolve_name_arch(arch->token, name);
	return nr >= 0 && nr < MAX_NR ? nr : -1;
}

static void die(const char *what, const char *name)
{
	fprintf(stderr, "seccomp-gen: %s: %s\n", what, name);
	exit(1);
}

static void place(struct numbers numbers[N(arches)], const struct seccomp_profile_row *row,
		  const char *name)
{
	bool found = false;

	for (size_t a = 0; a < N(arches); a++) {
		int nr = find_number(&arches[a], name);

		if (nr < 0)
			continue;
		found = true;
		if (numbers[a].rows[nr])
			die("in two rows", name);
		numbers[a].rows[nr] = row;
	}
	if (!found)
		die("no such system call", name);
}

static void place_row(struct numbers numbers[N(arches)], const struct seccomp_profile_row *row)
{
	const char *at = row->names;

	while (*at) {
		char name[NAME_MAX] = "";
		size_t len = strcspn(at, " ");

		if (len >= sizeof(name))
			die("name too long", at);
		memcpy(name, at, len);
		place(numbers, row, name);
		at += len;
		at += strspn(at, " ");
	}
}

static void print_table(const struct arch *arch, const struct numbers *numbers)
{
	static const struct seccomp_profile_row absent = {SECCOMP_RULE_ENOSYS, 0, ""};
	const struct seccomp_profile_row *last = NULL;
	unsigned n = 0;

	printf("static const struct seccomp_range ranges_%s[] = {\n", arch->name);
	for (uint32_t nr = 0; nr <= MAX_NR; nr++) {
		const struct seccomp_profile_row *row = nr < MAX_NR ? numbers->rows[nr] : NULL;

		if (!row)
			row = &absent;
		if (last && row->rule == last->rule && row->grant == last->grant)
			continue;
		printf("\t{%u, %d, UINT64_C(0x%llx)},\n", nr, (int)row->rule,
		       (unsigned long long)row->grant);
		last = row;
		n++;
	}
	printf("};\n\nconst struct seccomp_table seccomp_table_%s = {0x%xu, %u, ranges_%s};\n\n",
	       arch->name, arch->token, n, arch->name);
}

/* For the probe: every call that has a name, as `X(name, number)`. */
static void print_names(const struct arch *arch)
{
	printf("#ifdef __%s__\n", arch->name);
	for (int nr = 0; nr < MAX_NR; nr++) {
		char *known = seccomp_syscall_resolve_num_arch(arch->token, nr);
		const char *name = known;

		for (size_t i = 0; i < N(seccomp_numbers) && !name; i++)
			if (find_number(arch, seccomp_numbers[i].name) == nr)
				name = seccomp_numbers[i].name;
		if (name)
			printf("X(%s, %d)\n", name, nr);
		free(known);
	}
	printf("#endif\n");
}

int main(int argc, char **argv)
{
	static struct numbers numbers[N(arches)];

	if (argc == 2 && strcmp(argv[1], "--names") == 0) {
		for (size_t a = 0; a < N(arches); a++)
			print_names(&arches[a]);
		return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
	}
	for (size_t i = 0; i < N(seccomp_profile); i++)
		place_row(numbers, &seccomp_profile[i]);
	printf("/* Made by seccomp-gen. */\n#include \"sys/seccomp_profile.h\"\n\n");
	for (size_t a = 0; a < N(arches); a++)
		print_table(&arches[a], &numbers[a]);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
