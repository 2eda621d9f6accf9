/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's check with the caller's options over it, what is refused, and what the monitor is told
 * in the end.
 */
#include "base/err.h"
#include "base/mem.h"
#include "engine/health.h"

#include <string.h>

#include "../unit.h"

#define S 1000000000LL

static void split(struct strv *v, const char *words)
{
	if (*words)
		strv_split(v, words, '|');
}

static char *join(const struct strv *v)
{
	return strv_join(v, "|");
}

static void merged(void **state)
{
	const struct {
		const char *image; /* test, separated by "|" */
		struct health_spec spec;
		const char *test;
		bool is_set, is_on;
	} rows[] = {
		{"", {}, "", false, false},
		{"CMD|true", {}, "CMD|true", true, true},
		{"NONE", {}, "NONE", true, false},
		{"CMD", {}, "CMD", true, false},
		{"HTTP|/", {}, "HTTP|/", true, false},
		{"CMD|true", {.disabled = true}, "NONE", true, false},
		{"", {.disabled = true}, "NONE", true, false},
		{"CMD|true", {.command = (char[]){"a b"}}, "CMD-SHELL|a b", true, true},
		{"", {.command = (char[]){""}}, "", false, false},
		{"", {.timeout_ns = S}, "", true, false},
		{"NONE", {.command = (char[]){"x"}}, "CMD-SHELL|x", true, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct container_spec spec = {.health = rows[i].spec};
		struct image_healthcheck image = {.is_set = *rows[i].image, .retries = 9};
		struct image_healthcheck got = {};
		cleanup_free char *test = NULL;
		struct err err = ERR_INIT;

		split(&image.test, rows[i].image);
		assert_int_equal(health_merge(&spec, &image, &got, &err), 0);
		test = join(&got.test);
		assert_string_equal(test, rows[i].test);
		assert_int_equal(got.is_set, rows[i].is_set);
		assert_int_equal(health_is_on(&got), rows[i].is_on);
		assert_int_equal(got.retries, 9);
		strv_done(&image.test);
		strv_done(&got.test);
	}
}

static void numbers_that_were_not_typed_are_the_images(void **state)
{
	const struct image_healthcheck image = {.is_set = true,
						.interval_ns = 1 * S,
						.timeout_ns = 2 * S,
						.start_period_ns = 3 * S,
						.start_interval_ns = 4 * S,
						.retries = 5};
	const struct container_spec spec = {
		.health = {.timeout_ns = 20 * S, .retries = 50, .start_period_ns = 30 * S}};
	struct image_healthcheck got = {};
	struct err err = ERR_INIT;

	assert_int_equal(health_merge(&spec, &image, &got, &err), 0);
	assert_int_equal(got.interval_ns, 1 * S);
	assert_int_equal(got.timeout_ns, 20 * S);
	assert_int_equal(got.start_period_ns, 30 * S);
	assert_int_equal(got.start_interval_ns, 4 * S);
	assert_int_equal(got.retries, 50);
}

static void refused(void **state)
{
	const struct {
		struct health_spec spec;
		const char *text;
	} rows[] = {
		{{.disabled = true, .retries = 1},
		 "--no-healthcheck conflicts with --health-* options"},
		{{.interval_ns = -1}, "--health-interval cannot be negative"},
		{{.timeout_ns = -1}, "--health-timeout cannot be negative"},
		{{.start_period_ns = -1}, "--health-start-period cannot be negative"},
		{{.start_interval_ns = -1}, "--health-start-interval cannot be negative"},
		{{.retries = -1}, "--health-retries cannot be negative"},
		{{.interval_ns = 999999}, "Interval in Healthcheck cannot be less than 1ms"},
		{{.timeout_ns = 1}, "Timeout in Healthcheck cannot be less than 1ms"},
		{{.start_period_ns = 1}, "StartPeriod in Healthcheck cannot be less than 1ms"},
		{{.start_interval_ns = 1}, "StartInterval in Healthcheck cannot be less than 1ms"},
		{{.on_failure = (char[]){"exit"}},
		 "invalid --health-on-failure 'exit'; use one of 'none', 'kill', 'stop', or "
		 "'restart'"},
		{{.on_failure = (char[]){""}},
		 "invalid --health-on-failure ''; use one of 'none', 'kill', 'stop', or 'restart'"},
		{{.on_failure = (char[]){"stop"}},
		 "--health-on-failure stop: the container has no health check"},
		{{.on_failure = (char[]){"none"}}, NULL},
		{{.interval_ns = 1000000, .timeout_ns = 1000000}, NULL},
	};
	const struct image_healthcheck image = {};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct container_spec spec = {.health = rows[i].spec};
		struct image_healthcheck got = {};
		struct err err = ERR_INIT;
		int rc = health_validate_usage(&spec, &err);

		if (rc == 0)
			rc = health_validate(&spec, &err);
		if (rc == 0)
			rc = health_merge(&spec, &image, &got, &err);
		assert_int_equal(rc, rows[i].text ? -ERR_INVALID : 0);
		assert_string_equal(err.msg, rows[i].text ? rows[i].text : "");
		strv_done(&got.test);
	}
}

/* What was annotated is what is read. */
static void told_to_the_monitor(void **state)
{
	static const struct {
		const char *test, *shell, *args; /* args "": no check */
	} rows[] = {
		{"CMD|/check|-a b", "", "/check|-a b"},
		{"CMD-SHELL|a \"b\"", "", "/bin/sh|-c|a \"b\""},
		{"CMD-SHELL|a", "/bin/bash|-e|-c", "/bin/bash|-e|-c|a"},
		{"NONE", "", ""},
		{"", "", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct container_spec spec = {.health.on_failure = (char[]){"restart"}};
		cleanup_oci_config struct oci_runtime_config config = OCI_RUNTIME_CONFIG_INIT;
		cleanup_image_run struct image_run run = {.healthcheck = {.is_set = true,
									  .interval_ns = 7 * S,
									  .retries = 1LL << 40}};
		cleanup_strv struct strv args = STRV_INIT;
		cleanup_free char *got = NULL;
		struct health_rule rule = {};
		struct err err = ERR_INIT;

		split(&run.healthcheck.test, rows[i].test);
		split(&run.shell, rows[i].shell);
		health_annotate(&spec, &run, &config);
		assert_int_equal(health_load(&config, &rule, &args, &err), *rows[i].args != '\0');
		got = join(&args);
		assert_string_equal(got, rows[i].args);
		if (!*rows[i].args)
			continue;
		assert_int_equal(rule.interval_ns, 7 * S);
		assert_int_equal(rule.timeout_ns, 30 * S);
		assert_int_equal(rule.retries, UINT32_MAX);
		assert_int_equal(rule.action, HEALTH_ACTION_RESTART);
	}
}

static void a_damaged_note_is_an_error(void **state)
{
	static const char *const notes[] = {"", "{", "{}", "{\"args\":[]}", "{\"args\":[1]}"};

	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		cleanup_oci_config struct oci_runtime_config config = OCI_RUNTIME_CONFIG_INIT;
		cleanup_strv struct strv args = STRV_INIT;
		struct health_rule rule = {};
		struct err err = ERR_INIT;

		oci_annotate(&config, OCI_NOTE_HEALTH, notes[i]);
		assert_int_equal(health_load(&config, &rule, &args, &err), -ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged),
		cmocka_unit_test(numbers_that_were_not_typed_are_the_images),
		cmocka_unit_test(refused),
		cmocka_unit_test(told_to_the_monitor),
		cmocka_unit_test(a_damaged_note_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
