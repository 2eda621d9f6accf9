/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: names, docker's two lists, and the forms in which a mask is printed. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/caps.h"

#include <errno.h>
#include <linux/capability.h>

static void names(void **state)
{
	static const struct {
		const char *name;
		int cap;
	} rows[] = {
		{"CAP_CHOWN", 0},
		{"chown", 0},
		{"cap_Net_Raw", CAP_NET_RAW},
		{"NET_RAW", CAP_NET_RAW},
		{"SETFCAP", CAP_SETFCAP},
		{"CHECKPOINT_RESTORE", 40},
		{"BPF", 39},
		{"ALL", -EINVAL},
		{"", -EINVAL},
		{"CAP_", -EINVAL},
		{"CAP_CAP_CHOWN", -EINVAL},
		{"CHOWN ", -EINVAL},
		{"0", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(caps_parse(rows[i].name), rows[i].cap);
	for (int cap = 0; cap < CAPS_N; cap++)
		assert_int_equal(caps_parse(caps_name(cap)), cap);
	assert_null(caps_name(-1));
	assert_null(caps_name(CAPS_N));
}

#define B(c) CAPS_BIT(CAP_##c)

static void resolve(void **state)
{
	static const struct {
		const char *add, *drop;
		uint64_t mask;
		const char *message; /* NULL when it succeeds */
	} rows[] = {
		{"", "", CAPS_DEFAULT, NULL},
		{"NET_ADMIN", "", CAPS_DEFAULT | B(NET_ADMIN), NULL},
		{"", "CHOWN", CAPS_DEFAULT & ~B(CHOWN), NULL},
		{"", "all", 0, NULL},
		{"ALL", "", CAPS_ALL, NULL},
		{"All", "cap_sys_admin", CAPS_ALL & ~B(SYS_ADMIN), NULL},
		{"ALL", "ALL", CAPS_ALL, NULL},
		{"NET_ADMIN chown", "ALL", B(NET_ADMIN) | B(CHOWN), NULL},
		{"CHOWN", "CHOWN", CAPS_DEFAULT, NULL},
		{"ALL NET_ADMIN", "", CAPS_ALL, NULL},
		{"x", "", 7, "invalid CapAdd: unknown capability: \"CAP_X\""},
		{"", "cap_nope", 7, "invalid CapDrop: unknown capability: \"CAP_NOPE\""},
		{"bad", "worse", 7, "invalid CapAdd: unknown capability: \"CAP_BAD\""},
		{"ALL y", "", 7, "invalid CapAdd: unknown capability: \"CAP_Y\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_strv struct strv add = STRV_INIT, drop = STRV_INIT;
		struct err err = ERR_INIT;
		uint64_t mask = 7;
		int r = 0;

		if (*rows[i].add)
			strv_split(&add, rows[i].add, ' ');
		if (*rows[i].drop)
			strv_split(&drop, rows[i].drop, ' ');
		r = caps_resolve(CAPS_DEFAULT, &add, &drop, &mask, &err);
		assert_int_equal(r, rows[i].message ? -ERR_INVALID : 0);
		assert_true(mask == rows[i].mask);
		if (rows[i].message)
			assert_string_equal(err.msg, rows[i].message);
	}
}

static void formats(void **state)
{
	static const struct {
		uint64_t mask;
		const char *setpriv, *hex;
	} rows[] = {
		{0, "-all", "0000000000000000"},
		{B(CHOWN), "-all,+chown", "0000000000000001"},
		{B(CHOWN) | B(NET_RAW) | CAPS_BIT(40), "-all,+chown,+net_raw,+checkpoint_restore",
		 "0000010000002001"},
		{CAPS_DEFAULT,
		 "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,"
		 "+net_bind_service,+net_raw,+sys_chroot,+setfcap",
		 "00000000800425fb"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str text = STR_INIT;
		char hex[CAPS_HEX_LEN];

		caps_format_setpriv(rows[i].mask, &text);
		assert_string_equal(str_get(&text), rows[i].setpriv);
		caps_format_hex(rows[i].mask, hex);
		assert_string_equal(hex, rows[i].hex);
	}
	assert_int_equal(__builtin_popcountll(CAPS_DEFAULT), 12);
}

/* The kernel's floor is 5.12, where CAP_CHECKPOINT_RESTORE is the last one. */
static void kernel(void **state)
{
	assert_in_range(caps_last(), 40, 63);
	assert_true((caps_get_bounding() & ~CAPS_ALL) == 0);
	assert_int_equal(caps_clear_ambient(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(resolve),
		cmocka_unit_test(formats),
		cmocka_unit_test(kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
