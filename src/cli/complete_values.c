/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What options and arguments can be, as two tables: words that are always the same, or a function
 * that looks them up. What is not in the tables has no completion; names of files are offered only
 * where the tables say so.
 */
#include "cli/complete.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/option.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/state.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/network.h"
#include "storage/store.h"
#include "storage/volume.h"
#include "sys/caps.h"

/* ---- names of what is there ---- */

/* Which containers: bits of 1 << enum container_status. */
#define WITH(status) (1u << STATUS_##status)
#define ANY_STATE    0u
#define ALIVE	     (WITH(RUNNING) | WITH(PAUSED))
#define ENDED	     (WITH(CREATED) | WITH(EXITED))

struct name_search {
	struct completion *c;
	const struct engine *engine;
	unsigned states;
	const char *before, *after; /* added to each name */
	struct strv live;	    /* ids with a run directory, sorted: others do not run */
};

static bool is_taken(const struct completion *c, const char *name)
{
	return strv_has(&c->args, name);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One look at a directory instead of two at the files of each container. */
static void find_live(struct name_search *s)
{
	cleanup_free char *path = str_printf("%s/containers", s->engine->runroot);
	DIR *dir = opendir(path); /* lint: our own runroot */
	struct dirent *entry = NULL;

	if (!dir)
		return;
	for (entry = readdir(dir); entry; entry = readdir(dir))
		strv_add(&s->live, entry->d_name);
	closedir(dir);
	if (s->live.n)
		qsort(s->live.items, s->live.n, sizeof(char *), compare_ids);
}

static bool has_state(const struct name_search *s, const char *id)
{
	bool is_live = s->live.n &&
		       bsearch(&id, s->live.items, s->live.n, sizeof(char *), compare_ids);
	struct container_state state;

	if (!is_live)
		return s->states & ENDED;
	container_state_read(s->engine, id, &state);
	return s->states & (1u << state.status);
}

static int add_container(const struct listed_container *listed, void *data, struct err *err)
{
	struct name_search *s = data;
	cleanup_free char *word = str_printf("%s%s%s", s->before, listed->row->name, s->after);

	if (!str_has_prefix(word, s->c->prefix) || is_taken(s->c, listed->row->name) ||
	    (s->states && !has_state(s, listed->row->id)))
		return 0;
	complete_add(s->c, word, listed->row->image_ref);
	return 0;
}

static int add_image(const struct image_row *row, void *data, struct err *err)
{
	struct completion *c = data;
	cleanup_free char *name = str_printf("%s:%s", row->repository, row->tag);

	if (!strstr(name, "<none>") && !is_taken(c, name))
		complete_add(c, name, NULL);
	return 0;
}

static int add_volume(const struct volume *volume, void *data, struct err *err)
{
	struct name_search *s = data;
	cleanup_free char *word = str_printf("%s%s", volume->name, s->after);

	if (!is_taken(s->c, volume->name))
		complete_add(s->c, word, NULL);
	return 0;
}

static int add_network(const struct network_row *row, void *data, struct err *err)
{
	struct completion *c = data;

	if (!is_taken(c, row->name))
		complete_add(c, row->name, NULL);
	return 0;
}

/* Opens what is there without making anything; false when there is nothing to look at. */
static bool open_engine(const struct completion *c, struct engine *engine)
{
	struct err ignored = ERR_INIT;

	return engine_open_unchanged(engine, c->cli->root, c->cli->runroot, &ignored) == 0 &&
	       engine->store;
}

static void add_containers(struct completion *c, unsigned states, const char *before,
			   const char *after)
{
	const struct list_options options = {.all = true, .without_state = true};
	cleanup_engine struct engine engine = {};
	struct name_search search = {
		.c = c, .engine = &engine, .states = states, .before = before, .after = after};
	struct err ignored = ERR_INIT;

	if (!open_engine(c, &engine))
		return;
	if (states)
		find_live(&search);
	(void)list_containers(&engine, &options, NULL, add_container, &search, &ignored);
	strv_done(&search.live);
}

static void add_images(struct completion *c)
{
	cleanup_image_filter struct image_filter filter = {};
	cleanup_engine struct engine engine = {};
	struct err ignored = ERR_INIT;

	image_filter_init(&filter);
	if (open_engine(c, &engine))
		(void)image_list(engine.store, &filter, add_image, c, &ignored);
}

static void add_volumes(struct completion *c, const char *after)
{
	struct name_search search = {.c = c, .after = after};
	cleanup_engine struct engine engine = {};
	struct err ignored = ERR_INIT;

	if (open_engine(c, &engine))
		(void)volume_list(engine.store, add_volume, &search, &ignored);
}

/* Those that have a row: the ones that are always there may have none yet. */
static void network_names(struct completion *c)
{
	cleanup_engine struct engine engine = {};
	struct err ignored = ERR_INIT;

	if (open_engine(c, &engine))
		(void)network_list(engine.store, add_network, c, &ignored);
}

/* ---- kinds of words ---- */

static void containers(struct completion *c)
{
	add_containers(c, ANY_STATE, "", "");
}

static void alive_containers(struct completion *c)
{
	add_containers(c, ALIVE, "", "");
}

static void running_containers(struct completion *c)
{
	add_containers(c, WITH(RUNNING), "", "");
}

static void paused_containers(struct completion *c)
{
	add_containers(c, WITH(PAUSED), "", "");
}

static void ended_containers(struct completion *c)
{
	add_containers(c, ENDED, "", "");
}

/* "NAME:" of cp, or a file of the host. */
static void container_paths(struct completion *c)
{
	add_containers(c, ANY_STATE, "", ":");
	c->directive = c->out.len ? COMPLETE_NO_SPACE : COMPLETE_FILES;
}

static void images(struct completion *c)
{
	add_images(c);
}

static void volumes(struct completion *c)
{
	add_volumes(c, "");
}

static void anything(struct completion *c)
{
	containers(c);
	images(c);
	network_names(c);
	volumes(c);
}

/* What an audit may be asked about. */
static void networks_and_containers(struct completion *c)
{
	network_names(c);
	add_containers(c, ALIVE, "", "");
}

/* The source of -v: a volume, or a folder of the host. */
static void volume_sources(struct completion *c)
{
	if (strchr(c->prefix, ':'))
		return;
	add_volumes(c, ":");
	c->directive = COMPLETE_NO_SPACE;
}

static void joined(struct completion *c, const char *const *words)
{
	add_containers(c, ALIVE, "container:", "");
	for (; *words; words++)
		complete_add(c, *words, NULL);
}

static void networks(struct completion *c)
{
	joined(c, (const char *const[]){"default", "host", "none", NULL});
	network_names(c);
}

static void pid_modes(struct completion *c)
{
	joined(c, (const char *const[]){"host", NULL});
}

static void ipc_modes(struct completion *c)
{
	joined(c, (const char *const[]){"host", "none", "private", "shareable", NULL});
}

static void signals(struct completion *c)
{
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);
		cleanup_free char *word = name ? str_printf("SIG%s", name) : NULL;

		if (word)
			complete_add(c, word, sigdescr_np(i));
	}
}

