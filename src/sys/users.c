/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups of a root file system. Both files are read whole and walked line by line; a line
 * that is not of the file's form is skipped, as every libc does.
 */
#include "sys/users.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_FILE   (1 << 20)
#define MAX_FIELDS 7

/* Reads PATH under the root; a missing or unusable one is an empty one (the image may have none).
 */
static void read_table(int root_fd, const char *path, struct str *ret)
{
	cleanup_close int fd = path_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
						 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE)
		return;
	if (fd_read_all(fd, MAX_FILE, ret) < 0)
		str_truncate(ret, 0);
}

/* Cuts the next line of *TEXT at its colons; number of fields, or -1 at the end. */
static int next_line(char **text, char *fields[static MAX_FIELDS])
{
	char *line = NULL;
	int n = 0;

	if (!*text || !**text)
		return -1;
	line = strsep(text, "\n");
	while (n < MAX_FIELDS && line)
		fields[n++] = strsep(&line, ":");
	for (int i = n; i < MAX_FIELDS; i++)
		fields[i] = (char[]){""};
	return n;
}

/* A number as R8 wants it: digits only, at most 2^32 - 2 (2^32 - 1 means "no change" to chown). */
static int parse_id(const char *s, uid_t *ret)
{
	uint64_t v = 0;

	if (strlen(s) > 10 || num_parse_u64(s, &v) < 0)
		return -EINVAL;
	if (v >= UINT32_MAX)
		return -ERANGE;
	*ret = (uid_t)v;
	return 0;
}

/* Whether S was meant as a number, so that it must never be looked up as a name. */
static bool is_numeric(const char *s)
{
	return s[strspn(s, "0123456789")] == '\0' && *s;
}

static int check_number(const char *s, uid_t *ret, struct err *err)
{
	if (parse_id(s, ret) == 0 && *ret <= INT32_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "uids and gids must be in range 0-%d", INT32_MAX);
}

static int find_user(struct str *passwd, const char *name, struct user *ret, bool *ret_has_gid,
		     struct err *err)
{
	bool numeric = is_numeric(name);
	char *cursor = passwd->buf;
	char *f[MAX_FIELDS];
	int n = 0;

	*ret_has_gid = false;
	if (numeric) {
		int rc = check_number(name, &ret->uid, err);

		if (rc < 0)
			return rc;
	}
	while ((n = next_line(&cursor, f)) >= 0) {
		uid_t uid = 0;
		gid_t gid = 0;

		if (n < 4 || parse_id(f[2], &uid) < 0 || parse_id(f[3], &gid) < 0)
			continue;
		if (numeric ? uid != ret->uid : strcmp(f[0], name) != 0)
			continue;
		ret->uid = uid;
		ret->gid = gid;
		*ret_has_gid = true;
		snprintf(ret->home, sizeof(ret->home), "%s", f[5]);
		return 0;
	}
	if (numeric || strcmp(name, "root") == 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "unable to find user %s: no matching entries in passwd file", name);
}

static int find_group(const struct str *group, const char *name, gid_t *ret, struct err *err)
{
	cleanup_free char *copy = str_dup(str_get(group));
	char *cursor = copy;
	char *f[MAX_FIELDS];
	int n = 0;

	if (is_numeric(name))
		return check_number(name, ret, err);
	while ((n = next_line(&cursor, f)) >= 0)
		if (n >= 3 && strcmp(f[0], name) == 0 && parse_id(f[2], ret) == 0)
			return 0;
	return err_set(err, ERR_INVALID,
		       "unable to find group %s: no matching entries in group file", name);
}

static void add_group(struct user *user, gid_t gid)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return;
	if (user->n_groups < USERS_MAX_GROUPS)
		user->groups[user->n_groups++] = gid;
	else
		user->has_more_groups = true;
}

/* The groups that list the user by name. */
static void add_memberships(const struct str *group, const char *name, struct user *user)
{
	cleanup_free char *copy = str_dup(str_get(group));
	char *cursor = copy;
	char *f[MAX_FIELDS];
	int n = 0;

	while ((n = next_line(&cursor, f)) >= 0) {
		char *members = f[3];
		char *member = NULL;
		gid_t gid = 0;

		if (n < 4 || parse_id(f[2], &gid) < 0)
			continue;
		while ((member = strsep(&members, ",")) != NULL)
			if (strcmp(member, name) == 0)
				add_group(user, gid);
	}
}

/* The name behind a uid, for its memberships; NULL when there is none. Owned. */
static char *name_of_uid(const struct str *passwd, uid_t uid)
{
	cleanup_free char *copy = str_dup(str_get(passwd));
	char *cursor = copy;
	char *f[MAX_FIELDS];
	int n = 0;

	while ((n = next_line(&cursor, f)) >= 0) {
		uid_t found = 0;

		if (n >= 4 && parse_id(f[2], &found) == 0 && found == uid)
			return str_dup(f[0]);
	}
	return NULL;
}

int users_resolve(int root_fd, const char *spec, const struct strv *extra, struct user *ret,
		  struct err *err)
{
	cleanup_str struct str passwd = STR_INIT;
	cleanup_str struct str group = STR_INIT;
	cleanup_str struct str scratch = STR_INIT;
	const char *colon = strchr(spec, ':');
	cleanup_free char *user = colon ? str_ndup(spec, (size_t)(colon - spec)) : str_dup(spec);
	cleanup_free char *name = NULL;
	bool has_gid = false;
	int rc = 0;

	*ret = (struct user){};
	read_table(root_fd, "/etc/passwd", &passwd);
	read_table(root_fd, "/etc/group", &group);
	str_add(&scratch, str_get(&passwd));
	rc = find_user(&scratch, *user ? user : "0", ret, &has_gid, err);
	if (rc == 0 && colon && colon[1]) {
		rc = find_group(&group, colon + 1, &ret->gid, err);
		/* An explicit group replaces the memberships, as docker does. */
		add_group(ret, ret->gid);
	} else if (rc == 0) {
		add_group(ret, ret->gid);
		name = name_of_uid(&passwd, ret->uid);
		if (name)
			add_memberships(&group, name, ret);
	}
	for (size_t i = 0; rc == 0 && extra && i < extra->n; i++) {
		gid_t gid = 0;

		rc = find_group(&group, extra->items[i], &gid, err);
		if (rc < 0)
			return rc;
		add_group(ret, gid);
	}
	if (rc == 0 && ret->has_more_groups)
		return err_set(err, ERR_UNSUPPORTED, "more than %d groups", USERS_MAX_GROUPS);
	return rc;
}
