/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports as the index keeps them, and what a start makes of them. */
#include "../unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "engine/ports.h"
#include "json/value.h"

#include <stdlib.h>

static const char host_text[] =
	"{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"},"
	"{\"HostIp\":\"::1\",\"HostPort\":\"\"}],\"53/udp\":[{\"HostIp\":\"127.0.0.1\","
	"\"HostPort\":\"0\"}],\"90/sctp\":[{\"HostIp\":\"\",\"HostPort\":\"9000-9010\"}]},"
	"\"PublishAllPorts\":%s}";
static const char config_text[] =
	"{\"ExposedPorts\":{\"80/tcp\":{},\"80/udp\":{},\"53/udp\":{},\"90/sctp\":{}}}";

static void format_all(const struct port_list *list, struct str *ret)
{
	for (size_t i = 0; i < list->n; i++) {
		cleanup_free char *text = port_spec_format(&list->items[i]);

		str_addf(ret, "%s%s", i ? " " : "", text);
	}
}

static void reads_what_was_written(void **state)
{
	static const char *const want[] = {
		"8080:80/tcp [::1]::80/tcp 127.0.0.1:0:53/udp 9000-9010:90/sctp",
		"8080:80/tcp [::1]::80/tcp 127.0.0.1:0:53/udp 9000-9010:90/sctp 80/udp",
	};

	for (int all = 0; all < 2; all++) {
		cleanup_port_list struct port_list list = {};
		cleanup_strv struct strv exposed = STRV_INIT;
		cleanup_free char *host = str_printf(host_text, all ? "true" : "false");
		cleanup_str struct str got = STR_INIT;
		cleanup_json json_t *again = NULL;
		cleanup_json json_t *first = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(port_list_read(&list, host, config_text, &exposed, &err), 0);
		format_all(&list, &got);
		assert_string_equal(str_get(&got), want[all]);
		assert_int_equal(exposed.n, 4);
		if (all)
			continue;
		again = port_list_to_json(&list);
		first = json_loads(host, 0, NULL);
		assert_true(json_equal(again, json_object_get(first, "PortBindings")));
	}
}

static void parses_nothing_where_nothing_is_published(void **state)
{
	cleanup_port_list struct port_list list = {};
	cleanup_strv struct strv exposed = STRV_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(port_list_read(&list, "{\"PortBindings\":{},\"PublishAllPorts\":false", "",
					&exposed, &err),
			 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(port_list_read(&list, "{", "", &exposed, &err), -ERR_INVALID);
}

static void leaves_out_what_is_no_binding(void **state)
{
	static const char text[] = "{\"PortBindings\":{\"x/tcp\":[{\"HostPort\":\"1\"}],"
				   "\"99999\":[{}],\"80/tcp\":[{\"HostPort\":\"70000\"},"
				   "{\"HostPort\":\"9-8\"},{\"HostPort\":\"7\"}],\"81\":null}}";
	cleanup_port_list struct port_list list = {};
	cleanup_strv struct strv exposed = STRV_INIT;
	cleanup_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(port_list_read(&list, text, "{}", &exposed, &err), 0);
	format_all(&list, &got);
	assert_string_equal(str_get(&got), "7:80/tcp");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(parses_nothing_where_nothing_is_published),
		cmocka_unit_test(leaves_out_what_is_no_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
