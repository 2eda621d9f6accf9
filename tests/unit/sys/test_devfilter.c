/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device filter: its text form, and the program it compiles to, run by a small interpreter of
 * the few eBPF instructions that the compiler emits; any other, and any jump that is not forward
 * and inside the program, fails the test.
 */
#include "../unit.h"

#include "base/mem.h"
#include "sys/devfilter.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* ---- interpreter ---- */

static void do_alu(const struct bpf_insn *in, uint64_t *regs)
{
	uint32_t operand = BPF_SRC(in->code) == BPF_X ? (uint32_t)regs[in->src_reg]
						      : (uint32_t)in->imm;
	uint32_t value = (uint32_t)regs[in->dst_reg];

	switch (BPF_OP(in->code)) {
	case BPF_MOV:
		value = operand;
		break;
	case BPF_RSH:
		value >>= operand;
		break;
	case BPF_AND:
		value &= operand;
		break;
	default:
		fail_msg("unknown ALU operation %#x", in->code);
	}
	regs[in->dst_reg] = value;
}

static void do_load(const struct bpf_insn *in, uint64_t *regs, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint32_t value = 0;

	assert_int_equal(in->code, BPF_LDX | BPF_MEM | BPF_W);
	assert_int_equal(in->src_reg, BPF_REG_1);
	assert_int_equal(regs[BPF_REG_1], 1); /* still the context */
	assert_in_range(in->off, 0, sizeof(*ctx) - sizeof(value));
	memcpy(&value, (const char *)ctx + in->off, sizeof(value));
	regs[in->dst_reg] = value;
}

static uint64_t run(const struct bpf_insn *insns, size_t n, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t regs[11] = {[BPF_REG_1] = 1};

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *in = &insns[pc];

		switch (BPF_CLASS(in->code)) {
		case BPF_LDX:
			do_load(in, regs, ctx);
			break;
		case BPF_ALU:
		case BPF_ALU64:
			do_alu(in, regs);
			break;
		case BPF_JMP32:
			assert_int_equal(in->code, BPF_JMP32 | BPF_JNE | BPF_K);
			assert_in_range(in->off, 1, n - pc - 2);
			if ((uint32_t)regs[in->dst_reg] != (uint32_t)in->imm)
				pc += (size_t)in->off;
			break;
		case BPF_JMP:
			assert_int_equal(in->code, BPF_JMP | BPF_EXIT);
			return regs[0];
		default:
			fail_msg("unknown instruction %#x", in->code);
		}
	}
	fail_msg("ran past the end");
	return 0;
}

