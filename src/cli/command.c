/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From words to a command. Phases: global options, the command's name (at the top level or in a
 * group), its options, its number of arguments, then its function. Each phase that ends the program
 * prints docker's text on the stream docker uses and gives docker's exit status: 125 for a bad
 * option of any command, 1 for a wrong number of arguments or an unknown command.
 */
#include "cli/command.h"
#include "cli/session.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/complete.h"
#include "cli/docker_config.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define STATUS_USAGE	1
#define STATUS_BAD_FLAG 125
#define PROGRAM_USAGE	"[OPTIONS] COMMAND [ARG...]"

/* ---- lookup ---- */

static bool word_is_in(const char *words, const char *word)
{
	cleanup_strv struct strv list = STRV_INIT;

	if (!words)
		return false;
	strv_split(&list, words, ' ');
	return strv_has(&list, word);
}

const struct command *command_lookup(const char *group, const char *name)
{
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *c = &commands[i];
		const char *top = c->group ? c->top : c->name;

		if (!group && top && strcmp(top, name) == 0)
			return c;
		if (group && str_is_equal(c->group, group) &&
		    (strcmp(c->name, name) == 0 || word_is_in(c->aliases, name)))
			return c;
	}
	return NULL;
}

const struct command_group *command_group_lookup(const char *name)
{
	for (size_t i = 0; i < n_command_groups; i++)
		if (strcmp(command_groups[i].name, name) == 0)
			return &command_groups[i];
	return NULL;
}

char *command_path(const struct command *c, const char *group)
{
	if (group)
		return str_printf("%s %s", group, c->name);
	return str_dup(c->group ? c->top : c->name);
}

/* ---- what is printed ---- */

static void print(FILE *to, const struct str *text)
{
	fputs(str_get(text), to);
}

void cli_print_error(const struct err *err)
{
	fprintf(stderr, PROGRAM ": %s\n", err->msg);
	/* The line above is what docker prints; this is for who reads lines of JSON. */
	if (log_is_json())
		log_failure(LOG_LEVEL_ERROR, err->msg, "the command has failed");
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
}

/* "Run 'tare ps --help' for more information" under an empty line; VERB is docker's Run or See. */
static void print_see_help(const char *verb, const char *path)
{
	fprintf(stderr, "\n%s '" PROGRAM "%s%s --help' for more information\n", verb,
		path ? " " : "", path ? path : "");
}

static int fail_usage(const char *msg, const char *path, const char *usage, const char *verb)
{
	cleanup_str struct str line = STR_INIT;

	help_usage_line(&line, path, usage);
	fprintf(stderr, "%s\n\n", msg);
	print(stderr, &line);
	print_see_help(verb, path);
	return STATUS_USAGE;
}

static int fail_flag(const struct err *err, const char *path, const char *usage)
{
	fail_usage(err->msg, path, usage, "Run");
	return STATUS_BAD_FLAG;
}

static void print_short_help_warning(const struct option_parse *p, FILE *to)
{
	if (p->help_short)
		fputs("Flag shorthand -h has been deprecated, use --help\n", to);
}

/* ---- one command ---- */

static const char *plural(int n)
{
	return n == 1 ? "" : "s";
}

/* Checks the number of arguments; 0, or the exit status after printing docker's complaint. */
static int check_arguments(const struct cli *cli, const union verb_options *o)
{
	const struct command *c = cli->command;
	cleanup_str struct str msg = STR_INIT;
	const char *verb = "Run";
	int n = (int)cli->args.n;

	if (n == 0 && c->stands_alone && c->stands_alone(o))
		return 0;
	if (n >= c->min_args && (c->max_args < 0 || n <= c->max_args))
		return 0;
	str_addf(&msg, PROGRAM ": '" PROGRAM " %s' ", cli->path);
	if (c->max_args == 0)
		str_add(&msg, "accepts no arguments");
	else if (c->min_args == c->max_args)
		str_addf(&msg, "requires %d argument%s", c->min_args, plural(c->min_args));
	else if (c->max_args < 0) {
		str_addf(&msg, "requires at least %d argument%s", c->min_args, plural(c->min_args));
		verb = "See";
	} else if (c->min_args == 0) {
		str_addf(&msg, "requires at most %d argument%s", c->max_args, plural(c->max_args));
		verb = "SRun"; /* a slip of docker 28, kept for those who compare */
	} else
		str_addf(&msg, "requires at least %d and at most %d arguments", c->min_args,
			 c->max_args);
	return fail_usage(str_get(&msg), cli->path, c->usage, verb);
}