static void capabilities(struct completion *c)
{
	complete_add(c, "ALL", NULL);
	for (int cap = 0; cap < CAPS_N; cap++)
		complete_add(c, caps_name(cap), NULL);
}

static void variables(struct completion *c)
{
	for (char **e = environ; *e; e++) {
		cleanup_free char *name = str_ndup(*e, strcspn(*e, "="));

		complete_add(c, name, NULL);
	}
	c->directive = COMPLETE_NO_SPACE | COMPLETE_NO_FILES;
}

/* The last part of a list with commas: keys, or the value of one of them. */
static void mount_parts(struct completion *c)
{
	static const char *const keys[] = {
		"type=bind",	   "type=image",     "type=tmpfs",     "type=volume",
		"source=",	   "target=",	     "readonly",       "bind-propagation=",
		"bind-recursive=", "consistency=",   "image-subpath=", "tmpfs-mode=",
		"tmpfs-size=",	   "volume-driver=", "volume-label=",  "volume-nocopy",
		"volume-opt=",	   "volume-subpath="};
	const char *comma = strrchr(c->prefix, ',');
	size_t len = comma ? (size_t)(comma + 1 - c->prefix) : 0;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		cleanup_free char *word = str_printf("%.*s%s", (int)len, c->prefix, keys[i]);

		complete_add(c, word, NULL);
	}
	c->directive = COMPLETE_NO_SPACE | COMPLETE_NO_FILES;
}

/* ---- filters ---- */

struct filter_key {
	const char *key;
	const char *values; /* separated by blanks; NULL: see `look_up` */
	void (*look_up)(struct completion *c);
};

#define STATES "created dead exited paused removing restarting running"

