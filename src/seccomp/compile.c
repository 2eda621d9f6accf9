/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One libseccomp filter for each architecture, put together behind a prologue of ours.
 *
 *	load architecture; jump to its section; none: KILL_PROCESS
 *	section: load number; x32 bit set: x32 section or ENOSYS
 *		 above the last number of the profile: ENOSYS
 *		 libseccomp's program for this architecture alone
 *
 * Apart, because libseccomp translates each number by name to the other architectures of a filter
 * and so refuses one that it has no name for; and because "newer than the profile" is a different
 * number in each. That answer is runc's rule: C libraries fall back to an older call on ENOSYS and
 * on nothing else, so a profile from before a call was invented must not answer EPERM.
 *
 * As with runc, a rule whose action is the default's is left out, since libseccomp takes none such:
 * it cannot narrow a broader rule for the same call. On 32-bit x86 socketcall(2) hides its
 * arguments, so rules on arguments of socket(2) do not hold there.
 */
#include "seccomp/compile.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "seccomp/profile.h"
#include "sys/seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define X32_BIT	      0x40000000u
#define ENOSYS_ACTION (SECCOMP_RET_ERRNO | ENOSYS)

struct section {
	uint32_t token;	 /* SCMP_ARCH_* */
	uint32_t last;	 /* highest number that the profile names */
	struct str blob; /* libseccomp's program */
};

static void add_insn(struct str *s, unsigned code, uint32_t k, uint8_t jt, uint8_t jf)
{
	struct sock_filter insn = {(uint16_t)code, jt, jf, k};

	str_add_bytes(s, &insn, sizeof(insn));
}

