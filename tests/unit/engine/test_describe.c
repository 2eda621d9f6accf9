/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's Config and HostConfig of a container, as golden text, and what templates see of members
 * that JSON leaves out.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/describe.h"
#include "engine/spec.h"
#include "json/dump.h"
#include "json/template.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void config_of_nothing(void **state)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_image_run struct image_run run = {};
	cleanup_free char *got = NULL;

	spec_init(&spec);
	spec.image = str_dup("busybox");
	got = describe_config(&spec, &run, ID);
	assert_string_equal(
		got, "{\"Hostname\":\"0123456789ab\",\"Domainname\":\"\",\"User\":\"\","
		     "\"AttachStdin\":false,\"AttachStdout\":true,\"AttachStderr\":true,"
		     "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,"
		     "\"Cmd\":null,\"Image\":\"busybox\",\"Volumes\":null,\"WorkingDir\":\"\","
		     "\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":{}}");
}

static void config_of_everything(void **state)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_image_run struct image_run run = {};
	cleanup_free char *got = NULL;

	spec_init(&spec);
	spec.image = str_dup("a/b:1");
	spec.hostname = str_dup("h");
	spec.domainname = str_dup("d");
	spec.tty = spec.open_stdin = spec.has_stop_timeout = true;
	spec.stop_timeout_s = 7;
	run.user = str_dup("1:2");
	run.working_dir = str_dup("/w");
	run.stop_signal = str_dup("INT");
	strv_add(&run.env, "A=\"x\"");
	strv_add(&run.cmd, "sh");
	strv_add(&run.entrypoint, "/e");
	image_set_add(&run.exposed_ports, "80/tcp");
	image_set_add(&run.exposed_ports, "53/udp");
	image_set_add(&run.volumes, "/v");
	image_run_set_label(&run, "b", "2");
	image_run_set_label(&run, "a", "1");
	got = describe_config(&spec, &run, ID);
	assert_string_equal(
		got,
		"{\"Hostname\":\"h\",\"Domainname\":\"d\",\"User\":\"1:2\","
		"\"AttachStdin\":true,\"AttachStdout\":true,\"AttachStderr\":true,"
		"\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},\"Tty\":true,"
		"\"OpenStdin\":true,\"StdinOnce\":true,\"Env\":[\"A=\\\"x\\\"\"],"
		"\"Cmd\":[\"sh\"],\"Image\":\"a/b:1\",\"Volumes\":{\"/v\":{}},"
		"\"WorkingDir\":\"/w\",\"Entrypoint\":[\"/e\"],\"OnBuild\":null,"
		"\"Labels\":{\"a\":\"1\",\"b\":\"2\"},\"StopSignal\":\"INT\",\"StopTimeout\":7}");
}

static void detached_attaches_nothing(void **state)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_image_run struct image_run run = {};
	cleanup_free char *got = NULL;

	spec_init(&spec);
	spec.detach = spec.open_stdin = true;
	got = describe_config(&spec, &run, ID);
	assert_has(got, "\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false");
	assert_has(got, "\"OpenStdin\":true,\"StdinOnce\":false");
}

/* The members of every container and their order; the two lists of paths are the defaults' own. */
static const char host_default[] =
	"{\"Binds\":null,\"ContainerIDFile\":\"\",\"LogConfig\":{\"Type\":\"json-file\",\"Config\":"
	"{}},"
	"\"NetworkMode\":\"bridge\",\"PortBindings\":{},\"RestartPolicy\":{\"Name\":\"no\","
	"\"MaximumRetryCount\":0},\"AutoRemove\":false,\"VolumeDriver\":\"\",\"VolumesFrom\":null,"
	"\"ConsoleSize\":[0,0],\"CapAdd\":null,\"CapDrop\":null,\"CgroupnsMode\":\"private\","
	"\"Dns\":[],"
	"\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":null,\"GroupAdd\":null,\"IpcMode\":"
	"\"private\","
	"\"Cgroup\":\"\",\"Links\":null,\"OomScoreAdj\":0,\"PidMode\":\"\",\"Privileged\":false,"
	"\"PublishAllPorts\":false,\"ReadonlyRootfs\":false,\"SecurityOpt\":null,\"UTSMode\":\"\","
	"\"UsernsMode\":\"\",\"ShmSize\":67108864,\"Runtime\":\"tare\",\"Isolation\":\"\","
	"\"CpuShares\":0,"
	"\"Memory\":0,\"NanoCpus\":0,\"CgroupParent\":\"\",\"BlkioWeight\":0,\"BlkioWeightDevice\":"
	"[],"
	"\"BlkioDeviceReadBps\":[],\"BlkioDeviceWriteBps\":[],\"BlkioDeviceReadIOps\":[],"
	"\"BlkioDeviceWriteIOps\":[],\"CpuPeriod\":0,\"CpuQuota\":0,\"CpuRealtimePeriod\":0,"
	"\"CpuRealtimeRuntime\":0,\"CpusetCpus\":\"\",\"CpusetMems\":\"\",\"Devices\":[],"
	"\"DeviceCgroupRules\":null,\"DeviceRequests\":null,\"MemoryReservation\":0,\"MemorySwap\":"
	"0,"
	"\"MemorySwappiness\":null,\"OomKillDisable\":false,\"PidsLimit\":null,\"Ulimits\":[],"
	"\"CpuCount\":0,\"CpuPercent\":0,\"IOMaximumIOps\":0,\"IOMaximumBandwidth\":0,"
	"\"MaskedPaths\":[\"/proc/acpi\"";

