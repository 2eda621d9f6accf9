/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files and directories of files, so that its corpus is an ordinary test
 * wherever there is no fuzzer. Fails when there was nothing to run.
 */
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	cleanup_str struct str bytes = STR_INIT;
	int rc = fd_read_file_at(AT_FDCWD, path, FILE_MAX, &bytes);

	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-rc));
		return rc;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)str_get(&bytes), bytes.len);
	return 1;
}

static int replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0, rc = 0;

	if (!dir)
		return -errno;
	for (struct dirent *e = readdir(dir); e && rc >= 0; e = readdir(dir)) {
		cleanup_str struct str file = STR_INIT;

		if (e->d_name[0] == '.')
			continue;
		str_addf(&file, "%s/%s", path, e->d_name);
		rc = replay_file(file.buf);
		n += rc > 0;
	}
	closedir(dir);
	return rc < 0 ? rc : n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int rc = replay_dir(argv[i]);

		if (rc == -ENOTDIR)
			rc = replay_file(argv[i]);
		if (rc < 0)
			return 1;
		n += rc;
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1;
}
