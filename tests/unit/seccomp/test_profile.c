/* SPDX-License-Identifier: Apache-2.0 */
/* Users' profiles: what a JSON text makes of a call, and which texts are refused with which words.
 */
#include "../unit.h"

#include "../sys/bpf_eval.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "seccomp/compile.h"
#include "seccomp/profile.h"
#include "sys/caps.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>

#define ALLOW	 SECCOMP_RET_ALLOW
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define KILL	 SECCOMP_RET_KILL_PROCESS
#define X64	 AUDIT_ARCH_X86_64
#define I386	 AUDIT_ARCH_I386
#define X32(nr)	 (0x40000000 + (nr))

#define SYS_ADMIN CAPS_BIT(21)

/* Pieces of profiles. */
#define REFUSE	      "\"defaultAction\":\"SCMP_ACT_ERRNO\""
#define OK(rest)      "{" rest ",\"action\":\"SCMP_ACT_ALLOW\"}"
#define FILTERS	      "{\"names\":[\"read\",\"openat2\"],\"action\":\"SCMP_ACT_ALLOW\","
#define ARG(i, v, op) "{\"index\":" #i ",\"value\":" #v ",\"op\":\"SCMP_CMP_" #op "\"}"
#define MAPPED                                                                              \
	"\"archMap\":[{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":"        \
	"[\"SCMP_ARCH_ARM\"]},{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":" \
	"[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}]"

static const char read_only[] = "{" REFUSE ",\"syscalls\":[" OK("\"names\":[\"read\","
								"\"openat2\",\"nosuch\"]") "]}";
static const char mapped[] = "{" REFUSE "," MAPPED
			     ",\"syscalls\":[" OK("\"names\":[\"read\",\"openat2\"]") "]}";
static const char denylist[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":"
			       "\"getcwd\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":5}]}";
/* clang-format off */
static const char args[] =
	"{" REFUSE ",\"defaultErrnoRet\":13,\"syscalls\":["
	OK("\"names\":[\"socket\"],\"args\":[" ARG(0, 40, NE) "]") ","
	OK("\"names\":[\"personality\"],\"args\":[" ARG(0, 8, EQ) "," ARG(0, 9, EQ) "]") ","
	OK("\"names\":[\"clone\"],\"args\":[" ARG(0, 2114060288, MASKED_EQ) "]") "]}";
/* clang-format on */
static const char by_caps[] =
	"{" REFUSE ",\"syscalls\":[" FILTERS "\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
	"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":"
	"[\"CAP_SYS_ADMIN\"]}},{\"names\":[\"mseal\"],\"action\":\"SCMP_ACT_ALLOW\"}]}";
static const char by_kernel[] =
	"{" REFUSE ",\"syscalls\":["
	"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}},"
	"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"6.2\"}}"
	","
	"{\"names\":[\"open\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"minKernel\":\"6.1\"}},"
	"{\"names\":[\"close\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"minKernel\":\"7.0\"}}"
	","
	"{\"names\":[\"stat\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"amd64\"]}}"
	","
	"{\"names\":[\"fstat\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"arm64\"]}"
	"},"
	"{\"names\":[\"lstat\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"arches\":[\"amd64\"]}"
	"},"
	"{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}";

static const struct {
	const char *json;
	uint64_t caps;
	uint32_t arch;
	int nr;
	uint64_t arg;
	uint32_t action;
} rows[] = {
	{read_only, 0, X64, 0, 0, ALLOW},
	{read_only, 0, X64, 437, 0, ALLOW},
	{read_only, 0, X64, 1, 0, ERRNO(EPERM)},
	{read_only, 0, X64, 438, 0, ERRNO(ENOSYS)}, /* newer than the profile */
	{read_only, 0, X64, X32(0), 0, ERRNO(ENOSYS)},
	{read_only, 0, I386, 3, 0, KILL},
	{read_only, 0, AUDIT_ARCH_AARCH64, 63, 0, KILL},
	{mapped, 0, X64, 0, 0, ALLOW},
	{mapped, 0, X64, 1, 0, ERRNO(EPERM)},
	{mapped, 0, X64, X32(0), 0, ALLOW},
	{mapped, 0, X64, X32(1), 0, ERRNO(EPERM)},
	{mapped, 0, X64, X32(438), 0, ERRNO(ENOSYS)},
	{mapped, 0, I386, 3, 0, ALLOW},
	{mapped, 0, I386, 4, 0, ERRNO(EPERM)},
	{mapped, 0, I386, 438, 0, ERRNO(ENOSYS)},
	{mapped, 0, AUDIT_ARCH_ARM, 3, 0, KILL},
	{denylist, 0, X64, 79, 0, ERRNO(5)},
	{denylist, 0, X64, 1, 0, ALLOW},
	{denylist, 0, X64, 5000, 0, ALLOW},
	{denylist, 0, X64, X32(1), 0, ERRNO(ENOSYS)},
	{args, 0, X64, 41, 40, ERRNO(13)},
	{args, 0, X64, 41, 2, ALLOW},
	{args, 0, X64, 135, 8, ALLOW},
	{args, 0, X64, 135, 9, ALLOW},
	{args, 0, X64, 135, 10, ERRNO(13)},
	{args, 0, X64, 56, 17, ALLOW},
	{args, 0, X64, 56, 0x10000011, ERRNO(13)},
	{by_caps, 0, X64, 0, 0, ERRNO(EPERM)},
	{by_caps, SYS_ADMIN, X64, 0, 0, ALLOW},
	{by_caps, 0, X64, 1, 0, ALLOW},
	{by_caps, SYS_ADMIN, X64, 1, 0, ERRNO(EPERM)},
	{by_caps, 0, X64, 462, 0, ALLOW}, /* a name that libseccomp may not know */
	{by_caps, 0, X64, 463, 0, ERRNO(ENOSYS)},
	{by_kernel, 0, X64, 0, 0, ALLOW},
	{by_kernel, 0, X64, 1, 0, ERRNO(EPERM)},
	{by_kernel, 0, X64, 2, 0, ERRNO(EPERM)},
	{by_kernel, 0, X64, 3, 0, ALLOW},
	{by_kernel, 0, X64, 4, 0, ALLOW},
	{by_kernel, 0, X64, 5, 0, ERRNO(EPERM)},
	{by_kernel, 0, X64, 6, 0, ERRNO(EPERM)},
	{by_kernel, 0, X64, 435, 0, ERRNO(ENOSYS)},
	{"{}", 0, I386, 3, 0, ALLOW},
	{"{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\"}", 0, X64, 0, 0, KILL},
	{"{\"defaultAction\":\"SCMP_ACT_LOG\"}", 0, X64, 9999, 0, SECCOMP_RET_LOG},
	{"{\"defaultAction\":\"SCMP_ACT_TRACE\",\"defaultErrnoRet\":7}", 0, X64, 9, 0,
	 SECCOMP_RET_TRACE | 7},
};