static const struct filter_key container_keys[] = {
	{"ancestor", NULL, images},
	{"before", NULL, containers},
	{"exited"},
	{"expose"},
	{"health", "healthy none starting unhealthy"},
	{"id"},
	{"is-task", "false true"},
	{"label"},
	{"name", NULL, containers},
	{"network", NULL, network_names},
	{"publish"},
	{"since", NULL, containers},
	{"status", STATES},
	{"volume", NULL, volumes},
	{},
};
static const struct filter_key image_keys[] = {
	{"before", NULL, images},
	{"dangling", "false true"},
	{"label"},
	{"reference", NULL, images},
	{"since", NULL, images},
	{"until"},
	{},
};
static const struct filter_key network_keys[] = {
	{"dangling", "false true"},
	{"driver", "bridge host ipvlan macvlan null"},
	{"id"},
	{"label"},
	{"name", NULL, network_names},
	{"scope", "local"},
	{"type", "builtin custom"},
	{},
};
static const struct filter_key volume_keys[] = {
	{"dangling", "false true"}, {"driver", "local"}, {"label"}, {"name", NULL, volumes}, {},
};
static const struct filter_key prune_keys[] = {{"label"}, {"label!"}, {"until"}, {}};
static const struct filter_key volume_prune_keys[] = {
	{"all", "false true"}, {"label"}, {"label!"}, {}};
static const struct filter_key event_keys[] = {
	{"container", NULL, containers},
	{"event", "attach commit connect copy create destroy detach die disconnect exec_create "
		  "exec_die exec_start "
		  "export health_status import kill load mount oom pause prune pull rename "
		  "resize restart save start stop tag top unmount unpause untag update"},
	{"image", NULL, images},
	{"label"},
	{"network", NULL, network_names},
	{"scope", "local"},
	{"type", "container image network volume"},
	{"volume", NULL, volumes},
	{},
};

static const struct {
	const char *group, *name;
	const struct filter_key *keys;
} filters[] = {
	{"container", "ls", container_keys}, {"container", "prune", prune_keys},
	{"image", "ls", image_keys},	     {"image", "prune", prune_keys},
	{"system", "events", event_keys},    {"system", "prune", prune_keys},
	{"network", "ls", network_keys},     {"network", "prune", prune_keys},
	{"volume", "ls", volume_keys},	     {"volume", "prune", volume_prune_keys},
};

static void add_words(struct completion *c, const char *words, const char *before)
{
	cleanup_strv struct strv list = STRV_INIT;

	strv_split(&list, words, ' ');
	strv_foreach (i, &list) {
		cleanup_free char *word = str_printf("%s%s", before, list.items[i]);

		complete_add(c, word, NULL);
	}
}

/* The value after "KEY=", which stays a part of each word. */
static void filter_value(struct completion *c, const struct filter_key *key)
{
	cleanup_free char *before = str_printf("%s=", key->key);
	struct completion inner = *c;
	cleanup_strv struct strv lines = STRV_INIT;

	if (key->values)
		add_words(c, key->values, before);
	if (!key->look_up)
		return;
	inner.prefix = strchr(c->prefix, '=') + 1;
	inner.out = (struct str)STR_INIT;
	inner.with_texts = false;
	key->look_up(&inner);
	strv_split(&lines, str_get(&inner.out), '\n');
	str_done(&inner.out);
	strv_foreach (i, &lines) {
		cleanup_free char *word = str_printf("%s%s", before, lines.items[i]);

		if (*lines.items[i])
			complete_add(c, word, NULL);
	}
}

static void complete_filter(struct completion *c, const struct filter_key *keys)
{
	size_t len = strcspn(c->prefix, "=");

	for (const struct filter_key *k = keys; k->key; k++) {
		cleanup_free char *word = str_printf("%s=", k->key);

		if (!c->prefix[len])
			complete_add(c, word, NULL);
		else if (strlen(k->key) == len && strncmp(k->key, c->prefix, len) == 0)
			filter_value(c, k);
	}
	if (!c->prefix[len])
		c->directive = COMPLETE_NO_SPACE | COMPLETE_NO_FILES;
}

/* ---- options ---- */

#define NO_SPACE (COMPLETE_NO_SPACE | COMPLETE_NO_FILES)
#define LIMITS                                                                                     \
	"as= core= cpu= data= fsize= locks= memlock= msgqueue= nice= nofile= nproc= rss= rtprio= " \
	"rttime= sigpending= stack="

#define NETWORK_OPTIONS                                                                          \
	"com.docker.network.bridge.enable_icc= com.docker.network.bridge.enable_ip_masquerade= " \
	"com.docker.network.bridge.gateway_mode_ipv4= "                                          \
	"com.docker.network.bridge.gateway_mode_ipv6= "                                          \
	"com.docker.network.bridge.host_binding_ipv4= com.docker.network.bridge.inhibit_ipv4= "  \
	"com.docker.network.bridge.name= com.docker.network.container_iface_prefix= "            \
	"com.docker.network.driver.mtu= ipvlan_flag= ipvlan_mode= macvlan_mode= parent="