static void add_load(struct str *s, size_t offset)
{
	add_insn(s, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Numbers for names newer than the library, on the machine's own architecture. -1 when unknown. */
static int find_newer(uint32_t token, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(seccomp_numbers); i++)
		if (str_is_equal(seccomp_numbers[i].name, name))
			return token == SCMP_ARCH_X86_64    ? seccomp_numbers[i].x86_64
			       : token == SCMP_ARCH_AARCH64 ? seccomp_numbers[i].aarch64
							    : -1;
	return -1;
}

/* libseccomp allows each argument once in a rule; docker's way with more is one rule for each
 * comparison, any of which matches. */
static int add_rule(scmp_filter_ctx ctx, const struct profile_rule *rule, int nr)
{
	bool repeated = false;

	for (size_t i = 0; i < rule->n_args; i++)
		for (size_t j = 0; j < i; j++)
			repeated |= rule->args[i].arg == rule->args[j].arg;
	if (!repeated)
		return seccomp_rule_add_array(ctx, rule->action, nr, (unsigned)rule->n_args,
					      rule->args);
	for (size_t i = 0; i < rule->n_args; i++) {
		int r = seccomp_rule_add_array(ctx, rule->action, nr, 1, &rule->args[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_call(scmp_filter_ctx ctx, struct section *section, const struct profile_rule *rule,
		    const char *name, struct err *err)
{
	int nr = seccomp_syscall_resolve_name_arch(section->token, name);
	/* Rules are given in numbers of the machine; the library translates them by name. */
	int native = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (nr == __NR_SCMP_ERROR && section->token == seccomp_arch_native())
		nr = native = find_newer(section->token, name);
	if (nr == __NR_SCMP_ERROR || native == __NR_SCMP_ERROR)
		return 0;
	if (nr >= 0 && (uint32_t)nr > section->last)
		section->last = (uint32_t)nr;
	r = add_rule(ctx, rule, native);
	if (r < 0 && r != -EEXIST)
		return err_sys(err, -r, "seccomp rule for %s", name);
	return 0;
}

static int export_blob(scmp_filter_ctx ctx, struct str *ret, struct err *err)
{
	cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r >= 0)
		r = fd_read_all(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret);
	return r < 0 ? err_sys(err, -r, "compile seccomp profile") : 0;
}

static void release_ctx(scmp_filter_ctx *ctx)
{
	seccomp_release(*ctx);
}

static int compile_section(const struct profile *p, struct section *section, struct err *err)
{
	cleanup_with(release_ctx) scmp_filter_ctx ctx = seccomp_init(p->default_action);
	int r = ctx ? 0 : -ENOMEM;

	if (r >= 0 && section->token != seccomp_arch_native()) {
		r = seccomp_arch_add(ctx, section->token);
		if (r >= 0)
			r = seccomp_arch_remove(ctx, seccomp_arch_native());
	}
	if (r >= 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r >= 0) /* 2: binary search by number */
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return err_sys(err, -r, "prepare seccomp filter");
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct profile_rule *rule = &p->rules[i];

		if (rule->action == p->default_action)
			continue;
		strv_foreach (n, &rule->names) {
			r = add_call(ctx, section, rule, rule->names.items[n], err);
			if (r < 0)
				return r;
		}
	}
	return export_blob(ctx, &section->blob, err);
}

/* A tracer or an audit log is a way through: what the kernel does not know it answers itself. */
static bool is_permissive(uint32_t action)
{
	return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG ||
	       (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE;
}

static void add_section(struct str *out, const struct profile *p, const struct section *section)
{
	if (!is_permissive(p->default_action)) {
		add_load(out, offsetof(struct seccomp_data, nr));
		add_insn(out, BPF_JMP | BPF_JGT | BPF_K, section->last, 0, 1);
		add_insn(out, BPF_RET | BPF_K, ENOSYS_ACTION, 0, 0);
	}
	str_add_bytes(out, section->blob.buf, section->blob.len);
}

/* "If the accumulator is not VALUE, go past BODY." */
static void add_guarded(struct str *out, unsigned jump, uint32_t value, const struct str *body)
{
	add_insn(out, BPF_JMP | jump | BPF_K, value, 1, 0);
	add_insn(out, BPF_JMP | BPF_JA, (uint32_t)(body->len / sizeof(struct sock_filter)), 0, 0);
	str_add_bytes(out, body->buf, body->len);
}

static const struct section *find_section(const struct section *sections, size_t n, uint32_t token)
{
	for (size_t i = 0; i < n; i++)
		if (sections[i].token == token)
			return &sections[i];
	return NULL;
}

/* x86-64 and x32 are one architecture to the kernel and differ by a bit of the number. */
static void add_x86_64(struct str *out, const struct profile *p, const struct section *sections)
{
	const struct section *x32 = find_section(sections, p->n_arches, SCMP_ARCH_X32);
	cleanup_str struct str body = STR_INIT;

	if (x32)
		add_section(&body, p, x32);
	else
		add_insn(&body, BPF_RET | BPF_K, ENOSYS_ACTION, 0, 0);
	add_load(out, offsetof(struct seccomp_data, nr));
	add_guarded(out, BPF_JGE, X32_BIT, &body);
	add_section(out, p, find_section(sections, p->n_arches, SCMP_ARCH_X86_64));
}

static void link_sections(struct str *out, const struct profile *p, const struct section *sections)
{
	add_load(out, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < p->n_arches; i++) {
		cleanup_str struct str body = STR_INIT;

		if (sections[i].token == SCMP_ARCH_X32)
			continue;
		if (sections[i].token == SCMP_ARCH_X86_64)
			add_x86_64(&body, p, sections);
		else
			add_section(&body, p, &sections[i]);
		add_guarded(out, BPF_JEQ, sections[i].token, &body);
	}
	add_insn(out, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

int compile_profile(const struct profile *p, struct str *ret, struct err *err)
{
	cleanup_free struct section *sections = mem_zalloc(p->n_arches * sizeof(*sections));
	int r = 0;

	if (p->n_arches == 0) {
		add_insn(ret, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
		return 0;
	}
	for (size_t i = 0; i < p->n_arches && r >= 0; i++) {
		sections[i].token = p->arches[i];
		r = compile_section(p, &sections[i], err);
	}
	if (r >= 0)
		link_sections(ret, p, sections);
	for (size_t i = 0; i < p->n_arches; i++)
		str_done(&sections[i].blob);
	if (r >= 0 && ret->len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		r = err_set(err, ERR_INVALID,
			    "seccomp profile is too large: %zu of %d instructions",
			    ret->len / sizeof(struct sock_filter), BPF_MAXINSNS);
	return r;
}
