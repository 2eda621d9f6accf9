/* SPDX-License-Identifier: Apache-2.0 */
/* One component after the other, as a kernel would do it. */
#include "build/copy_resolve.h"

#include "base/mem.h"
#include "base/str.h"

#include <limits.h>

#define MAX_LINKS 255

struct walk {
	copy_lookup_fn lookup;
	void *ctx;
	char *done; /* owned: what is resolved */
	char *rest; /* owned: what is not */
	struct stat st;
	bool exists;
	unsigned n_links;
};

void copy_resolved_done(struct copy_resolved *r)
{
	free(r->path);
	*r = (struct copy_resolved){};
}

char *copy_join(const char *dir, const char *name)
{
	return *dir ? str_printf("%s/%s", dir, name) : str_dup(name);
}

const char *copy_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *copy_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? str_ndup(path, (size_t)(slash - path)) : str_dup("");
}

static void walk_done(struct walk *w)
{
	free(w->done);
	free(w->rest);
}

static void go_to_root(struct walk *w)
{
	str_replace(&w->done, "");
	w->st = (struct stat){.st_mode = S_IFDIR};
	w->exists = true;
}

/* The next component, owned; NULL at the end. */
static char *next_name(struct walk *w)
{
	const char *start = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(start, "/");
	char *name = NULL;
	char *rest = NULL;

	if (!len)
		return NULL;
	name = str_ndup(start, len);
	rest = str_dup(start + len);
	free(w->rest);
	w->rest = rest;
	return name;
}

static int follow(struct walk *w, const char *link, struct err *err)
{
	char *rest = NULL;

	if (++w->n_links > MAX_LINKS || strlen(link) + strlen(w->rest) > (size_t)4 * PATH_MAX)
		return err_set(err, ERR_INVALID, "too many links");
	rest = str_printf("%s/%s", link, w->rest);
	free(w->rest);
	w->rest = rest;
	if (*link == '/')
		go_to_root(w);
	return 0;
}

/* Up lexically: what is resolved has no links. */
static void go_up(struct walk *w)
{
	char *up = copy_dir_of(w->done);

	free(w->done);
	w->done = up;
	w->st = (struct stat){.st_mode = S_IFDIR};
	w->exists = true;
}

static int step(struct walk *w, const char *name, bool follows_last, struct err *err)
{
	cleanup_free char *path = copy_join(w->done, name);
	cleanup_free char *link = NULL;
	struct stat st = {};
	bool is_last = w->rest[strspn(w->rest, "/")] == '\0';
	int rc = w->exists ? w->lookup(w->ctx, path, &st, &link, err) : 0;

	if (rc < 0)
		return rc;
	if (rc > 0 && S_ISLNK(st.st_mode) && (!is_last || follows_last))
		return follow(w, link, err);
	free(w->done);
	w->done = take_ptr(path);
	w->exists = rc > 0;
	w->st = st;
	return 0;
}

int copy_resolve(copy_lookup_fn lookup, void *ctx, const char *path, bool follows_last,
		 struct copy_resolved *ret, struct err *err)
{
	cleanup_with(walk_done) struct walk w = {
		.lookup = lookup, .ctx = ctx, .rest = str_dup(path)};

	go_to_root(&w);
	for (;;) {
		cleanup_free char *name = next_name(&w);
		int rc = 0;

		if (!name)
			break;
		if (strcmp(name, "..") == 0)
			go_up(&w);
		else if (strcmp(name, ".") != 0)
			rc = step(&w, name, follows_last, err);
		if (rc < 0)
			return err_wrap(err, "%s", path);
	}
	ret->path = take_ptr(w.done);
	ret->exists = w.exists;
	ret->st = w.st;
	return 0;
}
