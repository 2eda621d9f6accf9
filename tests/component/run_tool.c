/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one command as a step RUN of a build does, on an image and in a directory that it is given:
 * for tests of the sandbox and of its mounts that need no Dockerfile, and to take its time.
 *
 *	tare-run-tool --root R --runroot N --dir D [OPTION...] IMAGE COMMAND...
 *
 * D/upper is what the command left. What it prints goes to stdout; how it ended to stderr, as
 * "exit CODE" or "error CODE: TEXT".
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "build/run_step.h"
#include "dockerfile/ignore.h"
#include "engine/create.h"
#include "storage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_MOUNTS 64

struct tool {
	const char *root, *runroot, *dir, *context, *ignore;
	struct build_request request;
	struct build_run_op op;
	struct build_mount mounts[MAX_MOUNTS];
	struct build_tree tree;
	struct build_tree *trees[MAX_MOUNTS];
	struct strv froms[MAX_MOUNTS];
	const struct strv *mount_lowers[MAX_MOUNTS];
	struct strv lowers;
	struct engine engine;
	const char *platform;
	int64_t times;
	bool shell, explain, kill_self;
};

static void say_nothing(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static int find_layers(struct tool *t, const char *ref, struct strv *ret, struct err *err)
{
	cleanup_image struct image image = IMAGE_INIT;
	int rc = engine_find_image(&t->engine, ref, PULL_MISSING, say_nothing, &image, err);

	if (rc == 0)
		image_get_lower_dirs(t->engine.store, &image, ret);
	return rc;
}

/* ---- options ---- */

static uint64_t number(const char *text, unsigned base)
{
	uint64_t found = 0;

	if (num_parse_base(text, base, &found) == 0)
		return found;
	fprintf(stderr, "%s is no number\n", text);
	exit(2);
}

static void set_owner(struct run_mount *m, const char *key, uint32_t value)
{
	if (strcmp(key, "mode") == 0) {
		m->has_mode = true;
		m->mode = value;
	} else if (strcmp(key, "uid") == 0) {
		m->has_uid = true;
		m->uid = value;
	} else {
		m->has_gid = true;
		m->gid = value;
	}
}

static enum run_mount_type type_of(const char *word)
{
	static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i], word) == 0)
			return (enum run_mount_type)i;
	fprintf(stderr, "unknown type %s\n", word);
	exit(2);
}

static void set_key(struct run_mount *m, const char *key, const char *value)
{
	static const char *const sharing[] = {"shared", "private", "locked"};
	const struct {
		const char *key;
		char **field;
	} texts[] = {{"from", &m->from},
		     {"source", &m->source},
		     {"target", &m->target},
		     {"id", &m->id},
		     {"env", &m->env}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(texts[i].key, key) == 0)
			str_replace(texts[i].field, value);
	if (strcmp(key, "type") == 0)
		m->type = type_of(value);
	for (size_t i = 0; i < ARRAY_LEN(sharing); i++)
		if (strcmp(key, "sharing") == 0 && strcmp(sharing[i], value) == 0)
			m->sharing = (enum run_mount_sharing)i;
	if (strcmp(key, "rw") == 0)
		m->read_only = false;
	if (strcmp(key, "ro") == 0)
		m->read_only = true;
	if (strcmp(key, "required") == 0)
		m->required = true;
	if (strcmp(key, "size") == 0)
		m->size = (int64_t)number(value, 10);
	if (strcmp(key, "mode") == 0)
		set_owner(m, key, (uint32_t)number(value, 8));
	if (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0)
		set_owner(m, key, (uint32_t)number(value, 10));
}

/* "type=bind;from=context;source=/x;target=/y": with semicolons, so that a path may have commas. */
static void add_mount(struct tool *t, const char *text)
{
	struct build_mount *m = &t->mounts[t->op.n_mounts++];
	cleanup_strv struct strv parts = STRV_INIT;

	m->from_step = m->from_source = BUILD_NONE;
	strv_split(&parts, text, ';');
	strv_foreach (i, &parts) {
		char *eq = strchr(parts.items[i], '=');

		if (i == 0 && str_is_equal(parts.items[0], "type=bind"))
			m->mount.read_only = true;
		if (eq)
			*eq = '\0';
		set_key(&m->mount, parts.items[i], eq ? eq + 1 : "");
	}
}

static void add_secret(struct build_request *r, const char *id, const char *source, bool is_env)
{
	struct build_secret *s = NULL;

	r->secrets = mem_realloc_array(r->secrets, r->n_secrets + 1, sizeof(*r->secrets));
	s = &r->secrets[r->n_secrets++];
	*s = (struct build_secret){.id = str_dup(id)};
	str_replace(is_env ? &s->env : &s->source, source);
}

