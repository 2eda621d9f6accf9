/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_pid_mountinfo(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw". Between
 * the options and the dash stand the peer groups, if any.
 */
#include "sys/mount.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MOUNTINFO_LIMIT (16 << 20)

enum {
	FIELD_POINT = 4,
	FIELD_PEERS = 6,
};

/* \ooo stands for a blank, a tab, a newline and the backslash. */
static char *unescape(const char *text)
{
	struct str out = STR_INIT;

	while (*text) {
		size_t len = strcspn(text, "\\");

		str_add_bytes(&out, text, len);
		text += len;
		if (!*text)
			break;
		if (strspn(text + 1, "01234567") < 3) {
			str_add_char(&out, *text++);
			continue;
		}
		str_add_char(&out,
			     (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0')));
		text += 4;
	}
	return str_take(&out);
}

/* Whether LINE is that of the mount whose id, with a blank, is START; RET is filled then. */
static bool read_line(const char *line, const char *start, struct mount_peers *ret)
{
	cleanup_strv struct strv fields = STRV_INIT;

	if (!str_has_prefix(line, start))
		return false;
	strv_split(&fields, line, ' ');
	if (fields.n <= FIELD_PEERS)
		return false;
	*ret = (struct mount_peers){.mount_point = unescape(fields.items[FIELD_POINT])};
	for (size_t i = FIELD_PEERS; i < fields.n && strcmp(fields.items[i], "-") != 0; i++) {
		ret->is_shared |= str_has_prefix(fields.items[i], "shared:");
		ret->is_slave |= str_has_prefix(fields.items[i], "master:");
	}
	return true;
}

int mount_parse_peers(const char *text, uint64_t id, struct mount_peers *ret)
{
	cleanup_free char *start = str_printf("%llu ", (unsigned long long)id);

	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = str_ndup(text, len);

		if (read_line(line, start, ret))
			return 0;
		text += len + (text[len] != '\0');
	}
	return -ENOENT;
}

int mount_find_peers(int fd, struct mount_peers *ret)
{
	cleanup_str struct str text = STR_INIT;
	struct statx st;
	int rc = 0;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return -errno;
	rc = fd_read_kernel_file("/proc/self/mountinfo", MOUNTINFO_LIMIT, &text);
	return rc < 0 ? rc : mount_parse_peers(str_get(&text), st.stx_mnt_id, ret);
}
