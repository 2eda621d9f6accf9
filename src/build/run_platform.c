/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps for another machine. The kernel runs their programs through an interpreter that somebody
 * has registered with binfmt_misc, which is looked at in an instance of our own: the host need not
 * have it mounted. What is registered there is the host's business; nothing is changed.
 */
#include "build/run_platform.h"

#include "base/fd.h"
#include "base/mem.h"
#include "oci/platform.h"
#include "sys/mount.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRY 4096
/* Offset of e_machine in an ELF header, in hexadecimal digits; its byte order is that of byte 5. */
#define MACHINE_AT 36
#define ORDER_AT   10
#define ELF_MAGIC  "7f454c46"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

unsigned run_platform_machine(const char *arch)
{
	static const struct {
		const char *arch;
		unsigned machine;
	} machines[] = {
		{"amd64", EM_X86_64},	   {"386", EM_386},	  {"arm64", EM_AARCH64},
		{"arm", EM_ARM},	   {"riscv64", EM_RISCV}, {"ppc64le", EM_PPC64},
		{"ppc64", EM_PPC64},	   {"s390x", EM_S390},	  {"mips64le", EM_MIPS},
		{"mips64", EM_MIPS},	   {"mipsle", EM_MIPS},	  {"mips", EM_MIPS},
		{"loong64", EM_LOONGARCH},
	};

	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (strcmp(machines[i].arch, arch) == 0)
			return machines[i].machine;
	return 0;
}

/* ---- entries ---- */

static unsigned hex_byte(const char *p)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = p[0] ? strchr(digits, p[0]) : NULL;
	const char *low = high && p[1] ? strchr(digits, p[1]) : NULL;

	return low ? (unsigned)((high - digits) * 16 + (low - digits)) : 0;
}

static unsigned machine_of(const char *magic)
{
	unsigned first = 0;
	unsigned second = 0;

	if (!str_has_prefix(magic, ELF_MAGIC) || strlen(magic) < MACHINE_AT + 4)
		return 0;
	first = hex_byte(magic + MACHINE_AT);
	second = hex_byte(magic + MACHINE_AT + 2);
	return hex_byte(magic + ORDER_AT) == ELFDATA2MSB ? first << 8 | second
							 : second << 8 | first;
}

bool run_emulator_parse(const char *text, struct run_emulator *ret)
{
	cleanup_strv struct strv lines = STRV_INIT;

	*ret = (struct run_emulator){};
	strv_split(&lines, text, '\n');
	ret->is_enabled = lines.n && strcmp(lines.items[0], "enabled") == 0;
	strv_foreach (i, &lines) {
		const char *line = lines.items[i];

		if (str_has_prefix(line, "interpreter "))
			str_replace(&ret->interpreter, line + strlen("interpreter "));
		else if (str_has_prefix(line, "flags: "))
			ret->is_fixed = strchr(line + strlen("flags: "), 'F') != NULL;
		else if (str_has_prefix(line, "magic "))
			ret->machine = machine_of(line + strlen("magic "));
	}
	return ret->interpreter != NULL;
}

void run_emulator_done(struct run_emulator *e)
{
	free(e->interpreter);
	*e = (struct run_emulator){};
}

/* ---- the host's ---- */

/* Whether one of LAYERS has PATH: enough for a hint, whatever another layer makes of it. */
static bool is_in_layers(const struct strv *layers, const char *path)
{
	strv_foreach (i, layers) {
		/* lint: a layer directory of the store */
		cleanup_close int fd = open(layers->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct stat st;

		if (fd >= 0 && fstatat(fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/* How far the host is: 0 nothing there, 1 registered but of no use in the image, 2 ready. */
static int judge(int dir, const char *name, unsigned machine, const struct strv *lowers)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_str struct str text = STR_INIT;
	struct run_emulator e = {};
	int found = 0;

	if (fd < 0 || fd_read_all(fd, MAX_ENTRY, &text) < 0 ||
	    !run_emulator_parse(str_get(&text), &e))
		return 0;
	if (e.is_enabled && e.machine == machine)
		found = e.is_fixed || is_in_layers(lowers, e.interpreter) ? 2 : 1;
	run_emulator_done(&e);
	return found;
}

static int find_emulator(unsigned machine, const struct strv *lowers)
{
	int root = mount_new("binfmt_misc", "binfmt_misc", NULL, 0);
	int copy = root < 0 ? -1 : openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int best = 0;

	fd_cleanup_close(&root);
	if (!dir) {
		fd_cleanup_close(&copy);
		return 0;
	}
	for (struct dirent *e = readdir(dir); e && best < 2; e = readdir(dir)) {
		int found = *e->d_name == '.' ? 0 : judge(dirfd(dir), e->d_name, machine, lowers);

		best = found > best ? found : best;
	}
	closedir(dir);
	return best;
}

/* Programs of the second machine that the first one runs itself. */
static bool is_native(const char *host, const char *arch)
{
	return strcmp(host, arch) == 0 ||
	       (strcmp(host, "amd64") == 0 && strcmp(arch, "386") == 0) ||
	       (strcmp(host, "arm64") == 0 && strcmp(arch, "arm") == 0);
}

int run_platform_check(const char *platform, const struct strv *lowers, struct err *err)
{
	struct platform host;
	struct platform want;
	unsigned machine = 0;
	int found = 0;

	platform_get_host(&host);
	if (!platform)
		return 0;
	if (platform_parse(platform, &want, err) < 0)
		return -err->code;
	if (is_native(host.arch, want.arch))
		return 0;
	machine = run_platform_machine(want.arch);
	found = machine ? find_emulator(machine, lowers) : 0;
	if (found == 2)
		return 0;
	if (found == 1)
		err_set(err, ERR_UNSUPPORTED,
			"the emulator for %s is registered without flag F, and the image does not "
			"have it",
			platform);
	else
		err_set(err, ERR_UNSUPPORTED,
			"this host cannot run programs for %s: no emulator is registered with "
			"binfmt_misc",
			platform);
	return err_hint(err, "apt install qemu-user-static binfmt-support");
}
