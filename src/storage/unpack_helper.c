/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper gets each descriptor under a number of its own, which its arguments name; nothing else
 * of ours is open in it. It answers with one line of JSON, or with a line on standard error and an
 * exit status that carries the error's code.
 *
 * None of its descriptors leads into the host's files. The directory comes on a mount of its own
 * (unpack_grant.h). The staging directory's lock belongs to an open directory, so that is not
 * handed over: it lies in the queue of a socket whose end the helper has, and is closed with it.
 */
#include "storage/unpack_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/document.h"
#include "storage/store_private.h"
#include "storage/unpack_protocol.h"
#include "sys/userns.h"

#define HELPER	   "tare-unpack"
#define MAX_ANSWER 65536
#define COUNT_LEN  8 /* bytes of a count, least significant first */
#define PIECE	   65536

/* Ours are moved here and above, so that dup2 in the child hits none of them. */
#define FD_FREE 32

/* The child's descriptors; the number is the row. */
enum child_fd {
	CHILD_IN,
	CHILD_OUT,
	CHILD_ERR,
	CHILD_PROGRESS,
	CHILD_INDEX,
	CHILD_DIR,
	CHILD_LIST,
	CHILD_BLOB,
	CHILD_RAW,
	CHILD_PLAIN,
	CHILD_LOCK,
	CHILD_REQUEST,
	CHILD_USER_NS,
	CHILD_MOUNT_NS,
	CHILD_NET_NS,
	N_CHILD_FDS
};

static const char *const child_options[N_CHILD_FDS] = {
	[CHILD_PROGRESS] = "--progress-fd", [CHILD_INDEX] = "--index-fd",
	[CHILD_DIR] = "--dir-fd",	    [CHILD_LIST] = "--list-fd",
	[CHILD_BLOB] = "--blob-fd",	    [CHILD_RAW] = "--raw-fd",
	[CHILD_PLAIN] = "--plain-fd",	    [CHILD_LOCK] = "--lock-fd",
	[CHILD_REQUEST] = "--request-fd",   [CHILD_USER_NS] = "--user-ns-fd",
	[CHILD_MOUNT_NS] = "--mount-ns-fd", [CHILD_NET_NS] = "--net-ns-fd",
};

struct child_fds {
	int fds[N_CHILD_FDS];
};

static void child_fds_done(struct child_fds *c)
{
	for (int i = 0; i < N_CHILD_FDS; i++)
		fd_cleanup_close(&c->fds[i]);
}

/* A duplicate that is out of the way of the child's numbers; nothing to do for -1. */
static int move_up(struct child_fds *c, enum child_fd i, int fd, struct err *err)
{
	if (fd < 0)
		return 0;
	c->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE);
	return c->fds[i] < 0 ? err_sys(err, errno, "duplicate a descriptor") : 0;
}

static int open_pipe(struct helper *h, enum helper_pipe pipe, struct child_fds *c, enum child_fd i,
		     struct err *err)
{
	cleanup_close int writer = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "create a pipe");
	h->read_fds[pipe] = ends[0];
	writer = ends[1];
	return move_up(c, i, writer, err);
}

/* Namespaces for all helpers of this process, made when the first one starts. */
static const struct userns *get_namespaces(void)
{
	static struct userns ns = USERNS_INIT;
	static bool tried;
	int rc = 0;

	if (tried)
		return &ns;
	tried = true;
	rc = userns_create(&ns);
	if (rc < 0)
		log_debug(HELPER " does without namespaces: %s", strerror(-rc));
	return &ns;
}

static int open_sockets(int type, int *ret_ours, int *ret_theirs, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "create a pair of sockets");
	*ret_ours = ends[0];
	*ret_theirs = ends[1];
	return 0;
}

/* Gives the directory, on a mount of its own if possible, and the socket for what is to be done in
 * it. */
static int give_directory(struct helper *h, int dir_fd, struct child_fds *c, struct err *err)
{
	cleanup_close int theirs = -1;
	int rc = 0;

	if (dir_fd < 0)
		return 0;
	rc = unpack_grant_open(&h->grant, dir_fd);
	if (rc < 0) {
		log_debug(HELPER " does without a mount of its own: %s", strerror(-rc));
		return move_up(c, CHILD_DIR, dir_fd, err);
	}
	if (open_sockets(SOCK_SEQPACKET, &h->read_fds[HELPER_REQUEST], &theirs, err) < 0 ||
	    move_up(c, CHILD_REQUEST, theirs, err) < 0)
		return -err->code;
	return move_up(c, CHILD_DIR, h->grant.mount_fd, err);
}

