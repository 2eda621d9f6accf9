/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default filter against its intent, in three ways: cases that are written down, a filter that
 * libseccomp builds from the same profile, compared on random calls, and the golden table.
 *
 * libseccomp cannot say "this call unless its argument is so" with a default that refuses, so the
 * reference is three filters as the kernel would stack them: by number; refusals by argument, with
 * a default that allows; and the values of personality, with a default that refuses.
 */
#include "../unit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "bpf_eval.h"
#include "sys/caps.h"
#include "sys/seccomp.h"
#include "sys/seccomp_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

#define N_RANDOM   100000
#define X32	   0x40000000u
#define ALLOW	   SECCOMP_RET_ALLOW
#define ERRNO(e)   (SECCOMP_RET_ERRNO | (e))
#define KILL	   SECCOMP_RET_KILL_PROCESS
#define ANY_NUMBER 512

static const struct {
	const char *name;
	const struct seccomp_table *table;
	uint32_t arch;
	size_t number_offset;
} arches[] = {
	{"x86_64", &seccomp_table_x86_64, AUDIT_ARCH_X86_64,
	 offsetof(struct seccomp_number, x86_64)},
	{"aarch64", &seccomp_table_aarch64, AUDIT_ARCH_AARCH64,
	 offsetof(struct seccomp_number, aarch64)},
};

static int number_of(size_t arch, const char *name)
{
	int nr = -1;

	for (size_t i = 0; i < ARRAY_LEN(seccomp_numbers); i++)
		if (strcmp(seccomp_numbers[i].name, name) == 0) {
			memcpy(&nr, (const char *)&seccomp_numbers[i] + arches[arch].number_offset,
			       sizeof(nr));
			return nr;
		}
	nr = seccomp_syscall_resolve_name_arch(arches[arch].arch, name);
	return nr < 0 ? -1 : nr;
}

/* The reference for one architecture and one set of capabilities. */
struct reference {
	size_t arch;
	uint64_t caps;
	scmp_filter_ctx by_number, by_argument, personality;
	struct sock_fprog progs[3];
	/* Rules of numbers that libseccomp cannot be told about; N_SECCOMP_RULES for others. */
	enum seccomp_rule raw[ANY_NUMBER];
	int personality_nr;
};

static scmp_filter_ctx new_filter(uint32_t action, uint32_t arch)
{
	scmp_filter_ctx ctx = seccomp_init(action);

	assert_non_null(ctx);
	if (seccomp_arch_native() != arch) {
		assert_int_equal(seccomp_arch_add(ctx, arch), 0);
		assert_int_equal(seccomp_arch_remove(ctx, seccomp_arch_native()), 0);
	}
	assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
	return ctx;
}

/* The low half of argument ARG equals VALUE under MASK. */
#define LOW(arg, mask, value) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, (mask), (value))
#define ALL_BITS	      0xffffffffu

static void refer_arguments(struct reference *ref, enum seccomp_rule rule, int nr)
{
	static const uint32_t personalities[] = SECCOMP_PERSONALITIES;
	scmp_filter_ctx f = ref->by_argument;
	uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
	int r = 0;

	if (rule == SECCOMP_RULE_SOCKET) {
		r |= seccomp_rule_add(f, eperm, nr, 1, LOW(0, ALL_BITS, 38));
		r |= seccomp_rule_add(f, eperm, nr, 1, LOW(0, ALL_BITS, 40));
		if (!(ref->caps & CAPS_BIT(CAP_AUDIT_WRITE)))
			r |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EINVAL), nr, 2,
					      LOW(0, ALL_BITS, 16), LOW(2, ALL_BITS, 9));
	} else if (rule == SECCOMP_RULE_CLONE) {
		for (unsigned bit = 0; bit < 32; bit++)
			if (SECCOMP_CLONE_NEW & (1u << bit))
				r |= seccomp_rule_add(f, eperm, nr, 1,
						      LOW(0, 1u << bit, 1u << bit));
	} else if (rule == SECCOMP_RULE_IOCTL) {
		r |= seccomp_rule_add(f, eperm, nr, 1, LOW(1, ALL_BITS, 0x5412));
		r |= seccomp_rule_add(f, eperm, nr, 1, LOW(1, ALL_BITS, 0x541c));
	} else if (rule == SECCOMP_RULE_PERSONALITY) {
		for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
			r |= seccomp_rule_add(ref->personality, SCMP_ACT_ALLOW, nr, 1,
					      LOW(0, ALL_BITS, personalities[i]));
	}
	assert_int_equal(r, 0);
}

