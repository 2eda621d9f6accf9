/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tare version` and `tare --version`: docker's fields and layout, so that what parses one reads
 * the other. There is one program here; client and server are both it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/list_common.h"
#include "cli/verbs.h"
#include "json/dump.h"
#include "json/value.h"

#include <stdio.h>
#include <sys/utsname.h>

#ifndef TARE_VERSION
#define TARE_VERSION "0.0.0"
#endif
#ifndef TARE_BUILD
#define TARE_BUILD "unknown"
#endif

/* The Docker Engine API whose behaviour is followed; clients compare these numbers. */
#define API_VERSION	"1.50"
#define API_VERSION_MIN "1.24"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

void version_print_line(void)
{
	puts(PROGRAM " version " TARE_VERSION ", build " TARE_BUILD);
}

/* Go's names of processors. */
static const char *machine_arch(const char *machine)
{
	static const struct {
		const char *machine, *arch;
	} names[] = {
		{"x86_64", "amd64"},
		{"aarch64", "arm64"},
		{"i686", "386"},
		{"armv7l", "arm"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(machine, names[i].machine) == 0)
			return names[i].arch;
	return machine;
}

static void print_text(const struct utsname *host)
{
	const char *arch = machine_arch(host->machine);

	printf("Client:\n"
	       " Version:           %s\n"
	       " API version:       %s\n"
	       " Compiler:          %s\n"
	       " Git commit:        %s\n"
	       " OS/Arch:           linux/%s\n"
	       " Context:           default\n",
	       TARE_VERSION, API_VERSION, COMPILER, TARE_BUILD, arch);
	printf("\nServer: none, every command does its own work\n"
	       " Engine:\n"
	       "  Version:          %s\n"
	       "  API version:      %s (minimum version %s)\n"
	       "  Git commit:       %s\n"
	       "  OS/Arch:          linux/%s\n"
	       "  Kernel version:   %s\n"
	       "  Experimental:     false\n",
	       TARE_VERSION, API_VERSION, API_VERSION_MIN, TARE_BUILD, arch, host->release);
}

struct pair {
	const char *key, *value;
};

static json_t *new_object(const struct pair *pairs, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++)
		json_set_text(object, pairs[i].key, pairs[i].value);
	return object;
}

/* The tree of `docker version`; owned. */
static json_t *version_tree(const struct utsname *host)
{
	const char *arch = machine_arch(host->machine);
	const struct pair client[] = {
		{"Platform", NULL},
		{"Version", TARE_VERSION},
		{"ApiVersion", API_VERSION},
		{"DefaultAPIVersion", API_VERSION},
		{"GitCommit", TARE_BUILD},
		{"GoVersion", ""},
		{"Os", "linux"},
		{"Arch", arch},
		{"BuildTime", ""},
		{"Context", "default"},
	};
	const struct pair server[] = {
		{"Platform", NULL},
		{"Components", NULL},
		{"Version", TARE_VERSION},
		{"ApiVersion", API_VERSION},
		{"MinAPIVersion", API_VERSION_MIN},
		{"GitCommit", TARE_BUILD},
		{"GoVersion", ""},
		{"Os", "linux"},
		{"Arch", arch},
		{"KernelVersion", host->release},
		{"BuildTime", ""},
	};
	const struct pair platform[] = {{"Name", PROGRAM}};
	json_t *tree = json_object();

	json_object_set_new(tree, "Client", new_object(client, ARRAY_LEN(client)));
	json_object_set_new(tree, "Server", new_object(server, ARRAY_LEN(server)));
	json_object_set_new(json_get(tree, "Client"), "Platform", new_object(platform, 1));
	json_object_set_new(json_get(tree, "Server"), "Platform", new_object(platform, 1));
	json_object_set_new(json_get(tree, "Server"), "Components", json_array());
	return tree;
}

static const struct json_field server_fields[] = {
	{"Components", &json_shape_structs},
	{NULL, NULL},
};
static const struct json_shape server_shape = {SHAPE_STRUCT, "*types.Version", NULL, server_fields};
static const struct json_shape client_shape = {SHAPE_STRUCT, "system.clientVersion", NULL, NULL};
static const struct json_field version_fields[] = {
	{"Client", &client_shape},
	{"Server", &server_shape},
	{NULL, NULL},
};
static const struct json_shape version_shape = {SHAPE_STRUCT, "system.versionInfo", NULL,
						version_fields};

const char *version_text(void)
{
	return TARE_VERSION;
}

int cmd_version(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_json json_t *object = NULL;
	const char *format = o->inspect.format;
	struct utsname host;

	uname(&host);
	if (!format || !*format) {
		print_text(&host);
		return 0;
	}
	object = version_tree(&host);
	return object_print(cli, "version", format, object, &version_shape, err);
}
