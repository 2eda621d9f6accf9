/* SPDX-License-Identifier: Apache-2.0 */
/* What a helper that an archive has taken over could ask for. Needs root, for a mount of its own.
 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "storage/unpack_grant.h"
#include "storage/unpack_protocol.h"

enum { US, THEM };

struct scene {
	char path[64];
	int dir_fd; /* the host's view of the directory */
	struct unpack_grant grant;
	int ends[2];
};

static int set_scene(void **state)
{
	struct scene *s = mem_zalloc(sizeof(*s));

	snprintf(s->path, sizeof(s->path), "/tmp/tare-grant-XXXXXX");
	assert_non_null(mkdtemp(s->path));
	s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(s->dir_fd, "sub", 0755), 0);
	assert_int_equal(fd_write_file_at(s->dir_fd, "file", "x", 1, 0600), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->ends), 0);
	s->grant = (struct unpack_grant)UNPACK_GRANT_INIT;
	*state = s;
	return geteuid() == 0 && unpack_grant_open(&s->grant, s->dir_fd) < 0 ? -1 : 0;
}

static int clear_scene(void **state)
{
	struct scene *s = *state;

	unpack_grant_done(&s->grant);
	close(s->dir_fd);
	close(s->ends[US]);
	if (s->ends[THEM] >= 0)
		close(s->ends[THEM]);
	fd_remove_tree_at(AT_FDCWD, s->path);
	free(s);
	return 0;
}

/* LEN bytes with N descriptors. */
static void send_bytes(const struct scene *s, const void *bytes, size_t len, const int *fds,
		       size_t n)
{
	char control[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))) = "";
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (n) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(s->ends[THEM], &message, 0), len);
}

static struct unpack_request device(const char *name, mode_t mode, dev_t dev)
{
	struct unpack_request r = {.kind = UNPACK_REQUEST_DEVICE, .mode = mode, .dev = dev};

	snprintf(r.name, sizeof(r.name), "%s", name);
	return r;
}

/* Asks and returns the answer; fails when there is none. */
static int ask(struct scene *s, const struct unpack_request *r, int fd)
{
	int32_t answer = -1;
	struct err err = ERR_INIT;

	send_bytes(s, r, sizeof(*r), &fd, 1);
	if (unpack_grant_serve(&s->grant, s->ends[US], &err) != 1)
		fail_msg("%s", err.msg);
	assert_int_equal(recv(s->ends[THEM], &answer, sizeof(answer), MSG_DONTWAIT), 4);
	return answer;
}

static void assert_refused(struct scene *s)
{
	char answer[4];
	struct err err = ERR_INIT;

	assert_int_equal(unpack_grant_serve(&s->grant, s->ends[US], &err), -ERR_DENIED);
	assert_string_equal(err.msg, "the helper asked for what it may not have");
	assert_true(recv(s->ends[THEM], answer, sizeof(answer), MSG_DONTWAIT) < 0);
}

#define SKIP_WITHOUT_ROOT(s)                 \
	do {                                 \
		if ((s)->grant.mount_fd < 0) \
			skip();              \
	} while (0)

