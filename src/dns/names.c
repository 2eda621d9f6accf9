/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of names. A network in which none of our containers is has no entries: its names are
 * nobody's business, and memory grows with what is served.
 *
 * Times of files have the granularity of a clock tick, so a directory that has just been changed
 * may change again under the same time: it is read again until its time is some ticks old.
 */
#include "dns/names.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "dns/endpoint_file.h"
#include "network/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A change is seen at most this much later, by names that were known before. */
#define REFRESH_NS 10000000ULL
/* Four ticks of the slowest clock that Linux is built with (100 Hz). */
#define SETTLED_NS    40000000LL
#define NAME_TEXT_MAX 256 /* what a question can hold */

/* One name of one endpoint. */
struct name_entry {
	uint32_t hash;
	uint32_t endpoint;
	const char *name;
};

struct network_entry {
	char id[ID_LEN + 1];
	struct file_stamp stamp;
	bool is_settled; /* its time is old enough to tell the next change */
	bool is_seen;
	struct endpoint_entry **endpoints; /* owned; none when it is not of interest */
	size_t n;
	struct name_entry *names; /* owned */
	size_t n_names;
};

struct name_table {
	int fd;
	bool (*is_ours)(void *ctx, const char *container_id);
	void *ctx;
	struct network_entry **networks; /* owned */
	size_t n;
	struct file_stamp stamp; /* of the directory of networks */
	bool is_settled;
	uint64_t checked_ns;
	uint32_t turn;
};

/* ---- one network ---- */

/* FNV-1a */
static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	return hash;
}

static void network_clear(struct network_entry *n)
{
	for (size_t i = 0; i < n->n; i++)
		endpoint_entry_free(n->endpoints[i]);
	free(n->endpoints);
	free(n->names);
	n->endpoints = NULL;
	n->names = NULL;
	n->n = n->n_names = 0;
}

static void network_free(struct network_entry *n)
{
	network_clear(n);
	free(n);
}

static int compare_endpoints(const void *a, const void *b)
{
	const struct endpoint_entry *const *x = a;
	const struct endpoint_entry *const *y = b;

	return strcmp((*x)->container, (*y)->container);
}

static struct endpoint_entry *find_endpoint(const struct network_entry *n, const char *container)
{
	size_t low = 0;
	size_t high = n->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(n->endpoints[middle]->container, container);

