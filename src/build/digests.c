/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ROOT/cache/files remembers what was in files: a head, an index by the first bits of a file's
 * hash, and rows in the order of those hashes, so that a lookup is one step into the index and a
 * row or two. It is mapped, not read, and replaced as a whole. What is new is kept in memory that
 * forked processes share, until the one that opened it writes.
 *
 * A file whose device, inode, size, mtime and ctime are those of a row has the row's content. That
 * holds only if nothing could have changed it later without a new ctime, so a file is remembered
 * when its ctime lies further back than the clock of its file system is coarse, by the clock that
 * stamps files, looked at before it is read (what git calls racy). ctime is the kernel's own: no
 * program sets it. Of file systems whose server stamps files by another clock nothing is
 * remembered.
 *
 * Each row has a checksum, for the file is not synced: of one that a crash tore what is whole is
 * believed, and the rest is read again.
 */
#include "build/tree.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/copy_xattr.h"
#include "engine/engine.h"
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define DIR_NAME  "cache"
#define FILE_NAME "files"
#define LOCK_NAME "files.lock"
#define MAGIC	  UINT64_C(0x31736c6966657274)

#define MAX_ROWS    (1u << 19) /* 40 MiB; the least recently used go */
#define MAX_NEW	    (1u << 19)
#define MAX_SLOTS   (2 * MAX_NEW)
#define MAX_DEVICES 16
#define READ_SIZE   (256 * 1024)

#define NS_PER_S INT64_C(1000000000)
/* How far back a ctime must lie: some ticks of the clock that stamps files (at most 10 ms each),
 * or the seconds of file systems that keep no more. */
#define SLACK_NS	(50 * (NS_PER_S / 1000))
#define SLACK_COARSE_NS (2 * NS_PER_S + SLACK_NS)

struct row {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	unsigned char digest[SHA256_LEN];
	uint32_t day; /* of its last use, since 1970 */
	uint32_t check;
};

struct head {
	uint64_t magic;
	uint32_t n_rows;
	uint32_t bits; /* of the index: 2^bits + 1 numbers of rows */
};

/* What all processes share. */
struct news {
	_Atomic uint32_t n;
	_Atomic uint32_t slots[MAX_SLOTS]; /* number of a row + 1; 0: free */
	struct row rows[MAX_NEW];
};

struct device {
	uint64_t dev;
	bool is_trusted;
};

struct file_digests {
	int dir_fd; /* owned: ROOT/cache */
	pid_t opener;
	const void *map; /* of the file; NULL */
	size_t map_len;
	const struct head *head;
	const uint32_t *index;
	const struct row *rows;
	_Atomic unsigned char *used; /* of each row: whether it was; shared */
	struct news *news;
	uint32_t today;
};

/* ---- rows ---- */