static void refer_call(struct reference *ref, const struct seccomp_profile_row *row,
		       const char *name)
{
	int nr = number_of(ref->arch, name), native = 0;
	enum seccomp_rule rule = row->grant & ref->caps ? SECCOMP_RULE_ALLOW : row->rule;

	if (nr < 0)
		return;
	/* Filters for a foreign architecture are told native numbers, which it translates. */
	if (arches[ref->arch].arch == seccomp_arch_native())
		native = nr;
	else if (seccomp_syscall_resolve_name_arch(arches[ref->arch].arch, name) < 0) {
		ref->raw[nr] = rule;
		return;
	} else
		native = seccomp_syscall_resolve_name(name);
	if (rule == SECCOMP_RULE_ENOSYS)
		return;
	if (strcmp(name, "personality") == 0)
		ref->personality_nr = nr;
	assert_int_equal(seccomp_rule_add(ref->by_number,
					  rule == SECCOMP_RULE_EPERM ? SCMP_ACT_ERRNO(EPERM)
								     : SCMP_ACT_ALLOW,
					  native, 0),
			 0);
	refer_arguments(ref, rule, native);
}

static void reference_init(struct reference *ref, size_t arch, uint64_t caps)
{
	*ref = (struct reference){.arch = arch, .caps = caps, .personality_nr = -1};
	for (size_t i = 0; i < ANY_NUMBER; i++)
		ref->raw[i] = N_SECCOMP_RULES;
	ref->by_number = new_filter(SCMP_ACT_ERRNO(ENOSYS), arches[arch].arch);
	ref->by_argument = new_filter(SCMP_ACT_ALLOW, arches[arch].arch);
	ref->personality = new_filter(SCMP_ACT_ERRNO(EPERM), arches[arch].arch);
	for (size_t i = 0; i < ARRAY_LEN(seccomp_profile); i++) {
		cleanup_strv struct strv words = STRV_INIT;

		strv_split(&words, seccomp_profile[i].names, ' ');
		strv_foreach (w, &words)
			refer_call(ref, &seccomp_profile[i], words.items[w]);
	}
	bpf_export(ref->by_number, &ref->progs[0]);
	bpf_export(ref->by_argument, &ref->progs[1]);
	bpf_export(ref->personality, &ref->progs[2]);
}

static void reference_done(struct reference *ref)
{
	seccomp_release(ref->by_number);
	seccomp_release(ref->by_argument);
	seccomp_release(ref->personality);
	for (size_t i = 0; i < ARRAY_LEN(ref->progs); i++)
		free(ref->progs[i].filter);
}

static uint32_t reference_eval(const struct reference *ref, const struct seccomp_data *d)
{
	uint32_t action = 0;

	if (d->arch != arches[ref->arch].arch)
		return KILL;
	if ((uint32_t)d->nr >= X32)
		return ERRNO(ENOSYS); /* libseccomp would kill */
	if (d->nr < ANY_NUMBER && ref->raw[d->nr] != N_SECCOMP_RULES)
		return ref->raw[d->nr] == SECCOMP_RULE_ALLOW   ? ALLOW
		       : ref->raw[d->nr] == SECCOMP_RULE_EPERM ? ERRNO(EPERM)
							       : ERRNO(ENOSYS);
	action = bpf_eval(&ref->progs[0], d);
	if (action != ALLOW)
		return action;
	return bpf_eval(&ref->progs[d->nr == ref->personality_nr ? 2 : 1], d);
}