static const struct value_row {
	const char *option;
	const char *words; /* separated by blanks; NULL for none */
	void (*look_up)(struct completion *c);
	unsigned directive;
	const char *group; /* of the commands it is for; NULL: all that come to it */
} value_rows[] = {
	{"bind-propagation", "private rprivate shared rshared slave rslave"},
	{"build-arg", NULL, variables, NO_SPACE},
	{"build-context", NULL, NULL, COMPLETE_FILES},
	{"cache-from", "type=local,src=", NULL, NO_SPACE},
	{"cache-to", "type=inline type=local,dest= type=local,mounts=true,dest=", NULL, NO_SPACE},
	{"call", "build check outline targets"},
	{"cap-add", NULL, capabilities, COMPLETE_NO_FILES},
	{"cap-drop", NULL, capabilities, COMPLETE_NO_FILES},
	{"cgroupns", "host private"},
	{"cidfile", NULL, NULL, COMPLETE_FILES},
	{"config", NULL, NULL, COMPLETE_FOLDERS},
	{"context", "default"},
	{"device", NULL, NULL, COMPLETE_FILES},
	{"driver", "bridge ipvlan macvlan", .group = "network"},
	{"driver", "local"},
	{"env", NULL, variables, NO_SPACE},
	{"env-file", NULL, NULL, COMPLETE_FILES},
	{"file", NULL, NULL, COMPLETE_FILES},
	{"format", "json table"},
	{"gpus", "all"},
	{"health-on-failure", "kill none restart stop"},
	{"iidfile", NULL, NULL, COMPLETE_FILES},
	{"image", NULL, images, COMPLETE_NO_FILES},
	{"input", NULL, NULL, COMPLETE_FILES},
	{"ipc", NULL, ipc_modes, COMPLETE_NO_FILES},
	{"label-file", NULL, NULL, COMPLETE_FILES},
	{"link", NULL, alive_containers, COMPLETE_NO_FILES},
	{"log-driver", "journald json-file local none syslog"},
	{"log-level", "debug error fatal info notice trace warn"},
	{"log-opt",
	 "compress= env= env-regex= labels= labels-regex= max-buffer-size= max-file= max-size= "
	 "mode=blocking mode=non-blocking syslog-address= syslog-facility= syslog-format= tag=",
	 NULL, NO_SPACE},
	{"metadata-file", NULL, NULL, COMPLETE_FILES},
	{"mount", NULL, mount_parts, NO_SPACE},
	{"network", NULL, networks, COMPLETE_NO_FILES},
	{"on-error", "fail shell"},
	{"opt", NETWORK_OPTIONS, NULL, NO_SPACE, "network"},
	{"opt", "device= o= size= type=", NULL, NO_SPACE},
	{"output", NULL, NULL, COMPLETE_FILES},
	{"pid", NULL, pid_modes, COMPLETE_NO_FILES},
	{"platform", "linux/386 linux/amd64 linux/arm/v7 linux/arm64"},
	{"progress", "auto none plain quiet rawjson tty"},
	{"pull", "always missing never"},
	{"restart", "always no on-failure unless-stopped"},
	{"root", NULL, NULL, COMPLETE_FOLDERS},
	{"runroot", NULL, NULL, COMPLETE_FOLDERS},
	{"secret", "id=", NULL, NO_SPACE},
	{"security-opt",
	 "apparmor= label= no-new-privileges seccomp= seccomp=unconfined systempaths=unconfined",
	 NULL, NO_SPACE},
	{"signal", NULL, signals, COMPLETE_NO_FILES},
	{"ssh", "default"},
	{"stop-signal", NULL, signals, COMPLETE_NO_FILES},
	{"tag", NULL, images, COMPLETE_NO_FILES},
	{"tail", "all"},
	{"type", "container image network volume"},
	{"ulimit", LIMITS, NULL, NO_SPACE},
	{"userns", "host"},
	{"uts", "host"},
	{"volume", NULL, volume_sources, COMPLETE_FILES},
	{"volumes-from", NULL, containers, COMPLETE_NO_FILES},
};

static const struct filter_key *lookup_filter(const struct command *command)
{
	for (size_t i = 0; command && i < ARRAY_LEN(filters); i++)
		if (str_is_equal(command->group, filters[i].group) &&
		    strcmp(command->name, filters[i].name) == 0)
			return filters[i].keys;
	return NULL;
}

