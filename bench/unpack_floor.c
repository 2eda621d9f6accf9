/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of unpacking: inflate with isa-l, and make the files. What an archive of a whole system
 * costs when nobody checks a name, a digest, a limit or an owner: directories by mkdir(2), files by
 * open(2), write(2) and close(2), links by link(2) and symlink(2), in the archive's order.
 *
 *     unpack_floor ARCHIVE DIR       DIR is made; ARCHIVE is a tar, plain or of one gzip stream
 *
 * Knows names and sizes of ustar, GNU's long names and the path and linkpath of pax, which is what
 * Debian's archives hold. The archive is mapped, so reading it costs next to nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, CHUNK = 1 << 20, MAX_NAME = 4096 };

struct floor {
	struct inflate_state inflate;
	bool is_plain;
	uint8_t *in;
	size_t in_len, in_at;
	uint8_t *out; /* CHUNK bytes, of which out_at..out_len are still to be used */
	size_t out_len, out_at;
	char name[MAX_NAME], link[MAX_NAME]; /* of the next entry when a header before said so */
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "unpack_floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The digits at TEXT, behind spaces. */
static uint64_t number(const char *text, unsigned base)
{
	uint64_t n = 0;

	while (*text == ' ')
		text++;
	for (; *text >= '0' && *text < '0' + (char)base; text++)
		n = n * base + (uint64_t)(*text - '0');
	return n;
}

/* Makes sure that at least one byte of plain data is there. */
static bool fill(struct floor *f)
{
	if (f->out_at < f->out_len)
		return true;
	f->out_at = 0;
	if (f->is_plain) {
		f->out = f->in + f->in_at;
		f->out_len = f->in_len - f->in_at < CHUNK ? f->in_len - f->in_at : CHUNK;
		f->in_at += f->out_len;
		return f->out_len > 0;
	}
	f->inflate.next_out = f->out;
	f->inflate.avail_out = CHUNK;
	check(isal_inflate(&f->inflate) == ISAL_DECOMP_OK, "inflate");
	f->out_len = CHUNK - f->inflate.avail_out;
	return f->out_len > 0;
}

static bool take(struct floor *f, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		size_t n = len - done;

		if (!fill(f))
			return false;
		n = n < f->out_len - f->out_at ? n : f->out_len - f->out_at;
		if (buf)
			memcpy((char *)buf + done, f->out + f->out_at, n);
		f->out_at += n;
		done += n;
	}
	return true;
}

static void write_file(struct floor *f, const char *name, uint64_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	check(fd >= 0, name);
	while (size > 0) {
		size_t n = 0;

		check(fill(f), name);
		n = size < f->out_len - f->out_at ? size : f->out_len - f->out_at;
		check(write(fd, f->out + f->out_at, n) == (ssize_t)n, name);
		f->out_at += n;
		size -= n;
	}
	check(close(fd) == 0, name);
}

/* The value of KEY in a pax header, copied to RET. */
static void find_pax(const char *text, size_t len, const char *key, char *ret)
{
	for (size_t at = 0; at < len;) {
		size_t record = number(text + at, 10);
		const char *space = memchr(text + at, ' ', len - at);
		size_t key_len = strlen(key);

		check(record > 0 && record <= len - at && space, "pax header");
		if (strncmp(space + 1, key, key_len) == 0 && space[1 + key_len] == '=') {
			const char *value = space + 2 + key_len;
			size_t n = (size_t)(text + at + record - 1 - value);

			check(n < MAX_NAME, "pax value");
			memcpy(ret, value, n);
			ret[n] = '\0';
		}
		at += record;
	}
}

/* A header that says something of the next entry. */
static void read_extension(struct floor *f, char kind, size_t size)
{
	char *text = malloc(size + 1);

	check(text && take(f, text, size), "extension");
	text[size] = '\0';
	if (kind == 'L' || kind == 'K')
		snprintf(kind == 'L' ? f->name : f->link, MAX_NAME, "%s", text);
	if (kind == 'x') {
		find_pax(text, size, "path", f->name);
		find_pax(text, size, "linkpath", f->link);
	}
	free(text);
}

static void get_names(struct floor *f, const char *header)
{
	if (!*f->name && header[345] && memcmp(header + 257, "ustar\0", 6) == 0)
		snprintf(f->name, MAX_NAME, "%.155s/%.100s", header + 345, header);
	else if (!*f->name)
		snprintf(f->name, MAX_NAME, "%.100s", header);
	if (!*f->link)
		snprintf(f->link, MAX_NAME, "%.100s", header + 157);
	while (*f->name == '/')
		memmove(f->name, f->name + 1, strlen(f->name));
	if (!*f->name)
		memcpy(f->name, ".", 2);
}

static void make_entry(struct floor *f, char kind, uint64_t size)
{
	if (kind == '5')
		check(mkdir(f->name, 0755) == 0 || errno == EEXIST, f->name);
	else if (kind == '2')
		check(symlink(f->link, f->name) == 0, f->name);
	else if (kind == '1')
		check(link(f->link, f->name) == 0, f->name);
	else if (kind == '0' || kind == '\0')
		write_file(f, f->name, size);
}

static void unpack(struct floor *f)
{
	char header[BLOCK];

	while (take(f, header, BLOCK) && header[0]) {
		uint64_t size = number(header + 124, 8);
		char kind = header[156];

		if (strchr("LKxg", kind) && kind) {
			read_extension(f, kind, size);
		} else {
			get_names(f, header);
			make_entry(f, kind, size);
			*f->name = *f->link = '\0';
		}
		check(take(f, NULL, -size % BLOCK), "padding");
	}
}

int main(int argc, char **argv)
{
	static struct floor f;
	struct stat st;
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	check(fd >= 0 && fstat(fd, &st) == 0, "usage: unpack_floor ARCHIVE DIR");
	f.in_len = (size_t)st.st_size;
	f.in = mmap(NULL, f.in_len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	check(f.in != MAP_FAILED, argv[1]);
	f.is_plain = f.in_len < 2 || f.in[0] != 0x1f || f.in[1] != 0x8b;
	if (!f.is_plain) {
		isal_inflate_init(&f.inflate);
		f.inflate.crc_flag = ISAL_GZIP;
		f.inflate.next_in = f.in;
		f.inflate.avail_in = (uint32_t)f.in_len;
		f.out = malloc(CHUNK);
	}
	check(mkdir(argv[2], 0755) == 0 && chdir(argv[2]) == 0, argv[2]);
	unpack(&f);
	return 0;
}