		if (order == 0)
			return n->endpoints[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The network's endpoint NAME, that of OLD when it is the same file. */
static struct endpoint_entry *load_endpoint(const struct network_entry *old, int dir_fd,
					    const char *name)
{
	struct endpoint_entry *known = find_endpoint(old, name);
	struct file_stamp stamp;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	stamp = file_stamp(&st);
	if (!known || !file_stamp_is_equal(&known->stamp, &stamp))
		return endpoint_entry_read(dir_fd, name, &st);
	known->is_kept = true;
	return known;
}

/* Frees what is left of OLD: all that NEW has not taken. */
static void clear_old(struct network_entry *old, struct network_entry *new)
{
	size_t left = 0;

	for (size_t i = 0; i < old->n; i++)
		if (!old->endpoints[i]->is_kept)
			old->endpoints[left++] = old->endpoints[i];
	old->n = left;
	network_clear(old);
	for (size_t i = 0; i < new->n; i++)
		new->endpoints[i]->is_kept = false;
}

static void index_names(struct network_entry *n)
{
	size_t total = 0;
	size_t at = 0;

	for (size_t i = 0; i < n->n; i++)
		total += n->endpoints[i]->n_names;
	n->names = mem_realloc_array(n->names, total + 1, sizeof(*n->names));
	for (size_t i = 0; i < n->n; i++) {
		const struct endpoint_entry *e = n->endpoints[i];

		for (size_t k = 0; k < e->n_names; k++)
			n->names[at++] = (struct name_entry){hash_of(e->names[k]), (uint32_t)i,
							     e->names[k]};
	}
	n->n_names = at;
}

/* The ids in a directory of endpoints; false when none of them is ours. */
static bool list_endpoints(struct name_table *t, int dir_fd, struct strv *ret)
{
	cleanup_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;
	bool is_wanted = false;

	if (!dir)
		return false;
	take_fd(fd);
	while ((entry = readdir(dir)) != NULL && ret->n < NAMES_MAX_ENDPOINTS) {
		/* Anything else is a file that is being written. */
		if (!hex_is_valid(entry->d_name, ID_LEN))
			continue;
		strv_add(ret, entry->d_name);
		is_wanted |= t->is_ours(t->ctx, entry->d_name);
	}
	closedir(dir);
	return is_wanted;
}

static void network_load(struct name_table *t, struct network_entry *n, int dir_fd)
{
	cleanup_strv struct strv ids = STRV_INIT;
	struct network_entry old = *n;

	n->endpoints = NULL;
	n->names = NULL;
	n->n = n->n_names = 0;
	if (list_endpoints(t, dir_fd, &ids)) {
		n->endpoints = mem_zalloc((ids.n + 1) * sizeof(struct endpoint_entry *));
		strv_foreach (i, &ids) {
			struct endpoint_entry *e = load_endpoint(&old, dir_fd, ids.items[i]);

			if (e)
				n->endpoints[n->n++] = e;
		}
		if (n->n)
			qsort(n->endpoints, n->n, sizeof(struct endpoint_entry *),
			      compare_endpoints);
		index_names(n);
	}
	clear_old(&old, n);
}

/* Reads the network's endpoints again if its directory is not what it was. */
static void network_refresh(struct name_table *t, struct network_entry *n)
{
	cleanup_close int dir = -1;
	char path[ID_LEN + sizeof("/endpoints")];
	struct file_stamp stamp;
	struct stat st;

	memcpy(path, n->id, ID_LEN);
	memcpy(path + ID_LEN, "/endpoints", sizeof("/endpoints"));
	if (fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		network_clear(n);
		n->stamp = (struct file_stamp){};
		return;
	}
	stamp = file_stamp(&st);
	if (n->is_settled && file_stamp_is_equal(&n->stamp, &stamp))
		return;
	dir = openat(t->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	/* Its time first: what changes while it is read changes that again. */
	n->stamp = stamp;
	n->is_settled = clock_real_ns() - stamp.mtime_ns > SETTLED_NS;
	network_load(t, n, dir);
}

/* ---- all networks ---- */

struct name_table *names_new(int networks_fd, bool (*is_ours)(void *ctx, const char *container_id),
			     void *ctx)
{
	struct name_table *t = mem_zalloc(sizeof(*t));

	t->fd = networks_fd;
	t->is_ours = is_ours;
	t->ctx = ctx;
	return t;
}

void names_free(struct name_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		network_free(table->networks[i]);
	free(table->networks);
	free(table);
}

void names_forget(struct name_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		table->networks[i]->is_settled = false;
	table->checked_ns = 0;
}

static void see_network(struct name_table *t, const char *id)
{
	struct network_entry *n = NULL;

	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->networks[i]->id, id) == 0) {
			t->networks[i]->is_seen = true;
			return;
		}
	}
	if (t->n == NAMES_MAX_NETWORKS)
		return;
	n = mem_zalloc(sizeof(*n));
	memcpy(n->id, id, ID_LEN);
	n->is_seen = true;
	t->networks = mem_realloc_array(t->networks, t->n + 1, sizeof(struct network_entry *));
	t->networks[t->n++] = n;
}

static void drop_unseen(struct name_table *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->networks[i]->is_seen)
			t->networks[kept++] = t->networks[i];
		else
			network_free(t->networks[i]);
	}
	t->n = kept;
}

static void list_networks(struct name_table *t)
{
	cleanup_close int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;

	if (!dir)
		return;
	take_fd(fd);
	for (size_t i = 0; i < t->n; i++)
		t->networks[i]->is_seen = false;
	while ((entry = readdir(dir)) != NULL)
		if (hex_is_valid(entry->d_name, ID_LEN))
			see_network(t, entry->d_name);
	closedir(dir);
	drop_unseen(t);
}

void names_refresh(struct name_table *table, bool now)
{
	uint64_t time_ns = clock_mono_ns();
	struct file_stamp stamp;
	struct stat st;

	if (!now && table->checked_ns && time_ns - table->checked_ns < REFRESH_NS)
		return;
	table->checked_ns = time_ns;
	if (fstat(table->fd, &st) < 0)
		return;
	stamp = file_stamp(&st);
	if (!table->is_settled || !file_stamp_is_equal(&stamp, &table->stamp)) {
		table->stamp = stamp;
		table->is_settled = clock_real_ns() - stamp.mtime_ns > SETTLED_NS;
		list_networks(table);
	}
	for (size_t i = 0; i < table->n; i++)
		network_refresh(table, table->networks[i]);
}

/* ---- questions ---- */

