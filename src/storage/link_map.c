/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hard links seen on a walk. A file leaves the map with its last name, so that what is held at a
 * time is the files with names still to come; it lives on until the next call for the sake of its
 * name.
 */
#include "storage/link_map.h"

#include "base/mem.h"

#include <search.h>

struct link {
	dev_t dev;
	ino_t ino;
	nlink_t left; /* names not yet seen */
	char path[];
};

/* The node of a tree of tsearch(3) begins with the pointer to its item. */
static struct link *item_of(void *node)
{
	return *(struct link **)node;
}

static int compare_links(const void *pa, const void *pb)
{
	const struct link *a = pa, *b = pb;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/* Frees the file that the last call was the last name of. */
static void forget_finished(struct link_map *m)
{
	if (!m->finished)
		return;
	tdelete(m->finished, &m->tree, compare_links);
	free(m->finished);
	m->finished = NULL;
}

const char *link_map_visit(struct link_map *m, const struct stat *st, const char *path)
{
	const struct link key = {.dev = st->st_dev, .ino = st->st_ino};
	void *node = NULL;
	struct link *l = NULL;

	forget_finished(m);
	node = tfind(&key, &m->tree, compare_links);
	if (!node) {
		size_t size = strlen(path) + 1;

		l = mem_alloc(sizeof(*l) + size);
		*l = key;
		l->left = st->st_nlink - 1;
		memcpy(l->path, path, size);
		if (!tsearch(l, &m->tree, compare_links))
			abort(); /* no memory, as in base/mem */
		return NULL;
	}
	l = item_of(node);
	if (l->left && --l->left == 0)
		m->finished = l;
	return l->path;
}

void link_map_done(struct link_map *m)
{
	tdestroy(m->tree, free);
	*m = (struct link_map){};
}
