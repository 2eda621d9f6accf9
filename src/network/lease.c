/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases. The lock makes the hint exact and keeps two from taking over the same dead lease; that an
 * address is never given twice follows from symlink(2) alone.
 */
/* lint file: the engine's own directories below its runroot; names are ids and addresses */
#include "network/lease.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* The leases of one network, locked. */
struct leases {
	int lock_fd, dir_fd;
	/* For each pool of the network: nothing below is free. None: not known. */
	struct ip_addr next[NETWORK_MAX_POOLS];
};

#define LEASES_INIT                          \
	{                                    \
		.lock_fd = -1, .dir_fd = -1, \
	}

static void leases_done(struct leases *l)
{
	fd_cleanup_close(&l->dir_fd);
	fd_cleanup_close(&l->lock_fd);
}
#define cleanup_leases __attribute__((cleanup(leases_done)))

static int open_once(const char *dir, struct leases *l)
{
	cleanup_free char *lock = str_printf("%s/next", dir);
	cleanup_free char *addresses = str_printf("%s/addresses", dir);

	l->dir_fd = open(addresses, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd < 0)
		return -errno;
	l->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return l->lock_fd < 0 ? -errno : 0;
}

/* 0 or -errno: -ENOENT when the network has never had a lease and CREATE is not said. */
static int leases_open(const char *runroot, const char *network_id, bool create, struct leases *l)
{
	cleanup_free char *dir = str_printf("%s/networks/%s", runroot, network_id);
	int rc = open_once(dir, l);

	if (rc == -ENOENT && create) {
		cleanup_free char *addresses = str_printf("%s/addresses", dir);

		rc = fd_mkdir_p(addresses, 0700);
		if (rc == 0)
			rc = open_once(dir, l);
	}
	if (rc < 0)
		return rc;
	while (flock(l->lock_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	/* A short one is one that nobody has written yet. */
	if (pread(l->lock_fd, l->next, sizeof(l->next), 0) != (ssize_t)sizeof(l->next))
		memset(l->next, 0, sizeof(l->next));
	return 0;
}

static void save_hints(const struct leases *l)
{
	int rc = fd_pwrite_full(l->lock_fd, l->next, sizeof(l->next), 0);

	if (rc < 0)
		log_debug("write the hints of a network: %s", strerrordesc_np(-rc));
}

/* Whose lease NAME is; false when it is none. */
static bool read_owner(int dir_fd, const char *name, char ret_owner[static ID_LEN + 1])
{
	ssize_t n = readlinkat(dir_fd, name, ret_owner, ID_LEN);

	ret_owner[n < 0 ? 0 : n] = '\0';
	return n == ID_LEN;
}

/* What may never be a container's: the subnet's own address, its broadcast, its gateway and what
 * was set aside. */
static bool is_reserved(const struct network_pool *pool, const struct ip_addr *addr)
{
	struct ip_addr first = ip_first(&pool->subnet);
	struct ip_addr last = ip_last(&pool->subnet);
	unsigned host_bits = 8 * ip_size(addr) - pool->subnet.len;

	if (host_bits > 1 &&
	    (ip_is_equal(addr, &first) || (addr->family == IP_V4 && ip_is_equal(addr, &last))))
		return true;
	if (ip_is_equal(addr, &pool->gateway))
		return true;
	for (size_t i = 0; i < pool->n_aux; i++)
		if (ip_is_equal(addr, &pool->aux[i].addr))
			return true;
	return false;
}

/* 0 or -errno; -EEXIST when it is taken. */
static int take_address(const struct leases *l, const char *container, const struct ip_addr *addr)
{
	char name[IP_TEXT_LEN];

	return symlinkat(container, l->dir_fd, ip_format(addr, name)) < 0 ? -errno : 0;
}

/* The lowest free one of a pool, from its hint on. 1 and RET, 0 when there is none, or -errno. */
static int take_next(struct leases *l, size_t index, const struct lease_taker *taker,
		     const struct network_pool *pool, struct ip_prefix *ret)
{
	const struct ip_prefix *range = pool->range.addr.family ? &pool->range : &pool->subnet;
	const struct ip_addr last = ip_last(range);
	struct ip_addr *next = &l->next[index];
	struct ip_addr addr = ip_is_in(next, range) ? *next : ip_first(range);

	for (;; addr = ip_add(&addr, 1)) {
		int rc = is_reserved(pool, &addr) ? -EEXIST
						  : take_address(l, taker->container, &addr);
		bool is_last = ip_is_equal(&addr, &last);

		if (rc < 0 && rc != -EEXIST)
			return rc;
		/* The last one stays the hint of a pool that is full. */
		*next = is_last ? addr : ip_add(&addr, 1);
		if (rc == 0) {
			*ret = (struct ip_prefix){.addr = addr, .len = pool->subnet.len};
			return 1;
		}
		if (is_last)
			return 0;
	}
}

static int take_any(struct leases *l, const struct lease_taker *taker,
		    const struct network *network, int family, struct ip_prefix *ret)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < network->n_pools; i++)
		if (network->pools[i].subnet.addr.family == family)
			rc = take_next(l, i, taker, &network->pools[i], ret);
	save_hints(l);
	return rc;
}

