/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that lead elsewhere. Theory of operation:
 *
 * Until a container's first process has executed its command, /proc/self/exe is the engine's own
 * file on the host. An image whose command is that path, a link to it, a script that starts with
 * "#!/proc/self/exe" or an ELF file with that loader makes the kernel execute the engine inside the
 * container, where root can afterwards write to it (CVE-2019-5736). So the chain that execve(2)
 * would walk is walked once before, by openat2(2) without magic links.
 *
 * This is a check before use: it holds where nobody else can change the files meanwhile, which is
 * so for a container that shares no directory and no processes with another. The others run from a
 * sealed copy of the program (process_seal).
 */
#include "sys/program.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/caps.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Linux follows five "#!" lines (fs/exec.c, exec_binprm) and then one loader. */
#define MAX_CHAIN 8
/* Linux reads no more of a file to see what it is (BINPRM_BUF_SIZE). */
#define HEAD_LEN 256
/* Enough for every program header table that Linux accepts in practice; a longer one is refused. */
#define MAX_HEADERS 64

#define CAP_DAC_READ_SEARCH_BIT CAPS_BIT(2)

static int open_plain(const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
			       .resolve = RESOLVE_NO_MAGICLINKS};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* A file that may be executed but not read: the kernel reads its head all the same. */
static int open_unreadable(const char *path)
{
	uint64_t bit = CAP_DAC_READ_SEARCH_BIT;
	int fd = -EACCES;

	if (caps_raise(bit) < 0)
		return -EACCES;
	fd = open_plain(path, O_RDONLY | O_NONBLOCK);
	return caps_lower(bit) < 0 ? -EACCES : fd;
}

/* Opens PATH for reading; 0 when there is nothing to execute, -EACCES when it leads elsewhere. */
static int open_program(const char *path, int *ret_fd)
{
	cleanup_close int found = open_plain(path, O_PATH);
	struct statfs fs;
	int fd = -1;

	/* -ELOOP is a magic link or too many ordinary ones: not a program in either case. */
	if (found < 0)
		return found == -ELOOP ? -EACCES : 0;
	if (fstatfs(found, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return -EACCES;
	fd = open_plain(path, O_RDONLY | O_NONBLOCK);
	if (fd == -EACCES)
		fd = open_unreadable(path);
	if (fd < 0)
		return fd == -EACCES ? fd : 0;
	*ret_fd = fd;
	return 0;
}

/* "#! /bin/sh -e" as the kernel cuts it: blanks around, the first word is the path. */
static void read_script(const char *head, char ret[static PATH_MAX])
{
	const char *word = head + 2 + strspn(head + 2, " \t");
	size_t len = strcspn(word, " \t\n");

	memcpy(ret, word, len);
	ret[len] = '\0';
}

/* The text of segment OFFSET, LEN of an ELF file: its loader. */
static int read_loader(int fd, uint64_t offset, uint64_t len, char ret[static PATH_MAX])
{
	if (len < 2 || len > PATH_MAX || offset > INT64_MAX - PATH_MAX)
		return 0; /* the kernel refuses it too: ENOEXEC */
	if (pread(fd, ret, len, (off_t)offset) != (ssize_t)len || ret[len - 1] != '\0')
		ret[0] = '\0';
	return 0;
}

/* The same in both widths: find PT_INTERP among the program headers. */
#define DEFINE_READ_ELF(name, ehdr_type, phdr_type)                                              \
	static int name(int fd, const char *head, char ret[static PATH_MAX])                     \
	{                                                                                        \
		phdr_type headers[MAX_HEADERS];                                                  \
		ehdr_type elf;                                                                   \
		ssize_t len = 0;                                                                 \
                                                                                                 \
		memcpy(&elf, head, sizeof(elf));                                                 \
		if (elf.e_phentsize != sizeof(headers[0]) || elf.e_phoff > INT32_MAX)            \
			return 0;                                                                \
		if (elf.e_phnum > MAX_HEADERS)                                                   \
			return -EACCES;                                                          \
		len = pread(fd, headers, elf.e_phnum * sizeof(headers[0]), (off_t)elf.e_phoff);  \
		for (size_t i = 0; len > 0 && i < (size_t)len / sizeof(headers[0]); i++)         \
			if (headers[i].p_type == PT_INTERP)                                      \
				return read_loader(fd, headers[i].p_offset, headers[i].p_filesz, \
						   ret);                                         \
		return 0;                                                                        \
	}

DEFINE_READ_ELF(read_elf32, Elf32_Ehdr, Elf32_Phdr)
DEFINE_READ_ELF(read_elf64, Elf64_Ehdr, Elf64_Phdr)

/* What FD's file makes the kernel open next, "" when nothing. */
static int read_next(int fd, char ret[static PATH_MAX])
{
	char head[HEAD_LEN + 1] = "";
	ssize_t n = pread(fd, head, HEAD_LEN, 0);

	ret[0] = '\0';
	if (n >= 2 && head[0] == '#' && head[1] == '!')
		read_script(head, ret);
	else if (n >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
		return head[EI_CLASS] == ELFCLASS32 ? read_elf32(fd, head, ret)
						    : read_elf64(fd, head, ret);
	return 0;
}

int program_check_origin(const char *path)
{
	char next[PATH_MAX];

	for (int depth = 0; depth < MAX_CHAIN; depth++) {
		cleanup_close int fd = -1;
		int rc = open_program(path, &fd);

		if (rc < 0 || fd < 0)
			return rc;
		rc = read_next(fd, next);
		if (rc < 0 || !*next)
			return rc;
		path = next;
	}
	/* Longer than the kernel follows: it answers ELOOP. */
	return 0;
}