static int status_of_error(const struct cli *cli, const struct err *err)
{
	bool is_command = err->code == ERR_NO_EXEC || err->code == ERR_NO_COMMAND;

	if (cli->exit_status)
		return cli->exit_status;
	if (cli->command->flags & COMMAND_RUN_STATUS)
		return err_run_status(err);
	return is_command && (cli->command->flags & COMMAND_EXEC_STATUS) ? err_run_status(err) : 1;
}

/* An empty message means that the verb has printed everything itself. */
static int finish_error(const struct cli *cli, const struct err *err)
{
	if (err->msg[0]) {
		cli_print_error(err);
		if (cli->command->flags & COMMAND_RUN_STATUS &&
		    (!cli->exit_status || cli->exit_status == STATUS_BAD_FLAG))
			print_see_help("Run", cli->command->top); /* whatever was typed */
	}
	return status_of_error(cli, err);
}

static int command_call(struct cli *cli, union verb_options *o, const struct option *refused)
{
	struct err err = ERR_INIT;
	int rc = 0;

	if (!(cli->command->flags & COMMAND_SEALS) || process_is_sealed())
		cli_drop_inherited();
	if (refused)
		rc = err_set(&err, ERR_UNSUPPORTED, "--%s: %s", refused->name, refused->missing);
	else if (!cli->command->run)
		rc = err_set(&err, ERR_UNSUPPORTED, "%s is not there yet", cli->path);
	else
		rc = cli->command->run(cli, o, &err);
	if (rc < 0)
		rc = finish_error(cli, &err);
	return rc;
}

/* Help, a bad flag, a wrong number of arguments, or the call; returns the exit status. */
static int command_parse_and_call(struct cli *cli, union verb_options *o, char *const *args,
				  size_t n)
{
	const struct command *c = cli->command;
	struct option_parse p = {.target = o,
				 .stop_at_first = c->flags & COMMAND_STOP_AT_ARGUMENT,
				 .ret_args = &cli->args};
	struct err err = ERR_INIT;
	int rc = 0;

	memcpy(p.tables, c->tables, sizeof(p.tables));
	if (option_parse(&p, args, n, &err) < 0)
		return fail_flag(&err, cli->path, c->usage);
	print_short_help_warning(&p, stdout);
	if (p.help || cli->help) {
		cleanup_str struct str page = STR_INIT;

		help_command(&page, c, cli->path, help_width());
		print(stdout, &page);
		return 0;
	}
	if (p.old_name)
		printf("Flag --%s has been deprecated, %s\n", p.old_name->name,
		       p.old_name->deprecated);
	rc = check_arguments(cli, o);
	cli->n_options = p.n_given;
	return rc ? rc : command_call(cli, o, p.refused);
}

static int command_main(struct cli *cli, char *const *args, size_t n)
{
	cleanup_free union verb_options *o = mem_zalloc(sizeof(*o));
	const struct command *c = cli->command;
	int rc = 0;

	log_set_context(cli->path, NULL);
	log_trace("begins");
	if (c->init)
		c->init(o);
	rc = command_parse_and_call(cli, o, args, n);
	log_trace("ends with status %d", rc);
	if (c->done)
		c->done(o);
	else
		option_free(c->tables, o);
	return rc;
}

/* ---- groups, help, the program ---- */

static int fail_unknown(const struct command_group *g, const char *name)
{
	fprintf(stderr, PROGRAM ": unknown command: " PROGRAM " %s%s%s\n", g ? g->name : "",
		g ? " " : "", name);
	if (g) {
		cleanup_str struct str usage = STR_INIT;

		help_usage_line(&usage, g->name, g->usage);
		fprintf(stderr, "\n%s", str_get(&usage));
	}
	print_see_help("Run", g ? g->name : NULL);
	return STATUS_USAGE;
}

static int print_page(FILE *to, const struct command_group *g)
{
	cleanup_str struct str page = STR_INIT;

	if (g)
		help_group(&page, g);
	else
		help_program(&page, help_width());
	print(to, &page);
	return 0;
}

/* A word that is no command of G (NULL: of the program). What follows it is still read, as options
 * of the group, before anybody is told so. */
static int unknown_main(const struct cli *cli, const struct command_group *g,
			const struct option_parse *p, char *const *args, size_t n)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct option_parse rest = *p;
	struct err err = ERR_INIT;

	rest.stop_at_first = false;
	rest.ret_args = &words;
	if (option_parse(&rest, args + 1, n - 1, &err) < 0)
		return fail_flag(&err, g ? g->name : NULL, g ? g->usage : PROGRAM_USAGE);
	if (rest.help || cli->help)
		return print_page(stdout, g);
	return fail_unknown(g, args[0]);
}

