/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --gpus, --link, and the names of --device that are no paths.
 */
#include "cli/parse_device.h"

#include "base/err.h"
#include "base/mem.h"
#include "cli/option.h"
#include "cli/parse_mount.h"
#include "engine/cdi.h"
#include "engine/spec.h"

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

/* ---- --gpus ---- */

static int set_count(struct device_request *r, const char *value, struct err *err)
{
	struct err why = ERR_INIT;

	if (strcmp(value, "all") == 0) {
		r->count = -1;
		return 0;
	}
	if (option_parse_int(value, &r->count, &why) == 0)
		return 0;
	return fail("invalid count (%s): value must be either \"all\" or an integer: invalid "
		    "syntax",
		    value);
}

/* Sets KEY of R; -ENOENT stands for an unknown one: 1. */
static int set_key(struct device_request *r, const char *key, const char *value, struct err *err)
{
	if (strcmp(key, "count") == 0)
		return set_count(r, value, err);
	if (strcmp(key, "driver") == 0)
		str_replace(&r->driver, value);
	else if (strcmp(key, "device") == 0)
		strv_split(&r->ids, value, ',');
	else if (strcmp(key, "capabilities") == 0)
		strv_split(&r->capabilities, value, ',');
	else if (strcmp(key, "options") == 0)
		return csv_split(value, &r->options, err);
	else
		return 1;
	return 0;
}

/* FIELD is "KEY=VALUE", or a bare count. Keys come once; what was seen is noted in SEEN. */
static int set_field(struct device_request *r, const char *field, struct strv *seen,
		     struct err *err)
{
	const char *eq = strchr(field, '=');
	cleanup_free char *key = eq ? str_ndup(field, (size_t)(eq - field)) : str_dup(field);
	int rc = 0;

	if (strv_has(seen, key))
		return fail("gpu request key '%s' can be specified only once", key);
	strv_add(seen, key);
	if (!eq) {
		strv_add(seen, "count");
		return set_count(r, field, err);
	}
	rc = set_key(r, key, eq + 1, err);
	return rc > 0 ? fail("unexpected key '%s' in '%s'", key, field) : rc;
}

int gpus_option_set(void *spec, const char *value, struct err *err)
{
	cleanup_with(device_request_done) struct device_request r = {};
	cleanup_strv struct strv fields = STRV_INIT, seen = STRV_INIT;
	int rc = csv_split(value, &fields, err);

	r.driver = str_dup("");
	for (size_t i = 0; rc == 0 && i < fields.n; i++)
		rc = set_field(&r, fields.items[i], &seen, err);
	if (rc < 0)
		return rc;
	if (!strv_has(&seen, "count") && !r.ids.n)
		r.count = 1;
	strv_add(&r.capabilities, "gpu");
	spec_add_request(spec, &r);
	return 0;
}

/* ---- --link ---- */

int link_option_check(void *field, const char *value, struct err *err)
{
	const char *colon = strchr(value, ':');

	if (!*value)
		return fail("empty string specified for links");
	return colon && strchr(colon + 1, ':') ? fail("bad format for links: %s", value) : 0;
}

/* ---- --device ---- */

bool cdi_device_add(struct container_spec *spec, const char *value)
{
	cleanup_with(device_request_done) struct device_request r = {};

	if (!cdi_name_is_valid(value))
		return false;
	r.driver = str_dup("cdi");
	strv_add(&r.ids, value);
	spec_add_request(spec, &r);
	return true;
}
