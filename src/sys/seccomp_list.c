/* SPDX-License-Identifier: Apache-2.0 */
/* One comparison after another; since Linux 5.11 the kernel remembers which numbers are allowed
 * whatever their arguments, so the order hardly matters. */
#include "sys/seccomp_list.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>

#if defined(__x86_64__) && defined(__LP64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCH 0
#endif

#define X32_BIT 0x40000000u

enum { MAX_CALLS = 250, HEAD = 6, PER_CALL = 7 };

static void emit(struct sock_fprog *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	p->filter[p->len++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

static void emit_return(struct sock_fprog *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_load(struct sock_fprog *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Each row ends in a return, so what a row loads does not disturb the next. */
static void emit_call(struct sock_fprog *p, const struct seccomp_call *c)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->nr, 0, c->mask ? 5 : 1);
	if (c->mask) {
		emit_load(p, offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t));
		emit(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, 1, 0);
		emit_return(p, SECCOMP_RET_ERRNO | EPERM);
	}
	emit_return(p, c->action);
}

int seccomp_build_list(const struct seccomp_call *calls, size_t n, uint32_t otherwise,
		       struct sock_fprog *ret)
{
	struct sock_fprog p = {};

	assert(n <= MAX_CALLS);
	if (!NATIVE_ARCH)
		return -EOPNOTSUPP;
	p.filter = mem_alloc((HEAD + n * PER_CALL + 1) * sizeof(*p.filter));
	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
	emit_return(&p, SECCOMP_RET_KILL_PROCESS);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	/* x32's numbers are the same ones with a bit more. */
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit_return(&p, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < n; i++)
		emit_call(&p, &calls[i]);
	emit_return(&p, otherwise);
	*ret = p;
	return 0;
}