static int64_t to_ns(const struct timespec *t)
{
	return t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* splitmix64: any change of X changes half of the bits. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t hash_file(uint64_t dev, uint64_t ino)
{
	return mix(ino + mix(dev + UINT64_C(0x9e3779b97f4a7c15)));
}

/* Of all of it but the day, which may be written anew. */
static uint32_t check_row(const struct row *r)
{
	uint64_t words[9] = {r->dev, r->ino, r->size, (uint64_t)r->mtime_ns, (uint64_t)r->ctime_ns};
	uint64_t sum = MAGIC;

	memcpy(words + 5, r->digest, sizeof(r->digest));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		sum = mix(sum + words[i]);
	return (uint32_t)(sum >> 32) | 1;
}

static bool is_same_file(const struct row *r, const struct stat *st)
{
	return r->ino == st->st_ino && r->dev == st->st_dev;
}

/* Whether R, a row of that file, still holds. */
static bool holds(const struct row *r, const struct stat *st)
{
	return r->size == (uint64_t)st->st_size && r->ctime_ns == to_ns(&st->st_ctim) &&
	       r->mtime_ns == to_ns(&st->st_mtim) && r->check == check_row(r);
}

/* ---- what the file has ---- */

static uint32_t slot_of(uint64_t hash, uint32_t bits)
{
	return bits ? (uint32_t)(hash >> (64 - bits)) : 0;
}

/* Rows FIRST to LAST - 1 may be of a file with this hash. What a torn file says is bounded. */
static void find_rows(const struct file_digests *d, uint64_t hash, uint32_t *ret_first,
		      uint32_t *ret_last)
{
	uint32_t slot = slot_of(hash, d->head->bits);

	*ret_first = d->index[slot];
	*ret_last = d->index[slot + 1];
	if (*ret_last > d->head->n_rows)
		*ret_last = d->head->n_rows;
}

static bool lookup_old(const struct file_digests *d, const struct stat *st, unsigned char *ret)
{
	uint32_t i = 0;
	uint32_t last = 0;

	if (!d->map)
		return false;
	find_rows(d, hash_file(st->st_dev, st->st_ino), &i, &last);
	for (; i < last; i++) {
		if (!is_same_file(&d->rows[i], st) || !holds(&d->rows[i], st))
			continue;
		memcpy(ret, d->rows[i].digest, SHA256_LEN);
		atomic_store_explicit(&d->used[i], 1, memory_order_relaxed);
		return true;
	}
	return false;
}

/* Maps the file FD, if it is one of ours. */
static void map_file(struct file_digests *d, int fd)
{
	struct stat st;
	const struct head *head = NULL;
	size_t n_index = 0;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(*head))
		return;
	d->map_len = (size_t)st.st_size;
	d->map = mmap(NULL, d->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (d->map == MAP_FAILED) {
		d->map = NULL;
		return;
	}
	head = d->map;
	n_index = head->bits < 32 ? ((size_t)1 << head->bits) + 1 : SIZE_MAX;
	if (head->magic != MAGIC || head->n_rows > MAX_ROWS || head->bits > 20 ||
	    d->map_len != sizeof(*head) + ((n_index + 1) & ~(size_t)1) * sizeof(uint32_t) +
				  head->n_rows * sizeof(struct row)) {
		munmap((void *)(uintptr_t)d->map, d->map_len);
		d->map = NULL;
		return;
	}
	d->head = head;
	d->index = (const uint32_t *)(head + 1);
	d->rows = (const struct row *)(const void *)(d->index + ((n_index + 1) & ~(size_t)1));
}

static void *share(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int open_cache_dir(const struct engine *engine, struct err *err)
{
	int root_fd = store_get_root_fd(engine->store);
	int fd = -1;

	if (mkdirat(root_fd, DIR_NAME, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create %s/" DIR_NAME, engine->root);
	fd = openat(root_fd, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s/" DIR_NAME, engine->root) : fd;
}

static void close_all(struct file_digests *d)
{
	if (d->used)
		munmap((void *)(uintptr_t)d->used, d->head->n_rows + 1);
	if (d->map)
		munmap((void *)(uintptr_t)d->map, d->map_len);
	if (d->news)
		munmap(d->news, sizeof(*d->news));
	fd_cleanup_close(&d->dir_fd);
	free(d);
}

int file_digests_open(struct engine *engine, struct file_digests **ret, struct err *err)
{
	struct file_digests *d = NULL;
	cleanup_close int fd = -1;
	int dir_fd = open_cache_dir(engine, err);

	if (dir_fd < 0)
		return dir_fd;
	d = mem_zalloc(sizeof(*d));
	d->dir_fd = dir_fd;
	d->opener = getpid();
	d->today = (uint32_t)(time(NULL) / (24 * 60 * 60));
	d->news = share(sizeof(*d->news));
	fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		map_file(d, fd);
	if (d->map)
		d->used = share(d->head->n_rows + 1);
	if (!d->news || (d->map && !d->used)) {
		close_all(d);
		return err_sys(err, ENOMEM, "remember digests of files");
	}
	*ret = d;
	return 0;
}

/* ---- what is new ---- */

static bool lookup_new(const struct file_digests *d, const struct stat *st, unsigned char *ret)
{
	uint32_t slot = slot_of(hash_file(st->st_dev, st->st_ino), 20);
	uint32_t number = 0;

	for (; (number = d->news->slots[slot]); slot = (slot + 1) % MAX_SLOTS) {
		const struct row *r = &d->news->rows[number - 1];

		if (!is_same_file(r, st) || !holds(r, st))
			continue;
		memcpy(ret, r->digest, SHA256_LEN);
		return true;
	}
	return false;
}

/* A row is filled before its number is in a slot, and stays as it is. */
static void add_new(struct file_digests *d, const struct stat *st, const unsigned char *digest)
{
	uint32_t number = d->news->n < MAX_NEW ? atomic_fetch_add(&d->news->n, 1) : MAX_NEW;
	uint32_t slot = slot_of(hash_file(st->st_dev, st->st_ino), 20);
	struct row *r = NULL;
	uint32_t none = 0;

	if (number >= MAX_NEW)
		return;
	r = &d->news->rows[number];
	*r = (struct row){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = to_ns(&st->st_mtim),
		.ctime_ns = to_ns(&st->st_ctim),
		.day = d->today,
	};
	memcpy(r->digest, digest, SHA256_LEN);
	r->check = check_row(r);
	for (; !atomic_compare_exchange_strong(&d->news->slots[slot], &none, number + 1); none = 0)
		slot = (slot + 1) % MAX_SLOTS;
}

bool file_digests_lookup(const struct file_digests *d, const struct stat *st, unsigned char ret[32])
{
	return d && S_ISREG(st->st_mode) && (lookup_old(d, st, ret) || lookup_new(d, st, ret));
}

/* ---- reading ---- */

/* Whether this kernel stamps the files of FD's file system, by its own clock. */
static bool is_local(int fd)
{
	static const long local[] = {EXT4_SUPER_MAGIC,	   XFS_SUPER_MAGIC,  BTRFS_SUPER_MAGIC,
				     TMPFS_MAGIC,	   F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC,
				     0x2fc12fc1 /* zfs */, (long)0xca451a4e /* bcachefs */};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		if ((long)fs.f_type == local[i])
			return true;
	return false;
}

/* Whether a file whose ctime is that of ST, read since NOW_NS, may be remembered. */
static bool is_settled(int fd, const struct stat *st, int64_t now_ns)
{
	int64_t ctime_ns = to_ns(&st->st_ctim);
	/* No fraction: perhaps the file system has none. */
	int64_t slack_ns = ctime_ns % NS_PER_S == 0 ? SLACK_COARSE_NS : SLACK_NS;

	return ctime_ns < now_ns - slack_ns && is_local(fd);
}

static int64_t stamp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return to_ns(&now);
}

/* Digests what FD has; returns how many bytes, or -errno. */
static int64_t read_digest(int fd, size_t size, unsigned char ret[32])
{
	size_t buf_size = size < READ_SIZE ? size + 1 : READ_SIZE;
	cleanup_free char *buf = mem_alloc(buf_size);
	struct sha256 h;
	int64_t total = 0;

	sha256_init(&h);
	for (;;) {
		ssize_t n = pread(fd, buf, buf_size, total);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_update(&h, buf, (size_t)n);
		total += n;
	}
	sha256_final(&h, ret);
	return total;
}

static bool has_attributes(int fd)
{
	cleanup_str struct str text = STR_INIT;

	copy_xattr_describe(fd, &text);
	return text.len > 0;
}

/* Whether nothing happened to the file. */
static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && to_ns(&a->st_mtim) == to_ns(&b->st_mtim) &&
	       to_ns(&a->st_ctim) == to_ns(&b->st_ctim);
}

int file_digests_get(struct file_digests *d, int fd, const struct stat *st, unsigned char ret[32],
		     struct err *err)
{
	int64_t now_ns = stamp_now_ns();
	struct stat after;
	int64_t n = 0;

	if (file_digests_lookup(d, st, ret))
		return 0;
	n = read_digest(fd, (size_t)st->st_size, ret);
	if (n < 0)
		return err_sys(err, (int)-n, "read");
	if (fstat(fd, &after) < 0)
		return err_sys(err, errno, "stat");
	if (n != st->st_size || !is_unchanged(st, &after))
		return err_set(err, ERR_CONFLICT, "file changed while it was read");
	if (d && is_settled(fd, &after, now_ns) && !has_attributes(fd))
		add_new(d, &after, ret);
	return 0;
}

/* ---- writing ---- */

struct output {
	struct row *rows;
	size_t n;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	uint64_t hash_x = hash_file(x->dev, x->ino);
	uint64_t hash_y = hash_file(y->dev, y->ino);

	if (hash_x != hash_y)
		return hash_x < hash_y ? -1 : 1;
	/* Of one file, what was seen last stands first. */
	return (x->ctime_ns < y->ctime_ns) - (x->ctime_ns > y->ctime_ns);
}

static int compare_days(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	return (x->day < y->day) - (x->day > y->day);
}

/* Sorts, and keeps one row of each file and of all as many as there may be. */
static void tidy(struct output *out)
{
	size_t n = 0;

	qsort(out->rows, out->n, sizeof(*out->rows), compare_rows);
	for (size_t i = 0; i < out->n; i++)
		if (n == 0 || out->rows[i].ino != out->rows[n - 1].ino ||
		    out->rows[i].dev != out->rows[n - 1].dev)
			out->rows[n++] = out->rows[i];
	out->n = n;
	if (n <= MAX_ROWS)
		return;
	qsort(out->rows, n, sizeof(*out->rows), compare_days);
	/* Some room, so that not each build has to do this. */
	out->n = MAX_ROWS / 8 * 7;
	qsort(out->rows, out->n, sizeof(*out->rows), compare_rows);
}

/* Gathers what the file has now, which another build may have written, and what is new. */
static void gather(const struct file_digests *d, struct output *out)
{
	struct file_digests now = {};
	cleanup_close int fd = openat(d->dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint32_t n_new = d->news->n < MAX_NEW ? d->news->n : MAX_NEW;
	size_t n_old = 0;

	if (fd >= 0)
		map_file(&now, fd);
	n_old = now.map ? now.head->n_rows : 0;
	out->rows = mem_alloc((n_old + n_new) * sizeof(*out->rows));
	for (size_t i = 0; i < n_old + n_new; i++) {
		const struct row *r = i < n_old ? &now.rows[i] : &d->news->rows[i - n_old];
		struct row *to = &out->rows[out->n];

		if (r->check != check_row(r))
			continue;
		*to = *r;
		out->n++;
		/* Nobody replaced the file since: the marks fit. */
		if (i < n_old && d->map && now.head->n_rows == d->head->n_rows && d->used[i])
			to->day = d->today;
	}
	if (now.map)
		munmap((void *)(uintptr_t)now.map, now.map_len);
}

/* Two rows for each number of the index. */
static uint32_t choose_bits(size_t n)
{
	uint32_t bits = 0;

	while (bits < 20 && (size_t)2 << bits < n)
		bits++;
	return bits;
}

static void format(const struct output *out, struct str *ret)
{
	struct head head = {MAGIC, (uint32_t)out->n, choose_bits(out->n)};
	size_t n_slots = (size_t)1 << head.bits;
	size_t n_index = (n_slots + 2) & ~(size_t)1;
	uint32_t *index = mem_zalloc(n_index * sizeof(*index));
	size_t row = 0;

	for (size_t slot = 0; slot < n_slots; slot++) {
		index[slot] = (uint32_t)row;
		while (row < out->n && slot_of(hash_file(out->rows[row].dev, out->rows[row].ino),
					       head.bits) == slot)
			row++;
	}
	index[n_slots] = (uint32_t)row;
	str_add_bytes(ret, &head, sizeof(head));
	str_add_bytes(ret, index, n_index * sizeof(*index));
	str_add_bytes(ret, out->rows, out->n * sizeof(*out->rows));
	free(index);
}

/* One process at a time; each takes over what the others wrote. */
static int write_file(const struct file_digests *d)
{
	cleanup_close int lock = openat(d->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cleanup_str struct str text = STR_INIT;
	struct output out = {};

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return -errno;
	gather(d, &out);
	tidy(&out);
	format(&out, &text);
	free(out.rows);
	return fd_replace_file_at(d->dir_fd, FILE_NAME, text.buf, text.len, 0600, false);
}

void file_digests_close(struct file_digests *d)
{
	int rc = 0;

	if (!d)
		return;
	if (d->opener == getpid() && d->news->n > 0)
		rc = write_file(d);
	if (rc < 0)
		log_debug("write digests of files: %s", strerrordesc_np(-rc));
	close_all(d);
}
