/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as a person meets it: what it prints and how it exits for words that no command has
 * to run for. Help pages are compared with recorded ones.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/manual.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

#ifndef DATA_DIR
#define DATA_DIR "tests/data"
#endif

static const struct {
	const char *line;
	int status;
	const char *out, *err; /* beginnings; NULL means empty */
} rows[] = {
	{"nosuch", 1, NULL,
	 "tare: unknown command: tare nosuch\n\nRun 'tare --help' for more information\n"},
	{"--nosuch ps", 125, NULL,
	 "unknown flag: --nosuch\n\nUsage:  tare [OPTIONS] COMMAND [ARG...]\n\nRun 'tare --help' "
	 "for more "
	 "information\n"},
	{"ps --nosuch", 125, NULL,
	 "unknown flag: --nosuch\n\nUsage:  tare ps [OPTIONS]\n\nRun 'tare ps --help' for more "
	 "information\n"},
	{"container list --nosuch", 125, NULL,
	 "unknown flag: --nosuch\n\nUsage:  tare container ls [OPTIONS]\n\nRun 'tare container ls "
	 "--help' "
	 "for more information\n"},
	{"run", 1, NULL,
	 "tare: 'tare run' requires at least 1 argument\n\nUsage:  tare run [OPTIONS] IMAGE "
	 "[COMMAND] "
	 "[ARG...]\n\nSee 'tare run --help' for more information\n"},
	{"exec a", 1, NULL, "tare: 'tare exec' requires at least 2 arguments\n"},
	{"attach", 1, NULL,
	 "tare: 'tare attach' requires 1 argument\n\nUsage:  tare attach [OPTIONS] "
	 "CONTAINER\n\nRun 'tare "
	 "attach --help' for more information\n"},
	{"rename a", 1, NULL, "tare: 'tare rename' requires 2 arguments\n"},
	{"images a b", 1, NULL, "tare: 'tare images' requires at most 1 argument\n"},
	{"ps x", 1, NULL, "tare: 'tare ps' accepts no arguments\n"},
	{"container nosuch", 1, NULL,
	 "tare: unknown command: tare container nosuch\n\nUsage:  tare container\n\nRun 'tare "
	 "container "
	 "--help' for more information\n"},
	{"container ps --help", 0, "Usage:  tare container ls [OPTIONS]\n", NULL},
	{"ps --help", 0, "Usage:  tare ps [OPTIONS]\n", NULL},
	{"help container", 0, "Usage:  tare container COMMAND\n", NULL},
	{"help image ls", 0, "Usage:  tare image ls [OPTIONS]", NULL},
	{"help nosuch", 1, NULL, "unknown help topic: nosuch\n"},
	{"container", 0, NULL, "Usage:  tare container COMMAND\n"},
	{"--help", 0, "Usage:  tare [OPTIONS] COMMAND\n", NULL},
	{"ps -h", 0, "Flag shorthand -h has been deprecated, use --help\nUsage:  tare ps", NULL},
	{"--version", 0, "tare version ", NULL},
	{"version", 0, "Client:\n Version:           ", NULL},
	{"version -f {{.Server.Version}}", 0, "0.", NULL},
	{"version --format {{.Client.Os}}/{{.Server.Arch}}", 0, "linux/", NULL},
	{"version -f json", 0, "{\"Client\":{\"Version\":\"", NULL},
	{"version -f {{", 64, NULL, "tare: template parsing error: template: "},
	/* The newline comes after what was printed, and that is nothing here, as docker does it. */
	{"version -f {{.Nosuch}}", 1, "\n", "tare: template: "},
	{"-l nosuch version", 1, NULL, "tare: Unable to parse logging level: nosuch\n"},
	{"-H tcp://h:1 version", 1, NULL, "tare: --host tcp://h:1: there is no daemon"},
	{"-H unix:///var/run/docker.sock version", 0, "Client:\n", NULL},
	{"--tls version", 1, NULL, "tare: --tls: there is no daemon"},
	{"--root x version", 1, NULL, "tare: --root and --runroot must be absolute paths\n"},
	{"--root /x --runroot=/y -D version", 0, "Client:\n", NULL},
	{"completion bash", 0, "# bash completion", NULL},
	{"completion nosuch", 1, NULL, "tare: no completion for \"nosuch\""},
	{"man run", 0, ".TH TARE-RUN 1 ", NULL},
	{"man nosuch", 1, NULL, "tare: no manual page for nosuch"},
	{"man --list", 0, "tare.1\ntare-run.1\n", NULL},
	{"__complete contai", 0, "container\tManage containers\n:4\n", NULL},
	{"__completeNoDesc --log-level f", 0, "fatal\n:4\n", NULL},
};

