/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository is fetched by the git program into a directory of the build's own, as little of it
 * as the server lets one have, and looked at by descriptor afterwards. git reads no configuration
 * but ours: there are no hooks, no filters, no credential helpers and no transports but those of
 * the network, and nobody is asked for a password.
 */
/* lint file: single components of directories that are open */
#include "build/git.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "build/confined.h"
#include "build/git_url.h"
#include "build/graph.h"
#include "build/input_private.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMIT_MAX 64

struct git {
	const struct git_url *url;
	int dir_fd; /* borrowed: the work tree, .git in it */
	struct strv env;
};

/* ---- running git ---- */

static const char *const settings[][2] = {
	{"core.hooksPath", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.attributesFile", "/dev/null"},
	{"core.excludesFile", "/dev/null"},
	{"core.askPass", ""},
	{"credential.helper", ""},
	{"protocol.allow", "never"},
	{"protocol.https.allow", "always"},
	{"protocol.http.allow", "always"},
	{"protocol.git.allow", "always"},
	{"protocol.ssh.allow", "always"},
	{"http.lowSpeedLimit", "1"},
	{"http.lowSpeedTime", "60"},
	{"fetch.recurseSubmodules", "false"},
	{"fetch.fsckObjects", "false"},
	{"init.defaultBranch", "main"},
	{"advice.detachedHead", "false"},
	{"maintenance.auto", "false"},
	{"gc.auto", "0"},
	{"safe.directory", "*"},
};

/* Of our own environment: where the network is, and whom to trust. */
static const char *const passed[] = {
	"http_proxy",	"https_proxy",	  "no_proxy",	    "all_proxy",
	"HTTPS_PROXY",	"NO_PROXY",	  "ALL_PROXY",	    "SSL_CERT_FILE",
	"SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSH_AUTH_SOCK",
};

static const char *const fixed[] = {
	"PATH=/usr/local/bin:/usr/bin:/bin",
	"LC_ALL=C",
	"HOME=/nonexistent",
	"TMPDIR=.",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_CONFIG_SYSTEM=/dev/null",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_TEMPLATE_DIR=",
	"GIT_TERMINAL_PROMPT=0",
	"GIT_ALLOW_PROTOCOL=https:http:git:ssh",
	"GIT_LFS_SKIP_SMUDGE=1",
	"GIT_NO_REPLACE_OBJECTS=1",
	"GIT_SSH_COMMAND=ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes",
};

/* Asked by git for the login of one server, and told it by the environment: neither an argument nor
 * a file ever has it. */
#define LOGIN_HELPER                                                                            \
	"!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$TARE_GIT_USER\" " \
	"\"$TARE_GIT_PASSWORD\"; }; f"

static void add_setting(struct strv *env, size_t i, const char *key, const char *value)
{
	strv_addf(env, "GIT_CONFIG_KEY_%zu=%s", i, key);
	strv_addf(env, "GIT_CONFIG_VALUE_%zu=%s", i, value);
}

static void add_login(struct strv *env, size_t i, const struct git_url *url)
{
	cleanup_free char *origin = git_url_origin(url);
	cleanup_free char *key = str_printf("credential.%s.helper", origin);

	add_setting(env, i, key, LOGIN_HELPER);
	strv_addf(env, "TARE_GIT_USER=%s", url->user);
	strv_addf(env, "TARE_GIT_PASSWORD=%s", url->password);
}

static void make_env(const struct git_url *url, struct strv *env)
{
	size_t n = ARRAY_LEN(settings);

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		strv_add(env, fixed[i]);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (getenv(passed[i]))
			strv_addf(env, "%s=%s", passed[i], getenv(passed[i]));
	/* git's own library may not know the variable that others do. */
	if (getenv("SSL_CERT_FILE") && !getenv("GIT_SSL_CAINFO"))
		strv_addf(env, "GIT_SSL_CAINFO=%s", getenv("SSL_CERT_FILE"));
	for (size_t i = 0; i < n; i++)
		add_setting(env, i, settings[i][0], settings[i][1]);
	if (url->user)
		add_login(env, n++, url);
	strv_addf(env, "GIT_CONFIG_COUNT=%zu", n);
}

/* Keys of ssh are the user's; nothing else of his is read. */
static char *ssh_dir(void)
{
	const char *home = getenv("HOME");

	return home && *home == '/' ? str_printf("%s/.ssh", home) : NULL;
}

/* Where the user keeps authorities of his own; what is readable anyway otherwise. */
static const char *certificates(const char *variable)
{
	const char *path = getenv(variable);

	return path && *path == '/' ? path : "/etc";
}

/* Runs git with the words ARGS, up to NULL. */
static int run(const struct git *g, const char *const *args, struct str *ret, struct err *err)
{
	cleanup_free char *ssh = g->url->is_ssh ? ssh_dir() : NULL;
	const char *const reads[] = {ssh ? ssh : "/etc",
				     certificates("SSL_CERT_FILE"),
				     certificates("SSL_CERT_DIR"),
				     certificates("GIT_SSL_CAINFO"),
				     certificates("GIT_SSL_CAPATH"),
				     NULL};
	cleanup_strv struct strv argv = STRV_INIT;
	const struct confined how = {.program = "git",
				     .argv = &argv,
				     .env = &g->env,
				     .dir_fd = g->dir_fd,
				     .reads = reads};

	strv_add(&argv, "git");
	for (; *args; args++)
		strv_add(&argv, *args);
	return confined_run(&how, ret, err);
}

#define GIT(g, ret, err, ...) run(g, (const char *const[]){__VA_ARGS__, NULL}, ret, err)

/* ---- fetching ---- */

static bool is_commit_name(const char *ref)
{
	size_t n = strspn(ref, "0123456789abcdef");

	return n >= 7 && n <= COMMIT_MAX && !ref[n];
}

static bool is_whole_commit_name(const char *ref)
{
	return is_commit_name(ref) && (strlen(ref) == 40 || strlen(ref) == 64);
}

/* The name of the commit that REV means; its own error where it means none. */
static int resolve(const struct git *g, const char *rev, char **ret, struct err *err)
{
	cleanup_free char *word = str_printf("%s^{commit}", rev);
	cleanup_str struct str out = STR_INIT;
	int rc = GIT(g, &out, err, "rev-parse", "--verify", "--quiet", "--end-of-options", word);

	if (rc < 0)
		return rc;
	*ret = str_dup(str_trim(out.buf));
	return 0;
}

/* All branches and tags with their history: for a commit that the server does not hand out. */
static int fetch_all(const struct git *g, const char *ref, char **ret, struct err *err)
{
	if (GIT(g, NULL, err, "fetch", "--quiet", "--tags", "origin",
		"+refs/heads/*:refs/remotes/origin/*") < 0)
		return -err->code;
	if (resolve(g, ref, ret, err) < 0)
		return err_set(err, ERR_NOT_FOUND, "repository does not contain ref %s", ref);
	return 0;
}

/* Fetches what is wanted; RET is the commit. */
static int fetch(const struct git *g, char **ret, struct err *err)
{
	const struct git_url *url = g->url;
	const char *ref = url->ref ? url->ref : url->checksum ? url->checksum : "HEAD";
	struct err first = ERR_INIT;

	/* A shortened name can only be looked up here. */
	if (is_commit_name(ref) && !is_whole_commit_name(ref)) {
		if (GIT(g, NULL, &first, "fetch", "--quiet", "--depth=1", "--no-tags", "origin",
			ref) == 0)
			return resolve(g, "FETCH_HEAD", ret, err);
		return fetch_all(g, ref, ret, err);
	}
	if (GIT(g, NULL, err, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", ref) == 0)
		return resolve(g, "FETCH_HEAD", ret, err);
	if (err->code != ERR_UNAVAILABLE || !is_whole_commit_name(ref))
		return -err->code;
	return fetch_all(g, ref, ret, err);
}

static int check_commit(const struct git_url *url, const char *commit, struct err *err)
{
	if (url->checksum && !str_has_prefix(commit, url->checksum))
		return err_set(err, ERR_INVALID, "expected checksum to match %s, got %s",
			       url->checksum, commit);
	return 0;
}

static int update_submodules(const struct git *g, struct err *err)
{
	struct err first = ERR_INIT;

	if (g->url->no_submodules || faccessat(g->dir_fd, ".gitmodules", F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (GIT(g, NULL, &first, "submodule", "--quiet", "update", "--init", "--recursive",
		"--depth=1") == 0)
		return 0;
	/* A server may not hand out a commit that no branch ends with. */
	if (GIT(g, NULL, err, "submodule", "--quiet", "update", "--init", "--recursive") < 0)
		return err_wrap(err, "failed to update submodules");
	return 0;
}

static int fetch_and_check_out(const struct git *g, char **ret_commit, struct err *err)
{
	if (GIT(g, NULL, err, "init", "--quiet", ".") < 0 ||
	    GIT(g, NULL, err, "config", "remote.origin.url", g->url->remote) < 0 ||
	    fetch(g, ret_commit, err) < 0 || check_commit(g->url, *ret_commit, err) < 0 ||
	    GIT(g, NULL, err, "checkout", "--quiet", "--force", "--detach", *ret_commit) < 0)
		return -err->code;
	return update_submodules(g, err);
}

/* ---- the tree ---- */

static int remove_git_dir(const struct build_tree_entry *entry, void *data, struct err *err)
{
	int rc = 0;

	if (strcmp(entry->name, ".git") != 0)
		return 0;
	rc = fd_remove_tree_at(entry->dir_fd, entry->name);
	return rc < 0 ? err_sys(err, -rc, "remove %s", entry->path) : BUILD_TREE_PASS;
}

static int set_time(const struct build_tree_entry *entry, void *data, struct err *err)
{
	const int64_t *time_s = data;
	const struct timespec times[2] = {{.tv_sec = *time_s}, {.tv_sec = *time_s}};

	if (utimensat(entry->dir_fd, entry->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set the time of %s", entry->path);
	return 0;
}

static int set_commit_times(const struct git *g, const struct build_tree *tree, struct err *err)
{
	cleanup_str struct str out = STR_INIT;
	int64_t time_s = 0;

	if (!g->url->commit_times)
		return 0;
	if (GIT(g, &out, err, "log", "-1", "--format=%ct") < 0)
		return -err->code;
	if (num_parse_i64(str_trim(out.buf), &time_s) < 0)
		return err_set(err, ERR_INVALID, "the commit has no time");
	return build_tree_walk(tree, "", set_time, &time_s, err);
}

/* What the last fetch was is no part of a repository. */
static int forget_fetch(const struct git *g, struct err *err)
{
	cleanup_close int git_fd = path_open_no_links(g->dir_fd, ".git", O_RDONLY | O_DIRECTORY);

	if (git_fd < 0)
		return err_sys(err, -git_fd, "open .git");
	unlinkat(git_fd, "FETCH_HEAD", 0);
	return 0;
}

/* The directory of the tree that is meant, which is in it. */
static int open_subdir(const struct git *g, struct err *err)
{
	const char *subdir = g->url->subdir;
	int fd = -1;

	while (subdir && *subdir == '/')
		subdir++;
	fd = path_open_beneath(g->dir_fd, subdir && *subdir ? subdir : ".", O_RDONLY | O_DIRECTORY,
			       0);
	if (fd == -EXDEV || fd == -ELOOP)
		return err_set(err, ERR_INVALID, "subdir \"%s\" leads out of the repository",
			       subdir);
	return fd < 0 ? err_sys(err, -fd, "subdir \"%s\"", subdir) : fd;
}

static int make_tree(const struct git *g, bool keeps_git, struct build_tree *ret, struct err *err)
{
	struct build_tree whole = {.root_fd = g->dir_fd};
	int fd = -1;

	if (set_commit_times(g, &whole, err) < 0)
		return -err->code;
	if (keeps_git ? forget_fetch(g, err) < 0
		      : build_tree_walk(&whole, "", remove_git_dir, NULL, err) < 0)
		return -err->code;
	fd = open_subdir(g, err);
	if (fd < 0)
		return fd;
	*ret = (struct build_tree){.root_fd = fd, .is_context = true};
	return 0;
}

/* ADD --checksum names the commit, too. */
static int take_checksum(struct git_url *url, const char *checksum, struct err *err)
{
	size_t n = checksum ? strspn(checksum, "0123456789abcdef") : 0;

	if (!checksum)
		return 0;
	if (n < 4 || n > COMMIT_MAX || checksum[n])
		return err_set(err, ERR_INVALID,
			       "invalid checksum %s for git source, expected hex commit hash",
			       checksum);
	str_replace(&url->checksum, checksum);
	return 0;
}

static int open_url(struct git_url *url, bool keeps_git, int staging_fd, struct build_tree *ret,
		    char **ret_revision, struct err *err)
{
	cleanup_close int dir_fd = input_make_dir(staging_fd, "git", err);
	struct git g = {.url = url, .dir_fd = dir_fd};
	int rc = 0;

	if (dir_fd < 0)
		return dir_fd;
	make_env(url, &g.env);
	rc = fetch_and_check_out(&g, ret_revision, err);
	if (rc == 0)
		rc = make_tree(&g, keeps_git, ret, err);
	strv_done(&g.env);
	return rc;
}

int git_open(const struct build_source *source, int staging_fd, struct build_tree *ret,
	     char **ret_revision, struct err *err)
{
	cleanup_git_url struct git_url url = {};
	cleanup_free char *revision = NULL;
	bool keeps_git = source->keep_git_dir;

	if (git_url_parse(source->where, &url, err) < 0 ||
	    take_checksum(&url, source->checksum, err) < 0)
		return -err->code;
	if (!url.remote)
		return err_set(err, ERR_INVALID, "\"%s\" is no git repository", source->where);
	if (url.keep_git_dir >= 0)
		keeps_git = url.keep_git_dir;
	if (open_url(&url, keeps_git, staging_fd, ret, &revision, err) < 0)
		return err_wrap(err, "failed to fetch remote %s", url.remote);
	if (ret_revision)
		*ret_revision = take_ptr(revision);
	return 0;
}