/* `tare container`, `tare container --help`, or the command that follows the group's name. */
static int group_main(struct cli *cli, const struct command_group *g, char *const *args, size_t n)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *path = NULL;
	struct option_parse p = {.target = cli, .stop_at_first = true, .ret_args = &words};
	struct err err = ERR_INIT;

	if (option_parse(&p, args, n, &err) < 0)
		return fail_flag(&err, g->name, g->usage);
	print_short_help_warning(&p, stdout);
	cli->help = cli->help || p.help;
	if (words.n == 0)
		return print_page(cli->help ? stdout : stderr, g);
	cli->command = command_lookup(g->name, words.items[0]);
	if (!cli->command)
		return unknown_main(cli, g, &p, words.items, words.n);
	path = command_path(cli->command, g->name);
	cli->path = path;
	return command_main(cli, words.items + 1, words.n - 1);
}

/* The page of the COMMAND or GROUP [COMMAND] that WORDS say. */
static int help_topic(const struct strv *words)
{
	cleanup_str struct str page = STR_INIT;
	cleanup_free char *path = NULL;
	const struct command_group *g = command_group_lookup(words->items[0]);
	const char *group = g && words->n > 1 ? g->name : NULL;
	const struct command *c = command_lookup(group, words->items[group ? 1 : 0]);
	size_t n_known = c && group ? 2 : c || g ? 1 : 0;

	if (words->n > n_known) {
		fputs("unknown help topic:", stderr);
		for (size_t i = n_known; i < words->n; i++)
			fprintf(stderr, " %s", words->items[i]);
		fputc('\n', stderr);
		return STATUS_USAGE;
	}
	if (!c)
		return print_page(stdout, g);
	path = command_path(c, group);
	help_command(&page, c, path, help_width());
	print(stdout, &page);
	return 0;
}

/* `tare help [COMMAND | GROUP [COMMAND]]` */
static int help_main(const struct cli *cli, char *const *args, size_t n)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct option_parse p = {.ret_args = &words};
	struct err err = ERR_INIT;

	if (option_parse(&p, args, n, &err) < 0)
		return fail_flag(&err, "help", "[command]");
	print_short_help_warning(&p, stdout);
	if (p.help || cli->help || (words.n == 1 && strcmp(words.items[0], "help") == 0)) {
		puts("Usage:  " PROGRAM " help [command]\n\nHelp about the command");
		return 0;
	}
	return words.n ? help_topic(&words) : print_page(stdout, NULL);
}

static int dispatch(struct cli *cli, const struct option_parse *p, char *const *args, size_t n)
{
	cleanup_free char *path = NULL;
	const struct command_group *g = command_group_lookup(args[0]);

	if (strcmp(args[0], "__complete") == 0 || strcmp(args[0], "__completeNoDesc") == 0)
		return complete_main(cli, args + 1, n - 1, strcmp(args[0], "__complete") == 0);
	if (strcmp(args[0], "help") == 0)
		return help_main(cli, args + 1, n - 1);
	if (g)
		return group_main(cli, g, args + 1, n - 1);
	cli->command = command_lookup(NULL, args[0]);
	if (!cli->command)
		return unknown_main(cli, NULL, p, args, n);
	path = command_path(cli->command, NULL);
	cli->path = path;
	return command_main(cli, args + 1, n - 1);
}

/* ---- global options ---- */

struct globals {
	char *root, *runroot, *config, *context, *log_level, *log_format;
	struct strv hosts;
	char *tls_text;
	bool debug, version, tls;
};

#define AT(f)  offsetof(struct globals, f)
#define NO_TLS "there is no daemon to connect to"

const struct option global_options[] = {
	{"config", 0, OPT_STRING, AT(config), NULL, "string", "Location of client config files",
	 "\"~/.docker\""},
	{"context", 'c', OPT_STRING, AT(context), NULL, "string",
	 "Accepted for compatibility; only \"default\" exists"},
	{"debug", 'D', OPT_BOOL, AT(debug), NULL, NULL, "Enable debug mode"},
	{"host", 'H', OPT_LIST, AT(hosts), NULL, "list",
	 "Accepted for compatibility; there is no daemon to connect to"},
	{"log-format", 0, OPT_STRING, AT(log_format), NULL, "string",
	 "Form of tare's own diagnostics: \"text\" or \"json\" (TARE_LOG_FORMAT)"},
	{"log-level", 'l', OPT_STRING, AT(log_level), NULL, "string",
	 "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")", "\"info\""},
	{"root", 0, OPT_STRING, AT(root), NULL, "string",
	 "Directory of images and containers (TARE_ROOT)", "\"/var/lib/tare\""},
	{"runroot", 0, OPT_STRING, AT(runroot), NULL, "string",
	 "Directory of what is alive (TARE_RUNROOT)", "\"/run/tare\""},
	{"tls", 0, OPT_BOOL, AT(tls), NULL, NULL, "", NULL, NO_TLS, .hidden = true},
	{"tlsverify", 0, OPT_BOOL, AT(tls), NULL, NULL, "", NULL, NO_TLS, .hidden = true},
	{"tlscacert", 0, OPT_STRING, AT(tls_text), NULL, "string", "", NULL, NO_TLS,
	 .hidden = true},
	{"tlscert", 0, OPT_STRING, AT(tls_text), NULL, "string", "", NULL, NO_TLS, .hidden = true},
	{"tlskey", 0, OPT_STRING, AT(tls_text), NULL, "string", "", NULL, NO_TLS, .hidden = true},
	{"version", 'v', OPT_BOOL, AT(version), NULL, NULL, "Print version information and quit"},
	{},
};