static void host_of_nothing(void **state)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_free char *got = NULL;
	cleanup_json json_t *tree = NULL;
	struct err err = ERR_INIT;

	spec_init(&spec);
	got = describe_host(&spec, "box");
	assert_true(str_has_prefix(got, host_default));
	assert_int_equal(json_parse(got, strlen(got), 1 << 20, "host", &tree, &err), 0);
	assert_null(json_get(tree, "Init"));
	assert_null(json_get(tree, "Mounts"));
	assert_string_equal(json_get_string(tree, "ReadonlyPaths.0", ""), "/proc/bus");
}

static void add_mounts(struct container_spec *spec)
{
	struct mount_spec bind = {.type = MOUNT_BIND, .from_option_v = true};
	struct mount_spec other = {.type = MOUNT_BIND, .read_only = true, .has_bind_options = true};
	struct mount_spec tmpfs = {.type = MOUNT_TMPFS, .from_tmpfs = true};

	bind.source = str_dup("/s");
	bind.target = str_dup("/t");
	bind.mode = str_dup("ro");
	other.source = str_dup("/a");
	other.target = str_dup("/b");
	other.propagation = str_dup("rslave");
	tmpfs.target = str_dup("/tmp");
	tmpfs.mode = str_dup("size=1m");
	spec_add_mount(spec, &bind);
	spec_add_mount(spec, &other);
	spec_add_mount(spec, &tmpfs);
}

static void host_parts(void **state)
{
	static const char *const parts[] = {
		"\"Binds\":[\"/s:/t:ro\"]",
		"\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/"
		"b\",\"ReadOnly\":true,"
		"\"BindOptions\":{\"Propagation\":\"rslave\"}}]",
		"\"Tmpfs\":{\"/tmp\":\"size=1m\"}",
		"\"CapAdd\":[\"ALL\",\"CAP_NET_ADMIN\"],\"CapDrop\":[\"CAP_CHOWN\"]",
		"\"Sysctls\":{\"a.b\":\"2\",\"c\":\"\"}",
		"\"Ulimits\":[{\"Name\":\"nofile\",\"Hard\":20,\"Soft\":10}]",
		"\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/sda\",\"Rate\":5}]",
		"\"BlkioWeightDevice\":[{\"Path\":\"/dev/sdb\",\"Weight\":6}]",
		"\"Memory\":100,",
		"\"MemorySwap\":200,\"MemorySwappiness\":30,",
		"\"PidsLimit\":null,",
		"\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}",
		"\"PortBindings\":{\"53/udp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}],\"80/"
		"tcp\":[{\"HostIp\":"
		"\"127.0.0.1\",\"HostPort\":\"8080\"},{\"HostIp\":\"\",\"HostPort\":\"90-91\"}]}",
		"\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1m\"}}",
		"\"NetworkMode\":\"host\"",
		"\"Init\":true}",
	};
	cleanup_spec struct container_spec spec = {};
	cleanup_free char *got = NULL;
	struct ulimit_spec limit = {.soft = 10, .hard = 20};
	struct port_spec ports[] = {
		{.has_host = true,
		 .host_first = 8080,
		 .host_last = 8080,
		 .container_port = 80,
		 .proto = "tcp"},
		{.container_port = 53, .proto = "udp"},
		{.host_first = 90, .host_last = 91, .container_port = 80, .proto = "tcp"},
	};
	struct err err = ERR_INIT;

	spec_init(&spec);
	add_mounts(&spec);
	strv_add(&spec.cap_add, "net_admin");
	strv_add(&spec.cap_add, "CAP_NET_ADMIN");
	strv_add(&spec.cap_add, "all");
	strv_add(&spec.cap_drop, "chown");
	strv_add(&spec.cap_drop, "NET_ADMIN");
	strv_add(&spec.sysctls, "c");
	strv_add(&spec.sysctls, "a.b=1");
	strv_add(&spec.sysctls, "a.b=2");
	limit.name = str_dup("nofile");
	spec_set_ulimit(&spec, &limit);
	throttle_add(&spec.device_read_bps, "/dev/sda", 5);
	throttle_add(&spec.blkio_weight_device, "/dev/sdb", 6);
	spec.memory = 100;
	spec.memory_swappiness = 30;
	spec.has_pids_limit = spec.init = true;
	spec.pids_limit = -1;
	assert_int_equal(spec_parse_restart(&spec, "on-failure:3", &err), 0);
	ports[0].host_ip = str_dup("127.0.0.1");
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		spec_add_port(&spec, &ports[i]);
	strv_add(&spec.log_options, "max-size=1m");
	spec_add_network(&spec, &(struct endpoint_request){.network = str_dup("host")});
	got = describe_host(&spec, "box");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_has(got, parts[i]);
}

