/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: the lowest free one, never one twice, and what the dead leave. */
#include "../unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "network/lease.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_PROCESSES 64
#define N_EACH	    20

struct bench {
	char *dir;
	struct network network;
	struct lease_taker taker;
	char container[ID_LEN + 1];
	const char *dead; /* the container that is not there any more; NULL */
};

static bool is_alive(const char *container, void *data)
{
	const struct bench *b = data;

	return !b->dead || strcmp(container, b->dead) != 0;
}

static void set_container(struct bench *b, unsigned number)
{
	snprintf(b->container, sizeof(b->container), "%064x", number);
}

static void add_pool(struct bench *b, const char *subnet, const char *gateway, const char *range)
{
	struct network_pool *pool = &b->network.pools[b->network.n_pools++];

	assert_int_equal(ip_prefix_parse(subnet, &pool->subnet), 0);
	assert_int_equal(ip_parse(gateway, &pool->gateway), 0);
	if (range)
		assert_int_equal(ip_prefix_parse(range, &pool->range), 0);
}

static int set_up(void **state)
{
	struct bench *b = mem_zalloc(sizeof(*b));

	b->dir = str_dup("/tmp/tare-lease.XXXXXX");
	snprintf(b->network.id, sizeof(b->network.id), "%064x", 1);
	b->network.name = str_dup("net1");
	b->taker = (struct lease_taker){.container = b->container, .is_alive = is_alive, .data = b};
	set_container(b, 1);
	*state = b;
	if (!mkdtemp(b->dir))
		return -1;
	b->taker.runroot = b->dir;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int rc = fd_remove_tree_at(AT_FDCWD, b->dir);

	network_done(&b->network);
	free(b->dir);
	free(b);
	return rc;
}

/* Takes WANTED (NULL: any) and expects TEXT, or a message. */
static void take(struct bench *b, int family, const char *wanted, const char *expected)
{
	struct ip_addr addr = {};
	struct ip_prefix got = {};
	struct err err = ERR_INIT;
	char text[IP_PREFIX_TEXT_LEN];

	if (wanted)
		assert_int_equal(ip_parse(wanted, &addr), 0);
	if (lease_take(&b->taker, &b->network, family, &addr, &got, &err) < 0)
		assert_string_equal(err.msg, expected);
	else
		assert_string_equal(ip_prefix_format(&got, text), expected);
}

static void give_back(struct bench *b, const char *text)
{
	struct ip_addr addr = {};

	assert_int_equal(ip_parse(text, &addr), 0);
	lease_release(b->dir, b->network.id, b->container, &addr);
}

static void test_lowest_free(void **state)
{
	struct bench *b = *state;

	add_pool(b, "10.1.0.0/16", "10.1.0.1", NULL);
	take(b, IP_V4, NULL, "10.1.0.2/16");
	take(b, IP_V4, NULL, "10.1.0.3/16");
	take(b, IP_V4, NULL, "10.1.0.4/16");
	give_back(b, "10.1.0.3");
	give_back(b, "10.1.0.3");
	take(b, IP_V4, NULL, "10.1.0.3/16");
	take(b, IP_V4, NULL, "10.1.0.5/16");
	/* Not its own: stays. */
	set_container(b, 2);
	give_back(b, "10.1.0.2");
	take(b, IP_V4, NULL, "10.1.0.6/16");
}

static void test_range_and_aux(void **state)
{
	struct bench *b = *state;
	struct network_aux *aux = mem_zalloc(sizeof(*aux));

	add_pool(b, "10.1.0.0/24", "10.1.0.130", "10.1.0.128/30");
	*aux = (struct network_aux){.name = str_dup("router")};
	assert_int_equal(ip_parse("10.1.0.129", &aux->addr), 0);
	b->network.pools[0].aux = aux;
	b->network.pools[0].n_aux = 1;
	take(b, IP_V4, NULL, "10.1.0.128/24");
	take(b, IP_V4, NULL, "10.1.0.131/24");
	take(b, IP_V4, NULL,
	     "no available IPv4 addresses on this network's address pools: net1 "
	     "(0000000000000000000000000000000000000000000000000000000000000001)");
	give_back(b, "10.1.0.128");
	take(b, IP_V4, NULL, "10.1.0.128/24");
}

static void test_second_pool(void **state)
{
	struct bench *b = *state;

	add_pool(b, "10.1.0.0/30", "10.1.0.1", NULL);
	add_pool(b, "fd00::/64", "fd00::1", NULL);
	add_pool(b, "10.0.0.0/30", "10.0.0.1", NULL);
	take(b, IP_V4, NULL, "10.1.0.2/30");
	take(b, IP_V4, NULL, "10.0.0.2/30");
	take(b, IP_V6, NULL, "fd00::2/64");
	take(b, IP_V6, NULL, "fd00::3/64");
	give_back(b, "10.1.0.2");
	take(b, IP_V4, NULL, "10.1.0.2/30");
	give_back(b, "10.0.0.2");
	take(b, IP_V4, NULL, "10.0.0.2/30");
}