/* Removes the leases of containers that are not there any more; whether there were any. */
static bool drop_dead(struct leases *l, const struct lease_taker *taker)
{
	int fd = openat(l->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool has_dropped = false;

	if (!dir) {
		fd_cleanup_close(&fd);
		return false;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char owner[ID_LEN + 1];

		if (!read_owner(l->dir_fd, e->d_name, owner) || taker->is_alive(owner, taker->data))
			continue;
		has_dropped |= unlinkat(l->dir_fd, e->d_name, 0) == 0;
	}
	closedir(dir);
	if (has_dropped)
		memset(l->next, 0, sizeof(l->next));
	return has_dropped;
}

static int take_free(struct leases *l, const struct lease_taker *taker,
		     const struct network *network, int family, struct ip_prefix *ret,
		     struct err *err)
{
	int rc = take_any(l, taker, network, family, ret);

	if (rc == 0 && drop_dead(l, taker))
		rc = take_any(l, taker, network, family, ret);
	if (rc < 0)
		return err_sys(err, -rc, "take an address of network %s", network->name);
	if (rc > 0)
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
		       "no available IPv%d addresses on this network's address pools: %s (%s)",
		       family, network->name, network->id);
}

/* ---- one that was asked for ---- */

static const struct network_pool *find_pool(const struct network *network,
					    const struct ip_addr *addr)
{
	for (size_t i = 0; i < network->n_pools; i++)
		if (ip_is_in(addr, &network->pools[i].subnet))
			return &network->pools[i];
	return NULL;
}

static int take_wanted(struct leases *l, const struct lease_taker *taker,
		       const struct network *network, const struct ip_addr *wanted,
		       struct ip_prefix *ret, struct err *err)
{
	const struct network_pool *pool = find_pool(network, wanted);
	char owner[ID_LEN + 1];
	char name[IP_TEXT_LEN];
	int rc = 0;

	ip_format(wanted, name);
	if (!pool)
		return err_set(
			err, ERR_INVALID,
			"Invalid address %s: It does not belong to any of this network's subnets",
			name);
	rc = is_reserved(pool, wanted) ? -EBUSY : take_address(l, taker->container, wanted);
	if (rc == -EEXIST && read_owner(l->dir_fd, name, owner) &&
	    (strcmp(owner, taker->container) == 0 || !taker->is_alive(owner, taker->data))) {
		unlinkat(l->dir_fd, name, 0);
		rc = take_address(l, taker->container, wanted);
	}
	if (rc == -EEXIST || rc == -EBUSY)
		return err_set(err, ERR_CONFLICT, "Address already in use");
	if (rc < 0)
		return err_sys(err, -rc, "take address %s of network %s", name, network->name);
	*ret = (struct ip_prefix){.addr = *wanted, .len = pool->subnet.len};
	return 0;
}

