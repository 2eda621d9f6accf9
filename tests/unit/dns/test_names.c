/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which name, and who may know it. */
#include "dns/names.h"

#include "folder.h"

#define NET_A ID("a")
#define NET_B ID("b")
#define ONE   ID("1")
#define TWO   ID("2")
#define THREE ID("3")

/* ONE and TWO are served here, THREE elsewhere. */
static bool is_ours(void *ctx, const char *id)
{
	return strcmp(id, ONE) == 0 || strcmp(id, TWO) == 0;
}

static void add(void *ctx, const struct ip_addr *addr)
{
	char *text = ctx;
	char one[IP_TEXT_LEN];
	size_t len = strlen(text);

	snprintf(text + len, 256 - len, "%s%s", len ? " " : "", ip_format(addr, one));
}

/* The addresses of NAME; "?" when it is not known. */
static const char *look(struct name_table *t, const char *who, const char *name, uint8_t family)
{
	static char text[256];

	text[0] = '\0';
	names_refresh(t, true);
	if (names_lookup(t, who, name, family, add, text) == NAME_UNKNOWN)
		return "?";
	return text;
}

#define assert_names(t, who, name, expected) \
	assert_string_equal(look(t, who, name, IP_V4), expected)

static void test_lookup(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);

	write_endpoint(f, NET_A, ONE,
		       "name Web\nname www\nnetwork net.One\nip4 172.18.0.2\nip6 fd00::2\n"
		       "mac 02:42:ac:12:00:02\n");
	write_endpoint(f, NET_A, THREE, "name db_1.x\nnetwork net.One\nip4 172.18.0.3\nbad\n");
	assert_names(t, ONE, "web", "172.18.0.2");
	assert_names(t, ONE, "db_1.x", "172.18.0.3");
	assert_names(t, ONE, "web.net.one", "172.18.0.2");
	assert_names(t, ONE, "web.net", "?");
	assert_names(t, ONE, "net.one", "?");
	assert_names(t, ONE, "", "?");
	assert_string_equal(look(t, ONE, "web", IP_V6), "fd00::2");
	assert_string_equal(look(t, ONE, "db_1.x", IP_V6), "");
	names_free(t);
}

static void test_others_see_nothing(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);
	struct ip_addr addr;

	assert_int_equal(ip_parse("172.18.0.2", &addr), 0);
	write_endpoint(f, NET_A, ONE, "name web\nip4 172.18.0.2\n");
	write_endpoint(f, NET_B, TWO, "name db\nip4 172.19.0.2\n");
	assert_names(t, TWO, "web", "?");
	assert_names(t, ONE, "db", "?");
	assert_null(names_lookup_address(t, TWO, &addr));
	assert_string_equal(names_lookup_address(t, ONE, &addr), "web");
	/* A container that comes into the other network sees both. */
	write_endpoint(f, NET_B, ONE, "name web\nip4 172.19.0.3\n");
	assert_names(t, ONE, "db", "172.19.0.2");
	assert_names(t, TWO, "web", "172.19.0.3");
	remove_endpoint(f, NET_B, ONE);
	assert_names(t, ONE, "db", "?");
	assert_names(t, TWO, "web", "?");
	/* Whose container nobody serves here. */
	assert_names(t, THREE, "web", "?");
	names_free(t);
}

static void test_changes_at_once(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);

	write_endpoint(f, NET_A, ONE, "name one\nip4 172.18.0.2\n");
	for (int i = 0; i < 200; i++) {
		char text[64];
		char expected[16];

		snprintf(text, sizeof(text), "name two\nip4 172.18.1.%d\n", i);
		snprintf(expected, sizeof(expected), "172.18.1.%d", i);
		write_endpoint(f, NET_A, TWO, text);
		assert_names(t, ONE, "two", expected);
		if (i % 3 == 0) {
			remove_endpoint(f, NET_A, TWO);
			assert_names(t, ONE, "two", "?");
		}
	}
	names_free(t);
}

