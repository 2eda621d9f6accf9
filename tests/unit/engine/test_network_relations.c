/* SPDX-License-Identifier: Apache-2.0 */
/* Who reaches what: conclusions from models, one line for each relation or group. */
#include "../unit.h"

#include "base/str.h"
#include "engine/network_groups.h"
#include "engine/network_relations.h"

#include "network_fixture.h"

static void add_families(struct str *out, unsigned families)
{
	str_add(out, families == RELATION_V4 ? "4" : families == RELATION_V6 ? "6" : "4,6");
}

/* "a > b any yes same-network 4" for each. */
static char *print_relations(const struct network_model *model)
{
	cleanup_relation_list struct relation_list list = {};
	struct str out = STR_INIT;

	network_model_relate(model, &list);
	for (size_t i = 0; i < list.n; i++) {
		const struct relation *r = &list.items[i];

		str_addf(&out, "%s > %s %s %s %s ", relation_party_name(r->from, r->from_container),
			 relation_party_name(r->to, r->to_container), r->ports,
			 r->is_allowed ? "yes" : "no", relation_reason_name(r->reason));
		add_families(&out, r->families);
		str_add_char(&out, '\n');
	}
	return str_take(&out);
}

static char *print_groups(const struct network_model *model)
{
	cleanup_relation_list struct relation_list list = {};
	cleanup_relation_groups struct relation_groups groups = {};
	struct str out = STR_INIT;

	network_model_relate(model, &list);
	relation_list_group(model, &list, &groups);
	for (size_t i = 0; i < groups.n; i++) {
		const struct relation_group *g = &groups.items[i];

		for (size_t k = 0; k < g->n_from; k++)
			str_addf(&out, "%s ", relation_group_name(model, g->from[k]));
		str_add(&out, g->is_mutual ? "<>" : ">");
		for (size_t k = 0; !g->is_mutual && k < g->n_to; k++)
			str_addf(&out, " %s", relation_group_name(model, g->to[k]));
		str_addf(&out, ": %s %s, %s\n", g->sample->ports,
			 g->sample->is_allowed ? "yes" : "no", g->sample->why);
	}
	return str_take(&out);
}

static char *print_findings(const struct network_model *model)
{
	cleanup_relation_list struct relation_list list = {};
	struct str out = STR_INIT;

	network_model_find(model, &list);
	for (size_t i = 0; i < list.n_findings; i++)
		str_addf(&out, "%s %s\n", list.findings[i].code, list.findings[i].subject);
	return str_take(&out);
}

static void expect_relations(const struct network_model *model, const char *expected)
{
	cleanup_free char *got = print_relations(model);

	assert_string_equal(got, expected);
}

static void test_one_container(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t web = fixture_container(&m, "web");

	fixture_host(&m);
	fixture_connect(&m, web, net, "172.18.0.2/16", NULL);
	expect_relations(&m, "outside > web any no not-published 4\n"
			     "host > web any yes bridge 4\n"
			     "web > outside any yes masqueraded 4\n");
}

static void test_both_families(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", "fd00:1::/64");
	size_t web = fixture_container(&m, "web");

	fixture_host(&m);
	fixture_connect(&m, web, net, "172.18.0.2/16", "fd00:1::2/64");
	fixture_publish(&m, web, "0.0.0.0", 8080, 80);
	fixture_publish(&m, web, "::", 8080, 80);
	expect_relations(&m, "outside > web 8080->80/tcp yes published 4,6\n"
			     "outside > web any other no not-published 4,6\n"
			     "host > web any yes bridge 4,6\n"
			     "web > outside any yes masqueraded 4,6\n");
	m.host.is_forwarding6 = false;
	m.networks[net].network.is_masquerade = false;
	expect_relations(&m, "outside > web 8080->80/tcp yes published 4\n"
			     "outside > web 8080->80/tcp no forwarding-off 6\n"
			     "outside > web any other no not-published 4,6\n"
			     "host > web any yes bridge 4,6\n"
			     "web > outside any yes not-masqueraded 4\n"
			     "web > outside any no forwarding-off 6\n");
}

