/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object that `inspect` shows: what was stored when the container was created, with its present
 * state and the places of its files. Each group of members is one function, in docker's order.
 */
#include "engine/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/disk_size.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/inspect_network.h"
#include "engine/state.h"
#include "monitor/log_writer.h"
#include "storage/container.h"
#include "storage/image.h"
#include "storage/store.h"
#include "json/value.h"

/* Stored by us; a seccomp profile of a megabyte may be inside. */
#define MAX_STORED ((size_t)8 << 20)

struct inspection {
	struct engine *engine;
	const struct container_row *row;
	struct container_state state;
	json_t *config, *host; /* owned */
	json_t *result;	       /* owned */
};

static void inspection_done(struct inspection *in)
{
	json_decref(in->config);
	json_decref(in->host);
	json_decref(in->result);
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

static void set_time(json_t *object, const char *key, int64_t ns)
{
	char text[CLOCK_RFC3339_LEN] = CLOCK_NEVER;

	if (ns)
		clock_format_rfc3339(ns, text);
	set(object, key, json_string(text));
}

static void set_path(struct inspection *in, const char *key, const char *leaf)
{
	cleanup_free char *path = store_container_path(in->engine->store, in->row->id, leaf);

	json_set_text(in->result, key, path);
}

/* ---- what runs ---- */

static void add_command(struct inspection *in)
{
	cleanup_strv struct strv words = STRV_INIT;
	json_t *args = json_array();

	json_get_strv(in->config, "Entrypoint", &words);
	json_get_strv(in->config, "Cmd", &words);
	for (size_t i = 1; i < words.n; i++)
		json_array_append_new(args, json_new_text(words.items[i]));
	json_set_text(in->result, "Path", words.n ? words.items[0] : "");
	set(in->result, "Args", args);
}

static void add_state(struct inspection *in)
{
	const struct container_state *s = &in->state;
	bool is_paused = s->status == STATUS_PAUSED;
	json_t *o = json_object();
	/* Most have no checks: that costs them no look at a file. */
	json_t *health = json_object_get(in->config, "Healthcheck")
				 ? health_to_json(in->engine, in->row->id, s)
				 : NULL;

	set(o, "Status", json_string(container_status_name(s->status)));
	set(o, "Running", json_boolean(container_is_running(s)));
	set(o, "Paused", json_boolean(is_paused));
	set(o, "Restarting", json_boolean(s->status == STATUS_RESTARTING));
	set(o, "OOMKilled", json_boolean(s->oom_killed));
	set(o, "Dead", json_boolean(s->status == STATUS_DEAD));
	set(o, "Pid", json_integer(s->pid));
	set(o, "ExitCode", json_integer(s->exit_code));
	json_set_text(o, "Error", s->error);
	set_time(o, "StartedAt", s->started_ns);
	set_time(o, "FinishedAt", s->finished_ns);
	if (health)
		set(o, "Health", health);
	set(in->result, "State", o);
}

static void add_names(struct inspection *in)
{
	cleanup_free char *name = str_printf("/%s", in->row->name);
	cleanup_free char *image = str_printf("sha256:%s", in->row->image_id);
	const char *driver = json_get_string(in->host, "LogConfig.Type", "json-file");

	json_set_text(in->result, "Image", *in->row->image_id ? image : "");
	set_path(in, "ResolvConfPath", "resolv.conf");
	set_path(in, "HostnamePath", "hostname");
	set_path(in, "HostsPath", "hosts");
	if (strcmp(driver, "json-file") == 0)
		set_path(in, "LogPath", LOG_DIR_NAME "/" LOG_FILE_NAME);
	else
		json_set_text(in->result, "LogPath", "");
	json_set_text(in->result, "Name", name);
	set(in->result, "RestartCount", json_integer(in->state.history.count));
	json_set_text(in->result, "Driver", "overlay2");
	json_set_text(in->result, "Platform", "linux");
	json_set_text(in->result, "MountLabel", "");
	json_set_text(in->result, "ProcessLabel", "");
	json_set_text(in->result, "AppArmorProfile", "");
	set(in->result, "ExecIDs", json_null());
}

/* ---- its files ---- */

/* The image, unless it was removed by force meanwhile: then RET stays empty. */
static void find_image(struct inspection *in, struct image *ret)
{
	struct err ignored = ERR_INIT;

	if (*in->row->image_id)
		image_lookup(in->engine->store, in->row->image_id, ret, &ignored);
}

static void add_driver(struct inspection *in, const struct image *image)
{
	static const struct {
		const char *key, *leaf;
	} dirs[] = {{"MergedDir", "merged"}, {"UpperDir", "upper"}, {"WorkDir", "work"}};
	cleanup_strv struct strv lower = STRV_INIT;
	cleanup_free char *joined = NULL;
	json_t *data = json_object();
	json_t *driver = json_object();

	image_get_lower_dirs(in->engine->store, image, &lower);
	joined = strv_join(&lower, ":");
	json_set_text(data, "ID", in->row->id);
	json_set_text(data, "LowerDir", joined);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		cleanup_free char *path = store_container_path(in->engine->store, in->row->id,
							       dirs[i].leaf);

		json_set_text(data, dirs[i].key, path);
	}
	set(driver, "Data", data);
	set(driver, "Name", json_string("overlay2"));
	set(in->result, "GraphDriver", driver);
}

