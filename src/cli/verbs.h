/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H
/*
 * What each command's options become: one plain struct for each family, the tables that fill them
 * (options_*.c) and the functions that run them (cmd_*.c). The positional arguments are in
 * cli->args.
 *
 * A verb gets its filled options and returns an exit status >= 0, or -code with ERR filled; the
 * dispatcher prints the error and turns the code into docker's exit status.
 */
#include "base/str.h"
#include "build/request.h"
#include "cli/parse_endpoint.h"
#include "engine/spec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cli;
struct err;
struct option;

/* Whether and how the plan is printed on stderr as it runs. */
enum explain_mode { EXPLAIN_NO, EXPLAIN_SHELL, EXPLAIN_JSON };

/* run and create. `spec` is complete once run_request_finish has been through. */
struct run_request {
	struct container_spec spec; /* first: option setters take it by its address */
	/* Set by run_request_finish: what docker's command line itself refuses was not there, and
	 * any later error is the engine's. */
	bool is_usable;
	/* Raw texts that docker reads only after all flags were parsed. */
	struct strv env, env_files, labels, label_files, volumes, tmpfs, publish, expose, devices;
	struct strv security_options;
	struct endpoint_options endpoint; /* of its first network */
	char *restart, *pull;
	enum explain_mode explain; /* run only */
	bool dry_run;		   /* run only: print the script, change nothing */
	/* Options that are known and refused land here, and are not looked at. */
	struct {
		struct strv lists;
		char *text;
		int64_t number;
		bool flag;
	} unused;
};

struct start_options {
	bool attach, interactive;
	const char *detach_keys; /* owned */
	char *checkpoint, *checkpoint_dir;
	enum explain_mode explain;
};

struct attach_options {
	bool no_stdin, sig_proxy; /* sig_proxy starts true */
	char *detach_keys;
};

struct stop_options {
	char *signal;
	bool has_timeout, has_time;
	int64_t timeout_s; /* -1 waits for ever */
	enum explain_mode explain;
};

/* Limits are said when their has_ flag or a value other than the stated one says so. */
struct update_options {
	struct container_spec spec; /* first: the setters of run's limits take it by its address */
	char *restart;		    /* NULL when not said */
	int64_t cpu_rt_period, cpu_rt_runtime;
	struct strv publish, publish_rm; /* as typed */
	enum explain_mode explain;
};

struct stats_options {
	bool all, no_stream, no_trunc;
	char *format;
};

struct top_options {
	bool all; /* the live view of every container */
};

struct events_options {
	struct strv filters;
	char *format, *since, *until;
};

struct system_prune_options {
	bool all, force, volumes;
	struct strv filters;
};

struct resume_options {
	bool is_lost; /* its monitor was killed */
};

struct system_boot_options {
	bool dry_run;
};

struct debug_options {
	bool privileged;
	char *image, *user, *workdir;
	struct strv env;
};

struct volume_create_options {
	char *driver, *name;
	struct strv labels, options;
	/* Those of cluster volumes land here, and are refused. */
	struct {
		struct strv lists;
		char *text;
		int64_t number;
	} unused;
};

struct volume_ls_options {
	bool cluster, quiet;
	char *format;
	struct strv filters;
};

struct volume_rm_options {
	bool force;
};

struct volume_prune_options {
	bool all, force;
	struct strv filters;
};

struct volume_export_options {
	char *output;
};

/* build. `request` is complete once build_request_finish has been through. */
struct build_options {
	struct build_request request;
	struct container_spec limits; /* ulimits, as the setters of run's take them */
	struct strv build_args, build_arg_files, secrets, ssh, outputs, cache_from, cache_to;
	char *progress, *call, *on_error, *timestamp;
	bool check, quiet;
	enum explain_mode explain;
	/* Options that are known and refused, or that mean nothing here, land in these. */
	struct {
		struct strv lists;
		char *text;
		int64_t number;
		bool flag;
	} unused;
};

struct builder_prune_options {
	bool all, force, verbose;
	char *keep_storage, *max_used, *reserved, *min_free;
	struct strv filters;
};

/* Of docker's commands that manage builders: taken, and of no consequence. */
struct buildx_options {
	bool flag;
	char *name, *text;
	struct strv lists;
};

struct builder_du_options {
	bool verbose;
	char *format;
	struct strv filters;
};