static void unconfined(void **state)
{
	static const struct {
		bool privileged;
		const char *option, *security, *paths;
	} rows[] = {
		{true, NULL, "\"SecurityOpt\":[\"label=disable\"]",
		 "\"MaskedPaths\":null,\"ReadonlyPaths\":null"},
		{false, "systempaths=unconfined", "\"SecurityOpt\":null",
		 "\"MaskedPaths\":[],\"ReadonlyPaths\":[]"},
		{false, "no-new-privileges", "\"SecurityOpt\":[\"no-new-privileges\"]",
		 "\"MaskedPaths\":[\"/proc/acpi\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_spec struct container_spec spec = {};
		cleanup_free char *got = NULL;

		spec_init(&spec);
		spec.privileged = rows[i].privileged;
		if (rows[i].option)
			strv_add(&spec.security_options, rows[i].option);
		got = describe_host(&spec, "box");
		assert_has(got, rows[i].security);
		assert_has(got, rows[i].paths);
	}
}

/* What a template prints of an object in which everything optional is missing. */
static void nil_members(void **state)
{
	static const struct {
		const char *template, *output;
	} rows[] = {
		{"{{.State.Health}}", "<nil>"},
		{"{{.Config.Entrypoint}}", "[]"},
		{"{{.Config.ExposedPorts}}", "map[]"},
		{"{{.HostConfig.Tmpfs}}", "map[]"},
		{"{{.HostConfig.Init}}", "<nil>"},
		{"{{.Config.StopSignal}}", ""},
		{"{{json .Config.Entrypoint}}", "null"},
		{"{{range .Mounts}}[{{.Name}}]{{.Source}}{{json .}}{{end}}",
		 "[]/s{\"Source\":\"/s\"}"},
	};
	cleanup_json json_t *object = json_pack("{s:{},s:{s:n},s:{},s:[{s:s}]}", "State", "Config",
						"Entrypoint", "HostConfig", "Mounts", "Source",
						"/s");
	cleanup_json json_t *typed = describe_with_nil_members(object, &container_shape);
	const struct template_env env = {.shape = &container_shape};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_template struct template *t = NULL;
		cleanup_str struct str out = STR_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(template_parse(rows[i].template, &t, &err), 0);
		assert_int_equal(template_execute(t, typed, &env, &out, &err), 0);
		assert_string_equal(str_get(&out), rows[i].output);
	}
	/* The object itself, which is what is printed as JSON, has not changed. */
	assert_null(json_get(object, "State.Health"));
	assert_string_equal(describe_go_alias("NanoCPUs"), "NanoCpus");
	assert_null(describe_go_alias("Name"));
	assert_true(describe_is_json_name("NanoCpus"));
	assert_false(describe_is_json_name("NanoCPUs"));
}

/* docker's types of a health check: durations, and what was left out. */
static void health_members(void **state)
{
	static const struct {
		const char *template, *output;
	} rows[] = {
		{"{{.Config.Healthcheck.Interval}}", "1m30s"},
		{"{{printf \"%s|%d|%6v\" .Config.Healthcheck.Interval .Config.Healthcheck.Interval "
		 ".Config.Healthcheck.Timeout}}",
		 "1m30s|90000000000|    0s"},
		{"{{.Config.Healthcheck.Retries}} {{.Config.Healthcheck.Test}}", "0 [CMD true]"},
		{"{{json .Config.Healthcheck}}",
		 "{\"Test\":[\"CMD\",\"true\"],\"Interval\":90000000000}"},
		{"{{.State.Health}}", "{starting 0 []}"},
		{"{{len .State.Health.Log}}", "0"},
	};
	cleanup_json json_t *object = json_pack(
		"{s:{s:{s:s,s:i,s:[]}},s:{s:{s:[s,s],s:I}},s:{}}", "State", "Health", "Status",
		"starting", "FailingStreak", 0, "Log", "Config", "Healthcheck", "Test", "CMD",
		"true", "Interval", (json_int_t)90000000000, "HostConfig");
	cleanup_json json_t *typed = describe_with_nil_members(object, &container_shape);
	const struct template_env env = {.shape = &container_shape};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_template struct template *t = NULL;
		cleanup_str struct str out = STR_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(template_parse(rows[i].template, &t, &err), 0);
		assert_int_equal(template_execute(t, typed, &env, &out, &err), 0);
		assert_string_equal(str_get(&out), rows[i].output);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_of_nothing),
		cmocka_unit_test(config_of_everything),
		cmocka_unit_test(detached_attaches_nothing),
		cmocka_unit_test(host_of_nothing),
		cmocka_unit_test(host_parts),
		cmocka_unit_test(unconfined),
		cmocka_unit_test(nil_members),
		cmocka_unit_test(health_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
