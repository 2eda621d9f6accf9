/* SPDX-License-Identifier: Apache-2.0 */
/* The column PORTS as docker prints it, and the lines of `port`. */
#include "../unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "engine/port_text.h"

#include <stdio.h>
#include <stdlib.h>

/* "8080:80/tcp@0.0.0.0", separated by blanks. */
static void parse_ports(const char *text, struct live_network *ret)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, text, ' ');
	strv_foreach (i, &words) {
		struct published_port p = {};
		unsigned outside = 0, inside = 0;
		char host[64];

		if (!words.items[i][0])
			continue;
		assert_int_equal(sscanf(words.items[i], "%u:%u/%7[a-z]@%63s", &outside, &inside,
					p.proto, host),
				 4);
		p.host_port = (uint16_t)outside;
		p.container_port = (uint16_t)inside;
		assert_int_equal(ip_parse(host, &p.host_ip), 0);
		ret->ports = mem_realloc_array(ret->ports, ret->n_ports + 1, sizeof(p));
		ret->ports[ret->n_ports++] = p;
	}
}

static void columns(void **state)
{
	static const struct {
		const char *ports, *exposed, *want;
	} rows[] = {
		{"", "", ""},
		{"", "81/tcp 82/tcp 90/udp", "81-82/tcp, 90/udp"},
		{"8080:80/tcp@0.0.0.0 8080:80/tcp@::", "80/tcp",
		 "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"},
		/* All of this is what docker 28 printed. */
		{"8100:8100/tcp@0.0.0.0 8100:8100/tcp@:: 8101:8101/tcp@0.0.0.0 8101:8101/tcp@:: "
		 "8102:8102/tcp@0.0.0.0 8102:8102/tcp@:: 83:83/tcp@0.0.0.0 83:83/tcp@:: "
		 "9000:9001/tcp@0.0.0.0 9000:9001/tcp@:: 9001:9002/tcp@0.0.0.0 9001:9002/tcp@::",
		 "81/tcp 82/tcp 83/tcp 83/udp 90/tcp 8100/tcp 8101/tcp 8102/tcp 9001/tcp 9002/tcp",
		 "81-82/tcp, 0.0.0.0:83->83/tcp, [::]:83->83/tcp, 90/tcp, 83/udp, "
		 "0.0.0.0:8100-8102->8100-8102/tcp, [::]:8100-8102->8100-8102/tcp, "
		 "0.0.0.0:9000->9001/tcp, [::]:9000->9001/tcp, 0.0.0.0:9001->9002/tcp, "
		 "[::]:9001->9002/tcp"},
		{"32769:80/tcp@0.0.0.0 32769:80/tcp@:: 32768:80/udp@0.0.0.0 32768:80/udp@:: "
		 "32768:81/tcp@127.0.0.1 32768:82/tcp@::1 6000:6000/tcp@::1",
		 "",
		 "[::1]:6000->6000/tcp, 0.0.0.0:32768->80/udp, 0.0.0.0:32769->80/tcp, "
		 "[::]:32768->80/udp, [::]:32769->80/tcp, 127.0.0.1:32768->81/tcp, "
		 "[::1]:32768->82/tcp"},
		{"8082:80/tcp@0.0.0.0 8082:80/tcp@:: 8083:80/tcp@127.0.0.1 8084:80/udp@0.0.0.0 "
		 "8084:80/udp@::",
		 "",
		 "0.0.0.0:8082->80/tcp, 0.0.0.0:8084->80/udp, 127.0.0.1:8083->80/tcp, "
		 "[::]:8082->80/tcp, [::]:8084->80/udp"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_live_network struct live_network live = {};
		cleanup_strv struct strv exposed = STRV_INIT;
		cleanup_free char *got = NULL;

		parse_ports(rows[i].ports, &live);
		if (rows[i].exposed[0])
			strv_split(&exposed, rows[i].exposed, ' ');
		got = port_text_column(&live, &exposed);
		assert_string_equal(got, rows[i].want);
	}
}

static void lines(void **state)
{
	cleanup_live_network struct live_network live = {};
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_strv struct strv one = STRV_INIT;

	parse_ports("8080:80/tcp@0.0.0.0 8080:80/tcp@:: 53:80/udp@127.0.0.1", &live);
	port_text_lines(&live, 0, NULL, &all);
	port_text_lines(&live, 80, "tcp", &one);
	cleanup_free char *all_text = strv_join(&all, "|");
	cleanup_free char *one_text = strv_join(&one, "|");

	assert_string_equal(all_text, "80/tcp -> 0.0.0.0:8080|80/tcp -> [::]:8080|"
				      "80/udp -> 127.0.0.1:53");
	assert_string_equal(one_text, "0.0.0.0:8080|[::]:8080");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