/* xorshift64: the same calls in every run. */
static uint64_t next_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static uint64_t random_argument(void)
{
	static const uint64_t values[] = {
		0,	    1,		2,	    8,		9,	   16,
		17,	    38,		39,	    40,		0x5401,	   0x5412,
		0x541c,	    0x20000,	0x20008,    0x20001,	0x80000,   0x2000000,
		0x10000000, 0x40000000, 0x7e020000, 0xffffffff, 0x1200011,
	};
	uint64_t r = next_random(), v = values[(r >> 8) % ARRAY_LEN(values)];

	switch (r % 4) {
	case 0:
		return next_random();
	case 1:
		return v | (next_random() << 32);
	default:
		return v;
	}
}

static struct seccomp_data random_call(size_t arch)
{
	static const char *const by_argument[] = {"socket", "socketpair", "clone", "ioctl",
						  "personality"};
	uint64_t r = next_random();
	struct seccomp_data d = {.arch = arches[arch].arch};

	for (size_t i = 0; i < ARRAY_LEN(d.args); i++)
		d.args[i] = random_argument();
	if (r % 16 == 0)
		d.arch = r & 16 ? AUDIT_ARCH_I386 : (uint32_t)next_random();
	r = next_random();
	if (r % 8 < 4)
		d.nr = (int)((r >> 8) % 480);
	else if (r % 8 < 6)
		d.nr = number_of(arch, by_argument[(r >> 8) % ARRAY_LEN(by_argument)]);
	else
		d.nr = (int)((r >> 8) % 480 + (r % 8 == 6 ? X32 : (r >> 20)));
	return d;
}

static void compare(size_t arch, uint64_t caps, unsigned n)
{
	struct reference ref;
	cleanup_seccomp struct sock_fprog prog = {};

	reference_init(&ref, arch, caps);
	assert_int_equal(seccomp_build_table(arches[arch].table, caps, &prog), 0);
	for (unsigned i = 0; i < n; i++) {
		struct seccomp_data d = random_call(arch);
		uint32_t ours = bpf_eval(&prog, &d), theirs = reference_eval(&ref, &d);

		if (ours != theirs)
			fail_msg("%s caps %llx nr %d arch %x args %llx %llx %llx: %x, not %x",
				 arches[arch].name, (unsigned long long)caps, d.nr, d.arch,
				 (unsigned long long)d.args[0], (unsigned long long)d.args[1],
				 (unsigned long long)d.args[2], ours, theirs);
	}
	reference_done(&ref);
}

static void same_as_libseccomp(void **state)
{
	uint64_t sets[24] = {0, CAPS_DEFAULT, CAPS_ALL, CAPS_DEFAULT | CAPS_BIT(CAP_SYS_ADMIN)};
	unsigned n = N_RANDOM / ARRAY_LEN(sets) / ARRAY_LEN(arches) + 1;
	size_t n_sets = 4;

	for (size_t i = 0; i < ARRAY_LEN(seccomp_profile) && n_sets < ARRAY_LEN(sets) - 2; i++)
		if (seccomp_profile[i].grant)
			sets[n_sets++] = seccomp_profile[i].grant & -seccomp_profile[i].grant;
	sets[n_sets++] = CAPS_BIT(CAP_AUDIT_WRITE);
	while (n_sets < ARRAY_LEN(sets))
		sets[n_sets++] = next_random() & CAPS_ALL;
	for (size_t arch = 0; arch < ARRAY_LEN(arches); arch++)
		for (size_t i = 0; i < n_sets; i++)
			compare(arch, sets[i], n);
}

/* One call, its first three arguments, and what becomes of it. */
struct call_case {
	const char *name;
	uint64_t args[3];
	uint64_t extra_caps;
	uint32_t action;
};