static void test_round_robin(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);
	int first[3] = {};

	write_endpoint(f, NET_A, ONE, "name one\nname www\nip4 172.18.0.1\n");
	write_endpoint(f, NET_A, TWO, "name two\nname www\nip4 172.18.0.2\n");
	write_endpoint(f, NET_A, THREE, "name three\nname www\nip4 172.18.0.3\n");
	for (int i = 0; i < 30; i++) {
		const char *all = look(t, ONE, "www", IP_V4);

		assert_int_equal(strlen(all), 3 * strlen("172.18.0.1") + 2);
		first[all[strlen("172.18.0.")] - '1']++;
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(first[i], 10);
	names_free(t);
}

static void test_links_are_private(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);

	write_endpoint(f, NET_A, ONE, "name one\nlink Db two\nip4 172.18.0.1\n");
	write_endpoint(f, NET_A, TWO, "name two\nip4 172.18.0.2\n");
	assert_names(t, ONE, "db", "172.18.0.2");
	assert_names(t, TWO, "db", "?");
	names_free(t);
}

static void test_first_network_by_name(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);

	write_endpoint(f, NET_A, ONE, "name one\nnetwork zoo\nip4 172.18.0.1\n");
	write_endpoint(f, NET_A, TWO, "name db\nnetwork zoo\nip4 172.18.0.2\n");
	write_endpoint(f, NET_B, ONE, "name one\nnetwork ape\nip4 172.19.0.1\n");
	write_endpoint(f, NET_B, THREE, "name db\nnetwork ape\nip4 172.19.0.3\n");
	assert_names(t, ONE, "db", "172.19.0.3");
	assert_names(t, ONE, "db.zoo", "172.18.0.2");
	assert_names(t, TWO, "db", "172.18.0.2");
	names_free(t);
}

static void test_default_bridge(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);
	struct ip_addr addr = {IP_V4, {172, 17, 0, 2}};

	write_endpoint(f, NET_A, ONE, "name one\nnetwork bridge\nip4 172.17.0.2\n");
	assert_names(t, ONE, "one", "?");
	assert_names(t, ONE, "one.bridge", "?");
	assert_null(names_lookup_address(t, ONE, &addr));
	names_free(t);
}

static void test_what_is_no_endpoint(void **state)
{
	const struct folder *f = *state;
	struct name_table *t = names_new(f->fd, is_ours, NULL);
	cleanup_free char *link = str_printf("%s/" NET_A "/endpoints/" THREE, f->path);
	cleanup_free char *whole = str_printf("%s/" NET_A, f->path);
	cleanup_free char *big = mem_zalloc(NAMES_MAX_FILE + 2);

	write_endpoint(f, NET_A, ONE, "name one\nip4 172.18.0.1\n");
	write_endpoint(f, NET_A, "half.written", "name half\nip4 172.18.0.9\n");
	assert_int_equal(symlink("/etc/passwd", link), 0);
	memset(big, 'x', NAMES_MAX_FILE + 1);
	memcpy(big, "name big\n", 9);
	write_endpoint(f, NET_A, TWO, big);
	assert_names(t, ONE, "half", "?");
	assert_names(t, ONE, "big", "?");
	assert_names(t, ONE, "one", "172.18.0.1");
	/* The directory may go at any time, and come back. */
	assert_int_equal(fd_remove_tree_at(AT_FDCWD, whole), 0);
	assert_names(t, ONE, "one", "?");
	write_endpoint(f, NET_A, ONE, "name one\nip4 172.18.0.7\n");
	assert_names(t, ONE, "one", "172.18.0.7");
	names_free(t);
}

#define folder_test(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		folder_test(test_lookup),
		folder_test(test_others_see_nothing),
		folder_test(test_changes_at_once),
		folder_test(test_round_robin),
		folder_test(test_links_are_private),
		folder_test(test_first_network_by_name),
		folder_test(test_default_bridge),
		folder_test(test_what_is_no_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