static void does_what_it_should(void **state)
{
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);
	cleanup_close int sub = openat(s->grant.mount_fd, "sub", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct unpack_request null = device("null", S_IFCHR | 0600, makedev(1, 3));
	const struct unpack_request opaque = {.kind = UNPACK_REQUEST_OPAQUE};
	struct err err = ERR_INIT;
	char value[8], link[80];
	struct stat st;

	assert_int_equal(ask(s, &null, s->grant.mount_fd), 0);
	assert_int_equal(ask(s, &null, s->grant.mount_fd), EEXIST);
	assert_int_equal(fstatat(s->dir_fd, "null", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	/* On that mount it is no device. */
	assert_int_equal(openat(s->grant.mount_fd, "null", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(ask(s, &opaque, sub), 0);
	snprintf(link, sizeof(link), "%s/sub", s->path);
	assert_int_equal(getxattr(link, "trusted.overlay.opaque", value, sizeof(value)), 1);
	close(s->ends[THEM]);
	s->ends[THEM] = -1;
	assert_int_equal(unpack_grant_serve(&s->grant, s->ends[US], &err), 0);
}

static void leads_nowhere(void **state)
{
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);
	cleanup_close int up = openat(s->grant.mount_fd, "..", O_PATH | O_CLOEXEC);
	struct stat a, b;

	assert_int_equal(fstat(up, &a), 0);
	assert_int_equal(fstat(s->dir_fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void wrong_names_and_types(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
		uint32_t kind;
	} rows[] = {
		{"", S_IFCHR | 0600, UNPACK_REQUEST_DEVICE},
		{".", S_IFCHR | 0600, UNPACK_REQUEST_DEVICE},
		{"..", S_IFCHR | 0600, UNPACK_REQUEST_DEVICE},
		{"a/b", S_IFCHR | 0600, UNPACK_REQUEST_DEVICE},
		{"/dev/x", S_IFCHR | 0600, UNPACK_REQUEST_DEVICE},
		{"../x", S_IFBLK | 0600, UNPACK_REQUEST_DEVICE},
		{"x", S_IFREG | 0600, UNPACK_REQUEST_DEVICE},
		{"x", S_IFSOCK | 0600, UNPACK_REQUEST_DEVICE},
		{"x", S_IFDIR | 0700, UNPACK_REQUEST_DEVICE},
		{"x", S_IFIFO | 0600, UNPACK_REQUEST_DEVICE},
		{"x", 0600, UNPACK_REQUEST_DEVICE},
		{"x", S_IFCHR | 04755, UNPACK_REQUEST_DEVICE},
		{"x", S_IFCHR | 0600, 0},
		{"x", S_IFCHR | 0600, 3},
	};
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct unpack_request r = device(rows[i].name, rows[i].mode, makedev(1, 3));

		r.kind = rows[i].kind;
		send_bytes(s, &r, sizeof(r), &s->grant.mount_fd, 1);
		assert_refused(s);
	}
	/* A name without an end. */
	struct unpack_request r = device("x", S_IFCHR | 0600, makedev(1, 3));

	memset(r.name, 'x', sizeof(r.name));
	send_bytes(s, &r, sizeof(r), &s->grant.mount_fd, 1);
	assert_refused(s);
}

static void wrong_descriptors(void **state)
{
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);
	struct unpack_grant other = UNPACK_GRANT_INIT;
	int pair[2];

	assert_int_equal(unpack_grant_open(&other, s->dir_fd), 0);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	const int fds[] = {
		s->dir_fd, /* the same directory by the host's mount */
		other.mount_fd,
		open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
		open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		openat(s->grant.mount_fd, "file", O_RDONLY | O_CLOEXEC),
		openat(s->grant.mount_fd, "file", O_PATH | O_CLOEXEC),
		pair[0],
		pair[1],
	};
	const struct unpack_request asked[] = {
		device("x", S_IFCHR | 0600, makedev(1, 3)),
		{.kind = UNPACK_REQUEST_OPAQUE},
	};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		assert_true(fds[i] >= 0);
		for (size_t k = 0; k < ARRAY_LEN(asked); k++) {
			send_bytes(s, &asked[k], sizeof(asked[k]), &fds[i], 1);
			assert_refused(s);
		}
		if (i >= 2)
			close(fds[i]);
	}
	unpack_grant_done(&other);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Nothing that was sent stays open here. */
static void wrong_messages(void **state)
{
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);
	const struct unpack_request r = device("x", S_IFCHR | 0600, makedev(1, 3));
	const int two[] = {s->grant.mount_fd, s->grant.mount_fd};
	struct {
		struct unpack_request r;
		char more;
	} longer = {r, 'x'};
	int before = count_fds();

	send_bytes(s, &r, sizeof(r), NULL, 0);
	assert_refused(s);
	send_bytes(s, &r, sizeof(r) - 1, two, 1);
	assert_refused(s);
	send_bytes(s, &longer, sizeof(longer), two, 1);
	assert_refused(s);
	send_bytes(s, &r, sizeof(r), two, 2);
	assert_refused(s);
	assert_int_equal(count_fds(), before);
}

static void not_without_end(void **state)
{
	struct scene *s = *state;
	SKIP_WITHOUT_ROOT(s);
	const struct unpack_request r = {.kind = UNPACK_REQUEST_OPAQUE};

	s->grant.n_left = 1;
	assert_int_equal(ask(s, &r, s->grant.mount_fd), 0);
	send_bytes(s, &r, sizeof(r), &s->grant.mount_fd, 1);
	assert_refused(s);
}

#define TEST_SCENE(name) cmocka_unit_test_setup_teardown(name, set_scene, clear_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SCENE(does_what_it_should),   TEST_SCENE(leads_nowhere),
		TEST_SCENE(wrong_names_and_types), TEST_SCENE(wrong_descriptors),
		TEST_SCENE(wrong_messages),	   TEST_SCENE(not_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