static const struct call_case cases[] = {
	{"read", {}, 0, ALLOW},
	{"socket", {1, 1, 0}, 0, ALLOW},
	{"socket", {2, 1, 0}, 0, ALLOW},
	{"socket", {16, 3, 0}, 0, ALLOW},
	{"socket", {16, 3, 9}, 0, ERRNO(EINVAL)},
	{"socket", {16, 3, 9}, CAPS_BIT(CAP_AUDIT_WRITE), ALLOW},
	{"socket", {17, 3, 9}, 0, ALLOW},
	{"socket", {38, 5, 0}, 0, ERRNO(EPERM)},
	{"socket", {38, 5, 0}, CAPS_ALL, ERRNO(EPERM)},
	{"socket", {38 + (1ull << 32), 5, 0}, 0, ERRNO(EPERM)},
	{"socket", {40, 1, 0}, 0, ERRNO(EPERM)},
	{"socketpair", {38, 5, 0}, 0, ERRNO(EPERM)},
	{"socketpair", {1, 1, 0}, 0, ALLOW},
	{"clone", {17, 0, 0}, 0, ALLOW},
	{"clone", {0x10000000, 0, 0}, 0, ERRNO(EPERM)},
	{"clone", {0x20000 | 17, 0, 0}, 0, ERRNO(EPERM)},
	{"clone", {0x10000000, 0, 0}, CAPS_BIT(CAP_SYS_ADMIN), ALLOW},
	{"clone3", {}, 0, ERRNO(ENOSYS)},
	{"clone3", {}, CAPS_BIT(CAP_SYS_ADMIN), ALLOW},
	{"ioctl", {0, 0x5401, 0}, 0, ALLOW},
	{"ioctl", {0, 0x5412, 0}, 0, ERRNO(EPERM)},
	{"ioctl", {0, 0x5412 + (7ull << 32), 0}, 0, ERRNO(EPERM)},
	{"ioctl", {0, 0x541c, 0}, CAPS_ALL, ERRNO(EPERM)},
	{"personality", {0xffffffff, 0, 0}, 0, ALLOW},
	{"personality", {0x20008, 0, 0}, 0, ALLOW},
	{"personality", {0x40000, 0, 0}, 0, ERRNO(EPERM)},
	{"mount", {}, 0, ERRNO(EPERM)},
	{"mount", {}, CAPS_BIT(CAP_SYS_ADMIN), ALLOW},
	{"chroot", {}, 0, ALLOW}, /* CAP_SYS_CHROOT is one of the twelve */
	{"keyctl", {}, CAPS_ALL, ERRNO(EPERM)},
	{"io_uring_setup", {}, CAPS_ALL, ERRNO(EPERM)},
	{"userfaultfd", {}, CAPS_ALL, ERRNO(EPERM)},
	{"bpf", {}, 0, ERRNO(EPERM)},
	{"bpf", {}, CAPS_BIT(39), ALLOW},
	{"ptrace", {}, 0, ALLOW},
	{"mseal", {}, 0, ALLOW},
	{"statmount", {}, 0, ALLOW},
};

static void written_down(void **state)
{
	for (size_t arch = 0; arch < ARRAY_LEN(arches); arch++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const struct call_case *c = &cases[i];
			cleanup_seccomp struct sock_fprog prog = {};
			struct seccomp_data d = {.nr = number_of(arch, c->name),
						 .arch = arches[arch].arch};

			memcpy(d.args, c->args, sizeof(c->args));
			assert_true(d.nr >= 0);
			seccomp_build_table(arches[arch].table, CAPS_DEFAULT | c->extra_caps,
					    &prog);
			if (bpf_eval(&prog, &d) != c->action)
				fail_msg("%s %s, row %zu: %x", arches[arch].name, c->name, i,
					 bpf_eval(&prog, &d));
		}
}