void complete_value(struct completion *c, const struct command *command, const struct option *o)
{
	const struct filter_key *keys = lookup_filter(command);

	c->directive = COMPLETE_NO_FILES;
	if (keys && strcmp(o->name, "filter") == 0) {
		complete_filter(c, keys);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(value_rows); i++) {
		const struct value_row *row = &value_rows[i];

		if (strcmp(row->option, o->name) != 0 ||
		    (row->group && (!command || !str_is_equal(row->group, command->group))))
			continue;
		/* A row of words alone says nothing of files. */
		c->directive = row->words && !row->directive ? COMPLETE_NO_FILES : row->directive;
		if (row->words)
			add_words(c, row->words, "");
		if (row->look_up)
			row->look_up(c);
		return;
	}
}

/* ---- arguments ---- */

static const struct argument_row {
	const char *group, *name;
	void (*look_up)(struct completion *c); /* of the first argument */
	bool repeats;			       /* also of the others */
	unsigned after;			       /* directive of the others, where it does not */
} argument_rows[] = {
	{"builder", "build", NULL, false, COMPLETE_NO_FILES},
	{"buildx", "build", NULL, false, COMPLETE_NO_FILES},
	{"container", "attach", running_containers, false, COMPLETE_NO_FILES},
	{"container", "commit", containers, false, COMPLETE_NO_FILES},
	{"container", "cp", container_paths, true},
	{"container", "create", images, false, COMPLETE_FILES},
	{"container", "debug", containers, false, COMPLETE_FILES},
	{"container", "diff", containers, false, COMPLETE_NO_FILES},
	{"container", "exec", running_containers, false, COMPLETE_FILES},
	{"container", "export", containers, false, COMPLETE_NO_FILES},
	{"container", "inspect", containers, true},
	{"container", "kill", alive_containers, true},
	{"container", "logs", containers, false, COMPLETE_NO_FILES},
	{"container", "pause", running_containers, true},
	{"container", "port", alive_containers, false, COMPLETE_NO_FILES},
	{"container", "rename", containers, false, COMPLETE_NO_FILES},
	{"container", "restart", containers, true},
	{"container", "rm", containers, true},
	{"container", "run", images, false, COMPLETE_FILES},
	{"container", "start", ended_containers, true},
	{"container", "stats", alive_containers, true},
	{"container", "stop", alive_containers, true},
	{"container", "top", alive_containers, false, COMPLETE_NO_FILES},
	{"container", "unpause", paused_containers, true},
	{"container", "update", containers, true},
	{"container", "wait", containers, true},
	{"image", "build", NULL, false, COMPLETE_NO_FILES},
	{"image", "copy", NULL, false, COMPLETE_FILES},
	{"image", "history", images, false, COMPLETE_NO_FILES},
	{"image", "import", NULL, false, COMPLETE_NO_FILES},
	{"image", "inspect", images, true},
	{"image", "ls", images, false, COMPLETE_NO_FILES},
	{"image", "rm", images, true},
	{"image", "save", images, true},
	{"image", "size", images, true},
	{"image", "tag", images, false, COMPLETE_NO_FILES},
	{"image", "waste", images, true},
	{"network", "audit", networks_and_containers, true},
	{"network", "connect", network_names, false, COMPLETE_NO_FILES},
	{"network", "disconnect", network_names, false, COMPLETE_NO_FILES},
	{"network", "graph", network_names, true},
	{"network", "inspect", network_names, true},
	{"network", "rm", network_names, true},
	{"volume", "clone", volumes, false, COMPLETE_NO_FILES},
	{"volume", "export", volumes, false, COMPLETE_NO_FILES},
	{"volume", "import", volumes, false, COMPLETE_FILES},
	{"volume", "inspect", volumes, true},
	{"volume", "rename", volumes, false, COMPLETE_NO_FILES},
	{"volume", "rm", volumes, true},
	{NULL, "inspect", anything, true},
};

/* The rows without a function take files. */
static void complete_row(struct completion *c, const struct argument_row *row)
{
	bool is_first = c->args.n == 0;

	c->directive = COMPLETE_NO_FILES;
	if (!is_first && !row->repeats)
		c->directive = row->after;
	else if (row->look_up)
		row->look_up(c);
	else
		c->directive = COMPLETE_FILES;
}

void complete_argument(struct completion *c, const struct command *command)
{
	c->directive = COMPLETE_NO_FILES;
	for (size_t i = 0; i < ARRAY_LEN(argument_rows); i++) {
		const struct argument_row *row = &argument_rows[i];

		if (!str_is_equal(row->group, command->group) ||
		    strcmp(row->name, command->name) != 0)
			continue;
		complete_row(c, row);
		return;
	}
	if (command->group == NULL && strcmp(command->name, "completion") == 0)
		add_words(c, "bash fish zsh", "");
}
