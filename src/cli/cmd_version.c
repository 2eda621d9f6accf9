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
#include "engine/describe.h"
#include "sys/process.h"
#include "json/dump.h"
#include "json/value.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

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

/* When this program was linked or installed, which its file knows: a build that puts a date into
 * itself is another program every day. 0: nobody knows. */
static time_t build_time(void)
{
	struct stat st;

	return stat(process_exe(), &st) == 0 ? st.st_mtime : 0; /* lint: the program's own file */
}

/* Owned "Fri May 30 12:07:14 2025", as docker's client and engine show theirs. */
static char *build_date(void)
{
	time_t when = build_time();
	char text[64];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	return str_dup(text);
}

/* Owned "2026-05-07T21:09:36.000000000+00:00". */
static char *build_stamp(void)
{
	time_t when = build_time();
	char text[64];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000000000+00:00", &tm);
	return str_dup(text);
}

struct pair {
	const char *key, *value;
};

static json_t *set_all(json_t *object, const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_set_text(object, pairs[i].key, pairs[i].value);
	return object;
}

/* ---- the object ---- */

/* The member that docker calls GoVersion is what the program was made with. */
static void describe_client(json_t *client, bool with_api)
{
	cleanup_free char *built = build_date();
	struct utsname host;

	uname(&host);
	const struct pair version[] = {{"Version", TARE_VERSION}};
	const struct pair api[] = {{"ApiVersion", API_VERSION}};
	const struct pair rest[] = {
		{"DefaultAPIVersion", API_VERSION},
		{"GitCommit", TARE_BUILD},
		{"GoVersion", COMPILER},
		{"Os", "linux"},
		{"Arch", machine_arch(host.machine)},
		{"BuildTime", built},
		{"Context", "default"},
	};

	set_all(client, version, 1);
	if (with_api)
		set_all(client, api, 1);
	set_all(client, rest, ARRAY_LEN(rest));
}

void version_describe_client(json_t *client)
{
	describe_client(client, false);
}

static json_t *new_engine(const struct utsname *host)
{
	cleanup_free char *built = build_date();
	const struct pair engine[] = {{"Name", "Engine"}, {"Version", TARE_VERSION}};
	const struct pair details[] = {
		{"ApiVersion", API_VERSION},
		{"Arch", machine_arch(host->machine)},
		{"BuildTime", built},
		{"Experimental", "false"},
		{"GitCommit", TARE_BUILD},
		{"GoVersion", COMPILER},
		{"KernelVersion", host->release},
		{"MinAPIVersion", API_VERSION_MIN},
		{"Os", "linux"},
	};
	json_t *component = set_all(json_object(), engine, ARRAY_LEN(engine));

	json_object_set_new(component, "Details",
			    set_all(json_object(), details, ARRAY_LEN(details)));
	return component;
}

static json_t *new_server(const struct utsname *host)
{
	cleanup_free char *built = build_stamp();
	const struct pair rest[] = {
		{"Version", TARE_VERSION},
		{"ApiVersion", API_VERSION},
		{"MinAPIVersion", API_VERSION_MIN},
		{"GitCommit", TARE_BUILD},
		{"GoVersion", COMPILER},
		{"Os", "linux"},
		{"Arch", machine_arch(host->machine)},
		{"KernelVersion", host->release},
		{"BuildTime", built},
	};
	json_t *server = json_object();
	json_t *components = json_array();

	json_array_append_new(components, new_engine(host));
	json_object_set_new(server, "Platform", json_pack("{s:s}", "Name", PROGRAM));
	json_object_set_new(server, "Components", components);
	return set_all(server, rest, ARRAY_LEN(rest));
}

/* The tree of `docker version`; owned. */
static json_t *version_tree(const struct utsname *host)
{
	json_t *client = json_object();
	json_t *tree = json_object();

	describe_client(client, true);
	json_object_set_new(tree, "Client", client);
	json_object_set_new(tree, "Server", new_server(host));
	return tree;
}

/* ---- the text: of the object alone ---- */

static const char *text_at(const json_t *tree, const char *path)
{
	return json_get_string(tree, path, "");
}

/* docker's layout, which scripts read line by line. */
static void print_text(const json_t *tree)
{
	const json_t *engine = json_get(tree, "Server.Components.0");

	printf("Client:\n"
	       " Version:           %s\n"
	       " API version:       %s\n"
	       " Go version:        %s\n"
	       " Git commit:        %s\n"
	       " Built:             %s\n"
	       " OS/Arch:           %s/%s\n"
	       " Context:           %s\n",
	       text_at(tree, "Client.Version"), text_at(tree, "Client.ApiVersion"),
	       text_at(tree, "Client.GoVersion"), text_at(tree, "Client.GitCommit"),
	       text_at(tree, "Client.BuildTime"), text_at(tree, "Client.Os"),
	       text_at(tree, "Client.Arch"), text_at(tree, "Client.Context"));
	printf("\nServer: %s\n"
	       " Engine:\n"
	       "  Version:          %s\n"
	       "  API version:      %s (minimum version %s)\n"
	       "  Go version:       %s\n"
	       "  Git commit:       %s\n"
	       "  Built:            %s\n"
	       "  OS/Arch:          %s/%s\n"
	       "  Experimental:     %s\n",
	       text_at(tree, "Server.Platform.Name"), text_at(engine, "Version"),
	       text_at(engine, "Details.ApiVersion"), text_at(engine, "Details.MinAPIVersion"),
	       text_at(engine, "Details.GoVersion"), text_at(engine, "Details.GitCommit"),
	       text_at(engine, "Details.BuildTime"), text_at(engine, "Details.Os"),
	       text_at(engine, "Details.Arch"), text_at(engine, "Details.Experimental"));
}

static const struct json_field server_fields[] = {
	{"Components", &json_shape_structs},
	{"Experimental", &json_shape_struct, OMIT_FALSE},
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
	cleanup_json json_t *full = NULL;
	const char *format = o->inspect.format;
	struct utsname host;

	uname(&host);
	object = version_tree(&host);
	if (!format || !*format) {
		print_text(object);
		return 0;
	}
	full = describe_with_nil_members(object, &version_shape);
	return object_print(cli, "version", format, full, &version_shape, err);
}
