/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper gets the archive as standard input, the target directory as descriptor 3 and, when
 * somebody wants to see progress, the writing end of a pipe as descriptor 4, which gets counts of
 * the bytes read so far. It answers with one line of JSON, or with one line on standard error and
 * exit status 1.
 */
#include "storage/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/document.h"
#include "storage/store_private.h"

#define HELPER	    "tare-unpack"
#define MAX_ANSWER  65536
#define FD_DIR	    3
#define FD_PROGRESS 4
#define FD_LOCK	    5
#define COUNT_LEN   8 /* bytes of a count, least significant first */
#define FD_FREE                                                                          \
	10 /* ours are moved here and above, so that dup2 in the child hits none of them \
	    */

enum { OUT, ERR, PROGRESS, N_PIPES };

struct unpack {
	pid_t pid;
	int read_fds[N_PIPES];
	struct str text[N_PIPES];
	unpack_progress_fn progress;
	void *data;
};

static void unpack_done(struct unpack *u)
{
	for (int i = 0; i < N_PIPES; i++) {
		fd_cleanup_close(&u->read_fds[i]);
		str_done(&u->text[i]);
	}
	if (u->pid > 0) {
		kill(u->pid, SIGKILL);
		while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

void unpack_result_done(struct unpack_result *result)
{
	free(result->tree_hash);
	free(result->text);
	*result = (struct unpack_result){};
}

/* A duplicate that is out of the way of the child's numbers. */
static int move_up(int fd, struct err *err)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE);

	return moved < 0 ? err_sys(err, errno, "duplicate a descriptor") : moved;
}

struct child_fds {
	int archive;
	int dir;
	int lock;
	int write[N_PIPES];
};

static void child_fds_done(struct child_fds *fds)
{
	fd_cleanup_close(&fds->archive);
	fd_cleanup_close(&fds->dir);
	fd_cleanup_close(&fds->lock);
	for (int i = 0; i < N_PIPES; i++)
		fd_cleanup_close(&fds->write[i]);
}

static int prepare_fds(struct unpack *u, int archive_fd, int dir_fd, int lock_fd,
		       struct child_fds *fds, struct err *err)
{
	for (int i = 0; i < N_PIPES; i++) {
		cleanup_close int writer = -1;
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_sys(err, errno, "create a pipe");
		u->read_fds[i] = ends[0];
		writer = ends[1];
		fds->write[i] = move_up(writer, err);
		if (fds->write[i] < 0)
			return -err->code;
	}
	fds->archive = move_up(archive_fd, err);
	if (fds->archive < 0)
		return -err->code;
	fds->dir = move_up(dir_fd, err);
	if (fds->dir < 0)
		return -err->code;
	fds->lock = move_up(lock_fd, err);
	return fds->lock < 0 ? -err->code : 0;
}

static int spawn_helper(struct unpack *u, const struct store *store, const struct child_fds *fds,
			struct err *err)
{
	cleanup_free char *path = str_printf("%s/" HELPER, store->helper_dir);
	char name[] = HELPER, dir_option[] = "--dir-fd", dir_fd[] = "3";
	char progress_option[] = "--progress-fd", progress_fd[] = "4";
	char *argv[] = {name,	     dir_option, dir_fd, u->progress ? progress_option : NULL,
			progress_fd, NULL};
	char *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->archive, STDIN_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->write[OUT], STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->write[ERR], STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->dir, FD_DIR);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->lock, FD_LOCK);
	if (rc == 0 && u->progress)
		rc = posix_spawn_file_actions_adddup2(&actions, fds->write[PROGRESS], FD_PROGRESS);
	if (rc == 0)
		rc = posix_spawn(&u->pid, path, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	if (rc == 0)
		return 0;
	u->pid = 0;
	return err_sys(err, rc, "start %s", path);
}

/* Reports the last whole count and keeps what follows it. */
static void take_progress(struct unpack *u, struct str *text)
{
	size_t whole = text->len - text->len % COUNT_LEN;
	uint64_t n = 0;

	if (whole == 0)
		return;
	for (size_t i = 0; i < COUNT_LEN; i++)
		n |= (uint64_t)(unsigned char)text->buf[whole - COUNT_LEN + i] << (8 * i);
	u->progress(n, u->data);
	memmove(text->buf, text->buf + whole, text->len - whole);
	str_truncate(text, text->len - whole);
}

