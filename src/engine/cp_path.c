/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules as docker's client has them (pkg/archive/copy.go: SplitPathDirEntry,
 * PrepareArchiveCopy), for which its documentation of docker cp is the table.
 */
#include "engine/cp_path.h"

#include "base/mem.h"
#include "base/str.h"

void cp_split_argument(const char *arg, char **ret_container, const char **ret_path)
{
	const char *colon = strchr(arg, ':');

	*ret_container = NULL;
	*ret_path = arg;
	if (*arg == '/' || *arg == '.' || !colon || colon == arg)
		return;
	*ret_container = str_ndup(arg, (size_t)(colon - arg));
	*ret_path = colon + 1;
}

char *cp_clean(const char *path)
{
	bool is_rooted = *path == '/';
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_strv struct strv clean = STRV_INIT;
	cleanup_free char *joined = NULL;

	strv_split(&parts, path, '/');
	strv_foreach (i, &parts) {
		const char *part = parts.items[i];
		bool is_up = strcmp(part, "..") == 0;

		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (is_up && clean.n && strcmp(clean.items[clean.n - 1], "..") != 0)
			strv_remove(&clean, clean.n - 1);
		else if (!is_up || !is_rooted)
			strv_add(&clean, part);
	}
	if (!clean.n)
		return str_dup(is_rooted ? "/" : ".");
	joined = strv_join(&clean, "/");
	return is_rooted ? str_printf("/%s", joined) : take_ptr(joined);
}

static bool ends_in_dot(const char *path)
{
	size_t len = strlen(path);

	return strcmp(path, ".") == 0 || (len > 1 && strcmp(path + len - 2, "/.") == 0);
}

/* Divides the clean path CLEAN. */
static void split(const char *clean, struct cp_path *p)
{
	const char *slash = strrchr(clean, '/');

	p->base = str_dup(slash && slash[1] ? slash + 1 : clean);
	if (!slash)
		p->dir = str_dup(".");
	else
		p->dir = slash == clean ? str_dup("/") : str_ndup(clean, (size_t)(slash - clean));
}

void cp_path_parse(const char *path, bool rooted, struct cp_path *ret)
{
	cleanup_free char *whole = rooted ? str_printf("/%s", path) : str_dup(path);
	cleanup_free char *clean = cp_clean(whole);
	const char *join = strcmp(clean, "/") == 0 ? "" : "/";

	*ret = (struct cp_path){.is_dot = ends_in_dot(path)};
	ret->asserts_dir = ret->is_dot || str_has_suffix(path, "/");
	if (ret->is_dot) {
		ret->path = str_printf("%s%s.", clean, join);
		ret->dir = take_ptr(clean);
		ret->base = str_dup(".");
		return;
	}
	split(clean, ret);
	ret->path = ret->asserts_dir ? str_printf("%s%s", clean, join) : take_ptr(clean);
}

void cp_path_done(struct cp_path *p)
{
	free(p->path);
	free(p->dir);
	free(p->base);
	*p = (struct cp_path)CP_PATH_INIT;
}

void cp_plan_done(struct cp_plan *plan)
{
	free(plan->dir);
	free(plan->name);
	*plan = (struct cp_plan)CP_PLAN_INIT;
}

int cp_plan(const char *src_name, bool src_is_dir, const struct cp_path *dst, bool exists,
	    bool is_dir, struct cp_plan *ret, struct err *err)
{
	bool is_content = strcmp(src_name, ".") == 0 || strcmp(src_name, "/") == 0;

	if (exists && is_dir) {
		*ret = (struct cp_plan){.dir = str_dup(dst->path),
					.name = str_dup(is_content ? "" : src_name)};
		return 0;
	}
	if (exists && src_is_dir)
		return err_set(err, ERR_INVALID, "cannot copy directory");
	if (!exists && !src_is_dir && dst->asserts_dir)
		return err_set(err, ERR_INVALID, "no such directory");
	*ret = (struct cp_plan){.dir = str_dup(dst->dir),
				.name = str_dup(dst->is_dot ? "" : dst->base)};
	return 0;
}