/* Puts LOCK_FD into the queue of a socket that the helper keeps open. */
static int give_lock(int lock_fd, struct child_fds *c, struct err *err)
{
	cleanup_close int ours = -1, theirs = -1;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	char byte = 0;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	const struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};

	if (lock_fd < 0)
		return 0;
	memcpy(CMSG_DATA(&control.header), &lock_fd, sizeof(lock_fd));
	if (open_sockets(SOCK_SEQPACKET, &ours, &theirs, err) < 0)
		return -err->code;
	if (sendmsg(ours, &message, MSG_NOSIGNAL) < 0)
		return err_sys(err, errno, "hand the lock over");
	return move_up(c, CHILD_LOCK, theirs, err);
}

static int give_namespaces(const struct helper *h, const struct helper_task *task,
			   struct child_fds *c, struct err *err)
{
	const struct userns *ns = get_namespaces();

	/* In a user namespace, and without us to do it, there would be no device nodes. */
	if (task->job->dir_fd >= 0 && h->grant.mount_fd < 0)
		return 0;
	if (move_up(c, CHILD_USER_NS, ns->user_fd, err) < 0 ||
	    move_up(c, CHILD_MOUNT_NS, ns->mount_fd, err) < 0)
		return -err->code;
	return move_up(c, CHILD_NET_NS, ns->net_fd, err);
}

static int open_pipes(struct helper *h, const struct helper_task *task, struct child_fds *c,
		      struct err *err)
{
	const struct {
		enum helper_pipe pipe;
		enum child_fd child;
		bool wanted;
	} pipes[] = {
		{HELPER_OUT, CHILD_OUT, true},
		{HELPER_ERR, CHILD_ERR, true},
		{HELPER_PROGRESS, CHILD_PROGRESS, task->with_progress},
		{HELPER_INDEX, CHILD_INDEX, task->with_index},
	};

	for (size_t i = 0; i < ARRAY_LEN(pipes); i++)
		if (pipes[i].wanted && open_pipe(h, pipes[i].pipe, c, pipes[i].child, err) < 0)
			return -err->code;
	return 0;
}

static int prepare_fds(struct helper *h, const struct helper_task *task, struct child_fds *c,
		       struct err *err)
{
	const struct {
		enum child_fd child;
		int fd;
	} rows[] = {
		{CHILD_IN, task->job->in_fd},	    {CHILD_LIST, task->job->list_fd},
		{CHILD_BLOB, task->job->blob_fd},   {CHILD_RAW, task->job->raw_fd},
		{CHILD_PLAIN, task->job->plain_fd},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (move_up(c, rows[i].child, rows[i].fd, err) < 0)
			return -err->code;
	if (open_pipes(h, task, c, err) < 0 || give_directory(h, task->job->dir_fd, c, err) < 0 ||
	    give_lock(task->lock_fd, c, err) < 0)
		return -err->code;
	return give_namespaces(h, task, c, err);
}

static void add_arguments(struct strv *argv, const struct unpack_job *job,
			  const struct child_fds *c)
{
	strv_add(argv, HELPER);
	for (int i = 0; i < N_CHILD_FDS; i++) {
		if (c->fds[i] < 0 || !child_options[i])
			continue;
		strv_add(argv, child_options[i]);
		strv_addf(argv, "%d", i);
	}
	if (job->length != UNPACK_STREAM) {
		strv_add(argv, "--offset");
		strv_addf(argv, "%llu", (unsigned long long)job->offset);
		strv_add(argv, "--length");
		strv_addf(argv, "%llu", (unsigned long long)job->length);
	}
	strv_add(argv, "--parent");
	strv_addf(argv, "%d", (int)getpid());
	if (job->wants_gzip) {
		strv_add(argv, "--gzip");
		strv_add(argv, "1");
	}
	if (job->max_plain) {
		strv_add(argv, "--max-plain");
		strv_addf(argv, "%llu", (unsigned long long)job->max_plain);
	}
	if (job->is_no_layer) {
		strv_add(argv, "--no-layer");
		strv_add(argv, "1");
	}
}

static int spawn(struct helper *h, const char *path, char *const *argv, const struct child_fds *c,
		 struct err *err)
{
	posix_spawn_file_actions_t actions;
	char *envp[] = {NULL};
	int rc = posix_spawn_file_actions_init(&actions);