/* The next entry of NAME from index AT on; n_names when there is none. */
static size_t next_name(const struct network_entry *n, size_t at, uint32_t hash, const char *name)
{
	while (at < n->n_names &&
	       (n->names[at].hash != hash || strcmp(n->names[at].name, name) != 0))
		at++;
	return at;
}

static const struct ip_addr *address_of(const struct network_entry *n, size_t name, uint8_t family)
{
	const struct endpoint_entry *e = n->endpoints[n->names[name].endpoint];

	return family == IP_V4 ? &e->ip4 : &e->ip6;
}

/* Tells of all addresses of NAME, from the FIRST on and round. How many there are. */
static size_t tell(const struct network_entry *n, const char *name, uint8_t family, size_t first,
		   name_address_fn *fn, void *ctx)
{
	uint32_t hash = hash_of(name);
	size_t count = 0;

	for (int round = 0; round < 2; round++) {
		size_t seen = 0;

		for (size_t i = next_name(n, 0, hash, name); i < n->n_names;
		     i = next_name(n, i + 1, hash, name)) {
			const struct ip_addr *addr = address_of(n, i, family);

			if (addr->family != family)
				continue;
			if (fn && (seen >= first) == (round == 0))
				fn(ctx, addr);
			seen++;
		}
		count = seen;
		if (!fn || first == 0)
			break;
	}
	return count;
}

static bool knows(const struct network_entry *n, const char *name)
{
	return next_name(n, 0, hash_of(name), name) < n->n_names;
}

/* NAME as it is called in this network: itself, or without the network's own name behind it. NULL
 * when nobody is called so. */
static const char *find_name(const struct network_entry *n, const char *name,
			     char buf[static NAME_TEXT_MAX])
{
	const char *network = n->n ? n->endpoints[0]->network : NULL;
	size_t len = strlen(name);
	size_t suffix = network ? strlen(network) : 0;

	if (knows(n, name))
		return name;
	if (!network || len >= NAME_TEXT_MAX || len < suffix + 2 ||
	    strcmp(name + len - suffix, network) != 0 || name[len - suffix - 1] != '.')
		return NULL;
	memcpy(buf, name, len - suffix - 1);
	buf[len - suffix - 1] = '\0';
	return knows(n, buf) ? buf : NULL;
}

/* The default bridge has endpoints, but no names. */
static bool has_names(const struct network_entry *n)
{
	return n->n && !(n->endpoints[0]->network &&
			 strcmp(n->endpoints[0]->network, NETWORK_DEFAULT_NAME) == 0);
}

/* What the container of SELF calls NAME, if it has a word of its own for it. */
static const char *follow_link(const struct endpoint_entry *self, const char *name)
{
	for (size_t i = 0; i < self->n_links; i += 2)
		if (strcmp(self->links[i], name) == 0)
			return self->links[i + 1];
	return name;
}

static const char *network_name(const struct network_entry *n)
{
	const char *name = n->n ? n->endpoints[0]->network : NULL;

	return name ? name : n->id;
}

enum name_found names_lookup(struct name_table *table, const char *container_id, const char *name,
			     uint8_t family, name_address_fn *fn, void *ctx)
{
	const struct network_entry *best = NULL;
	char best_name[NAME_TEXT_MAX];
	char buf[NAME_TEXT_MAX];

	if (!*name || strlen(name) >= NAME_TEXT_MAX)
		return NAME_UNKNOWN;
	for (size_t i = 0; i < table->n; i++) {
		const struct network_entry *n = table->networks[i];
		const struct endpoint_entry *self = has_names(n) ? find_endpoint(n, container_id)
								 : NULL;
		const char *found = self ? find_name(n, follow_link(self, name), buf) : NULL;

		if (!found || (best && strcmp(network_name(n), network_name(best)) > 0))
			continue;
		best = n;
		memcpy(best_name, found, strlen(found) + 1);
	}
	if (!best)
		return NAME_UNKNOWN;
	if (fn) {
		size_t count = tell(best, best_name, family, 0, NULL, NULL);

		tell(best, best_name, family, count ? table->turn++ % count : 0, fn, ctx);
	}
	return NAME_FOUND;
}

const char *names_lookup_address(struct name_table *table, const char *container_id,
				 const struct ip_addr *addr)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct network_entry *n = table->networks[i];

		if (!has_names(n) || !find_endpoint(n, container_id))
			continue;
		for (size_t k = 0; k < n->n; k++) {
			const struct endpoint_entry *e = n->endpoints[k];

			if (e->full && (ip_is_equal(&e->ip4, addr) || ip_is_equal(&e->ip6, addr)))
				return e->full;
		}
	}
	return NULL;
}
