/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default filter, written as classic BPF for one container.
 *
 * Shape: check the architecture, load the call number, then a binary search over ranges of numbers;
 * each leaf is what happens to that range, a return or a few instructions that look at arguments.
 * About a hundred ranges make eight comparisons. Since Linux 5.11 the kernel runs the filter once
 * for each number when it is installed and remembers those that are allowed whatever their
 * arguments, so for most calls even that is saved.
 *
 * Composing instead of storing: fifteen capabilities open calls, and a filter for each combination
 * could not be stored; composing takes a few microseconds.
 *
 * Only the low 32 bits of an argument are looked at, since that is all the kernel takes of the ones
 * that matter here: 38 + (1 << 32) opens an AF_ALG socket as well as 38 does.
 */
#include "sys/seccomp.h"

#include "base/mem.h"
#include "seccomp_table.h"
#include "sys/seccomp_profile.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than the tables can come to: a range is at most two instructions of tree and ten of leaf. */
#define MAX_RANGES 256
#define MAX_INSNS  1024

#define RET_ALLOW  SECCOMP_RET_ALLOW
#define RET_ERR(e) (SECCOMP_RET_ERRNO | (e))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "low half of an argument comes first");

struct program {
	struct sock_filter *insns;
	size_t n;
	uint64_t caps;
};

static void emit(struct program *p, unsigned code, uint32_t k, size_t jt, size_t jf)
{
	assert(p->n < MAX_INSNS && jt < 256 && jf < 256);
	p->insns[p->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

static void emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_load_arg(struct program *p, unsigned arg)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS,
	     (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t)), 0, 0);
}

/* Jumps JT instructions ahead when equal, else goes on. */
static void emit_if(struct program *p, uint32_t value, size_t jt)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, jt, 0);
}

/* AF_ALG: CVE-2026-31431 and others. AF_VSOCK: talks to the host of a virtual machine, whatever the
 * network namespace. Audit without its capability: EINVAL is the only answer that libaudit takes as
 * "this kernel has no audit"; with any other su and useradd give up. */
static void emit_socket(struct program *p)
{
	bool audit = p->caps & CAP(AUDIT_WRITE);

	emit_load_arg(p, 0);
	emit_if(p, SECCOMP_AF_ALG, audit ? 2 : 6);
	emit_if(p, SECCOMP_AF_VSOCK, audit ? 1 : 5);
	if (!audit) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_AF_NETLINK, 0, 2);
		emit_load_arg(p, 2);
		emit_if(p, SECCOMP_NETLINK_AUDIT, 1);
	}
	emit_return(p, RET_ALLOW);
	if (!audit)
		emit_return(p, RET_ERR(EINVAL));
	emit_return(p, RET_ERR(EPERM));
}

static void emit_clone(struct program *p)
{
	emit_load_arg(p, 0);
	emit(p, BPF_JMP | BPF_JSET | BPF_K, SECCOMP_CLONE_NEW, 1, 0);
	emit_return(p, RET_ALLOW);
	emit_return(p, RET_ERR(EPERM));
}

/* Both put characters into a terminal as if they had been typed (CVE-2017-5226). The kernel takes
 * 32 bits of the request. */
static void emit_ioctl(struct program *p)
{
	emit_load_arg(p, 1);
	emit_if(p, SECCOMP_TIOCSTI, 2);
	emit_if(p, SECCOMP_TIOCLINUX, 1);
	emit_return(p, RET_ALLOW);
	emit_return(p, RET_ERR(EPERM));
}

static void emit_personality(struct program *p)
{
	static const uint32_t allowed[] = SECCOMP_PERSONALITIES;

	emit_load_arg(p, 0);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		emit_if(p, allowed[i], ARRAY_LEN(allowed) - i);
	emit_return(p, RET_ERR(EPERM));
	emit_return(p, RET_ALLOW);
}

static void emit_leaf(struct program *p, enum seccomp_rule rule)
{
	static void (*const by_argument[N_SECCOMP_RULES])(struct program *) = {
		[SECCOMP_RULE_SOCKET] = emit_socket,
		[SECCOMP_RULE_CLONE] = emit_clone,
		[SECCOMP_RULE_IOCTL] = emit_ioctl,
		[SECCOMP_RULE_PERSONALITY] = emit_personality,
	};

	if (by_argument[rule])
		by_argument[rule](p);
	else if (rule == SECCOMP_RULE_ALLOW)
		emit_return(p, RET_ALLOW);
	else
		emit_return(p, RET_ERR(rule == SECCOMP_RULE_EPERM ? EPERM : ENOSYS));
}

