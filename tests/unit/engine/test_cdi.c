/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CDI: names, what files may say and what is refused, files that are none, and --gpus.
 */
#include "../unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/cdi.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char dirs[2][64];

static int make_dirs(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(dirs[i], sizeof(dirs[i]), "/tmp/tare-test-cdi.XXXXXX");
		if (!mkdtemp(dirs[i]))
			return -1;
	}
	return 0;
}

static int remove_dirs(void **state)
{
	fd_remove_tree_at(AT_FDCWD, dirs[0]);
	return fd_remove_tree_at(AT_FDCWD, dirs[1]);
}

static void put(size_t dir, const char *name, const char *text)
{
	cleanup_free char *path = str_printf("%s/%s", dirs[dir], name);

	assert_int_equal(fd_write_file_at(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

/* Applies one request; 0 or -code. */
static int apply(const char *driver, int64_t count, const char *id,
		 struct oci_runtime_config *config, struct err *err)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_strv struct strv where = STRV_INIT;
	struct device_request r = {.driver = str_dup(driver), .count = count};

	if (id)
		strv_add(&r.ids, id);
	if (!*driver)
		strv_add(&r.capabilities, "gpu");
	spec_add_request(&spec, &r);
	strv_add(&where, dirs[0]);
	strv_add(&where, dirs[1]);
	err_clear(err);
	return cdi_apply(&spec, &where, config, err);
}

#define FILE_OF(kind, edits)                                                            \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"" kind "\",\"devices\":[{\"name\":\"0\"," \
	"\"containerEdits\":" edits "}]}"

static void names(void **state)
{
	static const char *const good[] = {"vendor.com/class=name", "a/b=0", "v-1.x/c_d=gpu:1.2-3",
					   "nvidia.com/gpu=all"};
	static const char *const bad[] = {"",
					  "/dev/null",
					  "vendor.com/class",
					  "vendor.com/class=",
					  "/c=n",
					  "1v/c=n",
					  "v/=n",
					  "v/c=-n",
					  "v/c=n-",
					  "v/c=a/b",
					  "v/c=n:/dev/x",
					  "v /c=n",
					  "-v/c=n"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!cdi_name_is_valid(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (cdi_name_is_valid(bad[i]))
			fail_msg("%s", bad[i]);
}

static void all_edits(void **state)
{
	cleanup_oci_config struct oci_runtime_config config = {};
	struct err err = ERR_INIT;

	put(0, "a.json",
	    "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/c\",\"devices\":["
	    "{\"name\":\"x\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/"
	    "x\",\"type\":\"c\","
	    "\"major\":1,\"minor\":5,\"permissions\":\"rw\",\"fileMode\":384,\"gid\":7}]}},"
	    "{\"name\":\"y\",\"containerEdits\":{\"env\":[\"A=y\"]}}],"
	    "\"containerEdits\":{\"env\":[\"A=all\",\"B=b=c\"],\"mounts\":[{\"hostPath\":\"/lib/"
	    "x\","
	    "\"containerPath\":\"/usr/lib/x\",\"options\":[\"ro\",\"nosuid\"]}],"
	    "\"additionalGids\":[44]}}");
	strv_add(&config.env, "A=before");
	assert_int_equal(apply("cdi", 0, "v.com/c=x", &config, &err), 0);
	assert_int_equal(config.n_devices, 1);
	assert_string_equal(config.devices[0].path, "/dev/x");
	assert_int_equal(config.devices[0].dev, makedev(1, 5));
	assert_int_equal(config.devices[0].mode, S_IFCHR | 0600);
	assert_int_equal(config.devices[0].gid, 7);
	assert_int_equal(config.limits.n_devices, 1);
	assert_int_equal(config.limits.devices[0].access, DEVICE_READ | DEVICE_WRITE);
	assert_int_equal(config.env.n, 2);
	assert_string_equal(config.env.items[0], "A=all");
	assert_string_equal(config.env.items[1], "B=b=c");
	assert_int_equal(config.n_mounts, 1);
	assert_string_equal(config.mounts[0].source, "/lib/x");
	assert_string_equal(oci_annotation(&config, OCI_NOTE_GROUPS), "44");
	/* what is for all comes before what is for one */
	assert_int_equal(apply("cdi", 0, "v.com/c=y", &config, &err), 0);
	assert_string_equal(config.env.items[0], "A=y");
}

static void later_directory_counts(void **state)
{
	cleanup_oci_config struct oci_runtime_config config = {};
	struct err err = ERR_INIT;

	put(0, "a.json", FILE_OF("v.com/c", "{\"env\":[\"D=first\"]}"));
	put(1, "b.json", FILE_OF("v.com/c", "{\"env\":[\"D=second\"]}"));
	assert_int_equal(apply("cdi", 0, "v.com/c=0", &config, &err), 0);
	assert_string_equal(config.env.items[0], "D=second");
}

static void refused(void **state)
{
	static const struct {
		const char *edits, *text;
	} cases[] = {
		{"{\"hooks\":[{\"hookName\":\"createRuntime\",\"path\":\"/bin/sh\"}]}",
		 "it needs hooks"},
		{"{\"intelRdt\":{}}", "it needs intelRdt"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/"
		 "null\",\"type\":\"c\",\"major\":1099511627776,\"minor\":3}]}",
		 "unknown type or number"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/"
		 "null\",\"type\":\"c\",\"major\":-1,\"minor\":3}]}",
		 "unknown type or number"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/"
		 "null\",\"type\":\"zz\",\"major\":1,\"minor\":3}]}",
		 "unknown type or number"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/"
		 "null\",\"uid\":8589934592}]}",
		 "out of range"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/x\",\"hostPath\":\"/dev/null\",\"gid\":-4}]}",
		 "out of range"},
		{"{\"hooks\":{\"path\":\"/bin/sh\"}}", "has to be a list"},
		{"{\"deviceNodes\":\"x\"}", "has to be a list"},
		{"{\"mounts\":[{\"hostPath\":\"/etc\",\"containerPath\":\"//\"}]}",
		 "without absolute paths"},
		{"{\"env\":[\"=x\"]}", "no NAME=VALUE"},
		{"{\"env\":[\"x\"]}", "no NAME=VALUE"},
		{"{\"env\":[1]}", "no list of texts"},
		{"{\"deviceNodes\":[{\"path\":\"dev/x\"}]}", "without a path"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/null\",\"permissions\":\"rwx\"}]}",
		 "unknown permissions"},
		{"{\"deviceNodes\":[{\"path\":\"/etc/passwd\"}]}", "a device node that is none"},
		{"{\"deviceNodes\":[{\"path\":\"/dev/no-such-node\"}]}", "no such file"},
		{"{\"mounts\":[{\"hostPath\":\"../x\",\"containerPath\":\"/x\"}]}",
		 "absolute paths"},
		{"{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/\"}]}", "absolute paths"},
		{"{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/x\",\"options\":[{}]}]}",
		 "no list of texts"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_oci_config struct oci_runtime_config config = {};
		cleanup_free char *text = str_printf("{\"cdiVersion\":\"0.5.0\",\"kind\":\"v.com/"
						     "c\",\"devices\":[{\"name\":\"0\","
						     "\"containerEdits\":%s}]}",
						     cases[i].edits);
		struct err err = ERR_INIT;

		put(0, "a.json", text);
		assert_true(apply("cdi", 0, "v.com/c=0", &config, &err) < 0);
		if (!strstr(err.msg, cases[i].text) || !strstr(err.msg, "v.com/c=0"))
			fail_msg("'%s' is not in '%s'", cases[i].text, err.msg);
	}
}

/* Whatever lies there, the answer is docker's, and says what was ignored. */
static void files_that_are_none(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{",
		"{\"cdiVersion\":\"9.0\",\"kind\":\"v.com/c\",\"devices\":[]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"../c\",\"devices\":[]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/c\"}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/c\",\"devices\":[]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/c\",\"devices\":[{\"name\":\"../0\"}]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.com/c\",\"devices\":[{\"name\":\"0\"}]}",
	};
	cleanup_oci_config struct oci_runtime_config config = {};
	cleanup_free char *fifo = str_printf("%s/b.json", dirs[1]);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put(0, "a.json", texts[i]);
		assert_int_equal(apply("cdi", 0, "v.com/c=0", &config, &err), -ERR_NOT_FOUND);
		assert_string_equal(err.msg,
				    "CDI device injection failed: unresolvable CDI devices "
				    "v.com/c=0");
		assert_non_null(strstr(err.hint, "a.json was ignored: "));
	}
	/* nobody writes to it: it must not be waited for */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	put(1, "c.yaml", "kind: v.com/c\n");
	assert_int_equal(apply("cdi", 0, "v.com/c=0", &config, &err), -ERR_NOT_FOUND);
	assert_int_equal(config.n_devices + config.n_mounts + config.env.n, 0);
}

static void gpus(void **state)
{
	cleanup_oci_config struct oci_runtime_config config = {};
	struct err err = ERR_INIT;

	assert_int_equal(apply("", -1, NULL, &config, &err), -ERR_NOT_FOUND);
	assert_string_equal(err.msg,
			    "could not select device driver \"\" with capabilities: [[gpu]]");
	put(0, "n.json",
	    "{\"cdiVersion\":\"0.6.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":["
	    "{\"name\":\"0\",\"containerEdits\":{\"env\":[\"G0=\"]}},"
	    "{\"name\":\"all\",\"containerEdits\":{\"env\":[\"GALL=\"]}}]}");
	assert_int_equal(apply("", -1, NULL, &config, &err), 0);
	assert_string_equal(config.env.items[0], "GALL=");
	assert_int_equal(apply("", 1, NULL, &config, &err), 0);
	assert_string_equal(config.env.items[1], "G0=");
	assert_int_equal(apply("", 0, "all", &config, &err), 0);
	assert_int_equal(apply("", 2, NULL, &config, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "unresolvable CDI devices nvidia.com/gpu=1"));
}

#define WITH_DIRS(fn) cmocka_unit_test_setup_teardown(fn, make_dirs, remove_dirs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),	   WITH_DIRS(all_edits),
		WITH_DIRS(later_directory_counts), WITH_DIRS(refused),
		WITH_DIRS(files_that_are_none),	   WITH_DIRS(gpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