/* Takes what one pipe has; closes it at its end. */
static int read_pipe(struct unpack *u, int i, struct err *err)
{
	struct str *text = &u->text[i];
	char *to = str_reserve(text, 4096);
	ssize_t n = read(u->read_fds[i], to, 4096);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return err_sys(err, errno, "read from " HELPER);
	if (n == 0) {
		fd_cleanup_close(&u->read_fds[i]);
		return 0;
	}
	text->len += (size_t)n;
	text->buf[text->len] = '\0';
	if (i == PROGRESS)
		take_progress(u, text);
	if (text->len > MAX_ANSWER)
		return err_set(err, ERR_SYSTEM, HELPER " answered too much");
	return 0;
}

static int read_pipes(struct unpack *u, struct err *err)
{
	for (;;) {
		struct pollfd polls[N_PIPES];
		int n_open = 0;

		for (int i = 0; i < N_PIPES; i++) {
			polls[i] = (struct pollfd){.fd = u->read_fds[i], .events = POLLIN};
			n_open += u->read_fds[i] >= 0;
		}
		if (n_open == 0)
			return 0;
		if (poll(polls, N_PIPES, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for " HELPER);
		for (int i = 0; i < N_PIPES; i++)
			if (polls[i].revents && read_pipe(u, i, err) < 0)
				return -err->code;
	}
}

static int wait_helper(struct unpack *u, struct err *err)
{
	pid_t pid = u->pid;
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for " HELPER);
	u->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, HELPER " was killed by signal %d",
			       WTERMSIG(status));
	if (u->text[ERR].len == 0)
		return err_set(err, ERR_SYSTEM, HELPER " ended with status %d",
			       WEXITSTATUS(status));
	return err_set(err, ERR_INVALID, "%s", str_trim(u->text[ERR].buf));
}

static int parse_digest(const json_t *doc, const char *key, char ret[static DIGEST_HEX_LEN + 1],
			struct err *err)
{
	const char *digest = NULL;

	if (document_get_string(doc, key, &digest, err) < 0)
		return -err->code;
	return digest_parse(digest, ret, err) < 0 ? err_wrap(err, "%s", key) : 0;
}

static int parse_answer(const struct str *text, struct unpack_result *ret, struct err *err)
{
	cleanup_json json_t *doc = NULL;
	const char *tree_hash = NULL;
	json_int_t size = 0, entries = 0, compressed_size = 0;

	if (document_parse(str_get(text), text->len, "answer", &doc, err) < 0 ||
	    parse_digest(doc, "diffID", ret->diff_hex, err) < 0 ||
	    parse_digest(doc, "compressedDigest", ret->compressed_hex, err) < 0 ||
	    document_get_int(doc, "size", &size, err) < 0 ||
	    document_get_int(doc, "entries", &entries, err) < 0 ||
	    document_get_int(doc, "compressedSize", &compressed_size, err) < 0 ||
	    document_get_string(doc, "treeHash", &tree_hash, err) < 0)
		return err_wrap(err, HELPER);
	ret->size = size;
	ret->entries = entries;
	ret->compressed_size = compressed_size;
	ret->tree_hash = str_dup(tree_hash);
	ret->text = str_dup(str_get(text));
	return 0;
}

int unpack_archive(const struct store *store, int archive_fd, int dir_fd, int lock_fd,
		   unpack_progress_fn progress, void *data, struct unpack_result *ret,
		   struct err *err)
{
	struct unpack u __attribute__((cleanup(unpack_done))) = {
		.read_fds = {-1, -1, -1}, .progress = progress, .data = data};
	struct child_fds fds __attribute__((cleanup(child_fds_done))) = {-1, -1, -1, {-1, -1, -1}};

	if (!store->helper_dir)
		return err_set(err, ERR_UNSUPPORTED, "no helper to unpack archives with");
	if (prepare_fds(&u, archive_fd, dir_fd, lock_fd, &fds, err) < 0 ||
	    spawn_helper(&u, store, &fds, err) < 0)
		return -err->code;
	/* Only the helper's ends remain, so that its death ends the pipes. */
	child_fds_done(&fds);
	if (read_pipes(&u, err) < 0 || wait_helper(&u, err) < 0)
		return -err->code;
	return parse_answer(&u.text[OUT], ret, err);
}