/* Redirects one of the standard streams into memory; undone by capture_end. */
struct capture {
	FILE *stream;
	int saved, memory;
};

static struct capture capture_begin(FILE *stream)
{
	struct capture c = {.stream = stream,
			    .saved = dup(fileno(stream)),
			    .memory = memfd_create("capture", MFD_CLOEXEC)};

	fflush(stream);
	dup2(c.memory, fileno(stream));
	return c;
}

static void capture_end(struct capture *c, struct str *ret)
{
	fflush(c->stream);
	dup2(c->saved, fileno(c->stream));
	close(c->saved);
	lseek(c->memory, 0, SEEK_SET);
	assert_int_equal(fd_read_all(c->memory, 1 << 20, ret), 0);
	close(c->memory);
}

static int run_line(const char *line, struct str *out, struct str *err)
{
	cleanup_strv struct strv args = STRV_INIT;
	struct capture o = capture_begin(stdout), e = capture_begin(stderr);
	int rc = 0;

	strv_add(&args, "tare");
	strv_split(&args, line, ' ');
	rc = cli_main((int)args.n, args.items);
	capture_end(&o, out);
	capture_end(&e, err);
	return rc;
}

static bool begins(const struct str *got, const char *want)
{
	return want ? str_has_prefix(str_get(got), want) : got->len == 0;
}

static void words_and_answers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_str struct str out = STR_INIT, err = STR_INIT;
		int rc = run_line(rows[i].line, &out, &err);

		if (rc != rows[i].status || !begins(&out, rows[i].out) ||
		    !begins(&err, rows[i].err))
			fail_msg("%s: %d, out %s, err %s", rows[i].line, rc, str_get(&out),
				 str_get(&err));
	}
}

static void help_pages_are_as_recorded(void **state)
{
	static const char *const names[] = {"run", "ps", "exec", "images", "container ls"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool grouped = strchr(names[i], ' ') != NULL;
		const struct command *c = command_lookup(grouped ? "container" : NULL,
							 grouped ? names[i] + 10 : names[i]);
		cleanup_free char *file = str_printf(DATA_DIR "/help/%s.txt", names[i]);
		cleanup_str struct str want = STR_INIT, got = STR_INIT;

		for (char *p = strrchr(file, '/'); *p; p++)
			*p = *p == ' ' ? '-' : *p;
		assert_int_equal(fd_read_file_at(AT_FDCWD, file, 1 << 20, &want), 0);
		help_command(&got, c, names[i], 80);
		assert_string_equal(str_get(&got), str_get(&want));
	}
}

static void names_do_not_collide(void **state)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];

		assert_ptr_equal(command_lookup(c->group, c->name), c);
		if (c->top)
			assert_ptr_equal(command_lookup(NULL, c->top), c);
		assert_true(!c->group || command_group_lookup(c->group));
		if (!(c->flags & COMMAND_HIDDEN) && !manual_find(c))
			fail_msg("%s has no prose in manual.c", c->name);
		for (size_t t = 0; t < OPTION_TABLES_MAX && c->tables[t]; t++)
			for (const struct option *o = c->tables[t]; o->name; o++) {
				assert_ptr_equal(option_lookup(c->tables, o->name, strlen(o->name)),
						 o);
				if (o->short_name)
					assert_ptr_equal(
						option_lookup_short(c->tables, o->short_name), o);
			}
	}
}

static void narrow_terminals_still_get_help(void **state)
{
	for (size_t width = 1; width < 90; width++) {
		cleanup_str struct str page = STR_INIT;

		help_command(&page, command_lookup(NULL, "run"), "run", width);
		assert_non_null(strstr(str_get(&page), "--workdir string"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_answers),
		cmocka_unit_test(help_pages_are_as_recorded),
		cmocka_unit_test(names_do_not_collide),
		cmocka_unit_test(narrow_terminals_still_get_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
