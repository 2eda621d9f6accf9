/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of companions: a list, because nobody looks one up but who releases it.
 */
#include "monitor/companion.h"

#include "base/mem.h"
#include "monitor/forward.h"
#include "monitor/names.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* By kind; one without a length is not known. */
static const struct companion_ops *const kinds[N_COMPANION_KINDS] = {
	[COMPANION_PORT] = &forward_ops,
	[COMPANION_DNS] = &names_ops,
};

static const struct companion_ops *find_ops(unsigned kind)
{
	return kind < N_COMPANION_KINDS ? kinds[kind] : NULL;
}

/* Where the one of KEY stands in the list, or where the list ends. */
static struct companion **find_place(struct companions *all, const struct companion_ops *ops,
				     const void *key)
{
	struct companion **at = &all->first;

	while (*at && ((*at)->ops != ops || memcmp((*at)->payload, key, ops->key_len) != 0))
		at = &(*at)->next;
	return at;
}

static void close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void companion_free(struct companion *c)
{
	close_fds(c->fds, c->n_fds);
	free(c);
}

static void end_one(struct companions *all, struct companion **at)
{
	struct companion *c = *at;

	*at = c->next;
	all->n--;
	if (c->ops->end)
		c->ops->end(c);
	companion_free(c);
}

/* A container may publish more ports than a process has descriptors by default. What the container
 * itself may have stands in its configuration. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool has_right_size(const struct companion_ops *ops, size_t len)
{
	return ops && len >= ops->min_len && len <= ops->max_len;
}

static int change(struct companion *c, const void *payload, size_t len)
{
	if (!c)
		return -ENOENT;
	if (len != c->len)
		return -EINVAL;
	memcpy(c->payload, payload, len);
	return c->ops->change ? c->ops->change(c) : 0;
}

static int add(struct companions *all, const struct companion_ops *ops, const void *payload,
	       size_t len, const int *fds, size_t n)
{
	struct companion *c = mem_zalloc(sizeof(*c) + len);
	int rc = 0;

	*c = (struct companion){.all = all, .ops = ops, .n_fds = (uint8_t)n, .len = (uint8_t)len};
	memcpy(c->payload, payload, len);
	memcpy(c->fds, fds, n * sizeof(*fds));
	if (all->n == 0)
		raise_limit();
	rc = ops->begin ? ops->begin(c) : 0;
	if (rc < 0) {
		companion_free(c);
		return rc;
	}
	c->next = all->first;
	all->first = c;
	all->n++;
	return 0;
}

int companions_add(struct companions *all, unsigned kind, const void *payload, size_t len,
		   const int *fds, size_t n)
{
	const struct companion_ops *ops = find_ops(kind);

	if (has_right_size(ops, len) && n >= ops->min_fds && n <= ops->max_fds)
		return add(all, ops, payload, len, fds, n);
	close_fds(fds, n);
	return ops ? -EINVAL : -ENOTSUP;
}

int companions_adopt(struct companions *all, unsigned kind, const void *payload, size_t len,
		     const int *fds, size_t n)
{
	const struct companion_ops *ops = find_ops(kind);
	struct companion **at = NULL;

	if (has_right_size(ops, len)) {
		at = find_place(all, ops, payload);
		if (n == 0 && ops->min_fds > 0)
			return change(*at, payload, len);
		if (*at)
			end_one(all, at);
	}
	return companions_add(all, kind, payload, len, fds, n);
}

int companions_release(struct companions *all, unsigned kind, const void *key, size_t len)
{
	const struct companion_ops *ops = find_ops(kind);
	struct companion **at = NULL;

	if (!ops || len != ops->key_len)
		return -EINVAL;
	at = find_place(all, ops, key);
	if (!*at)
		return -ENOENT;
	end_one(all, at);
	return 0;
}

void companions_end(struct companions *all)
{
	while (all->first)
		end_one(all, &all->first);
}

size_t companions_get_fds(const struct companions *all, int *ret)
{
	size_t n = 0;

	for (const struct companion *c = all->first; c; c = c->next)
		for (size_t i = 0; i < c->n_fds; i++, n++)
			if (ret)
				ret[n] = c->fds[i];
	return n;
}