static bool is_allowed(const struct bpf_insn *insns, size_t n, const char *access)
{
	struct device_rule r = {};
	struct bpf_cgroup_dev_ctx ctx = {};

	assert_int_equal(device_rule_parse(access, &r), 0);
	ctx.access_type = r.access << 16 |
			  (r.type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	ctx.major = (uint32_t)r.major;
	ctx.minor = (uint32_t)r.minor;
	return run(insns, n, &ctx) == 1;
}

/* ---- the program ---- */

struct access_row {
	const char *access;
	bool allowed;
};

static void check(const char *const *rules, size_t n_rules, const struct access_row *rows, size_t n)
{
	cleanup_free struct bpf_insn *insns = NULL;
	struct device_rule parsed[32] = {};
	size_t n_insns = 0;

	for (size_t i = 0; i < n_rules; i++)
		assert_int_equal(device_rule_parse(rules[i], &parsed[i]), 0);
	assert_int_equal(devfilter_compile(parsed, n_rules, &insns, &n_insns), 0);
	assert_true(n_insns <= DEVFILTER_MAX_INSNS);
	for (size_t i = 0; i < n; i++)
		if (is_allowed(insns, n_insns, rows[i].access) != rows[i].allowed)
			fail_msg("%s: %s", rows[i].access, rows[i].allowed ? "denied" : "allowed");
}

static void default_devices(void **state)
{
	static const struct access_row rows[] = {
		{"c 1:3 rw", true},	{"c 1:3 rwm", true},   {"c 1:5 r", true},
		{"c 1:7 w", true},	{"c 1:8 r", true},     {"c 1:9 r", true},
		{"c 5:0 rw", true},	{"c 5:1 rw", true},    {"c 5:2 rw", true},
		{"c 136:0 rw", true},	{"c 136:77 rw", true}, {"c 8:0 m", true},
		{"b 8:0 m", true},	{"b 8:0 r", false},    {"b 8:0 rm", false},
		{"b 1:3 r", false},	{"c 1:1 r", false},    {"c 1:2 r", false},
		{"c 1:4 r", false},	{"c 1:11 r", false},   {"c 10:229 rw", false},
		{"c 10:200 rw", false}, {"c 4:1 rw", false},   {"c 137:0 r", false},
		{"b 7:0 r", false},	{"b 259:0 w", false},
	};
	cleanup_free struct bpf_insn *insns = NULL;
	size_t n = 0;

	assert_int_equal(devfilter_compile(device_defaults, device_n_defaults(), &insns, &n), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (is_allowed(insns, n, rows[i].access) != rows[i].allowed)
			fail_msg("%s: %s", rows[i].access, rows[i].allowed ? "denied" : "allowed");
}

static void no_rules_deny_everything(void **state)
{
	static const struct access_row rows[] = {{"c 1:3 r", false}, {"b 8:0 m", false}};

	check(NULL, 0, rows, ARRAY_LEN(rows));
}

/* What would follow is unreachable, which the kernel's verifier refuses. */
static void everything_ends_the_program(void **state)
{
	static const char *const rules[] = {"c 1:3 r", "a *:* rwm", "b 8:0 r"};
	static const struct access_row rows[] = {{"c 9:9 rwm", true}, {"b 8:0 w", true}};
	cleanup_free struct bpf_insn *insns = NULL;
	struct device_rule all = {'a', DEVICE_ANY, DEVICE_ANY, DEVICE_RWM};
	size_t n = 0;

	check(rules, ARRAY_LEN(rules), rows, ARRAY_LEN(rows));
	assert_int_equal(devfilter_compile(&all, 1, &insns, &n), 0);
	assert_int_equal(n, 6 + 2);
}

static void access_is_united_for_one_device_only(void **state)
{
	static const char *const rules[] = {
		"c 10:200 r", "c 10:200 w", "b 8:* r", "b 8:1 w", "c 4294967295:4294967295 rwm",
		"a 11:* r"};
	static const struct access_row rows[] = {
		{"c 10:200 rw", true},	     {"c 10:200 rwm", false},
		{"b 8:1 r", true},	     {"b 8:1 w", true},
		{"b 8:1 rw", false}, /* no single rule covers it, as on v1 */
		{"b 8:2 w", false},	     {"c 4294967295:4294967295 rwm", true},
		{"c 4294967295:0 r", false}, {"c 11:5 r", true},
		{"b 11:5 r", true},
	};

	check(rules, ARRAY_LEN(rules), rows, ARRAY_LEN(rows));
}

static void limits_and_malformed_rules(void **state)
{
	static const struct device_rule bad[] = {
		{'x', 1, 1, DEVICE_READ},
		{'\0', 1, 1, DEVICE_READ},
		{'c', -2, 1, DEVICE_READ},
		{'c', 1, 1LL << 32, DEVICE_READ},
		{'c', 1, 1, 0},
		{'c', 1, 1, 8},
	};
	cleanup_free struct device_rule *many = mem_zalloc((DEVFILTER_MAX_RULES + 1) *
							   sizeof(*many));
	cleanup_free struct bpf_insn *insns = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(devfilter_compile(&bad[i], 1, &insns, &n), -EINVAL);
	for (size_t i = 0; i <= DEVFILTER_MAX_RULES; i++)
		many[i] = (struct device_rule){'c', 1000, (int64_t)i, DEVICE_READ};
	assert_int_equal(devfilter_compile(many, DEVFILTER_MAX_RULES + 1, &insns, &n), -E2BIG);
	assert_int_equal(devfilter_compile(many, DEVFILTER_MAX_RULES, &insns, &n), 0);
	assert_true(n <= DEVFILTER_MAX_INSNS);
	assert_true(is_allowed(insns, n, "c 1000:255 r"));
	assert_false(is_allowed(insns, n, "c 1000:256 r"));
}

/* ---- text ---- */

static void text_both_ways(void **state)
{
	static const char *const good[] = {"c 1:3 rwm", "b *:* m", "a *:* rwm", "c 136:* rw",
					   "c 4294967295:0 r"};
	static const char *const bad[] = {"",	      "c",	   "c 1:3",	 "x 1:3 r",
					  "c 1 r",    "c 1:3 ",	   "c 1:3 x",	 "c  1:3 r",
					  "c -1:3 r", "c 1:3:4 r", "c 1:3 rwmr", "c 4294967296:0 r",
					  "cc 1:3 r", "c 1:3 r w"};
	struct device_rule r;
	char text[DEVICE_RULE_LEN];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(device_rule_parse(good[i], &r), 0);
		assert_string_equal(device_rule_format(&r, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (device_rule_parse(bad[i], &r) != -EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_devices),
		cmocka_unit_test(no_rules_deny_everything),
		cmocka_unit_test(everything_ends_the_program),
		cmocka_unit_test(access_is_united_for_one_device_only),
		cmocka_unit_test(limits_and_malformed_rules),
		cmocka_unit_test(text_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