static int compile(const char *json, uint64_t caps, struct str *ret, struct err *err)
{
	const struct profile_host host = {
		.caps = caps, .arch = SCMP_ARCH_X86_64, .kernel_major = 6, .kernel_minor = 1};
	cleanup_with(profile_done) struct profile p = {};
	int r = profile_parse(json, strlen(json), &host, &p, err);

	return r < 0 ? r : compile_profile(&p, ret, err);
}

static void calls(void **state)
{
	if (seccomp_arch_native() != SCMP_ARCH_X86_64)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str filter = STR_INIT;
		cleanup_seccomp struct sock_fprog prog = {};
		struct err err = ERR_INIT;
		struct seccomp_data d = {
			.nr = rows[i].nr, .arch = rows[i].arch, .args = {rows[i].arg}};
		uint32_t action = 0;

		if (compile(rows[i].json, rows[i].caps, &filter, &err) < 0)
			fail_msg("row %zu: %s", i, err.msg);
		assert_int_equal(seccomp_from_bytes(filter.buf, filter.len, &prog), 0);
		action = bpf_eval(&prog, &d);
		if (action != rows[i].action)
			fail_msg("row %zu: %x, not %x", i, action, rows[i].action);
	}
}

#define DECODING "Decoding seccomp profile failed: "

static void refused(void **state)
{
	static const struct {
		const char *json, *message;
	} bad[] = {
		{"garbage\n", DECODING "invalid character 'g' looking for beginning of value"},
		{"", DECODING "unexpected end of JSON input"},
		{" \n", DECODING "unexpected end of JSON input"},
		{"[]", DECODING "expected an object"},
		{"{\"defaultAction\":1}", DECODING "defaultAction: expected a string"},
		{"{" REFUSE ",\"syscalls\":{}}", DECODING "syscalls: expected an array"},
		{"{" REFUSE ",\"syscalls\":[1]}",
		 DECODING "syscalls: expected an array of objects"},
		{"{" REFUSE ",\"syscalls\":[{\"names\":[1]}]}",
		 DECODING "names: expected an array of strings"},
		{"{" REFUSE ",\"syscalls\":[" OK("\"args\":[" ARG(0, -1, EQ) "]") "]}",
		 DECODING "value: expected a whole number"},
		{"{" REFUSE ",\"syscalls\":[" OK("\"args\":[" ARG(6, 1, EQ) "]") "]}",
		 "invalid seccomp profile: argument index 6 is not in 0..5"},
		{"{" REFUSE ",\"syscalls\":[" OK("\"args\":[" ARG(0, 1, XX) "]") "]}",
		 "invalid seccomp profile: unknown operator \"SCMP_CMP_XX\""},
		{"{" REFUSE ",\"syscalls\":[" OK("\"name\":\"a\",\"names\":[\"b\"]") "]}",
		 "both 'name' and 'names' are specified in the seccomp profile, use either 'name' "
		 "or 'names'"},
		{"{" REFUSE "," MAPPED ",\"architectures\":[\"SCMP_ARCH_X86\"]}",
		 "both 'architectures' and 'archMap' are specified in the seccomp profile, use "
		 "either 'architectures' or 'archMap'"},
		{"{" REFUSE ",\"architectures\":[\"SCMP_ARCH_PDP\"]}",
		 "invalid seccomp profile: unknown architecture \"SCMP_ARCH_PDP\""},
		{"{\"defaultAction\":\"SCMP_ACT_NOPE\"}",
		 "invalid seccomp profile: unknown action \"SCMP_ACT_NOPE\""},
		{"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		 "seccomp action SCMP_ACT_NOTIFY is not supported"},
		{"{" REFUSE ",\"defaultErrnoRet\":70000}",
		 "invalid seccomp profile: errnoRet 70000"},
		{"{" REFUSE ",\"syscalls\":[{\"includes\":{\"minKernel\":\"x\"},\"action\":"
		 "\"SCMP_ACT_ALLOW\"}]}",
		 DECODING "invalid kernel version: \"x\", expected \"<kernel>.<major>\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup_str struct str filter = STR_INIT;
		struct err err = ERR_INIT;

		assert_true(compile(bad[i].json, 0, &filter, &err) < 0);
		assert_string_equal(err.msg, bad[i].message);
		assert_int_equal(filter.len, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