int lease_take(const struct lease_taker *taker, const struct network *network, int family,
	       const struct ip_addr *wanted, struct ip_prefix *ret, struct err *err)
{
	cleanup_leases struct leases l = LEASES_INIT;
	int rc = leases_open(taker->runroot, network->id, true, &l);

	if (rc < 0)
		return err_sys(err, -rc, "open the leases of network %s", network->name);
	if (wanted && wanted->family)
		return take_wanted(&l, taker, network, wanted, ret, err);
	return take_free(&l, taker, network, family, ret, err);
}

/* ---- giving back ---- */

static void lower_hints(struct leases *l, const struct ip_addr *addr)
{
	bool is_changed = false;

	/* One that is lowered below its own pool begins at that pool's first address. */
	for (size_t i = 0; i < NETWORK_MAX_POOLS; i++) {
		if (l->next[i].family != addr->family || ip_compare(addr, &l->next[i]) >= 0)
			continue;
		l->next[i] = *addr;
		is_changed = true;
	}
	if (is_changed)
		save_hints(l);
}

void lease_release(const char *runroot, const char *network_id, const char *container,
		   const struct ip_addr *addr)
{
	cleanup_leases struct leases l = LEASES_INIT;
	char owner[ID_LEN + 1];
	char name[IP_TEXT_LEN];
	int rc = addr->family ? leases_open(runroot, network_id, false, &l) : -ENOENT;

	if (rc < 0) {
		if (rc != -ENOENT)
			log_debug("open the leases of network %.12s: %s", network_id,
				  strerrordesc_np(-rc));
		return;
	}
	ip_format(addr, name);
	if (!read_owner(l.dir_fd, name, owner) || strcmp(owner, container) != 0)
		return;
	if (unlinkat(l.dir_fd, name, 0) == 0)
		lower_hints(&l, addr);
}

/* Whether the container is to keep what it has in LIVE (NULL: nothing). */
static bool is_kept(const struct live_network *live, const char *network_id,
		    const struct ip_addr *addr)
{
	const struct endpoint *e = live ? live_network_find(live, network_id) : NULL;

	return e && (ip_is_equal(&e->ip4.addr, addr) || ip_is_equal(&e->ip6.addr, addr));
}

static void release_leases(struct leases *l, const char *network_id, const char *container,
			   const struct live_network *live)
{
	int fd = openat(l->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_cleanup_close(&fd);
		return;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char owner[ID_LEN + 1];
		struct ip_addr addr = {};

		if (!read_owner(l->dir_fd, e->d_name, owner) || strcmp(owner, container) != 0 ||
		    ip_parse(e->d_name, &addr) < 0 || is_kept(live, network_id, &addr))
			continue;
		if (unlinkat(l->dir_fd, e->d_name, 0) == 0)
			lower_hints(l, &addr);
	}
	closedir(dir);
}

static void release_in(const char *runroot, const char *network_id, const char *container,
		       const struct live_network *live)
{
	cleanup_free char *endpoint = str_printf("%s/networks/%s/endpoints/%s", runroot, network_id,
						 container);
	cleanup_free char *half_written = str_printf("%s/networks/%s/endpoints/.%s", runroot,
						     network_id, container);
	cleanup_leases struct leases l = LEASES_INIT;

	if (!live || !live_network_find(live, network_id))
		unlink(endpoint);
	unlink(half_written);
	if (leases_open(runroot, network_id, false, &l) == 0)
		release_leases(&l, network_id, container, live);
}

void lease_release_unlisted(const char *runroot, const char *container,
			    const struct live_network *live)
{
	cleanup_free char *path = str_printf("%s/networks", runroot);
	DIR *dir = opendir(path);

	if (!dir)
		return;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (hex_is_valid(e->d_name, ID_LEN))
			release_in(runroot, e->d_name, container, live);
	closedir(dir);
}

void lease_release_all(const char *runroot, const char *container)
{
	lease_release_unlisted(runroot, container, NULL);
}
