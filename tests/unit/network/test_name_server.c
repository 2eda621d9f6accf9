/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's name server is told: as text and back, and whom it is to ask. */
#include "base/fd.h"
#include "base/mem.h"
#include "network/name_server.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NETWORK	  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONTAINER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static struct name_service *make(void)
{
	return name_service_new("/usr/libexec/tare/tare-dns", "/run/tare", NETWORK, CONTAINER);
}

static void test_round_trip(void **state)
{
	struct name_service *s = make();
	struct name_service *again = NULL;
	cleanup_strv struct strv own = STRV_INIT;
	cleanup_free char *text = NULL;
	cleanup_free char *twice = NULL;

	strv_add(&own, "192.0.2.1");
	strv_add(&own, "2001:db8::1");
	strv_add(&own, "no address");
	name_service_add_own(s, &own);
	s->forwards = true;
	text = name_service_format(s);
	again = name_service_parse(text);
	assert_non_null(again);
	assert_string_equal(again->program, "/usr/libexec/tare/tare-dns");
	assert_string_equal(again->runroot, "/run/tare");
	assert_string_equal(again->network_id, NETWORK);
	assert_string_equal(again->container_id, CONTAINER);
	assert_true(again->forwards);
	assert_int_equal(again->servers.n, 2);
	assert_string_equal(again->servers.items[0], "own 192.0.2.1");
	assert_string_equal(again->servers.items[1], "own 2001:db8::1");
	twice = name_service_format(again);
	assert_string_equal(text, twice);
	name_service_free(s);
	name_service_free(again);
	name_service_free(NULL);
}

static void test_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"program /p\nrunroot /r\nnetwork " NETWORK "\n",
		"program /p\nrunroot /r\nnetwork xyz\ncontainer " CONTAINER "\n",
		"program /p\nnetwork " NETWORK "\ncontainer " CONTAINER "\n",
		"program /p\nrunroot /r\nnetwork " NETWORK "\ncontainer ../../etc\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_null(name_service_parse(texts[i]));
}

static void test_the_hosts_servers(void **state)
{
	static const char text[] = "# nameserver 192.0.2.9\n"
				   "search example.org\n"
				   "nameserver 127.0.0.53\n"
				   "nameserver\t192.0.2.2   # the second\n"
				   "nameserver fe80::1%eth0\n"
				   "nameserver\n"
				   "nameserver 2001:db8::1";
	static const char *const expected[] = {"host 127.0.0.53", "host 192.0.2.2",
					       "host 2001:db8::1"};
	char path[] = "/tmp/tare-resolv.XXXXXX";
	cleanup_close int fd = mkstemp(path);
	struct name_service *s = make();

	assert_int_equal(fd_write_full(fd, text, sizeof(text) - 1), 0);
	name_service_add_host(s, path);
	unlink(path);
	assert_int_equal(s->servers.n, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(s->servers.items[i], expected[i]);
	/* A host without the file asks nobody. */
	name_service_add_host(s, path);
	assert_int_equal(s->servers.n, ARRAY_LEN(expected));
	name_service_free(s);
}

static void test_too_many_servers(void **state)
{
	struct name_service *s = make();
	cleanup_strv struct strv own = STRV_INIT;

	for (int i = 0; i < 20; i++)
		strv_addf(&own, "192.0.2.%d", i);
	name_service_add_own(s, &own);
	assert_int_equal(s->servers.n, NAME_SERVER_MAX_SERVERS);
	name_service_free(s);
}

static void test_nothing_to_send(void **state)
{
	struct name_service *s = make();

	assert_int_equal(name_service_send(s, false), -ENOTCONN);
	name_service_free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	  cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_the_hosts_servers), cmocka_unit_test(test_too_many_servers),
		cmocka_unit_test(test_nothing_to_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