/* Numbers that are nobody's, the other ABIs of the machine, other machines. */
static void foreign(void **state)
{
	static const struct {
		int nr;
		uint32_t arch;
		uint32_t action;
	} rows[] = {
		{0, AUDIT_ARCH_X86_64, ALLOW},
		{(int)X32, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{(int)X32 + 520, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{400, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{469, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{1 << 20, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{-1, AUDIT_ARCH_X86_64, ERRNO(ENOSYS)},
		{0, AUDIT_ARCH_I386, KILL},
		{0, AUDIT_ARCH_AARCH64, KILL},
		{0, 0, KILL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int all = 0; all < 2; all++) {
			cleanup_seccomp struct sock_fprog prog = {};
			struct seccomp_data d = {.nr = rows[i].nr, .arch = rows[i].arch};

			seccomp_build_table(&seccomp_table_x86_64, all ? CAPS_ALL : 0, &prog);
			assert_int_equal(bpf_eval(&prog, &d), rows[i].action);
		}
}

static uint32_t golden_action(const char *word)
{
	if (strcmp(word, "EPERM") == 0)
		return ERRNO(EPERM);
	if (strcmp(word, "ENOSYS") == 0)
		return ERRNO(ENOSYS);
	assert_string_equal(word, "allow");
	return ALLOW;
}

/* Each line of the golden table is what the filter does (all arguments 0, which no rule refuses),
 * and each call that exists is in the table. */
static void golden(void **state)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_seccomp struct sock_fprog prog = {};
	bool seen[ANY_NUMBER] = {};

	assert_int_equal(fd_read_file_at(AT_FDCWD, getenv("GOLDEN"), 1 << 20, &text), 0);
	strv_split(&lines, str_get(&text), '\n');
	seccomp_build_table(&seccomp_table_x86_64, CAPS_DEFAULT, &prog);
	strv_foreach (i, &lines) {
		char name[64] = "", word[16] = "";
		struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64};

		if (sscanf(lines.items[i], "%63s %15s", name, word) != 2 || name[0] == '#' ||
		    strchr(name, '.'))
			continue;
		d.nr = number_of(0, name);
		assert_in_range(d.nr, 0, ANY_NUMBER - 1);
		seen[d.nr] = true;
		if (bpf_eval(&prog, &d) != golden_action(word))
			fail_msg("%s: not %s", name, word);
	}
	for (int nr = 0; nr < ANY_NUMBER; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(AUDIT_ARCH_X86_64, nr);

		if (name && !seen[nr])
			fail_msg("%s is not in the golden table", name);
		free(name);
	}
}

static void bytes(void **state)
{
	static const struct sock_filter insns[4097];
	static const struct {
		size_t len;
		int rc;
	} rows[] = {{0, -EINVAL},  {7, -EINVAL},  {8, 0},
		    {12, -EINVAL}, {4096 * 8, 0}, {4097 * 8, -EINVAL}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_seccomp struct sock_fprog prog = {};

		assert_int_equal(seccomp_from_bytes(insns, rows[i].len, &prog), rows[i].rc);
		assert_int_equal(prog.len, rows[i].rc ? 0 : rows[i].len / 8);
	}
}

static void weight(void **state)
{
	static const uint64_t sets[] = {0, CAPS_DEFAULT, CAPS_ALL};

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		unsigned short len = 0;
		uint64_t start = clock_mono_ns();

		for (int n = 0; n < 1000; n++) {
			cleanup_seccomp struct sock_fprog prog = {};

			assert_int_equal(seccomp_build_default(sets[i], &prog), 0);
			len = prog.len;
		}
		print_message("caps %011llx: %u instructions, %u calls, %.2f us to build\n",
			      (unsigned long long)sets[i], len, seccomp_count_default(sets[i]),
			      (double)(clock_mono_ns() - start) / 1e6);
	}
	assert_true(seccomp_count_default(CAPS_DEFAULT) > 300);
	assert_true(seccomp_count_default(CAPS_ALL) > seccomp_count_default(CAPS_DEFAULT));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_down),
		cmocka_unit_test(foreign),
		cmocka_unit_test(same_as_libseccomp),
		cmocka_unit_test(golden),
		cmocka_unit_test(bytes),
		cmocka_unit_test(weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