/* Where a port is published decides who gets to it. */
static void test_published_addresses(void **state)
{
	static const struct {
		const char *ip, *expected;
		bool respects_firewall;
	} cases[] = {
		{"0.0.0.0", "outside > web 8080->80/tcp yes published 4\n"},
		{"0.0.0.0", "outside > web 8080->80/tcp yes respect-firewall 4\n", true},
		{"192.0.2.1", "outside > web 192.0.2.1:8080->80/tcp yes published-on-address 4\n"},
		{"127.0.0.1", "outside > web 127.0.0.1:8080->80/tcp no published-on-loopback 4\n"},
		/* only IPv4 inside: its monitor relays */
		{"::", "outside > web 8080->80/tcp yes published 6\n"},
		{"::1", "outside > web [::1]:8080->80/tcp no published-on-loopback 6\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_network_model struct network_model m = {};
		size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
		size_t web = fixture_container(&m, "web");
		cleanup_free char *got = NULL;

		fixture_host(&m);
		m.host.respects_firewall = cases[i].respects_firewall;
		fixture_connect(&m, web, net, "172.18.0.2/16", NULL);
		fixture_publish(&m, web, cases[i].ip, 8080, 80);
		got = print_relations(&m);
		assert_memory_equal(got, cases[i].expected, strlen(cases[i].expected));
	}
}

/* What a network is like decides for its two containers. */
static void set_internal(struct network *n)
{
	n->is_internal = true;
}
static void set_no_icc(struct network *n)
{
	n->is_icc = false;
}
static void set_routed(struct network *n)
{
	n->gateway_mode[0] = GATEWAY_ROUTED;
}
static void set_isolated(struct network *n)
{
	n->gateway_mode[0] = GATEWAY_ISOLATED;
}
static void set_unprotected(struct network *n)
{
	n->gateway_mode[0] = GATEWAY_NAT_UNPROTECTED;
}
static void set_macvlan(struct network *n)
{
	n->driver = NETWORK_MACVLAN;
	snprintf(n->parent, sizeof n->parent, "eth9");
	snprintf(n->mode, sizeof n->mode, "bridge");
}
static void set_private(struct network *n)
{
	n->driver = NETWORK_MACVLAN;
	snprintf(n->parent, sizeof n->parent, "eth9");
	snprintf(n->mode, sizeof n->mode, "private");
}
static void set_vepa(struct network *n)
{
	n->driver = NETWORK_MACVLAN;
	snprintf(n->parent, sizeof n->parent, "eth9");
	snprintf(n->mode, sizeof n->mode, "vepa");
}

static void test_kinds_of_networks(void **state)
{
	static const struct {
		void (*set)(struct network *n);
		const char *port, *outside, *host, *pair, *out;
	} cases[] = {
		{set_internal, "no internal", "no internal", "yes bridge", "yes same-network",
		 "no internal"},
		{set_no_icc, "yes published", "no not-published", "yes bridge", "no no-icc",
		 "yes masqueraded"},
		{set_routed, "no routed", "no not-published", "yes bridge", "yes same-network",
		 "yes not-masqueraded"},
		{set_isolated, "no internal", "no isolated", "no isolated", "yes same-network",
		 "no isolated"},
		{set_unprotected, "yes published", "yes unprotected", "yes bridge",
		 "yes same-network", "yes masqueraded"},
		{set_macvlan, "no parent", "yes parent", "no parent-hides-host", "yes same-network",
		 "yes parent"},
		{set_private, "no parent", "yes parent", "no parent-hides-host",
		 "no parent-private", "yes parent"},
		{set_vepa, "no parent", "yes parent", "no parent-hides-host", "yes parent-vepa",
		 "yes parent"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_network_model struct network_model m = {};
		size_t net = fixture_network(&m, "n", "172.18.0.0/16", NULL);
		size_t a = fixture_container(&m, "a"), b = fixture_container(&m, "b");
		cleanup_free char *got = NULL;
		const struct {
			const char *start, *answer;
		} lines[] = {
			{"outside > a 8080->80/tcp ", cases[i].port},
			{"outside > a any other ", cases[i].outside},
			{"host > a any ", cases[i].host},
			{"a > b any ", cases[i].pair},
			{"b > a any ", cases[i].pair},
			{"b > outside any ", cases[i].out},
		};

		fixture_host(&m);
		fixture_connect(&m, a, net, "172.18.0.2/16", NULL);
		fixture_connect(&m, b, net, "172.18.0.3/16", NULL);
		fixture_publish(&m, a, "0.0.0.0", 8080, 80);
		cases[i].set(&m.networks[net].network);
		got = print_relations(&m);
		for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
			cleanup_free char *line = str_printf("%s%s 4\n", lines[k].start,
							     lines[k].answer);

			if (!strstr(got, line))
				fail_msg("case %zu: no line \"%s\" in:\n%s", i, line, got);
		}
	}
}

static void test_routed_port(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t web = fixture_container(&m, "web");
	cleanup_free char *got = NULL;

	fixture_host(&m);
	set_routed(&m.networks[net].network);
	fixture_connect(&m, web, net, "172.18.0.2/16", NULL);
	fixture_publish(&m, web, "0.0.0.0", 8080, 80);
	got = print_groups(&m);
	assert_non_null(strstr(got, "outside > web: 80/tcp yes, routed to 172.18.0.2\n"));
}

/* A published port is open to containers of other networks, as it is to anybody. */
static void test_two_networks(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t front = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t back = fixture_network(&m, "back", "172.19.0.0/16", NULL);
	size_t web = fixture_container(&m, "web"), db = fixture_container(&m, "db"),
	       tool = fixture_container(&m, "tool");
	cleanup_free char *groups = NULL;

	fixture_host(&m);
	fixture_connect(&m, web, front, "172.18.0.2/16", NULL);
	fixture_connect(&m, web, back, "172.19.0.2/16", NULL);
	fixture_connect(&m, db, back, "172.19.0.3/16", NULL);
	fixture_connect(&m, tool, front, "172.18.0.3/16", NULL);
	fixture_publish(&m, db, "0.0.0.0", 5432, 5432);
	m.networks[back].network.is_internal = false;
	network_model_sort(&m);
	groups = print_groups(&m);
	assert_string_equal(groups,
			    "outside > db: 5432->5432/tcp yes, published on every address\n"
			    "outside > db: any other no, not published\n"
			    "outside > tool web: any no, not published\n"
			    "host > db: any yes, the host is the gateway of back\n"
			    "host > tool web: any yes, the host is the gateway of front\n"
			    "db > outside: any yes, masqueraded (back)\n"
			    "db tool <>: any no, no network in common\n"
			    "db web <>: any yes, same network back\n"
			    "tool > db: 5432->5432/tcp yes, published: through the host's address\n"
			    "tool web > outside: any yes, masqueraded (front)\n"
			    "tool web <>: any yes, same network front\n");
}

/* Thirty containers of a network are one line and not 870. */
static void test_circle(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	cleanup_free char *got = NULL;
	size_t n_lines = 0;

	fixture_host(&m);
	for (unsigned i = 0; i < 30; i++) {
		cleanup_free char *name = str_printf("c%02u", i);
		cleanup_free char *ip = str_printf("172.18.0.%u/16", i + 2);

		fixture_connect(&m, fixture_container(&m, name), net, ip, NULL);
	}
	got = print_groups(&m);
	for (const char *p = got; *p; p++)
		n_lines += *p == '\n';
	assert_int_equal(n_lines, 4);
	assert_non_null(strstr(got, "c29 <>: any yes, same network front\n"));
}

static void test_namespaces(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t a = fixture_container(&m, "a"), b = fixture_container(&m, "b"),
	       h = fixture_container(&m, "h"), n = fixture_container(&m, "n");

	fixture_host(&m);
	fixture_connect(&m, a, net, "172.18.0.2/16", NULL);
	m.containers[b].place = PLACE_SHARED;
	m.containers[b].peer = a;
	m.containers[h].place = PLACE_HOST;
	(void)n;
	expect_relations(&m, "outside > a any no not-published 4\n"
			     "outside > b any no not-published 4\n"
			     "outside > h any yes host-namespace 4\n"
			     "outside > n any no no-network 4\n"
			     "host > a any yes bridge 4\n"
			     "host > b any yes bridge 4\n"
			     "host > h any yes host-namespace 4\n"
			     "host > n any no no-network 4\n"
			     "a > b any yes same-namespace 4\n"
			     "a > outside any yes masqueraded 4\n"
			     "b > a any yes same-namespace 4\n"
			     "b > outside any yes masqueraded 4\n"
			     "h > outside any yes host-namespace 4\n"
			     "n > outside any no no-network 4\n");
}

static void test_services(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t a = fixture_container(&m, "a");
	cleanup_free char *got = NULL;

	fixture_host(&m);
	fixture_connect(&m, a, net, "172.18.0.2/16", NULL);
	fixture_listen(&m, "::", 8000, "six");
	fixture_listen(&m, "0.0.0.0", 22, "sshd");
	fixture_listen(&m, "172.18.0.1", 53, "dnsmasq");
	fixture_listen(&m, "172.19.0.1", 54, "other");
	fixture_listen(&m, "::", 80, "both");
	m.host.listeners[4].is_dual = true;
	network_model_sort(&m);
	got = print_relations(&m);
	assert_non_null(
		strstr(got, "a > host 22/tcp sshd, 53/tcp dnsmasq, 80/tcp both yes listening 4\n"));
}

static void test_findings(void **state)
{
	cleanup_network_model struct network_model m = {};
	size_t net = fixture_network(&m, "front", "172.18.0.0/16", NULL);
	size_t web = fixture_container(&m, "web"), h = fixture_container(&m, "h");
	cleanup_free char *quiet = NULL;
	cleanup_free char *loud = NULL;

	fixture_host(&m);
	fixture_connect(&m, web, net, "172.18.0.2/16", NULL);
	fixture_publish(&m, web, "127.0.0.1", 80, 80);
	quiet = print_findings(&m);
	assert_string_equal(quiet, "");
	fixture_publish(&m, web, "0.0.0.0", 80, 80);
	fixture_publish(&m, web, "::", 80, 80);
	m.containers[h].place = PLACE_HOST;
	m.host.is_forwarding4 = m.host.has_rules = false;
	m.host.foreign_drop = str_dup("the policy of ip filter FORWARD");
	m.networks[net].network.gateway_mode[0] = GATEWAY_NAT_UNPROTECTED;
	m.networks[net].is_missing_parent = true;
	loud = print_findings(&m);
	assert_string_equal(loud, "rules host\nforeign-firewall host\nforwarding-off host\n"
				  "parent-missing front\npublished-everywhere web\n"
				  "unprotected front\nhost-network h\nprivileged-port web\n");
}

static void test_empty(void **state)
{
	cleanup_network_model struct network_model m = {};

	fixture_host(&m);
	network_model_sort(&m);
	expect_relations(&m, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_container),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_published_addresses),
		cmocka_unit_test(test_kinds_of_networks),
		cmocka_unit_test(test_routed_port),
		cmocka_unit_test(test_two_networks),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
