/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links. What they say is looked up at each start, as docker does: the address that the other has
 * then, its ports and its variables.
 */
#include "engine/links.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/create.h"
#include "engine/pending.h"
#include "engine/spec.h"
#include "engine/state.h"
#include "network/live.h"
#include "oci/runtime_config.h"
#include "storage/container.h"
#include "json/value.h"

#define MAX_STORED ((size_t)8 << 20)

/* One link while it is looked up. */
struct link {
	const char *parent; /* whose link it is; borrowed */
	char *name, *alias; /* owned */
	struct container_record record;
	json_t *config; /* the other's; owned */
	struct ip_addr addr;
};

static void link_done(struct link *link)
{
	free(link->name);
	free(link->alias);
	container_record_done(&link->record);
	json_decref(link->config);
}

void links_annotate(const struct container_spec *spec, struct oci_runtime_config *config)
{
	cleanup_free char *text = NULL;

	if (!spec->link_targets.n || strcmp(spec_network_mode(spec), NETWORK_DEFAULT_NAME) != 0)
		return;
	text = strv_join(&spec->link_targets, ",");
	oci_annotate(config, OCI_NOTE_LINKS, text);
}

/* ---- the other container ---- */

static int read_address(struct engine *engine, struct link *link, struct err *err)
{
	cleanup_close int dir = engine_open_run_dir(engine, link->record.row.id, false);
	cleanup_live_network struct live_network live = {};
	int rc = dir < 0 ? 0 : live_network_read(dir, &live, err);

	for (size_t i = 0; rc == 0 && i < live.n_endpoints; i++)
		if (strcmp(live.endpoints[i].network_name, NETWORK_DEFAULT_NAME) == 0)
			link->addr = live.endpoints[i].ip4.addr;
	if (rc == 0 && !link->addr.family)
		return err_set(err, ERR_CONFLICT,
			       "Cannot link to /%s, as it does not belong to the default network",
			       link->record.row.name);
	return rc;
}

static int find_other(struct engine *engine, struct link *link, struct err *err)
{
	const struct container_row *row = &link->record.row;
	struct container_state state;

	if (container_lookup_by_ref(engine->store, link->name, &link->record, err) < 0)
		return err_wrap(err, "could not get container for %s", link->name);
	container_state_read(engine, row->id, &state);
	if (!container_is_running(&state))
		return err_set(err, ERR_CONFLICT,
			       "Cannot link to a non running container: /%s AS /%s/%s", row->name,
			       link->parent, link->alias);
	if (json_parse(row->config, strlen(row->config), MAX_STORED, "Config", &link->config, err) <
	    0)
		return err_wrap(err, "container %.12s", row->id);
	return read_address(engine, link, err);
}

/* ---- what it says ---- */

/* By the alias, its host name and its own name. */
static void add_line(const struct link *link, struct strv *lines)
{
	const char *name = link->record.row.name;
	bool is_other = strcmp(link->alias, name) != 0;
	char text[IP_TEXT_LEN];

	strv_addf(lines, "%s\t%s %s%s%s", ip_format(&link->addr, text), link->alias,
		  json_get_string(link->config, "Hostname", ""), is_other ? " " : "",
		  is_other ? name : "");
}

struct link_port {
	uint64_t number;
	const char *proto; /* borrowed */
};

static int compare_ports(const void *a, const void *b)
{
	const struct link_port *x = a;
	const struct link_port *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->proto, y->proto);
}

/* "80/tcp" of what the other exposes, sorted; free(3) it. */
static struct link_port *list_ports(const struct link *link, size_t *ret_n)
{
	json_t *exposed = json_object_get(link->config, "ExposedPorts");
	struct link_port *ports = mem_zalloc((json_object_size(exposed) + 1) * sizeof(*ports));
	const char *key = NULL;
	json_t *ignored = NULL;

	*ret_n = 0;
	json_object_foreach (exposed, key, ignored) {
		size_t len = strcspn(key, "/");
		cleanup_free char *number = str_ndup(key, len);

		if (key[len] && num_parse_u64(number, &ports[*ret_n].number) == 0)
			ports[(*ret_n)++].proto = key + len + 1;
	}
	qsort(ports, *ret_n, sizeof(*ports), compare_ports);
	return ports;
}

static void add_port(const struct link_port *port, const char *prefix, const char *addr,
		     struct strv *env)
{
	cleanup_free char *proto = str_dup(port->proto);
	cleanup_free char *key = NULL;
	unsigned number = (unsigned)port->number;

