/* SPDX-License-Identifier: Apache-2.0 */
/* Which events the filters of docker's command line let through. */
#include "engine/event_filter.h"

#include "json/value.h"

#include "../unit.h"

#define ID "aa11bb22"

/* "Type", "Action" and the name and image of an event with the label k=v. */
static json_t *new_event(const char *type, const char *action, const char *name, const char *image)
{
	return json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s}}", "Type", type, "Action", action, "ID", ID,
			 "Attributes", "name", name, "image", image, "k", "v");
}

static void test_filters(void **state)
{
	static const struct {
		const char *type, *action, *name, *image;
		const char *filters[4];
		bool wanted;
	} cases[] = {
		{"container", "start", "web", "busybox", {NULL}, true},
		{"container", "start", "web", "busybox", {"type=container"}, true},
		{"container", "start", "web", "busybox", {"type=image"}, false},
		{"container", "start", "web", "busybox", {"type=image", "type=container"}, true},
		{"container", "start", "web", "busybox", {"event=sta"}, false},
		{"container", "start", "web", "busybox", {"event=die", "event=start"}, true},
		{"container", "start", "web", "busybox", {"type=container", "event=die"}, false},
		{"container", "exec_create: ls ", "web", "b", {"event=exec_create"}, true},
		{"container", "exec_create: ls ", "web", "b", {"event=exec_create: ls"}, false},
		{"container", "exec_create: ls ", "web", "b", {"event=exec"}, false},
		{"container", "health_status: healthy", "w", "b", {"event=health_status"}, true},
		{"container",
		 "health_status: healthy",
		 "w",
		 "b",
		 {"event=health_status: healthy"},
		 true},
		{"container",
		 "health_status: healthy",
		 "w",
		 "b",
		 {"event=health_status: unhealthy"},
		 false},
		/* docker: one of the three makes the others beginnings, too */
		{"container", "start", "w", "b", {"event=exec_start", "event=sta"}, true},
		{"container", "start", "web", "busybox", {"container=web"}, true},
		{"container", "start", "web", "busybox", {"container=we"}, true},
		{"container", "start", "web", "busybox", {"container=eb"}, false},
		{"container", "start", "web", "busybox", {"container=aa11"}, true},
		{"volume", "create", "web", "", {"volume=w"}, true},
		{"container", "start", "web", "busybox:1", {"image=busybox"}, true},
		{"container", "start", "web", "busybox:1", {"image=busybox:1"}, true},
		{"container", "start", "web", "busybox:1", {"image=busybox:2"}, false},
		{"container", "start", "web", "team/app", {"image=app"}, false},
		{"image", "tag", "other:x", "", {"image=other"}, true},
		{"image", "tag", "other:x", "", {"image=" ID}, true},
		{"container", "start", "web", "busybox", {"label=k"}, true},
		{"container", "start", "web", "busybox", {"label=k=v"}, true},
		{"container", "start", "web", "busybox", {"label=k=w"}, false},
		{"container", "start", "web", "busybox", {"label=k=v", "label=no"}, false},
		{"container", "start", "web", "busybox", {"scope=local"}, true},
		{"container", "start", "web", "busybox", {"scope=swarm"}, false},
		{"container", "start", "web", "busybox", {"node=x"}, false},
		{"container", "start", "web", "busybox", {"nosuch=x"}, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json json_t *event = new_event(cases[i].type, cases[i].action,
						       cases[i].name, cases[i].image);
		cleanup_strv struct strv filters = STRV_INIT;

		for (size_t k = 0; k < 4 && cases[i].filters[k]; k++)
			strv_add(&filters, cases[i].filters[k]);
		if (event_filter_matches(&filters, event) != cases[i].wanted)
			fail_msg("case %zu: %s", i, cases[i].filters[0]);
	}
}

static void test_known(void **state)
{
	assert_true(event_filter_is_known("event=x"));
	assert_true(event_filter_is_known("label="));
	assert_false(event_filter_is_known("events=x"));
	assert_false(event_filter_is_known("eve=x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
