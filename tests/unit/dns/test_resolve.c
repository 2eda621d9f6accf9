/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a question; and a million that are malformed. */
#include "dns/names.h"
#include "dns/server.h"

#include "folder.h"
#include "packets.h"

#define NET  ID("a")
#define SELF ID("1")

#define MUTATIONS 1000000

static bool is_ours(void *ctx, const char *id)
{
	return strcmp(id, SELF) == 0;
}

struct setting {
	struct server server;
	struct container c;
};

static void set_up(struct setting *s, const struct folder *f, bool forwards, size_t n_upstreams)
{
	*s = (struct setting){.c = {.id = SELF, .forwards = forwards, .n_upstreams = n_upstreams}};
	s->c.server = &s->server;
	s->server.names = names_new(f->fd, is_ours, NULL);
	write_endpoint(f, NET, SELF, "name web\nname db_1.x\nnetwork net\nip4 172.18.0.2\n");
}

/* The rcode of the answer; -1 none, -2 asked elsewhere. */
static int ask(struct setting *s, const struct packet *p, bool is_tcp, size_t *ret_len)
{
	uint8_t buf[DNS_UDP_MAX];

	switch (resolve(&s->c, p->bytes, p->len, is_tcp, buf, sizeof(buf), ret_len)) {
	case RESOLVED_DROP:
		return -1;
	case RESOLVED_FORWARD:
		return -2;
	case RESOLVED_ANSWER:
		break;
	}
	assert_true(*ret_len >= DNS_HEADER_LEN && *ret_len <= sizeof(buf));
	assert_memory_equal(buf, p->bytes, 2);
	assert_true(buf[2] & 0x80);
	return dns_get_rcode(buf);
}

static void test_outcomes(void **state)
{
	static const struct {
		const char *name;
		unsigned type;
		int with_way_out, internal, alone;
	} cases[] = {
		{"WEB", DNS_TYPE_A, DNS_NOERROR, DNS_NOERROR, DNS_NOERROR},
		{"web", DNS_TYPE_AAAA, DNS_NOERROR, DNS_NOERROR, DNS_NOERROR},
		{"web.net", 15, DNS_NOERROR, DNS_NOERROR, DNS_NOERROR},
		{"web", DNS_TYPE_ANY, DNS_NOERROR, DNS_NOERROR, DNS_NOERROR},
		{"2.0.18.172.in-addr.arpa", DNS_TYPE_PTR, DNS_NOERROR, DNS_NOERROR, DNS_NOERROR},
		{"3.0.18.172.in-addr.arpa", DNS_TYPE_PTR, -2, DNS_REFUSED, DNS_SERVFAIL},
		{"other", DNS_TYPE_A, -2, DNS_REFUSED, DNS_SERVFAIL},
		{"", 2, -2, DNS_REFUSED, DNS_SERVFAIL},
	};
	struct setting out, internal, alone;
	size_t len = 0;

	set_up(&out, *state, true, 1);
	set_up(&internal, *state, false, 1);
	set_up(&alone, *state, true, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet p = make_query(cases[i].name, cases[i].type, 0);

		assert_int_equal(ask(&out, &p, false, &len), cases[i].with_way_out);
		assert_int_equal(ask(&internal, &p, false, &len), cases[i].internal);
		assert_int_equal(ask(&alone, &p, true, &len), cases[i].alone);
	}
	names_free(out.server.names);
	names_free(internal.server.names);
	names_free(alone.server.names);
}

static void test_malformed(void **state)
{
	struct setting s;
	uint64_t random = 20260101;
	int outcomes[18] = {};
	size_t len = 0;

	set_up(&s, *state, true, 1);
	for (int i = 0; i < MUTATIONS; i++) {
		struct packet p = make_malformed(&random);
		/* Of its exact length, so that a byte too many is found by a sanitizer. */
		struct packet *exact = mem_dup(&p, sizeof(p));
		int rc = ask(&s, exact, i % 2, &len);

		assert_true(rc >= -2 && rc < 16);
		outcomes[rc + 2]++;
		free(exact);
	}
	names_free(s.server.names);
	/* All kinds of ends were met. */
	assert_true(outcomes[0] && outcomes[1] && outcomes[2 + DNS_NOERROR] &&
		    outcomes[2 + DNS_FORMERR] && outcomes[2 + DNS_NOTIMP]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outcomes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_malformed, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
