/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local driver has mount(8)'s words: type, device and o. A bind (type=none or o=bind) is a bind
 * of the container's; a tmpfs is one that containers share which run at the same time; anything
 * else is a new instance of a file system of the kernel's, which shares by itself what has the same
 * device.
 */
#include "engine/volume_options.h"

#include "base/mem.h"
#include "base/num.h"
#include "storage/volume.h"
#include "json/value.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static void set_bind(struct oci_mount *mount, const char *source, bool recursive)
{
	mount->type = str_dup("bind");
	mount->source = str_dup(source);
	strv_add(&mount->options, recursive ? "rbind" : "bind");
	strv_add(&mount->options, "rprivate");
}

int volume_set_mount(const char *name, const char *options, const char *data,
		     struct oci_mount *mount, struct err *err)
{
	cleanup_json json_t *o = json_loads(options, JSON_DECODE_ANY, NULL);
	const char *type = json_get_string(o, "type", "");
	const char *device = json_get_string(o, "device", "");
	cleanup_strv struct strv words = STRV_INIT;
	bool is_deep = false;

	if (!*type && !*device) {
		set_bind(mount, data, true);
		mount->volume = str_dup(name);
		return 0;
	}
	strv_split(&words, json_get_string(o, "o", ""), ',');
	is_deep = strv_has(&words, "rbind");
	if (is_deep || strv_has(&words, "bind")) {
		if (*device != '/')
			return err_set(err, ERR_INVALID,
				       "volume %s: the device of a bind must be an absolute path, "
				       "not \"%s\"",
				       name, device);
		set_bind(mount, device, is_deep);
		strv_foreach (i, &words)
			if (strcmp(words.items[i], "bind") != 0 &&
			    strcmp(words.items[i], "rbind") != 0 && words.items[i][0])
				strv_add(&mount->options, words.items[i]);
		return 0;
	}
	mount->type = str_dup(type);
	mount->source = str_dup(device);
	mount->copy_up = false;
	mount->volume = strcmp(type, "tmpfs") == 0 ? str_dup(name) : NULL;
	strv_foreach (i, &words)
		if (words.items[i][0])
			strv_add(&mount->options, words.items[i]);
	return 0;
}

/* ---- ids ---- */

/* "UID:GID" or "UID", of which GID is then the same. */
static int parse_ids(const char *text, uint32_t *uid, uint32_t *gid)
{
	const char *colon = strchr(text, ':');
	cleanup_free char *first = colon ? str_ndup(text, (size_t)(colon - text)) : str_dup(text);
	uint64_t a = 0;
	uint64_t b = 0;

	if (num_parse_base(first, 10, &a) < 0 || a >= UINT32_MAX)
		return -EINVAL;
	b = a;
	if (colon && (num_parse_base(colon + 1, 10, &b) < 0 || b >= UINT32_MAX))
		return -EINVAL;
	*uid = (uint32_t)a;
	*gid = (uint32_t)b;
	return 0;
}

static int user_ids(const struct container_spec *spec, uint32_t *uid, uint32_t *gid,
		    struct err *err)
{
	const char *user = spec->user && *spec->user ? spec->user : "0:0";
	bool has_group = strchr(user, ':');

	if (parse_ids(user, uid, gid) < 0) {
		err_set(err, ERR_UNSUPPORTED,
			"idmap: the container's user \"%s\" is a name, which only the image can "
			"look up",
			user);
		return err_hint(err, "say it in numbers: --user UID:GID");
	}
	/* A user without a group is in group 0 unless the image knows better. */
	if (!has_group)
		*gid = 0;
	return 0;
}

int volume_add_idmap(const struct container_spec *spec, const struct mount_spec *m,
		     const char *source, struct oci_mount *mount, struct err *err)
{
	uint32_t uid = 0, gid = 0, disk_uid = 0, disk_gid = 0;
	struct stat st;

	if (!m->idmap)
		return 0;
	if (strcmp(mount->type, "bind") != 0)
		return err_set(err, ERR_UNSUPPORTED, "%s: idmap is for binds and volumes",
			       m->target);
	if (user_ids(spec, &uid, &gid, err) < 0)
		return -err->code;
	if (*m->idmap) {
		if (parse_ids(m->idmap, &disk_uid, &disk_gid) < 0)
			return err_set(err, ERR_INVALID, "invalid mode: idmap=%s", m->idmap);
	} else {
		/* lint: path chosen by the user of the host; the engine's own of a volume */
		int rc = stat(mount->source ? mount->source : source, &st);

		if (rc < 0 && errno != ENOENT)
			return err_sys(err, errno, "idmap: look at %s", source);
		/* What is not there yet will be root's. */
		disk_uid = rc < 0 ? 0 : st.st_uid;
		disk_gid = rc < 0 ? 0 : st.st_gid;
	}
	strv_addf(&mount->options, OCI_MOUNT_IDMAP "=%u:%u:%u:%u", disk_uid, disk_gid, uid, gid);
	return 0;
}
