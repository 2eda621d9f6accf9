/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info as docker lays it out: one table of lines for each part.
 */
#include "cli/info_text.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "json/value.h"

#include <stdio.h>

#define MEMORY_DIGITS 4

static const char *truth(bool on)
{
	return on ? "true" : "false";
}

/* One line "INDENT TITLE: VALUE" of the member at PATH. */
struct text_row {
	const char *title, *path;
};

static void print_value(const char *title, const json_t *value)
{
	if (json_is_integer(value))
		printf("%s: %" JSON_INTEGER_FORMAT "\n", title, json_integer_value(value));
	else if (json_is_boolean(value))
		printf("%s: %s\n", title, truth(json_is_true(value)));
	else
		printf("%s: %s\n", title, json_is_string(value) ? json_string_value(value) : "");
}

static void print_rows(const json_t *object, const struct text_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		print_value(rows[i].title, json_get(object, rows[i].path));
}

/* "TITLE: a b c"; nothing for a null. */
static void print_words(const char *title, const json_t *list)
{
	const json_t *word = NULL;
	size_t i = 0;

	if (!json_is_array(list))
		return;
	printf("%s:", title);
	json_array_foreach (list, i, word)
		printf(" %s", json_string_value(word));
	puts("");
}

static void print_storage(const json_t *o)
{
	const json_t *pair = NULL;
	size_t i = 0;

	json_array_foreach (json_object_get(o, "DriverStatus"), i, pair)
		printf("  %s: %s\n", json_string_value(json_array_get(pair, 0)),
		       json_string_value(json_array_get(pair, 1)));
}

static void print_runtimes(const json_t *o)
{
	const char *name = NULL;
	json_t *runtime = NULL;

	printf(" Runtimes:");
	json_object_foreach (json_object_get(o, "Runtimes"), name, runtime)
		printf(" %s", name);
	puts("");
}

/* "name=seccomp,profile=builtin" is a line for the name, and one for each of its pairs. */
static void print_security(const json_t *o)
{
	const json_t *option = NULL;
	size_t i = 0;

	puts(" Security Options:");
	json_array_foreach (json_object_get(o, "SecurityOptions"), i, option) {
		cleanup_strv struct strv parts = STRV_INIT;

		strv_split(&parts, json_string_value(option), ',');
		strv_foreach (k, &parts) {
			const char *value = strchrnul(parts.items[k], '=');

			if (str_has_prefix(parts.items[k], "name="))
				printf("  %s\n", value + 1);
			else
				printf("   %c%.*s: %s\n", parts.items[k][0] & ~0x20,
				       (int)(value - parts.items[k]) - 1, parts.items[k] + 1,
				       value + 1);
		}
	}
}

static void print_host(const json_t *o)
{
	static const struct text_row before[] = {
		{" Kernel Version", "KernelVersion"},
		{" Operating System", "OperatingSystem"},
		{" OSType", "OSType"},
		{" Architecture", "Architecture"},
		{" CPUs", "NCPU"},
	};
	static const struct text_row after[] = {
		{" Name", "Name"},
		{" ID", "ID"},
		{" Docker Root Dir", "DockerRootDir"},
		{" Debug Mode", "Debug"},
		{" Experimental", "ExperimentalBuild"},
		{" Live Restore Enabled", "LiveRestoreEnabled"},
	};
	char memory[32];

	print_rows(o, before, ARRAY_LEN(before));
	num_format_size_binary((double)json_get_int(o, "MemTotal", 0), MEMORY_DIGITS, memory,
			       sizeof(memory));
	printf(" Total Memory: %s\n", memory);
	print_rows(o, after, ARRAY_LEN(after));
	puts("");
}

static void print_engine(const json_t *o)
{
	static const struct text_row counts[] = {
		{" Containers", "Containers"},
		{"  Running", "ContainersRunning"},
		{"  Paused", "ContainersPaused"},
		{"  Stopped", "ContainersStopped"},
		{" Images", "Images"},
		{" Server Version", "ServerVersion"},
		{" Storage Driver", "Driver"},
	};
	static const struct text_row drivers[] = {
		{" Logging Driver", "LoggingDriver"},
		{" Cgroup Driver", "CgroupDriver"},
		{" Cgroup Version", "CgroupVersion"},
	};
	static const struct text_row runtime[] = {
		{" Default Runtime", "DefaultRuntime"},
		{" Init Binary", "InitBinary"},
		{" containerd version", "ContainerdCommit.ID"},
		{" runc version", "RuncCommit.ID"},
		{" init version", "InitCommit.ID"},
	};

	print_rows(o, counts, ARRAY_LEN(counts));
	print_storage(o);
	print_rows(o, drivers, ARRAY_LEN(drivers));
	puts(" Plugins:");
	print_words("  Volume", json_get(o, "Plugins.Volume"));
	print_words("  Network", json_get(o, "Plugins.Network"));
	print_words("  Log", json_get(o, "Plugins.Log"));
	print_value(" Swarm", json_get(o, "Swarm.LocalNodeState"));
	print_runtimes(o);
	print_rows(o, runtime, ARRAY_LEN(runtime));
	print_security(o);
}

void info_print_text(const json_t *info)
{
	const json_t *o = info;
	const json_t *warning = NULL;
	size_t i = 0;

	puts("Client:");
	printf(" Version:    %s\n", json_get_string(o, "ClientInfo.Version", ""));
	printf(" Context:    %s\n", json_get_string(o, "ClientInfo.Context", ""));
	print_value(" Debug Mode", json_get(o, "ClientInfo.Debug"));
	puts("\nServer:");
	print_engine(o);
	print_host(o);
	fflush(stdout);
	json_array_foreach (json_object_get(o, "Warnings"), i, warning)
		fprintf(stderr, "%s\n", json_string_value(warning));
}