struct network_create_options {
	bool attachable, internal, ipv4, ipv6, config_only, ingress;
	char *driver, *ipam_driver, *config_from, *scope;
	struct strv aux_addresses, gateways, ip_ranges, ipam_options, labels, options, subnets;
	enum explain_mode explain;
};

struct network_connect_options {
	struct strv aliases, driver_options, links, link_local;
	char *ip4, *ip6;
	int64_t gateway_priority;
	enum explain_mode explain;
};

struct network_disconnect_options {
	bool force;
	enum explain_mode explain;
};

struct network_inspect_options {
	bool verbose;
	char *format;
};

struct network_ls_options {
	bool no_trunc, quiet;
	char *format;
	struct strv filters;
};

struct network_rm_options {
	bool force;
	enum explain_mode explain;
};

struct network_prune_options {
	bool force;
	struct strv filters;
};

struct network_audit_options {
	char *format;
};

struct network_graph_options {
	char *output; /* NULL: draw on the terminal */
};

struct kill_options {
	char *signal; /* NULL for KILL */
};

struct rm_options {
	bool force, link, volumes;
	enum explain_mode explain;
};

struct ps_options {
	bool all, latest, no_trunc, quiet, size;
	int64_t last; /* -1 when not said */
	char *format;
	struct strv filters; /* "key=value" */
};

struct logs_options {
	bool details, follow, timestamps;
	char *since, *until, *tail; /* tail: NULL or "all" or a number */
};

struct exec_options {
	bool detach, interactive, privileged, tty;
	char *detach_keys, *user, *workdir;
	struct strv env, env_files; /* as typed; exec_collect_env makes one list of them */
	enum explain_mode explain;
};

/* inspect, container inspect, image inspect, version, info. */
struct inspect_options {
	char *format, *type, *platform;
	bool size;
};

/* container prune, image prune. */
struct prune_options {
	bool all, force;
	struct strv filters;
};

struct images_options {
	bool all, digests, no_trunc, quiet, tree;
	char *format;
	struct strv filters;
};

struct rmi_options {
	bool force, no_prune;
	struct strv platforms;
};

struct import_options {
	struct strv changes;
	char *message, *platform;
};

struct save_options {
	char *output;
	struct strv platforms;
};

struct load_options {
	char *input;
	struct strv platforms;
	bool quiet;
};

struct history_options {
	char *format, *platform;
	bool human, no_trunc, quiet; /* human starts true */
};

struct commit_options {
	char *author, *message;
	struct strv changes;
	bool pause; /* starts true */
};

struct export_options {
	char *output;
};

struct cp_options {
	bool archive, follow_link;
	bool quiet, has_quiet; /* not given: quiet unless a person looks on */
};

struct image_copy_options {
	char *platform;
	bool quiet;
};

struct image_size_options {
	char *format;
	bool by_layer, no_trunc;
};

struct image_waste_options {
	char *format;
	bool no_trunc;
};

struct system_check_options {
	char *format;
	bool full, quiet;
};

struct system_repair_options {
	bool dry_run, quiet;
};

struct system_df_options {
	char *format;
	bool verbose;
};

struct pull_options {
	bool all_tags, quiet, disable_content_trust;
	char *platform;
};

struct man_options {
	char *write; /* the folder for all pages */
	bool list;
};

/* Every family's options; the dispatcher owns one of these for the command that runs. */
union verb_options {
	struct run_request run;
	struct start_options start;
	struct attach_options attach;
	struct stop_options stop;
	struct kill_options kill;
	struct rm_options rm;
	struct ps_options ps;
	struct logs_options logs;
	struct exec_options exec;
	struct inspect_options inspect;
	struct prune_options prune;
	struct images_options images;
	struct rmi_options rmi;
	struct import_options import;
	struct pull_options pull;
	struct man_options man;
	struct save_options save;
	struct load_options load;
	struct history_options history;
	struct commit_options commit;
	struct export_options export;
	struct cp_options cp;
	struct image_copy_options image_copy;
	struct image_size_options image_size;
	struct image_waste_options image_waste;
	struct system_check_options system_check;
	struct system_repair_options system_repair;
	struct system_df_options system_df;
	struct update_options update;
	struct stats_options stats;
	struct top_options top;
	struct events_options events;
	struct system_prune_options system_prune;
	struct system_boot_options system_boot;
	struct resume_options resume;
	struct debug_options debug;
	struct volume_create_options volume_create;
	struct volume_ls_options volume_ls;
	struct volume_rm_options volume_rm;
	struct volume_prune_options volume_prune;
	struct volume_export_options volume_export;
	struct network_create_options network_create;
	struct network_connect_options network_connect;
	struct network_disconnect_options network_disconnect;
	struct network_inspect_options network_inspect;
	struct network_ls_options network_ls;
	struct network_rm_options network_rm;
	struct network_prune_options network_prune;
	struct network_audit_options network_audit;
	struct network_graph_options network_graph;
	struct build_options build;
	struct builder_prune_options builder_prune;
	struct builder_du_options builder_du;
	struct buildx_options buildx;
};

