/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What scripts say to docker's builders before they build. There is one builder, this program, and
 * nothing to create or to choose; the answers are those that such scripts read.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "oci/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define BINFMT "/proc/sys/fs/binfmt_misc"

/* Interpreters of foreign programs, as qemu's packages register them, and what they run. */
static const struct {
	const char *entry, *platform;
} emulators[] = {
	{"qemu-aarch64", "linux/arm64"},   {"qemu-arm", "linux/arm/v7"},
	{"qemu-i386", "linux/386"},	   {"qemu-ppc64le", "linux/ppc64le"},
	{"qemu-riscv64", "linux/riscv64"}, {"qemu-s390x", "linux/s390x"},
	{"qemu-x86_64", "linux/amd64"},
};

/* Owned "linux/amd64, linux/arm64". */
static char *list_platforms(void)
{
	cleanup_str struct str out = STR_INIT;
	cleanup_close int fd = openat(AT_FDCWD, BINFMT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct platform host = {};
	char text[PLATFORM_LEN];

	platform_get_host(&host);
	str_add(&out, platform_format(&host, text));
	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(emulators); i++)
		if (faccessat(fd, emulators[i].entry, F_OK, 0) == 0)
			str_addf(&out, ", %s", emulators[i].platform);
	return str_take(&out);
}

int cmd_buildx_create(struct cli *cli, union verb_options *options, struct err *err)
{
	puts(options->buildx.name ? options->buildx.name : "default");
	return 0;
}

int cmd_buildx_inspect(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_free char *platforms = list_platforms();

	printf("Name:          default\nDriver:        tare\n\nNodes:\nName:             default\n"
	       "Endpoint:         default\nStatus:           running\n"
	       "BuildKit version: tare " TARE_VERSION "\nPlatforms:        %s\n",
	       platforms);
	return 0;
}

int cmd_buildx_ls(struct cli *cli, union verb_options *options, struct err *err)
{
	cleanup_free char *platforms = list_platforms();

	printf("NAME/NODE      DRIVER/ENDPOINT   STATUS    BUILDKIT       PLATFORMS\n"
	       "default*       tare\n"
	       " \\_ default     \\_ default       running   %-14s %s\n",
	       "tare " TARE_VERSION, platforms);
	return 0;
}

int cmd_buildx_nothing(struct cli *cli, union verb_options *options, struct err *err)
{
	return 0;
}

int cmd_buildx_version(struct cli *cli, union verb_options *options, struct err *err)
{
	puts("tare " TARE_VERSION);
	return 0;
}