	for (char *p = proto; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	key = str_printf("%s_PORT_%u_%s", prefix, number, proto);
	strv_addf(env, "%s=%s://%s:%u", key, port->proto, addr, number);
	strv_addf(env, "%s_ADDR=%s", key, addr);
	strv_addf(env, "%s_PORT=%u", key, number);
	strv_addf(env, "%s_PROTO=%s", key, port->proto);
}

/* "DB" for "db", "MY_DB" for "my-db". */
static char *make_prefix(const char *alias)
{
	char *prefix = str_dup(alias);

	for (char *p = prefix; *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return prefix;
}

static void add_variables(const struct link *link, struct strv *env)
{
	cleanup_free char *prefix = make_prefix(link->alias);
	cleanup_strv struct strv own = STRV_INIT;
	char addr[IP_TEXT_LEN];
	size_t n = 0;
	cleanup_free struct link_port *ports = list_ports(link, &n);

	ip_format(&link->addr, addr);
	if (n)
		strv_addf(env, "%s_PORT=%s://%s:%u", prefix, ports[0].proto, addr,
			  (unsigned)ports[0].number);
	for (size_t i = 0; i < n; i++)
		add_port(&ports[i], prefix, addr, env);
	strv_addf(env, "%s_NAME=/%s/%s", prefix, link->parent, link->alias);
	json_get_strv(link->config, "Env", &own);
	strv_foreach (i, &own)
		if (!str_has_prefix(own.items[i], "PATH=") &&
		    !str_has_prefix(own.items[i], "HOME="))
			strv_addf(env, "%s_ENV_%s", prefix, own.items[i]);
}

static int resolve_one(struct engine *engine, const char *parent, const char *text,
		       struct strv *lines, struct strv *env, struct err *err)
{
	size_t len = strcspn(text, ":");
	bool has_alias = text[len] && text[len + 1];
	cleanup_with(link_done) struct link link = {.parent = parent,
						    .name = str_ndup(text, len),
						    .alias = has_alias ? str_dup(text + len + 1)
								       : str_ndup(text, len)};
	int rc = find_other(engine, &link, err);

	if (rc < 0)
		return rc;
	add_line(&link, lines);
	add_variables(&link, env);
	return 0;
}

int links_resolve(struct engine *engine, const char *name, const struct oci_runtime_config *config,
		  struct strv *lines, struct strv *env, struct err *err)
{
	const char *text = oci_annotation(config, OCI_NOTE_LINKS);
	cleanup_strv struct strv links = STRV_INIT;
	int rc = 0;

	if (!text || !*text)
		return 0;
	strv_split(&links, text, ',');
	for (size_t i = 0; rc == 0 && i < links.n; i++)
		rc = resolve_one(engine, name, links.items[i], lines, env, err);
	return rc;
}

/* ---- removing one ---- */

/* Whether TEXT, the JSON of HostConfig, has the link "/OTHER:/NAME/ALIAS"; RET is it without. */
static int remove_from_host(const char *text, const char *name, const char *alias, char **ret,
			    struct err *err)
{
	cleanup_free char *end = str_printf(":/%s/%s", name, alias);
	cleanup_json json_t *host = NULL;
	json_t *links = NULL;
	int rc = json_parse(text, strlen(text), MAX_STORED, "HostConfig", &host, err);

	if (rc < 0)
		return rc;
	links = json_object_get(host, "Links");
	for (size_t i = 0; i < json_array_size(links); i++) {
		const char *link = json_string_value(json_array_get(links, i));

		if (!link || !str_has_suffix(link, end))
			continue;
		json_array_remove(links, i);
		if (!json_array_size(links))
			json_object_set_new(host, "Links", json_null());
		*ret = json_dumps(host, JSON_COMPACT);
		return *ret ? 1 : 0;
	}
	return 0;
}

/* The same for what a start reads. */
static int remove_from_config(struct engine *engine, const char *id, const char *alias,
			      struct err *err)
{
	cleanup_made struct container_made made = {.pending_fd = -1};
	cleanup_close int dir = engine_open_container_dir(engine, id);
	cleanup_strv struct strv links = STRV_INIT;
	cleanup_free char *joined = NULL;
	cleanup_free char *text = NULL;
	int rc = engine_load(engine, id, &made, err);
	const char *noted = rc < 0 ? NULL : oci_annotation(&made.config, OCI_NOTE_LINKS);

	if (rc < 0)
		return rc;
	strv_split(&links, noted ? noted : "", ',');
	for (size_t i = links.n; i-- > 0;)
		if (strcmp(strchrnul(links.items[i], ':'), "") == 0 ||
		    strcmp(strchr(links.items[i], ':') + 1, alias) == 0)
			strv_remove(&links, i);
	joined = strv_join(&links, ",");
	oci_annotate(&made.config, OCI_NOTE_LINKS, joined);
	text = oci_config_format(&made.config);
	rc = fd_replace_file_at(dir, "config.json", text, strlen(text), 0600, true);
	return rc < 0 ? err_sys(err, -rc, "write the configuration of container %.12s", id) : 0;
}

static int remove_held(struct engine *engine, const char *id, const char *alias, struct err *err)
{
	cleanup_container struct container_record record = {};
	cleanup_free char *host = NULL;
	int rc = container_lookup_by_ref(engine->store, id, &record, err);

	if (rc >= 0)
		rc = remove_from_host(record.row.host, record.row.name, alias, &host, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "No such container: /%s/%s", record.row.name,
			       alias);
	if (rc > 0)
		rc = remove_from_config(engine, id, alias, err);
	return rc < 0 ? rc : container_update_json(engine->store, id, NULL, host, NULL, err);
}

int engine_remove_link(struct engine *engine, const char *ref, struct err *err)
{
	cleanup_container struct container_record record = {};
	const char *bare = ref + (*ref == '/');
	const char *slash = strrchr(bare, '/');
	cleanup_free char *name = slash ? str_ndup(bare, (size_t)(slash - bare)) : NULL;
	struct err ignored = ERR_INIT;
	int pending = -1;
	int rc = 0;

	if (!slash)
		return err_set(err, ERR_CONFLICT,
			       "Conflict, cannot remove the default link name of the container");
	if (container_lookup_by_ref(engine->store, name, &record, &ignored) < 0)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
	pending = pending_wait(engine, record.row.id, err);
	rc = pending < 0 ? pending : remove_held(engine, record.row.id, slash + 1, err);
	pending_close(engine, record.row.id, pending);
	return rc;
}