extern const struct option container_options[]; /* run and create */
extern const struct option run_only_options[], create_only_options[];
extern const struct option start_options[], attach_options[], stop_options[], kill_options[],
	rm_options[], ps_options[], logs_options[], exec_options[], inspect_options[],
	container_inspect_options[], image_inspect_options[], format_options[], prune_options[],
	image_prune_options[], images_options[], rmi_options[], import_options[], pull_options[];
extern const struct option save_options[], load_options[], history_options[], commit_options[],
	export_options[], cp_options[], image_copy_options[], image_size_options[],
	image_waste_options[], system_check_options[], system_repair_options[], system_df_options[];
extern const struct option man_options[];
extern const struct option update_options[], stats_options[], top_options[], events_options[],
	system_prune_options[], system_boot_options[], debug_options[], resume_options[];
extern const struct option volume_create_options[], volume_ls_options[], volume_rm_options[],
	volume_prune_options[], volume_export_options[];
extern const struct option network_create_options[], network_connect_options[],
	network_disconnect_options[], network_inspect_options[], network_ls_options[],
	network_rm_options[], network_prune_options[], network_audit_options[],
	network_graph_options[];
extern const struct option build_options[], builder_prune_options[], builder_du_options[],
	buildx_options[];

/* option_set for --explain[=shell|json]; the field is an enum explain_mode. */
int explain_option_set(void *field, const char *value, struct err *err);

/* How a union starts and, where the rows of the tables cannot say it, how it is freed. */
void run_options_init(union verb_options *o);
void run_options_done(union verb_options *o);
void attach_options_init(union verb_options *o);
void ps_options_init(union verb_options *o);
void pull_options_init(union verb_options *o);
void history_options_init(union verb_options *o);
void commit_options_init(union verb_options *o);
void update_options_init(union verb_options *o);
void network_create_options_init(union verb_options *o);
void update_options_done(union verb_options *o);
void build_options_init(union verb_options *o);
void build_options_done(union verb_options *o);

/* Turns what was collected into a checked request: CONTEXT is the argument; lists are parsed,
 * build arguments looked up, the environment (SOURCE_DATE_EPOCH) asked. 0 or -code with docker's
 * text. */
int build_request_finish(struct cli *cli, struct build_options *o, struct err *err);

/* Turns what was collected into a checked spec: image and command from ARGS, env and label files,
 * volumes, ports, devices, security options, restart and pull policies, then spec_validate. Reads
 * the named files, changes nothing. 0 or -code with docker's text. */
int run_request_finish(struct run_request *r, const struct strv *args, struct err *err);
/* Appends what --security-opt was given to RET as a specification has it: a seccomp profile by its
 * content. 0 or -ERR_INVALID with docker's words. */
int security_options_finish(const struct strv *typed, struct strv *ret, struct err *err);

/* The verbs' own work, one for each row of the table of commands. O is the family's member of the
 * union, filled and checked by the dispatcher, which frees it; the words after the options stand in
 * CLI. Return the exit status (>= 0), or -code with ERR for the dispatcher to print. */
