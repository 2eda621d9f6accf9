/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper gets a descriptor to write to, the address, and of our environment what says how to
 * get there; its two texts are memory files, so that nothing can block.
 */
#include "build/http.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/str.h"
#include "build/git_url.h"
#include "build/graph.h"
#include "build/input_private.h"
#include "build/interrupt.h"
#include "engine/engine.h"
#include "oci/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER	  "tare-fetch"
#define OUT_FD	  3
#define EXIT_BASE 64 /* src/fetch/main.c */
#define MAX_TEXT  8192
/* Ours are moved here and above, so that dup2 in the child hits none of them. */
#define FD_FREE 16

static const char *const passed[] = {
	"http_proxy", "https_proxy", "no_proxy",      "all_proxy",    "HTTPS_PROXY",
	"NO_PROXY",   "ALL_PROXY",   "SSL_CERT_FILE", "SSL_CERT_DIR",
};

/* What the helper told. */
struct answer {
	char *etag;
	int64_t modified_s; /* -1 */
};

/* ---- the helper ---- */

static void make_env(struct strv *env)
{
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (getenv(passed[i]))
			strv_addf(env, "%s=%s", passed[i], getenv(passed[i]));
	strv_add(env, "LC_ALL=C");
}

/* Signals as in a fresh process: the builder takes its own by descriptor. */
static int spawn(const char *path, char *const *argv, char *const *env, const int fds[3],
		 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigset_t all;
	int rc = 0;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fds[2], OUT_FD);
	rc = posix_spawn(ret_pid, path, &actions, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return rc;
}

static int wait_status(pid_t pid)
{
	int status = 0;

	if (interrupt_wait_child(pid, &status) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int explain(int status, struct str *text, struct err *err)
{
	int code = status - EXIT_BASE;

	if (!text->len)
		return err_set(err, ERR_SYSTEM, HELPER " failed");
	return err_set(err,
		       code > ERR_NONE && code < N_ERR_CODES ? (enum err_code)code : ERR_SYSTEM,
		       "%s", str_trim(text->buf));
}

static void parse_answer(char *text, struct answer *ret)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (str_has_prefix(line, "etag "))
			str_replace(&ret->etag, line + strlen("etag "));
		if (str_has_prefix(line, "modified "))
			num_parse_i64(line + strlen("modified "), &ret->modified_s);
	}
}

static int run_helper(const char *path, const char *url, const int fds[3], struct answer *ret,
		      struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_str struct str text = STR_INIT;
	pid_t pid = 0;
	int status = 0;
	int rc = 0;

	strv_add(&argv, path);
	strv_addf(&argv, "%d", (int)getpid());
	strv_add(&argv, url);
	make_env(&env);
	rc = spawn(path, argv.items, env.items, fds, &pid);
	if (rc != 0) {
		err_sys(err, rc, "start %s", path);
		return err_hint(err, "is tare installed completely?");
	}
	status = wait_status(pid);
	rc = fd_read_back(fds[status == 0 ? 0 : 1], MAX_TEXT, &text);
	if (rc < 0)
		return err_sys(err, -rc, "read what " HELPER " printed");
	if (status != 0)
		return explain(status, &text, err);
	parse_answer(text.buf, ret);
	return 0;
}

/* Downloads URL into the file FD. */
static int download(struct engine *engine, const char *url, int fd, struct answer *ret,
		    struct err *err)
{
	cleanup_free char *path = engine_helper_path(engine, HELPER);
	cleanup_close int out = memfd_create("output", MFD_CLOEXEC);
	cleanup_close int text = memfd_create("error", MFD_CLOEXEC);
	cleanup_close int out_up = out < 0 ? -1 : fcntl(out, F_DUPFD_CLOEXEC, FD_FREE);
	cleanup_close int text_up = text < 0 ? -1 : fcntl(text, F_DUPFD_CLOEXEC, FD_FREE);
	cleanup_close int file_up = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE);

	if (out_up < 0 || text_up < 0 || file_up < 0)
		return err_sys(err, errno, "create a memory file");
	return run_helper(path, url, (const int[]){out_up, text_up, file_up}, ret, err);
}

/* ---- the file ---- */

static int check_content(int fd, const char *checksum, struct err *err)
{
	unsigned char digest[32];
	char wanted[DIGEST_HEX_LEN + 1];
	char found[DIGEST_HEX_LEN + 1];
	struct stat st;

	if (!checksum)
		return 0;
	if (digest_parse(checksum, wanted, err) < 0)
		return -err->code;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat what was downloaded");
	if (file_digests_get(NULL, fd, &st, digest, err) < 0)
		return -err->code;
	hex_format(digest, sizeof(digest), found);
	if (strcmp(found, wanted) != 0)
		return err_set(err, ERR_INVALID,
			       "digest mismatch " DIGEST_PREFIX "%s: " DIGEST_PREFIX "%s", found,
			       wanted);
	return 0;
}

static char *make_revision(const struct answer *a)
{
	if (a->etag)
		return str_printf("etag:%s", a->etag);
	return a->modified_s >= 0 ? str_printf("modified:%lld", (long long)a->modified_s) : NULL;
}

/* A file that its owner reads, as old as the server says. */
static int finish_file(int fd, const struct answer *a, struct err *err)
{
	time_t time_s = a->modified_s >= 0 ? a->modified_s : 0;
	const struct timespec times[2] = {{.tv_sec = time_s}, {.tv_sec = time_s}};

	if (fchmod(fd, 0600) < 0 || futimens(fd, times) < 0)
		return err_sys(err, errno, "set mode and time of what was downloaded");
	return 0;
}

int http_open(struct engine *engine, const struct build_source *source, const char *name,
	      int staging_fd, struct build_tree *ret, char **ret_revision, struct err *err)
{
	cleanup_close int dir_fd = input_make_dir(staging_fd, "http", err);
	cleanup_free char *file = name ? str_dup(name) : url_file_name(source->where);
	cleanup_close int fd = -1;
	struct answer answer = {.modified_s = -1};
	int rc = 0;

	if (dir_fd < 0)
		return dir_fd;
	/* lint: one component of a directory that was just made */
	fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "create %s", file);
	rc = download(engine, source->where, fd, &answer, err);
	if (rc == 0)
		rc = check_content(fd, source->checksum, err);
	if (rc == 0)
		rc = finish_file(fd, &answer, err);
	if (rc == 0 && ret_revision)
		*ret_revision = make_revision(&answer);
	free(answer.etag);
	if (rc == 0)
		*ret = (struct build_tree){.root_fd = take_fd(dir_fd), .is_context = true};
	return rc;
}