static void add_size(struct inspection *in, const struct image *image)
{
	cleanup_free char *upper = store_container_path(in->engine->store, in->row->id, "upper");
	int64_t written = disk_size(upper);

	set(in->result, "SizeRw", json_integer(written));
	set(in->result, "SizeRootFs", json_integer(written + image->size));
}

/* ---- mounts ---- */

static bool mode_has(const char *mode, const char *word)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, mode, ',');
	return strv_has(&words, word);
}

/* The propagation that a mode names, else docker's default. */
static const char *mode_propagation(const char *mode)
{
	static const char *const names[] = {"rprivate", "private", "rshared",
					    "shared",	"rslave",  "slave"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (mode_has(mode, names[i]))
			return names[i];
	return "rprivate";
}

static json_t *new_mount(const char *type, const char *source, const char *target, const char *mode,
			 bool writable, const char *propagation)
{
	json_t *o = json_object();

	json_set_text(o, "Type", type);
	json_set_text(o, "Source", source);
	json_set_text(o, "Destination", target);
	json_set_text(o, "Mode", mode);
	set(o, "RW", json_boolean(writable));
	json_set_text(o, "Propagation", propagation);
	return o;
}

/* "SOURCE:TARGET[:MODE]" of -v. */
static json_t *bind_to_mount(const char *bind)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *mode = "";

	strv_split(&parts, bind, ':');
	if (parts.n < 2)
		return NULL;
	if (parts.n > 2)
		mode = parts.items[2];
	return new_mount("bind", parts.items[0], parts.items[1], mode,
			 !mode_has(mode, "ro") && !mode_has(mode, "readonly"),
			 mode_propagation(mode));
}

static json_t *object_to_mount(const json_t *m)
{
	const char *type = json_get_string(m, "Type", "");
	bool is_bind = strcmp(type, "bind") == 0;

	return new_mount(type, json_get_string(m, "Source", ""), json_get_string(m, "Target", ""),
			 "", !json_get_bool(m, "ReadOnly", false),
			 is_bind ? json_get_string(m, "BindOptions.Propagation", "rprivate") : "");
}

/* Of a container that was made before its mounts were kept. */
static json_t *mounts_of_host(const json_t *host)
{
	json_t *list = json_array();
	json_t *item = NULL;
	size_t i = 0;

	json_array_foreach (json_object_get(host, "Binds"), i, item) {
		json_t *mount = bind_to_mount(json_string_value(item) ? json_string_value(item)
								      : "");

		if (mount)
			json_array_append_new(list, mount);
	}
	json_array_foreach (json_object_get(host, "Mounts"), i, item)
		json_array_append_new(list, object_to_mount(item));
	return list;
}

int container_get_mounts(const struct container_record *record, json_t **ret, struct err *err)
{
	const struct container_row *row = &record->row;
	cleanup_json json_t *extra = NULL;
	cleanup_json json_t *host = NULL;

	if (json_parse(row->extra, strlen(row->extra), MAX_STORED, "extra", &extra, err) < 0)
		return err_wrap(err, "container %.12s", row->id);
	*ret = json_incref(json_object_get(extra, "Mounts"));
	if (*ret)
		return 0;
	if (json_parse(row->host, strlen(row->host), MAX_STORED, "HostConfig", &host, err) < 0)
		return err_wrap(err, "container %.12s", row->id);
	*ret = mounts_of_host(host);
	return 0;
}

/* ---- the whole ---- */

static int load(struct inspection *in, struct err *err)
{
	const struct container_row *row = in->row;

	if (json_parse(row->config, strlen(row->config), MAX_STORED, "Config", &in->config, err) <
		    0 ||
	    json_parse(row->host, strlen(row->host), MAX_STORED, "HostConfig", &in->host, err) < 0)
		return err_wrap(err, "container %.12s", row->id);
	container_state_read(in->engine, row->id, &in->state);
	in->result = json_object();
	return 0;
}

int container_inspect(struct engine *engine, const struct container_record *record, bool size,
		      json_t **ret, struct err *err)
{
	cleanup_with(inspection_done) struct inspection in = {.engine = engine,
							      .row = &record->row};
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_json json_t *mounts = NULL;
	cleanup_json json_t *network = NULL;

	if (load(&in, err) < 0 || container_get_mounts(record, &mounts, err) < 0)
		return -err->code;
	find_image(&in, &image);
	json_set_text(in.result, "Id", in.row->id);
	set_time(in.result, "Created", in.row->created_ns);
	add_command(&in);
	add_state(&in);
	add_names(&in);
	set(in.result, "HostConfig", json_incref(in.host));
	add_driver(&in, &image);
	if (size)
		add_size(&in, &image);
	set(in.result, "Mounts", take_ptr(mounts));
	set(in.result, "Config", json_incref(in.config));
	if (network_settings_to_json(engine, in.row, in.config, &in.state, &network, err) < 0)
		return -err->code;
	set(in.result, "NetworkSettings", take_ptr(network));
	*ret = take_ptr(in.result);
	return 0;
}