static void add_ssh(struct build_request *r, const char *id, const char *path)
{
	struct build_ssh *s = NULL;

	r->ssh = mem_realloc_array(r->ssh, r->n_ssh + 1, sizeof(*r->ssh));
	s = &r->ssh[r->n_ssh++];
	*s = (struct build_ssh){.id = str_dup(id)};
	if (*path)
		strv_add(&s->paths, path);
}

static void set_pair(struct tool *t, int option, char *value)
{
	char *eq = strchr(value, '=');

	if (eq)
		*eq++ = '\0';
	if (option == 's')
		add_secret(&t->request, value, eq ? eq : "", false);
	else if (option == 'S')
		add_secret(&t->request, value, eq ? eq : "", true);
	else
		add_ssh(&t->request, value, eq ? eq : "");
}

static const struct option options[] = {
	{"root", 1, NULL, 'r'},	     {"runroot", 1, NULL, 'n'},	      {"dir", 1, NULL, 'd'},
	{"context", 1, NULL, 'c'},   {"mount", 1, NULL, 'm'},	      {"env", 1, NULL, 'e'},
	{"user", 1, NULL, 'u'},	     {"workdir", 1, NULL, 'w'},	      {"network", 1, NULL, 'N'},
	{"secret", 1, NULL, 's'},    {"secret-env", 1, NULL, 'S'},    {"ssh", 1, NULL, 'A'},
	{"add-host", 1, NULL, 'H'},  {"memory", 1, NULL, 'M'},	      {"volume", 1, NULL, 'v'},
	{"script", 1, NULL, 'x'},    {"platform", 1, NULL, 'p'},      {"times", 1, NULL, 't'},
	{"insecure", 0, NULL, 'I'},  {"shell", 0, NULL, 'E'},	      {"explain", 0, NULL, 'X'},
	{"kill-self", 0, NULL, 'K'}, {"cgroup-parent", 1, NULL, 'g'}, {"shm-size", 1, NULL, 'z'},
	{"build-arg", 1, NULL, 'b'}, {"device", 1, NULL, 'D'},	      {"ignore", 1, NULL, 'i'},
	{NULL, 0, NULL, 0},
};

static bool set_text(struct tool *t, int option, const char *value)
{
	const struct {
		int option;
		const char **field;
	} borrowed[] = {{'r', &t->root},    {'n', &t->runroot},	 {'d', &t->dir},
			{'c', &t->context}, {'p', &t->platform}, {'i', &t->ignore}};
	const struct {
		int option;
		char **field;
	} owned[] = {{'u', &t->op.user},
		     {'w', &t->op.workdir},
		     {'N', &t->op.network},
		     {'x', &t->op.script},
		     {'g', &t->request.cgroup_parent}};
	const struct {
		int option;
		struct strv *list;
	} lists[] = {{'e', &t->op.env},
		     {'H', &t->request.extra_hosts},
		     {'v', &t->request.volumes},
		     {'b', &t->request.build_args},
		     {'D', &t->op.devices}};

	for (size_t i = 0; i < ARRAY_LEN(borrowed); i++)
		if (borrowed[i].option == option) {
			*borrowed[i].field = value;
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		if (owned[i].option == option) {
			str_replace(owned[i].field, value);
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i].option == option) {
			strv_add(lists[i].list, value);
			return true;
		}
	return false;
}

static void set_option(struct tool *t, int option, char *value)
{
	bool *const flags[] = {['I'] = &t->op.insecure,
			       ['E'] = &t->shell,
			       ['X'] = &t->explain,
			       ['K'] = &t->kill_self};
	int64_t *const numbers[] = {
		['M'] = &t->request.memory, ['t'] = &t->times, ['z'] = &t->request.shm_size};

	if (set_text(t, option, value))
		return;
	if (strchr("sSA", option))
		set_pair(t, option, value);
	else if (option == 'm')
		add_mount(t, value);
	else if (strchr("Mtz", option))
		*numbers[option] = (int64_t)number(value, 10);
	else if (strchr("IEXK", option))
		*flags[option] = true;
	else
		exit(2);
}

/* ---- running ---- */

