/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf of containers: what was asked for, through the annotation and back. The host's own
 * lines depend on the host; what is tested replaces all of them. */
#include "engine/resolv.h"

#include "base/mem.h"
#include "engine/spec.h"
#include "oci/runtime_config.h"

#include "../unit.h"

static void fill(struct container_spec *spec)
{
	strv_add(&spec->dns, "192.0.2.1");
	strv_add(&spec->dns, "192.0.2.2");
	strv_add(&spec->dns_search, "a.b");
	strv_add(&spec->dns_search, "c.d");
	strv_add(&spec->dns_options, "timeout:3");
	strv_add(&spec->dns_options, "edns0");
}

static void check(const struct container_spec *spec, enum resolv_kind kind, const char *expected)
{
	struct oci_runtime_config config = {};
	cleanup_resolv_request struct resolv_request request = {};
	cleanup_free char *note = resolv_request_format(spec);
	cleanup_str struct str text = STR_INIT;

	if (note)
		oci_annotate(&config, OCI_NOTE_DNS, note);
	resolv_request_from_config(&config, &request);
	resolv_add(&request, kind, &text);
	if (expected)
		assert_string_equal(str_get(&text), expected);
	oci_config_done(&config);
}

static void test_all_said(void **state)
{
	struct container_spec spec = {};

	fill(&spec);
	check(&spec, RESOLV_NAMES,
	      "search a.b c.d\nnameserver 127.0.0.11\noptions timeout:3 edns0 ndots:0\n");
	strv_add(&spec.dns_options, "ndots:2");
	check(&spec, RESOLV_NAMES,
	      "search a.b c.d\nnameserver 127.0.0.11\noptions timeout:3 edns0 ndots:2\n");
	spec_done(&spec);
}

static void test_no_search(void **state)
{
	struct container_spec spec = {};

	fill(&spec);
	strv_done(&spec.dns_search);
	spec.dns_search = (struct strv)STRV_INIT;
	strv_add(&spec.dns_search, ".");
	check(&spec, RESOLV_NAMES, "nameserver 127.0.0.11\noptions timeout:3 edns0 ndots:0\n");
	spec_done(&spec);
}

static void test_nothing_said(void **state)
{
	struct container_spec spec = {};

	assert_null(resolv_request_format(&spec));
	check(&spec, RESOLV_PRIVATE, NULL);
	spec_done(&spec);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_said),
		cmocka_unit_test(test_no_search),
		cmocka_unit_test(test_nothing_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