static void test_wanted(void **state)
{
	struct bench *b = *state;
	static const char *const reserved[] = {"10.1.0.0", "10.1.0.255", "10.1.0.1"};

	add_pool(b, "10.1.0.0/24", "10.1.0.1", NULL);
	take(b, IP_V4, "10.1.0.2", "10.1.0.2/24");
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		take(b, IP_V4, reserved[i], "Address already in use");
	take(b, IP_V4, "10.2.0.1",
	     "Invalid address 10.2.0.1: It does not belong to any of this network's subnets");
	/* Again by who has it: a start that was cut short. */
	take(b, IP_V4, "10.1.0.2", "10.1.0.2/24");
	set_container(b, 2);
	take(b, IP_V4, "10.1.0.2", "Address already in use");
	take(b, IP_V4, NULL, "10.1.0.3/24");
}

static void test_dead_owner(void **state)
{
	struct bench *b = *state;
	char dead[ID_LEN + 1];

	add_pool(b, "10.1.0.0/29", "10.1.0.1", NULL);
	for (int i = 2; i <= 6; i++) {
		cleanup_free char *expected = str_printf("10.1.0.%d/29", i);

		set_container(b, i % 2 ? 1 : 2);
		take(b, IP_V4, NULL, expected);
	}
	snprintf(dead, sizeof(dead), "%064x", 1);
	set_container(b, 3);
	b->dead = dead;
	take(b, IP_V4, "10.1.0.5", "10.1.0.5/29");
	take(b, IP_V4, "10.1.0.4", "Address already in use");
	take(b, IP_V4, NULL, "10.1.0.3/29");
	take(b, IP_V4, NULL,
	     "no available IPv4 addresses on this network's address pools: net1 "
	     "(0000000000000000000000000000000000000000000000000000000000000001)");
}

static void test_release_all(void **state)
{
	struct bench *b = *state;

	add_pool(b, "10.1.0.0/24", "10.1.0.1", NULL);
	take(b, IP_V4, NULL, "10.1.0.2/24");
	take(b, IP_V4, "10.1.0.99", "10.1.0.99/24");
	set_container(b, 2);
	take(b, IP_V4, NULL, "10.1.0.3/24");
	set_container(b, 1);
	lease_release_all(b->dir, b->container);
	set_container(b, 3);
	take(b, IP_V4, "10.1.0.99", "10.1.0.99/24");
	take(b, IP_V4, "10.1.0.3", "Address already in use");
	take(b, IP_V4, NULL, "10.1.0.2/24");
}

/* Takes and gives back, and keeps the last ones: every lease kept must still be ours. */
__attribute__((noreturn)) static void run_process(struct bench *b, unsigned number)
{
	struct ip_prefix kept[N_EACH];
	struct err err = ERR_INIT;

	set_container(b, number);
	for (int i = 0; i < N_EACH; i++) {
		if (lease_take(&b->taker, &b->network, IP_V4, NULL, &kept[i], &err) < 0)
			_exit(1);
		if (i % 2)
			lease_release(b->dir, b->network.id, b->container, &kept[i].addr);
	}
	for (int i = 0; i < N_EACH; i += 2) {
		char name[IP_TEXT_LEN];
		char owner[ID_LEN + 1] = "";
		cleanup_free char *path = str_printf("%s/networks/%s/addresses/%s", b->dir,
						     b->network.id, ip_format(&kept[i].addr, name));

		if (readlink(path, owner, ID_LEN) != ID_LEN || strcmp(owner, b->container) != 0)
			_exit(2);
	}
	_exit(0);
}

/* Every lease that somebody has is there once. */
static size_t count_leases(const struct bench *b)
{
	cleanup_free char *path = str_printf("%s/networks/%s/addresses", b->dir, b->network.id);
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += *e->d_name != '.';
	closedir(dir);
	return n;
}

static void test_many_processes(void **state)
{
	struct bench *b = *state;
	pid_t pids[N_PROCESSES];

	add_pool(b, "10.1.0.0/16", "10.1.0.1", NULL);
	for (unsigned i = 0; i < N_PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			run_process(b, i + 1);
	}
	for (unsigned i = 0; i < N_PROCESSES; i++) {
		int status = 0;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_leases(b), N_PROCESSES * N_EACH / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lowest_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_range_and_aux, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_pool, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_release_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_processes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
