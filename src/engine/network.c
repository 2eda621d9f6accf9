/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding networks, and saying what is in them. The three that every engine has get their rows from
 * the first command that asks for one of them: an engine that was never asked has none.
 */
/* lint file: paths below the engine's own directories, of ids that were checked */
#include "engine/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/network_private.h"
#include "engine/pending.h"
#include "storage/network.h"

#define MAX_ENDPOINT_FILE (1 << 16)

/* ---- rows ---- */

static int parse_row(const struct network_row *row, struct network *ret, struct err *err)
{
	return network_parse(row->id, row->name, row->driver, row->created_ns, row->config, ret,
			     err);
}

static int take_row(const struct network_row *row, void *data, struct err *err)
{
	return parse_row(row, data, err);
}

static bool is_predefined_name(const char *name)
{
	static const char *const names[] = {NETWORK_DEFAULT_NAME, NETWORK_HOST_NAME,
					    NETWORK_NONE_NAME};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int engine_find_network(struct engine *engine, const char *ref, struct network *ret,
			struct err *err)
{
	const char *name = strcmp(ref, "default") == 0 ? NETWORK_DEFAULT_NAME : ref;
	int rc = 0;

	if (!*ref)
		return err_set(err, ERR_INVALID, "invalid network name or ID: value is empty");
	rc = network_lookup(engine->store, name, take_row, ret, err);
	if (rc == 0 && is_predefined_name(name)) {
		if (engine_networks_ensure(engine, err) < 0)
			return -err->code;
		rc = network_lookup(engine->store, name, take_row, ret, err);
	}
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
	return rc < 0 ? rc : 0;
}

struct taking {
	int (*fn)(struct network *network, void *data, struct err *err);
	void *data;
};

static int hand_over(const struct network_row *row, void *data, struct err *err)
{
	const struct taking *t = data;
	cleanup_network struct network network = {};
	struct err why = ERR_INIT;

	if (parse_row(row, &network, &why) < 0) {
		log_warn("%s", why.msg);
		return 0;
	}
	return t->fn(&network, t->data, err);
}

int engine_take_networks(struct engine *engine,
			 int (*fn)(struct network *network, void *data, struct err *err),
			 void *data, struct err *err)
{
	struct taking t = {fn, data};

	return network_list(engine->store, hand_over, &t, err);
}

struct listing {
	engine_network_fn fn;
	void *data;
};

static int show(struct network *network, void *data, struct err *err)
{
	const struct listing *l = data;

	return l->fn(network, l->data, err);
}

int engine_list_networks(struct engine *engine, engine_network_fn fn, void *data, struct err *err)
{
	struct listing l = {fn, data};

	if (engine_networks_ensure(engine, err) < 0)
		return -err->code;
	return engine_take_networks(engine, show, &l, err);
}

/* ---- the three that are always there ---- */

static int is_there(const struct network_row *row, void *data, struct err *err)
{
	return 0;
}

static void set_predefined(struct network *network, const char *name, enum network_driver driver)
{
	rand_hex(ID_LEN / 2, network->id);
	network->name = str_dup(name);
	network->driver = driver;
	network->driver_name = str_dup(network_driver_name(driver));
	network->created_ns = clock_real_ns();
	network->is_ipv4 = true;
	network->is_predefined = true;
	network_set_defaults(network);
}

static void set_default_options(struct network *network)
{
	static const char *const options[] = {
		"com.docker.network.bridge.default_bridge=true",
		"com.docker.network.bridge.enable_icc=true",
		"com.docker.network.bridge.enable_ip_masquerade=true",
		"com.docker.network.bridge.host_binding_ipv4=0.0.0.0",
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		strv_add(&network->options, options[i]);
	strv_addf(&network->options, "com.docker.network.bridge.name=%s", network->bridge);
	strv_add(&network->options, "com.docker.network.driver.mtu=1500");
}

int engine_networks_ensure(struct engine *engine, struct err *err)
{
	struct network networks[3] = {};
	cleanup_close int pools = -1;
	int rc = network_lookup(engine->store, NETWORK_DEFAULT_NAME, is_there, NULL, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	pools = engine_lock_pools(err);
	if (pools < 0)
		return pools;
	set_predefined(&networks[0], NETWORK_DEFAULT_NAME, NETWORK_BRIDGE);
	set_predefined(&networks[1], NETWORK_HOST_NAME, NETWORK_HOST);
	set_predefined(&networks[2], NETWORK_NONE_NAME, NETWORK_NULL);
	network_set_link(engine, &networks[0]);
	set_default_options(&networks[0]);
	rc = network_insert_chosen(engine, pools, networks, ARRAY_LEN(networks), err);
	/* Somebody else was faster. */
	if (rc == -ERR_CONFLICT) {
		err_clear(err);
		rc = 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		network_done(&networks[i]);
	return rc;
}

/* ---- the lock ---- */

int engine_lock_networks(const struct engine *engine, bool exclusive, struct err *err)
{
	cleanup_free char *dir = str_printf("%s/networks", engine->runroot);
	cleanup_free char *path = str_printf("%s/lock", dir);
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ENOENT && fd_mkdir_p(dir, 0700) == 0)
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	while (flock(fd, exclusive ? LOCK_EX : LOCK_SH) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "lock %s", path);
	return take_fd(fd);
}

/* ---- who is in a network ---- */

/* Fills USER from the lines of an endpoint file (network/live.h), which are cut in place. The first
 * name is the container's. */
static void read_lines(char *text, struct network_user *user)
{
	const struct {
		const char *key;
		const char **to;
	} keys[] = {{"name ", &user->name},
		    {"ip4 ", &user->ip4},
		    {"ip6 ", &user->ip6},
		    {"mac ", &user->mac},
		    {"endpoint ", &user->endpoint}};
	char *rest = text;

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (str_has_prefix(line, keys[i].key) && !**keys[i].to)
				*keys[i].to = line + strlen(keys[i].key);
}

static int tell_user(struct engine *engine, int dir_fd, const char *container, network_user_fn fn,
		     void *data, struct err *err)
{
	cleanup_str struct str text = STR_INIT;
	struct network_user user = {.container = container,
				    .name = "",
				    .endpoint = "",
				    .mac = "",
				    .ip4 = "",
				    .ip6 = ""};

	/* What a monitor that was killed has left is nobody's. */
	if (!pending_is_running(container, engine) ||
	    fd_read_file_at(dir_fd, container, MAX_ENDPOINT_FILE, &text) < 0)
		return 0;
	if (text.len)
		read_lines(text.buf, &user);
	return fn(&user, data, err);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int engine_list_network_users(struct engine *engine, const char *id, network_user_fn fn, void *data,
			      struct err *err)
{
	cleanup_free char *path = str_printf("%s/networks/%s/endpoints", engine->runroot, id);
	cleanup_strv struct strv ids = STRV_INIT;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", path);
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (hex_is_valid(e->d_name, ID_LEN))
			strv_add(&ids, e->d_name);
	if (ids.n)
		qsort(ids.items, ids.n, sizeof(*ids.items), compare_texts);
	for (size_t i = 0; i < ids.n && rc >= 0; i++)
		rc = tell_user(engine, fd, ids.items[i], fn, data, err);
	closedir(dir);
	return rc < 0 ? rc : 0;
}