int cmd_run(struct cli *cli, union verb_options *o, struct err *err);
int cmd_create(struct cli *cli, union verb_options *o, struct err *err);
int cmd_debug(struct cli *cli, union verb_options *o, struct err *err);
int cmd_update(struct cli *cli, union verb_options *o, struct err *err);
int cmd_start(struct cli *cli, union verb_options *o, struct err *err);
int cmd_attach(struct cli *cli, union verb_options *o, struct err *err);
int cmd_exec(struct cli *cli, union verb_options *o, struct err *err);
int cmd_logs(struct cli *cli, union verb_options *o, struct err *err);
int cmd_stop(struct cli *cli, union verb_options *o, struct err *err);
int cmd_kill(struct cli *cli, union verb_options *o, struct err *err);
int cmd_wait(struct cli *cli, union verb_options *o, struct err *err);
int cmd_pause(struct cli *cli, union verb_options *o, struct err *err);
int cmd_unpause(struct cli *cli, union verb_options *o, struct err *err);
int cmd_rename(struct cli *cli, union verb_options *o, struct err *err);
int cmd_rm(struct cli *cli, union verb_options *o, struct err *err);
int cmd_container_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_settle(struct cli *cli, union verb_options *o, struct err *err);
int cmd_stats(struct cli *cli, union verb_options *o, struct err *err);
int cmd_port(struct cli *cli, union verb_options *o, struct err *err);
int cmd_top(struct cli *cli, union verb_options *o, struct err *err);
/* "top --all" takes no container. */
bool top_stands_alone(const union verb_options *o);
int cmd_resume(struct cli *cli, union verb_options *o, struct err *err);
int cmd_health_check(struct cli *cli, union verb_options *o, struct err *err);
int cmd_restart(struct cli *cli, union verb_options *o, struct err *err);
int cmd_system_boot(struct cli *cli, union verb_options *o, struct err *err);
int cmd_ps(struct cli *cli, union verb_options *o, struct err *err);
int cmd_images(struct cli *cli, union verb_options *o, struct err *err);
int cmd_rmi(struct cli *cli, union verb_options *o, struct err *err);
int cmd_tag(struct cli *cli, union verb_options *o, struct err *err);
int cmd_image_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_import(struct cli *cli, union verb_options *o, struct err *err);
int cmd_pull(struct cli *cli, union verb_options *o, struct err *err);
int cmd_save(struct cli *cli, union verb_options *o, struct err *err);
int cmd_load(struct cli *cli, union verb_options *o, struct err *err);
int cmd_history(struct cli *cli, union verb_options *o, struct err *err);
int cmd_commit(struct cli *cli, union verb_options *o, struct err *err);
int cmd_build(struct cli *cli, union verb_options *o, struct err *err);
int cmd_builder_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_builder_du(struct cli *cli, union verb_options *o, struct err *err);
int cmd_buildx_create(struct cli *cli, union verb_options *o, struct err *err);
int cmd_buildx_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_buildx_ls(struct cli *cli, union verb_options *o, struct err *err);
int cmd_buildx_nothing(struct cli *cli, union verb_options *o, struct err *err);
int cmd_buildx_version(struct cli *cli, union verb_options *o, struct err *err);
int cmd_export(struct cli *cli, union verb_options *o, struct err *err);
int cmd_diff(struct cli *cli, union verb_options *o, struct err *err);
int cmd_cp(struct cli *cli, union verb_options *o, struct err *err);
int cmd_image_copy(struct cli *cli, union verb_options *o, struct err *err);
int cmd_image_size(struct cli *cli, union verb_options *o, struct err *err);
int cmd_image_waste(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_audit(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_graph(struct cli *cli, union verb_options *o, struct err *err);
int cmd_system_check(struct cli *cli, union verb_options *o, struct err *err);
int cmd_system_repair(struct cli *cli, union verb_options *o, struct err *err);
int cmd_system_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_events(struct cli *cli, union verb_options *o, struct err *err);
int cmd_system_df(struct cli *cli, union verb_options *o, struct err *err);
int cmd_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_container_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_image_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_info(struct cli *cli, union verb_options *o, struct err *err);
int cmd_version(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_clone(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_create(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_export(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_import(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_connect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_create(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_disconnect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_inspect(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_ls(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_network_rm(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_ls(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_prune(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_rename(struct cli *cli, union verb_options *o, struct err *err);
int cmd_volume_rm(struct cli *cli, union verb_options *o, struct err *err);
int cmd_completion(struct cli *cli, union verb_options *o, struct err *err);
int cmd_man(struct cli *cli, union verb_options *o, struct err *err);

/* The program's version: "0.1.0". */
const char *version_text(void);
/* Adds what docker's clients say of themselves: Version to BuildTime, and Context. */
void version_describe_client(json_t *client);
/* "tare version X, build Y", the answer to --version. */
void version_print_line(void);

/* exec's environment: files first, then -e, bare names taken from the host. */
int exec_collect_env(const struct exec_options *o, struct strv *ret, struct err *err);

#endif