static int open_sources(struct tool *t, struct err *err)
{
	if (t->context) {
		t->tree.root_fd = open(t->context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		t->tree.is_context = true;
		if (t->tree.root_fd < 0)
			return err_sys(err, errno, "open %s", t->context);
	}
	if (t->ignore && ignore_parse(t->ignore, strlen(t->ignore), &t->tree.ignore, err) < 0)
		return -err->code;
	for (size_t i = 0; i < t->op.n_mounts; i++) {
		const struct run_mount *m = &t->mounts[i].mount;
		int rc = 0;

		if (m->from && strcmp(m->from, "context") != 0) {
			rc = find_layers(t, m->from, &t->froms[i], err);
			t->mount_lowers[i] = &t->froms[i];
		} else if (m->from || m->type == RUN_MOUNT_BIND) {
			t->trees[i] = &t->tree;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void copy_out(int log_fd, int pidfd)
{
	struct pollfd fds[] = {{.fd = log_fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	char buf[4096];

	for (;;) {
		ssize_t n = read(log_fd, buf, sizeof(buf));

		if (n == 0)
			break;
		if (n > 0)
			fd_write_full(STDOUT_FILENO, buf, (size_t)n);
		else
			poll(fds, 1, -1);
	}
	poll(fds + 1, 1, -1);
}

static int run_once(struct tool *t, const struct build_run_input *input, struct err *err)
{
	struct build_run *run = NULL;
	cleanup_close int log_fd = -1;
	bool oom = false;
	int code = 0;
	int rc = build_run_start(&t->engine, input, &run, &log_fd, err);

	while (rc == 1) {
		fprintf(stderr, "busy\n");
		usleep(50000);
		rc = build_run_start(&t->engine, input, &run, &log_fd, err);
	}
	if (rc < 0)
		return rc;
	if (t->kill_self) {
		/* The command says that it runs. */
		poll(&(struct pollfd){.fd = log_fd, .events = POLLIN}, 1, -1);
		raise(SIGKILL);
	}
	copy_out(log_fd, build_run_pidfd(run));
	if (t->shell)
		rc = build_run_shell(run, err);
	if (rc < 0)
		return rc;
	rc = build_run_finish(run, &code, &oom, err);
	if (rc == 0 && t->times <= 1)
		fprintf(stderr, "exit %d%s\n", code, oom ? " oom" : "");
	return rc < 0 ? rc : code;
}

static int run_times(struct tool *t, struct build_run_input *input, struct err *err)
{
	for (int64_t i = 0; i < t->times; i++) {
		cleanup_free char *dir = str_printf("%s/%lld", t->dir, (long long)i);
		cleanup_free char *upper = str_printf("%s/upper", dir);
		cleanup_free char *work = str_printf("%s/work", dir);
		char id[ID_LEN + 1];
		uint64_t began = 0;
		int rc = 0;

		rand_hex(ID_LEN / 2, id);
		mkdir(dir, 0700);
		mkdir(upper, 0755);
		mkdir(work, 0700);
		input->place.dir = dir;
		input->place.id = id;
		began = clock_mono_ns();
		rc = run_once(t, input, err);
		printf("%.3f ms\n", (double)(clock_mono_ns() - began) / 1e6);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_tool(struct tool *t, const char *image, struct err *err)
{
	char id[ID_LEN + 1];
	struct build_run_input input = {.request = &t->request,
					.op = &t->op,
					.place = {.engine = &t->engine,
						  .lowers = &t->lowers,
						  .dir = t->dir,
						  .id = id,
						  .platform = t->platform},
					.trees = t->trees,
					.mount_lowers = t->mount_lowers};
	cleanup_str struct str text = STR_INIT;
	int rc = engine_open(&t->engine, t->root, t->runroot, err);

	rand_hex(ID_LEN / 2, id);
	if (rc == 0 && strcmp(image, "scratch") != 0)
		rc = find_layers(t, image, &t->lowers, err);
	if (rc == 0)
		rc = open_sources(t, err);
	if (rc < 0)
		return rc;
	if (t->explain) {
		rc = build_run_explain(&t->engine, &input, &text, err);
		fputs(str_get(&text), stdout);
		return rc;
	}
	return t->times > 1 ? run_times(t, &input, err) : run_once(t, &input, err);
}

int main(int argc, char **argv)
{
	struct tool t = {.tree.root_fd = -1, .platform = "linux/amd64"};
	struct err err = ERR_INIT;
	int option = 0;
	int rc = 0;

	build_request_init(&t.request);
	t.op.mounts = t.mounts;
	t.op.workdir = str_dup("/");
	t.op.network = str_dup("default");
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		set_option(&t, option, optarg);
	for (int i = optind + 1; i < argc; i++)
		strv_add(&t.op.argv, argv[i]);
	if (!t.op.argv.n || !t.root || !t.runroot || !t.dir)
		return 2;
	rc = run_tool(&t, argv[optind], &err);
	if (rc < 0)
		fprintf(stderr, "error %d: %s%s%s\n", err.code, err.msg,
			*err.hint ? "\nhint: " : "", err.hint);
	engine_close(&t.engine);
	return rc < 0 ? 125 : rc;
}
