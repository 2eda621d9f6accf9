/* SPDX-License-Identifier: Apache-2.0 */
/* import -c: each instruction in its forms, onto an image with ENV A=1. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/change.h"
#include "oci/document.h"
#include "oci/image_config.h"

static int apply(const char *line, struct image_run *run, struct err *err)
{
	cleanup_strv struct strv changes = STRV_INIT;

	strv_add(&changes, line);
	return changes_apply(&changes, run, err);
}

/* KEY of the configuration after LINE, as JSON. */
static void accepts(void **state)
{
	static const struct {
		const char *line;
		const char *key;
		const char *json;
	} rows[] = {
		{"CMD echo $A", "Cmd", "[\"/bin/sh\",\"-c\",\"echo $A\"]"},
		{"cmd [\"a\", \"b c\"]", "Cmd", "[\"a\",\"b c\"]"},
		{"CMD [a]", "Cmd", "[\"/bin/sh\",\"-c\",\"[a]\"]"},
		{"CMD []", "Cmd", "[]"},
		{"  CMD   x  y ", "Cmd", "[\"/bin/sh\",\"-c\",\"x  y\"]"},
		{"ENTRYPOINT [\"/e\"]", "Entrypoint", "[\"/e\"]"},
		{"ENTRYPOINT e f", "Entrypoint", "[\"/bin/sh\",\"-c\",\"e f\"]"},
		{"ENV B=2", "Env", "[\"A=1\",\"B=2\"]"},
		{"ENV A=2", "Env", "[\"A=2\"]"},
		{"ENV B=2 C=\"x y\" D='$A' E=$A", "Env",
		 "[\"A=1\",\"B=2\",\"C=x y\",\"D=$A\",\"E=1\"]"},
		{"ENV B x y", "Env", "[\"A=1\",\"B=x y\"]"},
		{"ENV B=${A}0 C=${N:-no} D=${A:+yes}", "Env",
		 "[\"A=1\",\"B=10\",\"C=no\",\"D=yes\"]"},
		{"ENV B=x\\ y", "Env", "[\"A=1\",\"B=x y\"]"},
		{"ENV B=\"a\\\"b\\n\"", "Env", "[\"A=1\",\"B=a\\\"b\\\\n\"]"},
		{"ENV B=", "Env", "[\"A=1\",\"B=\"]"},
		{"ENV B=a=b", "Env", "[\"A=1\",\"B=a=b\"]"},
		{"ENV B=\\$A", "Env", "[\"A=1\",\"B=$A\"]"},
		{"LABEL a=b \"c d\"=\"e f\"", "Labels", "{\"a\":\"b\",\"c d\":\"e f\"}"},
		{"LABEL a b c", "Labels", "{\"a\":\"b c\"}"},
		{"LABEL io.tare.x=1 y=2", "Labels", "{\"y\":\"2\"}"},
		{"EXPOSE 80 53/udp", "ExposedPorts", "{\"53/udp\":{},\"80/tcp\":{}}"},
		{"EXPOSE 80/TCP", "ExposedPorts", "{\"80/tcp\":{}}"},
		{"EXPOSE 90-92/sctp", "ExposedPorts",
		 "{\"90/sctp\":{},\"91/sctp\":{},\"92/sctp\":{}}"},
		{"EXPOSE 8$A", "ExposedPorts", "{\"81/tcp\":{}}"},
		{"USER me:us", "User", "\"me:us\""},
		{"WORKDIR /a/./b/../c/", "WorkingDir", "\"/a/c\""},
		{"WORKDIR x", "WorkingDir", "\"/x\""},
		{"WORKDIR /../..", "WorkingDir", "\"/\""},
		{"STOPSIGNAL SIGUSR1", "StopSignal", "\"SIGUSR1\""},
		{"STOPSIGNAL 9", "StopSignal", "\"9\""},
		{"VOLUME /b /a", "Volumes", "{\"/a\":{},\"/b\":{}}"},
		{"VOLUME [\"/a b\"]", "Volumes", "{\"/a b\":{}}"},
		{"ONBUILD RUN x", "OnBuild", "[\"RUN x\"]"},
		{"HEALTHCHECK NONE", "Healthcheck", "{\"Test\":[\"NONE\"]}"},
		{"HEALTHCHECK --interval=5s NONE", "Healthcheck", "{\"Test\":[\"NONE\"]}"},
		{"HEALTHCHECK --interval= CMD a", "Healthcheck",
		 "{\"Test\":[\"CMD-SHELL\",\"a\"]}"},
		{"HEALTHCHECK --retries=0 CMD a", "Healthcheck",
		 "{\"Test\":[\"CMD-SHELL\",\"a\"]}"},
		{"ONBUILD  RUN <<E cat\nx\nE", "OnBuild", "[\"RUN <<E cat\\nx\\nE\"]"},
		{"EXPOSE 127.0.0.1:80:81", "ExposedPorts", "{\"81/tcp\":{}}"},
		{"HEALTHCHECK CMD a b", "Healthcheck", "{\"Test\":[\"CMD-SHELL\",\"a b\"]}"},
		{"HEALTHCHECK --interval=5s --retries=3 CMD [\"a\"]", "Healthcheck",
		 "{\"Test\":[\"CMD\",\"a\"],\"Interval\":5000000000,\"Retries\":3}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_run struct image_run run = {};
		cleanup_json json_t *o = NULL;
		cleanup_free char *actual = NULL;
		struct err err = ERR_INIT;

		image_run_set_env(&run, "A", "1");
		if (apply(rows[i].line, &run, &err) < 0)
			fail_msg("%s: %s", rows[i].line, err.msg);
		o = image_run_to_json(&run);
		actual = json_dumps(json_object_get(o, rows[i].key),
				    JSON_COMPACT | JSON_ENCODE_ANY);
		assert_string_equal(actual, rows[i].json);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} rows[] = {
		{"", "file with no instructions"},
		{"RUN x", "run is not a valid change command"},
		{"CMD [\"a\", 1]",
		 "when using JSON array syntax, arrays must be comprised of strings only"},
		{"ENTRYPOINT [null]",
		 "when using JSON array syntax, arrays must be comprised of strings only"},
		{"VOLUME [\"/a\", [\"b\"]]",
		 "when using JSON array syntax, arrays must be comprised of strings only"},
		{"HEALTHCHECK CMD [1]",
		 "when using JSON array syntax, arrays must be comprised of strings only"},
		{"RUM x", "rum is not a valid change command"},
		{"ENV a=b\nRUN x", "run is not a valid change command"},
		{"From x", "from is not a valid change command"},
		{"SHELL [\"x\"]", "shell is not a valid change command"},
		{"ENV", "ENV requires at least one argument"},
		{"ENV A", "ENV must have two arguments"},
		{"ENV A=1 B",
		 "Syntax error - can't find = in \"B\". Must be of the form: name=value"},
		{"ENV =1", "ENV names can not be blank"},
		{"ENV A=\"x",
		 "failed to process \"\\\"x\": unexpected end of statement while looking for "
		 "matching double-quote"},
		{"ENV A=${x", "failed to process \"${x\": syntax error: missing '}'"},
		{"ENV A=${x:?y}", "failed to process \"${x:?y}\": x: y"},
		{"LABEL", "LABEL requires at least one argument"},
		{"EXPOSE", "EXPOSE requires at least one argument"},
		{"EXPOSE x", "invalid containerPort: x"},
		{"EXPOSE 80000", "invalid containerPort: 80000"},
		{"EXPOSE 9-8", "invalid containerPort: 9-8"},
		{"EXPOSE 80/x", "invalid proto: x"},
		{"USER", "USER requires exactly one argument"},
		{"WORKDIR", "WORKDIR requires exactly one argument"},
		{"STOPSIGNAL a/b", "invalid signal: a/b"},
		{"VOLUME", "VOLUME requires at least one argument"},
		{"VOLUME [\"\"]", "VOLUME specified can not be an empty string"},
		{"ONBUILD", "ONBUILD requires at least one argument"},
		{"ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
		{"ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"},
		{"HEALTHCHECK", "HEALTHCHECK requires at least one argument"},
		{"HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"},
		{"HEALTHCHECK X y", "Unknown type \"X\" in HEALTHCHECK (try CMD)"},
		{"HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK --interval=5s", "HEALTHCHECK requires at least one argument"},
		{"HEALTHCHECK --x=1 CMD y", "unknown flag: --x"},
		{"HEALTHCHECK --interval CMD y", "missing a value on flag: --interval"},
		{"HEALTHCHECK --interval=1s --interval=2s CMD y",
		 "duplicate flag specified: --interval"},
		{"HEALTHCHECK --interval=x CMD y", "time: invalid duration \"x\""},
		{"HEALTHCHECK --interval=5 CMD y", "time: missing unit in duration \"5\""},
		{"HEALTHCHECK --interval=10us CMD y",
		 "Interval \"interval\" cannot be less than 1ms"},
		{"HEALTHCHECK --start-period=-1s CMD y",
		 "Interval \"start-period\" cannot be less than 1ms"},
		{"HEALTHCHECK --retries=-1 CMD y", "--retries cannot be negative (-1)"},
		{"HEALTHCHECK --retries=x CMD y",
		 "strconv.ParseInt: parsing \"x\": invalid syntax"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_run struct image_run run = {};
		struct err err = ERR_INIT;

		assert_int_equal(apply(rows[i].line, &run, &err), -ERR_INVALID);
		assert_string_equal(err.msg, rows[i].message);
	}
}

/* What `import -c` makes of several of them; docker's answers. */
static void reads_lines(void **state)
{
	static const struct {
		const char *changes[3];
		const char *key;
		const char *json;
	} rows[] = {
		{{"ENV a=b\nENV c=d"}, "Env", "[\"a=b\",\"c=d\"]"},
		{{"ENV a=b \\\n c=d"}, "Env", "[\"a=b\",\"c=d\"]"},
		{{"CMD a \\", "b"}, "Cmd", "[\"/bin/sh\",\"-c\",\"a b\"]"},
		{{"CMD a \\\n# comment\n b"}, "Cmd", "[\"/bin/sh\",\"-c\",\"a  b\"]"},
		{{"CMD a \\\n\n b"}, "Cmd", "[\"/bin/sh\",\"-c\",\"a  b\"]"},
		{{"CMD a \\ \n b"}, "Cmd", "[\"/bin/sh\",\"-c\",\"a  b\"]"},
		{{"CMD a \\"}, "Cmd", "[\"/bin/sh\",\"-c\",\"a\"]"},
		{{"CMD []"}, "Cmd", "[]"},
		{{"CMD [\"a\"]", "ENTRYPOINT [\"e\"]"}, "Cmd", "[\"a\"]"},
		{{" # one", "user u "}, "User", "\"u\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_run struct image_run run = {};
		cleanup_strv struct strv changes = STRV_INIT;
		cleanup_json json_t *o = NULL;
		cleanup_free char *actual = NULL;
		struct err err = ERR_INIT;

		for (size_t k = 0; k < 3 && rows[i].changes[k]; k++)
			strv_add(&changes, rows[i].changes[k]);
		if (changes_apply(&changes, &run, &err) < 0)
			fail_msg("%s: %s", rows[i].changes[0], err.msg);
		o = image_run_to_json(&run);
		actual = json_dumps(json_object_get(o, rows[i].key),
				    JSON_COMPACT | JSON_ENCODE_ANY);
		assert_string_equal(actual, rows[i].json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
