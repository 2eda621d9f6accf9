/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device filter of cgroup v2, as a program for BPF_PROG_TYPE_CGROUP_DEVICE. The kernel runs it
 *at each mknod and open of a device with
 *
 *	struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; };
 *
 * where access_type is the kind of access << 16 | the type of device; a result of 0 is EPERM. One
 * block of code for each rule ends in "allow" when all its conditions hold and else falls to the
 *next block; what no block allowed is denied. That is also how devices.allow of v1 decides: an
 *access is permitted when a single rule covers all of it, so rules for the same device are united
 *first.
 */
#include "sys/devfilter.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct device_rule device_defaults[] = {
	{'c', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD},
	{'b', DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD},
	{'c', 1, 3, DEVICE_RWM},	    /* null */
	{'c', 1, 5, DEVICE_RWM},	    /* zero */
	{'c', 1, 7, DEVICE_RWM},	    /* full */
	{'c', 1, 8, DEVICE_RWM},	    /* random */
	{'c', 1, 9, DEVICE_RWM},	    /* urandom */
	{'c', 5, 0, DEVICE_RWM},	    /* tty */
	{'c', 5, 1, DEVICE_RWM},	    /* console */
	{'c', 5, 2, DEVICE_RWM},	    /* ptmx */
	{'c', 136, DEVICE_ANY, DEVICE_RWM}, /* pts/N */
};

size_t device_n_defaults(void)
{
	return ARRAY_LEN(device_defaults);
}

/* ---- text ---- */

static void format_number(int64_t n, char buf[static 16])
{
	if (n == DEVICE_ANY)
		snprintf(buf, 16, "*");
	else
		snprintf(buf, 16, "%lu", (unsigned long)(uint32_t)n);
}

const char *device_rule_format(const struct device_rule *rule, char buf[static DEVICE_RULE_LEN])
{
	char major[16], minor[16];

	format_number(rule->major, major);
	format_number(rule->minor, minor);
	snprintf(buf, DEVICE_RULE_LEN, "%c %s:%s %s%s%s", rule->type, major, minor,
		 rule->access & DEVICE_READ ? "r" : "", rule->access & DEVICE_WRITE ? "w" : "",
		 rule->access & DEVICE_MKNOD ? "m" : "");
	return buf;
}

static int parse_number(const char *text, int64_t *ret)
{
	uint64_t n = 0;

	if (strcmp(text, "*") == 0) {
		*ret = DEVICE_ANY;
		return 0;
	}
	if (num_parse_u64(text, &n) < 0 || n > UINT32_MAX)
		return -EINVAL;
	*ret = (int64_t)n;
	return 0;
}

static int parse_access(const char *text, unsigned *ret)
{
	unsigned access = 0;

	for (const char *p = text; *p; p++) {
		if (*p == 'r')
			access |= DEVICE_READ;
		else if (*p == 'w')
			access |= DEVICE_WRITE;
		else if (*p == 'm')
			access |= DEVICE_MKNOD;
		else
			return -EINVAL;
	}
	*ret = access;
	return access && strlen(text) <= 3 ? 0 : -EINVAL;
}

int device_rule_parse(const char *text, struct device_rule *ret)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_strv struct strv numbers = STRV_INIT;
	struct device_rule rule = {};

	strv_split(&words, text, ' ');
	if (words.n != 3 || strlen(words.items[0]) != 1 || !strchr("abc", words.items[0][0]))
		return -EINVAL;
	strv_split(&numbers, words.items[1], ':');
	rule.type = words.items[0][0];
	if (numbers.n != 2 || parse_number(numbers.items[0], &rule.major) < 0 ||
	    parse_number(numbers.items[1], &rule.minor) < 0 ||
	    parse_access(words.items[2], &rule.access) < 0)
		return -EINVAL;
	*ret = rule;
	return 0;
}

/* ---- the program ---- */

enum { R_RESULT = BPF_REG_0, R_CTX = BPF_REG_1, R_TYPE, R_ACCESS, R_MAJOR, R_MINOR };

struct program {
	struct bpf_insn *insns;
	size_t n;
};

static struct bpf_insn *emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int32_t imm)
{
	struct bpf_insn *insn = &p->insns[p->n++];

	*insn = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .imm = imm};
	return insn;
}

