/* SPDX-License-Identifier: Apache-2.0 */
/* A number is a number and never a name; a name is looked up in the root that is built. */
#include "build/owner.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/users.h"

#include <stdint.h>

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static int parse_number(const char *s, uint32_t *ret, struct err *err)
{
	uint64_t n = 0;

	if (strlen(s) > 10 || num_parse_u64(s, &n) < 0 || n >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "uids and gids must be in range 0-%u",
			       UINT32_MAX - 1);
	*ret = (uint32_t)n;
	return 0;
}

/* Both ids of SPEC, in the form of users_resolve, as the root's files have them. */
static int look_up(int root_fd, const char *spec, struct user *ret, struct err *err)
{
	struct err found = ERR_INIT;

	if (root_fd >= 0 && users_resolve(root_fd, spec, NULL, ret, &found) == 0)
		return 0;
	if (root_fd >= 0 && found.code != ERR_INVALID) {
		*err = found;
		return -err->code;
	}
	/* Root is root even where nothing says so. */
	*ret = (struct user){};
	return strcmp(spec, "root") == 0 || strcmp(spec, "0:root") == 0 ? 0 : -ERR_INVALID;
}

static int find_user(int root_fd, const char *name, struct owner *ret, struct err *err)
{
	struct user user = {};

	if (is_number(name)) {
		if (parse_number(name, &ret->uid, err) < 0)
			return -err->code;
		ret->gid = ret->uid;
		return 0;
	}
	if (look_up(root_fd, name, &user, err) < 0)
		return err->code
			       ? -err->code
			       : err_set(err, ERR_INVALID,
					 "unable to convert uid/gid chown string to host mapping: "
					 "can't find uid for user %s: no such user: %s",
					 name, name);
	ret->uid = user.uid;
	ret->gid = user.gid;
	return 0;
}

static int find_group(int root_fd, const char *name, struct owner *ret, struct err *err)
{
	cleanup_free char *spec = str_printf("0:%s", name);
	struct user user = {};

	if (is_number(name))
		return parse_number(name, &ret->gid, err);
	if (look_up(root_fd, spec, &user, err) < 0)
		return err->code
			       ? -err->code
			       : err_set(err, ERR_INVALID,
					 "unable to convert uid/gid chown string to host mapping: "
					 "can't find gid for group %s: no such group: %s",
					 name, name);
	ret->gid = user.gid;
	return 0;
}

int owner_resolve(int root_fd, const char *spec, struct owner *ret, struct err *err)
{
	const char *colon = spec ? strchr(spec, ':') : NULL;
	cleanup_free char *user = colon ? str_ndup(spec, (size_t)(colon - spec)) : str_dup(spec);
	struct owner owner = {.is_set = spec != NULL};

	if (user && *user && find_user(root_fd, user, &owner, err) < 0)
		return -err->code;
	if (colon && colon[1] && find_group(root_fd, colon + 1, &owner, err) < 0)
		return -err->code;
	*ret = owner;
	return 0;
}
