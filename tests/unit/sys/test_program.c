/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that lead elsewhere, in a directory of ordinary and hostile files. */
#include "../unit.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/tare-unit-XXXXXX";

static void add_file(const char *name, const void *data, size_t len)
{
	assert_int_equal(fd_write_file_at(AT_FDCWD, name, data, len, 0755), 0);
}

static void add_text(const char *name, const char *text)
{
	add_file(name, text, strlen(text));
}

/* A program of CLASS whose loader is named at the end of the file. */
static void add_elf(const char *name, const char *loader, uint16_t headers)
{
	struct {
		Elf64_Ehdr elf;
		Elf64_Phdr load, interp;
		char text[64];
	} file = {
		.elf = {.e_ident = ELFMAG, .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = headers},
		.load = {.p_type = PT_LOAD},
		.interp = {.p_type = PT_INTERP,
			   .p_offset = sizeof(file.elf) + 2 * sizeof(file.load)},
	};

	file.elf.e_ident[EI_CLASS] = ELFCLASS64;
	file.elf.e_phentsize = sizeof(Elf64_Phdr);
	file.interp.p_filesz = strlen(loader) + 1;
	memcpy(file.text, loader, strlen(loader));
	add_file(name, &file, sizeof(file));
}

static int make_files(void **state)
{
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	add_text("plain", "nothing");
	add_text("empty", "");
	add_text("sh", "#!/bin/sh\necho\n");
	add_text("nested", "#!sh\n");
	add_text("self", "#!/proc/self/exe\n");
	add_text("blanks", "#! \t /proc/self/exe -x\n");
	add_text("unended", "#!/proc/self/exe");
	add_text("nested-self", "#!self");
	add_text("nested-link", "#!link\n");
	add_text("loop", "#!loop\n");
	add_text("missing", "#!/does/not/exist\n");
	add_elf("elf", "/bin/sh", 2);
	add_elf("elf-self", "/proc/self/exe", 2);
	add_elf("elf-link", "link", 2);
	add_elf("elf-no-loader", "/proc/self/exe", 1);
	add_elf("elf-many", "/bin/sh", 1000);
	return symlink("/proc/self/exe", "link") < 0 || symlink("link", "link-link") < 0 ||
			       symlink("sh", "good-link") < 0 || symlink("round", "round") < 0 ||
			       mkfifo("fifo", 0755) < 0
		       ? -1
		       : 0;
}

static int remove_files(void **state)
{
	return chdir("/") < 0 ? -1 : fd_remove_tree_at(AT_FDCWD, dir);
}

static void finds_what_leads_elsewhere(void **state)
{
	static const struct {
		const char *path;
		int expected;
	} cases[] = {
		{"plain", 0},
		{"empty", 0},
		{"sh", 0},
		{"nested", 0},
		{"good-link", 0},
		{"missing", 0},
		{"not-there", 0},
		{".", 0},
		{"fifo", 0},
		{"loop", 0},
		{"elf", 0},
		{"elf-no-loader", 0},
		{"link", -EACCES},
		{"link-link", -EACCES},
		{"round", -EACCES},
		{"self", -EACCES},
		{"blanks", -EACCES},
		{"unended", -EACCES},
		{"nested-self", -EACCES},
		{"nested-link", -EACCES},
		{"elf-self", -EACCES},
		{"elf-link", -EACCES},
		{"elf-many", -EACCES},
		{"/proc/self/exe", -EACCES},
		{"/proc/self/fd/0", -EACCES},
		{"/proc/self/root/bin/sh", -EACCES},
		{"/proc/version", -EACCES},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (program_check_origin(cases[i].path) != cases[i].expected)
			fail_msg("%s: %d", cases[i].path, program_check_origin(cases[i].path));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_leads_elsewhere)};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