/* The first of an option, an environment variable and a default that says something. */
static const char *first_of(const char *option, const char *variable, const char *otherwise)
{
	const char *env = getenv(variable);

	if (option && *option)
		return option;
	return env && *env ? env : otherwise;
}

/* An option wins over its variable, and -D over a level that is quieter. */
static int apply_log(const struct globals *g, struct err *err)
{
	const char *level = first_of(g->log_level, "TARE_LOG_LEVEL", "warn");
	const char *format = first_of(g->log_format, "TARE_LOG_FORMAT", "text");

	if (log_set_level(level) < 0)
		return err_set(err, ERR_INVALID, "Unable to parse logging level: %s", level);
	if (log_set_format(format) < 0)
		return err_set(err, ERR_INVALID, "Unable to parse logging format: %s", format);
	if (g->debug && log_get_level() < LOG_LEVEL_DEBUG)
		log_set_level("debug");
	return 0;
}

static int apply_globals(struct cli *cli, const struct globals *g, struct err *err)
{
	cli->root = first_of(g->root, "TARE_ROOT", "/var/lib/tare");
	cli->runroot = first_of(g->runroot, "TARE_RUNROOT", "/run/tare");
	cli->config_dir = g->config;
	cli->debug = g->debug;
	if (cli->root[0] != '/' || cli->runroot[0] != '/')
		return err_set(err, ERR_INVALID, "--root and --runroot must be absolute paths");
	if (apply_log(g, err) < 0)
		return -err->code;
	if (g->context && *g->context && strcmp(g->context, "default") != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "context \"%s\": " NO_TLS ", only \"default\" exists", g->context);
	strv_foreach (i, &g->hosts)
		if (strcmp(g->hosts.items[i], "unix:///var/run/docker.sock") != 0)
			return err_set(err, ERR_UNSUPPORTED, "--host %s: " NO_TLS,
				       g->hosts.items[i]);
	return 0;
}

static int program_main(struct cli *cli, struct globals *g, char *const *argv, size_t n)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct option_parse p = {
		.tables = {global_options}, .target = g, .stop_at_first = true, .ret_args = &words};
	struct err err = ERR_INIT;

	if (option_parse(&p, argv, n, &err) < 0)
		return fail_flag(&err, NULL, PROGRAM_USAGE);
	print_short_help_warning(&p, stderr);
	if (g->version) {
		version_print_line();
		return 0;
	}
	cli->help = p.help;
	if (words.n == 0)
		return print_page(p.help ? stdout : stderr, NULL);
	if (p.refused)
		err_set(&err, ERR_UNSUPPORTED, "--%s: %s", p.refused->name, p.refused->missing);
	else
		apply_globals(cli, g, &err);
	if (err.code != ERR_NONE) {
		cli_print_error(&err);
		return STATUS_USAGE;
	}
	return dispatch(cli, &p, words.items, words.n);
}

/* A stream that the caller has closed is the null device: the next file that is opened would take
 * its number, and what is printed would end up in it. */
static void open_closed_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int null_fd = -1;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* lint: a fixed name; it takes the lowest free number, which is this one */
		null_fd = open("/dev/null", O_RDWR);
		if (null_fd < 0)
			return;
	}
}

/* Output that did not reach its reader is a failure too, whichever write it was. */
static int finish_output(int rc)
{
	struct err err = ERR_INIT;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	if (errno)
		err_sys(&err, errno, "write to standard output");
	else
		err_set(&err, ERR_SYSTEM, "standard output could not be written");
	cli_print_error(&err);
	return rc ? rc : 1;
}

int cli_main(int argc, char **argv)
{
	const struct option *tables[OPTION_TABLES_MAX] = {global_options};
	struct globals g = {};
	struct cli cli = {};
	int rc = 0;

	open_closed_streams();
	cli_set_argv(argv);
	rc = program_main(&cli, &g, argv + 1, argc > 0 ? (size_t)argc - 1 : 0);

	strv_done(&cli.args);
	docker_config_done(&cli);
	option_free(tables, &g);
	return finish_output(rc);
}
