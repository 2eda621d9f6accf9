/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tare version` and `tare --version`: docker's fields and layout, so that what parses one reads
 * the other. There is one program here; client and server are both it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "json/template.h"
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

#define STATUS_TEMPLATE 64 /* a template that does not parse */

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
	return tree;
}

static int print_format(struct cli *cli, const char *format, const struct utsname *host,
			struct err *err)
{
	static const struct template_env env = {.shape = &json_shape_struct};
	cleanup_template struct template *t = NULL;
	cleanup_json json_t *tree = version_tree(host);
	cleanup_str struct str out = STR_INIT;

	if (template_parse(strcmp(format, "json") == 0 ? "{{json .}}" : format, &t, err) < 0) {
		cli->exit_status = STATUS_TEMPLATE;
		return err_wrap(err, "template parsing error");
	}
	if (template_execute(t, tree, &env, &out, err) < 0)
		return -err->code;
	puts(str_get(&out));
	return 0;
}

int cmd_version(struct cli *cli, union verb_options *o, struct err *err)
{
	struct utsname host;

	uname(&host);
	if (o->inspect.format && o->inspect.format[0])
		return print_format(cli, o->inspect.format, &host, err);
	print_text(&host);
	return 0;
}
