/* SPDX-License-Identifier: Apache-2.0 */
/* What binfmt_misc says of an emulator, and which machine that is for. */
#include "../unit.h"

#include "base/mem.h"
#include "build/run_platform.h"

static const struct {
	const char *text;
	const char *interpreter; /* NULL: no entry */
	bool is_enabled, is_fixed;
	const char *arch;
} entries[] = {
	{"enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n"
	 "magic 7f454c460201010000000000000000000200b700\n"
	 "mask ffffffffffffff00fffffffffffffffffeffffff\n",
	 "/usr/bin/qemu-aarch64-static", true, true, "arm64"},
	{"disabled\ninterpreter /usr/libexec/qemu-binfmt/arm-binfmt-P\nflags: POC\noffset 0\n"
	 "magic 7f454c4601010100000000000000000002002800\nmask ff\n",
	 "/usr/libexec/qemu-binfmt/arm-binfmt-P", false, false, "arm"},
	/* Big end first: the machine is written the other way round. */
	{"enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: F\noffset 0\n"
	 "magic 7f454c4602020100000000000000000000020016\nmask ff\n",
	 "/usr/bin/qemu-s390x-static", true, true, "s390x"},
	{"enabled\ninterpreter /usr/bin/qemu-riscv64-static\nflags: \noffset 0\n"
	 "magic 7f454c460201010000000000000000000200f300\nmask ff\n",
	 "/usr/bin/qemu-riscv64-static", true, false, "riscv64"},
	/* Java, by its own magic; one by the end of its name. */
	{"enabled\ninterpreter /usr/bin/java\nflags: \noffset 0\nmagic cafebabe\n", "/usr/bin/java",
	 true, false, NULL},
	{"enabled\ninterpreter /usr/bin/py\nflags: \nextension .pyc\n", "/usr/bin/py", true, false,
	 NULL},
	{"enabled\ninterpreter /x\nflags: F\nmagic 7f454c46\n", "/x", true, true, NULL},
	{"enabled\ninterpreter /x\nflags: F\nmagic 7f454c460201010000000000000000000200zz00\n",
	 "/x", true, true, NULL},
	{"enabled", NULL, true, false, NULL},
	{"", NULL, false, false, NULL},
};

static void test_entries(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct run_emulator e = {};
		unsigned machine = entries[i].arch ? run_platform_machine(entries[i].arch) : 0;

		assert_int_equal(run_emulator_parse(entries[i].text, &e),
				 entries[i].interpreter != NULL);
		assert_int_equal(e.is_enabled, entries[i].is_enabled);
		assert_int_equal(e.is_fixed, entries[i].is_fixed);
		assert_int_equal(e.machine, machine);
		if (entries[i].interpreter)
			assert_string_equal(e.interpreter, entries[i].interpreter);
		run_emulator_done(&e);
	}
}

static void test_machines(void **state)
{
	assert_int_equal(run_platform_machine("amd64"), 62);
	assert_int_equal(run_platform_machine("386"), 3);
	assert_int_equal(run_platform_machine("ppc64le"), 21);
	assert_int_equal(run_platform_machine("mips64le"), 8);
	assert_int_equal(run_platform_machine("loong64"), 258);
	assert_int_equal(run_platform_machine("z80"), 0);
}

/* Without an emulator for it there is one line, and what to do. */
static void test_check(void **state)
{
	const struct strv none = STRV_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(run_platform_check(NULL, &none, &err), 0);
	assert_int_equal(run_platform_check("linux/z80", &none, &err), -ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "this host cannot run programs for linux/z80: no emulator is "
				     "registered with binfmt_misc");
	assert_non_null(strstr(err.hint, "qemu-user-static"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
