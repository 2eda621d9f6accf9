/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper reads the archive and tells where its members lie. Where it cannot be read twice, or
 * is compressed, the same helper writes its plain bytes to a file without a name on the way, in
 * which the same places count. What the helper says of an enemy's archive is checked like the
 * archive itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "storage/unpack.h"
#include "storage/unpack_helper.h"

enum { MAX_LINKS = 8 };

/* O_TMPFILE, or where the filesystem has none a name that is removed at once. */
static int open_unnamed(int dir_fd, struct err *err)
{
	char name[6 + 16 + 1] = "spool-";
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	rand_hex(8, name + 6);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "create a file for the archive");
	unlinkat(dir_fd, name, 0);
	return fd;
}

/* Reads one helper to its end. */
static int run_helper(struct helper *h, const struct store *store, const struct helper_task *task,
		      unpack_progress_fn progress, void *data, struct unpack_result *ret,
		      struct err *err)
{
	struct pollfd polls[N_HELPER_PIPES];
	uint64_t told = 0;

	if (helper_start(h, store, task, err) < 0)
		return -err->code;
	while (helper_get_polls(h, polls)) {
		if (poll(polls, N_HELPER_PIPES, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for the helper");
		if (helper_read(h, polls, err) < 0)
			return -err->code;
		if (progress && h->n_read != told)
			progress(h->n_read, data);
		told = h->n_read;
	}
	return helper_finish(h, task, ret, err);
}

/* Splits the next word off, which ends at END; NULL when the text has no more. */
static char *next_word(char **text, const char *limit, char end)
{
	char *word = *text;
	char *stop = memchr(word, end, (size_t)(limit - word));

	if (!stop)
		return NULL;
	*stop = '\0';
	*text = stop + 1;
	return word;
}

static bool is_clean(const char *name)
{
	for (const char *p = name;; p++) {
		size_t len = strcspn(p, "/");

		if (!len || (len == 1 && *p == '.') || (len == 2 && memcmp(p, "..", 2) == 0))
			return false;
		p += len;
		if (!*p)
			return true;
	}
}

static int parse_type(const char *word, enum archive_member_type *ret)
{
	static const char types[] = {[MEMBER_FILE] = 'f', [MEMBER_DIR] = 'd', [MEMBER_LINK] = 'l'};

	for (size_t i = 0; i < sizeof(types); i++) {
		if (word[0] == types[i] && !word[1]) {
			*ret = (enum archive_member_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One record of unpack_protocol.h. START and LENGTH are where the archive lies in its file. */
static int parse_record(char **text, const char *limit, uint64_t start, uint64_t length,
			struct archive_member *ret, struct err *err)
{
	const char *type = next_word(text, limit, ' ');
	const char *offset = type ? next_word(text, limit, ' ') : NULL;
	const char *size = offset ? next_word(text, limit, ' ') : NULL;
	const char *name = size ? next_word(text, limit, '\0') : NULL;
	const char *link = name ? next_word(text, limit, '\0') : NULL;

	if (!link || parse_type(type, &ret->type) < 0 || num_parse_u64(offset, &ret->offset) < 0 ||
	    num_parse_u64(size, &ret->size) < 0 || (*name && !is_clean(name)) ||
	    (*link && !is_clean(link)) || ret->offset > length ||
	    (ret->type == MEMBER_FILE && ret->size > length - ret->offset))
		return err_set(err, ERR_SYSTEM, "the helper answered with a wrong index");
	ret->offset += start;
	ret->name = str_dup(name);
	ret->link = *link ? str_dup(link) : NULL;
	return 0;
}

static int parse_records(struct str *text, uint64_t start, uint64_t length,
			 struct archive_index *ret, struct err *err)
{
	char *at = text->buf;
	const char *limit = text->buf + text->len;
	size_t cap = 0;

	while (text->len && at < limit) {
		if (ret->n == ARCHIVE_MAX_MEMBERS)
			return err_set(err, ERR_INVALID, "more than %d members",
				       ARCHIVE_MAX_MEMBERS);
		if (ret->n == cap) {
			cap = cap ? cap * 2 : 64;
			ret->members = mem_realloc_array(ret->members, cap, sizeof(*ret->members));
		}
		ret->members[ret->n] = (struct archive_member){};
		if (parse_record(&at, limit, start, length, &ret->members[ret->n], err) < 0)
			return -err->code;
		ret->n++;
	}
	return 0;
}

/* Where the archive lies: a range of a file, or a stream. */
static int find_range(int fd, struct unpack_job *job, struct err *err)
{
	struct stat st;
	off_t at = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at the archive");
	if (!S_ISREG(st.st_mode))
		return 0;
	at = lseek(fd, 0, SEEK_CUR);
	if (at < 0)
		return err_sys(err, errno, "look at the archive");
	job->offset = (uint64_t)at;
	job->length = at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
	return 0;
}

static int open_index(const struct store *store, int archive_fd, int spool_fd,
		      unpack_progress_fn progress, void *data, struct archive_index *ret,
		      struct err *err)
{
	struct helper helper cleanup_with(helper_done) = HELPER_INIT;
	cleanup_close int spool = open_unnamed(spool_fd, err);
	struct unpack_job job = UNPACK_JOB_INIT;
	const struct helper_task task = {
		.job = &job, .lock_fd = -1, .with_index = true, .with_progress = progress != NULL};
	struct unpack_result result = {};
	uint64_t start = 0, length = 0;
	struct stat st;

	job.in_fd = archive_fd;
	job.plain_fd = spool;
	if (spool < 0 || find_range(archive_fd, &job, err) < 0 ||
	    run_helper(&helper, store, &task, progress, data, &result, err) < 0)
		return -err->code;
	if (job.length != UNPACK_STREAM && strcmp(result.raw_format, "plain") == 0) {
		ret->fd = fcntl(archive_fd, F_DUPFD_CLOEXEC, 3);
		start = job.offset;
		length = job.length;
	} else {
		if (fstat(spool, &st) < 0)
			return err_sys(err, errno, "look at the archive's copy");
		length = (uint64_t)st.st_size;
		ret->fd = take_fd(spool);
	}
	if (ret->fd < 0)
		return err_sys(err, errno, "duplicate a descriptor");
	if (parse_records(&helper.text[HELPER_INDEX], start, length, ret, err) < 0)
		return -err->code;
	archive_index_sort(ret);
	return 0;
}

int archive_index_open(const struct store *store, int archive_fd, int spool_fd,
		       unpack_progress_fn progress, void *data, struct archive_index *ret,
		       struct err *err)
{
	cleanup_archive_index struct archive_index index = ARCHIVE_INDEX_INIT;

	if (open_index(store, archive_fd, spool_fd, progress, data, &index, err) < 0)
		return -err->code;
	*ret = index;
	index = (struct archive_index)ARCHIVE_INDEX_INIT;
	return 0;
}

void archive_index_done(struct archive_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		free(index->members[i].name);
		free(index->members[i].link);
	}
	free(index->members);
	free(index->by_name);
	fd_cleanup_close(&index->fd);
	*index = (struct archive_index)ARCHIVE_INDEX_INIT;
}

static int compare_members(const void *a, const void *b, void *data)
{
	const struct archive_member *members = data;
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	int order = strcmp(members[x].name, members[y].name);

	if (order != 0)
		return order;
	return x < y ? -1 : x > y;
}

void archive_index_sort(struct archive_index *index)
{
	index->by_name = mem_realloc_array(index->by_name, index->n + 1, sizeof(uint32_t));
	for (size_t i = 0; i < index->n; i++)
		index->by_name[i] = (uint32_t)i;
	qsort_r(index->by_name, index->n, sizeof(uint32_t), compare_members, index->members);
	for (size_t i = 0; i < index->n; i++) {
		struct archive_member *m = &index->members[index->by_name[i]];

		m->is_replaced = i + 1 < index->n &&
				 strcmp(m->name, index->members[index->by_name[i + 1]].name) == 0;
	}
}

/* By halves, for the first place behind all of that name. */
static const struct archive_member *lookup_last(const struct archive_index *index, const char *name)
{
	const struct archive_member *m = NULL;
	size_t low = 0;
	size_t high = index->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(index->members[index->by_name[middle]].name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0)
		m = &index->members[index->by_name[low - 1]];
	return m && strcmp(m->name, name) == 0 ? m : NULL;
}

const struct archive_member *archive_index_lookup(const struct archive_index *index,
						  const char *name)
{
	for (int i = 0; name && i <= MAX_LINKS; i++) {
		const struct archive_member *m = lookup_last(index, name);

		if (!m || m->type == MEMBER_FILE)
			return m;
		name = m->type == MEMBER_LINK ? m->link : NULL;
	}
	return NULL;
}