/* Search among N ranges with the number in the accumulator: the lower half follows the comparison,
 * the upper half follows the lower. A jump reaches 255 instructions; over a longer lower half it
 * needs a second one. Recursion depth is the logarithm of N. */
static void emit_search(struct program *p, const struct seccomp_range *ranges, size_t n)
{
	size_t at = p->n, lower = 0;

	if (n == 1) {
		emit_leaf(p, ranges[0].rule);
		return;
	}
	emit(p, BPF_JMP | BPF_JGE | BPF_K, ranges[n / 2].first, 0, 0);
	emit_search(p, ranges, n / 2);
	lower = p->n - at - 1;
	if (lower < 256) {
		p->insns[at].jt = (uint8_t)lower;
	} else {
		emit_return(p, RET_ALLOW); /* room for one more; overwritten by the move */
		memmove(p->insns + at + 2, p->insns + at + 1, lower * sizeof(*p->insns));
		p->insns[at].jf = 1;
		p->insns[at + 1] = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)lower};
	}
	emit_search(p, ranges + n / 2, n - n / 2);
}

/* What the ranges come to with CAPS, neighbours that came out alike joined. Returns their number.
 */
static size_t resolve_ranges(const struct seccomp_table *table, uint64_t caps,
			     struct seccomp_range ret[static MAX_RANGES])
{
	size_t n = 0;

	assert(table->n_ranges > 0 && table->n_ranges <= MAX_RANGES);
	for (size_t i = 0; i < table->n_ranges; i++) {
		struct seccomp_range range = table->ranges[i];

		if (range.grant & caps)
			range.rule = SECCOMP_RULE_ALLOW;
		if (n == 0 || ret[n - 1].rule != range.rule)
			ret[n++] = range;
	}
	return n;
}

int seccomp_build_table(const struct seccomp_table *table, uint64_t caps, struct sock_fprog *ret)
{
	cleanup_free struct sock_filter *insns = mem_alloc(MAX_INSNS * sizeof(*insns));
	struct program p = {.insns = insns, .caps = caps};
	struct seccomp_range ranges[MAX_RANGES];
	size_t n = resolve_ranges(table, caps, ranges);

	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, table->audit_arch, 1, 0);
	emit_return(&p, SECCOMP_RET_KILL_PROCESS);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit_search(&p, ranges, n);
	ret->len = (unsigned short)p.n;
	ret->filter = take_ptr(insns);
	return 0;
}

static const struct seccomp_table *native_table(void)
{
#if defined(__x86_64__) && defined(__LP64__)
	return &seccomp_table_x86_64;
#elif defined(__aarch64__)
	return &seccomp_table_aarch64;
#else
	return NULL;
#endif
}

int seccomp_build_default(uint64_t caps, struct sock_fprog *ret)
{
	const struct seccomp_table *table = native_table();

	return table ? seccomp_build_table(table, caps, ret) : -EOPNOTSUPP;
}

unsigned seccomp_count_default(uint64_t caps)
{
	const struct seccomp_table *table = native_table();
	unsigned count = 0;

	for (uint32_t i = 0; table && i + 1 < table->n_ranges; i++) {
		const struct seccomp_range *range = &table->ranges[i];
		bool refused = range->rule == SECCOMP_RULE_EPERM ||
			       range->rule == SECCOMP_RULE_ENOSYS;

		if (!refused || (range->grant & caps))
			count += range[1].first - range->first;
	}
	return count;
}

int seccomp_from_bytes(const void *bytes, size_t len, struct sock_fprog *ret)
{
	size_t n = len / sizeof(struct sock_filter);

	if (n == 0 || n > BPF_MAXINSNS || len % sizeof(struct sock_filter) != 0)
		return -EINVAL;
	ret->filter = mem_dup(bytes, len);
	ret->len = (unsigned short)n;
	return 0;
}

int seccomp_install(const struct sock_fprog *prog)
{
	/* No SECCOMP_FILTER_FLAG_SPEC_ALLOW: mitigations are the administrator's to turn off. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0 ? -errno : 0;
}

void seccomp_done(struct sock_fprog *prog)
{
	free(prog->filter);
	*prog = (struct sock_fprog){};
}