	for (int i = 0; rc == 0 && i < N_CHILD_FDS; i++)
		if (c->fds[i] >= 0)
			rc = posix_spawn_file_actions_adddup2(&actions, c->fds[i], i);
	if (rc == 0)
		rc = posix_spawn(&h->pid, path, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	if (rc == 0)
		return 0;
	h->pid = 0;
	return err_sys(err, rc, "start %s", path);
}

int helper_start(struct helper *h, const struct store *store, const struct helper_task *task,
		 struct err *err)
{
	struct child_fds fds cleanup_with(child_fds_done);
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_free char *path = NULL;

	for (int i = 0; i < N_CHILD_FDS; i++)
		fds.fds[i] = -1;
	if (!store->helper_dir)
		return err_set(err, ERR_UNSUPPORTED, "no helper to unpack archives with");
	path = str_printf("%s/" HELPER, store->helper_dir);
	if (prepare_fds(h, task, &fds, err) < 0)
		return -err->code;
	add_arguments(&argv, task->job, &fds);
	/* Only the helper's ends of the pipes remain, so that its death ends them. */
	return spawn(h, path, argv.items, &fds, err);
}

int helper_get_polls(const struct helper *h, struct pollfd polls[static N_HELPER_PIPES])
{
	int n_open = 0;

	for (int i = 0; i < N_HELPER_PIPES; i++) {
		polls[i] = (struct pollfd){.fd = h->read_fds[i], .events = POLLIN};
		n_open += h->read_fds[i] >= 0;
	}
	return n_open;
}

/* Takes the last whole count and keeps what follows it. */
static void take_progress(struct helper *h)
{
	struct str *text = &h->text[HELPER_PROGRESS];
	size_t whole = text->len - text->len % COUNT_LEN;
	uint64_t n = 0;

	if (whole == 0)
		return;
	for (size_t i = 0; i < COUNT_LEN; i++)
		n |= (uint64_t)(unsigned char)text->buf[whole - COUNT_LEN + i] << (8 * i);
	h->n_read = n;
	memmove(text->buf, text->buf + whole, text->len - whole);
	str_truncate(text, text->len - whole);
}

/* Takes what one pipe has; closes it at its end. */
static int read_pipe(struct helper *h, enum helper_pipe i, struct err *err)
{
	const size_t limit = i == HELPER_INDEX ? UNPACK_INDEX_MAX : MAX_ANSWER;
	struct str *text = &h->text[i];
	char *to = str_reserve(text, PIECE);
	ssize_t n = read(h->read_fds[i], to, PIECE);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return err_sys(err, errno, "read from " HELPER);
	if (n == 0) {
		fd_cleanup_close(&h->read_fds[i]);
		return 0;
	}
	text->len += (size_t)n;
	text->buf[text->len] = '\0';
	if (i == HELPER_PROGRESS)
		take_progress(h);
	if (text->len > limit)
		return err_set(err, ERR_SYSTEM, HELPER " answered too much");
	return 0;
}

static int serve_request(struct helper *h, struct err *err)
{
	int rc = unpack_grant_serve(&h->grant, h->read_fds[HELPER_REQUEST], err);

	if (rc == 0)
		fd_cleanup_close(&h->read_fds[HELPER_REQUEST]);
	return rc;
}

static int read_any(struct helper *h, enum helper_pipe i, struct err *err)
{
	return i == HELPER_REQUEST ? serve_request(h, err) : read_pipe(h, i, err);
}

int helper_read(struct helper *h, const struct pollfd polls[static N_HELPER_PIPES], struct err *err)
{
	for (int i = 0; i < N_HELPER_PIPES; i++)
		if (polls[i].revents && read_any(h, (enum helper_pipe)i, err) < 0)
			return -err->code;
	return 0;
}

static int wait_helper(struct helper *h, struct err *err)
{
	int status = 0, code = 0;

	while (waitpid(h->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for " HELPER);
	h->pid = 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, HELPER " was killed by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == 0)
		return 0;
	if (h->text[HELPER_ERR].len == 0)
		return err_set(err, ERR_SYSTEM, HELPER " ended with status %d",
			       WEXITSTATUS(status));
	code = WEXITSTATUS(status) - UNPACK_EXIT_BASE;
	return err_set(err,
		       code > ERR_NONE && code < N_ERR_CODES ? (enum err_code)code : ERR_SYSTEM,
		       "%s", str_trim(h->text[HELPER_ERR].buf));
}

/* Absent is fine where nothing WANTED it. */
static int parse_digest(const json_t *doc, const char *key, bool wanted,
			char ret[static DIGEST_HEX_LEN + 1], struct err *err)
{
	const char *digest = NULL;

	if (document_get_string(doc, key, &digest, err) < 0)
		return -err->code;
	*ret = '\0';
	if (!digest && !wanted)
		return 0;
	return digest_parse(digest ? digest : "", ret, err) < 0 ? err_wrap(err, "%s", key) : 0;
}

static int parse_format(const json_t *doc, const char *key, bool wanted, char ret[static 8],
			struct err *err)
{
	const char *format = NULL;

	if (document_get_string(doc, key, &format, err) < 0)
		return -err->code;
	if (wanted && (!format || !*format || strlen(format) > 7))
		return err_set(err, ERR_SYSTEM, "%s is no format", key);
	snprintf(ret, 8, "%s", format ? format : "");
	return 0;
}

static int parse_number(const json_t *doc, const char *key, int64_t *ret, struct err *err)
{
	json_int_t n = 0;

	if (document_get_int(doc, key, &n, err) < 0)
		return -err->code;
	if (n < 0)
		return err_set(err, ERR_SYSTEM, "%s is negative", key);
	*ret = n;
	return 0;
}

static bool is_lost(const struct strv *lost, const char *wall)
{
	size_t len = strlen(wall);

	strv_foreach (i, lost)
		if (strncmp(lost->items[i], wall, len) == 0 && lost->items[i][len] == ':')
			return true;
	return false;
}

/* One wall less is for whoever looks for it. With two of three down not much is left between a
 * hostile archive and the host, and that every user is told, once. */
static void tell_lost(const struct strv *lost)
{
	static const char *const walls[] = {UNPACK_WALL_NAMESPACES, UNPACK_WALL_LANDLOCK,
					    UNPACK_WALL_FILTER};
	static bool is_told;
	cleanup_strv struct strv down = STRV_INIT;
	cleanup_free char *text = NULL;

	strv_foreach (i, lost)
		log_debug(HELPER " does without %s", lost->items[i]);
	for (size_t i = 0; i < ARRAY_LEN(walls); i++)
		if (is_lost(lost, walls[i]))
			strv_add(&down, walls[i]);
	if (down.n < 2 || is_told)
		return;
	is_told = true;
	text = strv_join(&down, ", ");
	log_warn("archives are unpacked with less protection here, which lacks: %s", text);
}

static int log_lost(const json_t *doc, struct err *err)
{
	cleanup_strv struct strv lost = STRV_INIT;

	if (document_get_strings(doc, "lost", &lost, err) < 0)
		return -err->code;
	tell_lost(&lost);
	return 0;
}

static int parse_answer(const struct str *text, const struct helper_task *task,
			struct unpack_result *ret, struct err *err)
{
	const struct unpack_job *job = task->job;
	bool all = !task->with_index;
	cleanup_json json_t *doc = NULL;

	if (document_parse(str_get(text), text->len, "answer", &doc, err) < 0 ||
	    log_lost(doc, err) < 0 ||
	    parse_format(doc, "rawFormat", true, ret->raw_format, err) < 0 ||
	    parse_format(doc, "blobFormat", job->blob_fd >= 0, ret->blob_format, err) < 0 ||
	    parse_digest(doc, "rawDigest", all, ret->raw_hex, err) < 0 ||
	    parse_digest(doc, "diffID", all, ret->diff_hex, err) < 0 ||
	    parse_digest(doc, "blobDigest", job->blob_fd >= 0, ret->blob_hex, err) < 0 ||
	    parse_digest(doc, "listDigest", job->list_fd >= 0, ret->list_hex, err) < 0 ||
	    parse_number(doc, "rawSize", &ret->raw_size, err) < 0 ||
	    parse_number(doc, "plainSize", &ret->plain_size, err) < 0 ||
	    parse_number(doc, "blobSize", &ret->blob_size, err) < 0 ||
	    parse_number(doc, "size", &ret->size, err) < 0 ||
	    parse_number(doc, "entries", &ret->entries, err) < 0)
		return err_wrap(err, HELPER);
	return 0;
}

int helper_finish(struct helper *h, const struct helper_task *task, struct unpack_result *ret,
		  struct err *err)
{
	if (wait_helper(h, err) < 0)
		return -err->code;
	return parse_answer(&h->text[HELPER_OUT], task, ret, err);
}

void helper_done(struct helper *h)
{
	for (int i = 0; i < N_HELPER_PIPES; i++) {
		fd_cleanup_close(&h->read_fds[i]);
		str_done(&h->text[i]);
	}
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	unpack_grant_done(&h->grant);
	*h = (struct helper)HELPER_INIT;
}