static void emit_prologue(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, R_TYPE, R_CTX, 0)->off = offsetof(
		struct bpf_cgroup_dev_ctx, access_type);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, R_MAJOR, R_CTX, 0)->off = offsetof(
		struct bpf_cgroup_dev_ctx, major);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, R_MINOR, R_CTX, 0)->off = offsetof(
		struct bpf_cgroup_dev_ctx, minor);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, R_ACCESS, 0, 16);
	emit(p, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0xffff);
}

static void emit_result(struct program *p, int result)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, result);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* A condition: leaves the block unless REG is VALUE. The jump is aimed when the block is complete.
 */
static void emit_unless(struct program *p, uint8_t reg, uint32_t value)
{
	emit(p, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, (int32_t)value);
}

/* Returns false when RULE has no condition: it permits everything, and what came after it would be
 * unreachable, which the verifier refuses. */
static bool emit_rule(struct program *p, const struct device_rule *rule)
{
	size_t start = p->n;

	if (rule->type != 'a')
		emit_unless(p, R_TYPE,
			    rule->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	if (rule->access != DEVICE_RWM) {
		/* the context is not needed any more: R_CTX is free */
		emit(p, BPF_ALU | BPF_MOV | BPF_X, R_CTX, R_ACCESS, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_CTX, 0, (int32_t)~rule->access);
		emit_unless(p, R_CTX, 0);
	}
	if (rule->major != DEVICE_ANY)
		emit_unless(p, R_MAJOR, (uint32_t)rule->major);
	if (rule->minor != DEVICE_ANY)
		emit_unless(p, R_MINOR, (uint32_t)rule->minor);
	bool has_condition = p->n > start;

	emit_result(p, 1);
	for (size_t i = start; i < p->n; i++)
		if (p->insns[i].code == (BPF_JMP32 | BPF_JNE | BPF_K))
			p->insns[i].off = (int16_t)(p->n - i - 1);
	return has_condition;
}

static bool rule_is_valid(const struct device_rule *r)
{
	return strchr("abc", r->type) && r->type && r->access && !(r->access & ~DEVICE_RWM) &&
	       r->major >= DEVICE_ANY && r->major <= UINT32_MAX && r->minor >= DEVICE_ANY &&
	       r->minor <= UINT32_MAX;
}

/* Copies RULES, one for each device, into TO; returns how many, or -EINVAL. */
static int unite_rules(const struct device_rule *rules, size_t n, struct device_rule *to)
{
	size_t n_to = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		if (!rule_is_valid(&rules[i]))
			return -EINVAL;
		while (k < n_to && (to[k].type != rules[i].type || to[k].major != rules[i].major ||
				    to[k].minor != rules[i].minor))
			k++;
		if (k == n_to)
			to[n_to++] = rules[i];
		to[k].access |= rules[i].access;
	}
	return (int)n_to;
}

int devfilter_compile(const struct device_rule *rules, size_t n, struct bpf_insn **ret,
		      size_t *ret_n)
{
	cleanup_free struct device_rule *united = NULL;
	cleanup_free struct bpf_insn *insns = NULL;
	struct program p = {};
	bool goes_on = true;
	int n_united = 0;

	if (n > DEVFILTER_MAX_RULES)
		return -E2BIG;
	united = mem_zalloc((n + 1) * sizeof(*united));
	n_united = unite_rules(rules, n, united);
	if (n_united < 0)
		return n_united;
	p.insns = insns = mem_zalloc(DEVFILTER_MAX_INSNS * sizeof(*insns));
	emit_prologue(&p);
	for (int i = 0; i < n_united && goes_on; i++)
		goes_on = emit_rule(&p, &united[i]);
	if (goes_on)
		emit_result(&p, 0);
	*ret = take_ptr(insns);
	*ret_n = p.n;
	return 0;
}

/* ---- the kernel ---- */

static int bpf_call(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int rc = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : rc;
}

/* The program calls no helper, so the licence matters to nobody; descriptors are O_CLOEXEC. */
static int load_program(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, "tare_devices", sizeof("tare_devices"));
	return bpf_call(BPF_PROG_LOAD, &attr);
}

int devfilter_attach(int cgroup_fd, const struct device_rule *rules, size_t n)
{
	cleanup_free struct bpf_insn *insns = NULL;
	cleanup_close int program_fd = -1;
	union bpf_attr attr;
	size_t n_insns = 0;
	int rc = devfilter_compile(rules, n, &insns, &n_insns);

	if (rc < 0)
		return rc;
	program_fd = load_program(insns, n_insns);
	if (program_fd < 0)
		return program_fd;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* beside the filters of parents and of whoever else, never instead of them */
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf_call(BPF_PROG_ATTACH, &attr);
}
