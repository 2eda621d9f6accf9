/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which events are wanted: one table of keys, each with its test of one value.
 */
#include "engine/event_filter.h"

#include "base/err.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "json/value.h"

struct key {
	const char *name;
	bool (*test)(const json_t *event, const char *value);
	bool wants_all; /* values, not one of them */
};

static const char *attribute(const json_t *event, const char *name)
{
	return json_string_value(json_object_get(json_get(event, "Attributes"), name));
}

static bool is_member(const json_t *event, const char *key, const char *value)
{
	return strcmp(json_get_string(event, key, ""), value) == 0;
}

static bool test_type(const json_t *event, const char *value)
{
	return is_member(event, "Type", value);
}

static bool test_event(const json_t *event, const char *value)
{
	return is_member(event, "Action", value);
}

static bool test_event_start(const json_t *event, const char *value)
{
	return str_has_prefix(json_get_string(event, "Action", ""), value);
}

static bool test_scope(const json_t *event, const char *value)
{
	return strcmp(value, "local") == 0;
}

static bool test_name(const json_t *event, const char *value)
{
	const char *name = attribute(event, "name");

	return str_has_prefix(json_get_string(event, "ID", ""), value) ||
	       (name && str_has_prefix(name, value));
}

/* VALUE is the image TEXT, or its name without tag and digest. */
static bool is_image(const char *text, const char *value)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *name = NULL;
	struct err ignored = ERR_INIT;

	if (strcmp(text, value) == 0)
		return true;
	if (reference_parse(text, &ref, &ignored) < 0)
		return false;
	name = reference_format_familiar_name(&ref);
	return strcmp(name, value) == 0;
}

static bool test_image(const json_t *event, const char *value)
{
	bool is_of_image = is_member(event, "Type", "image");
	const char *name = attribute(event, is_of_image ? "name" : "image");

	return is_image(json_get_string(event, "ID", ""), value) || (name && is_image(name, value));
}

static bool test_label(const json_t *event, const char *value)
{
	const char *equals = strchrnul(value, '=');
	cleanup_free char *key = str_ndup(value, (size_t)(equals - value));
	const char *found = attribute(event, key);

	return found && (!*equals || strcmp(found, equals + 1) == 0);
}

static const struct key keys[] = {
	{"type", test_type},
	{"event", test_event},
	{"scope", test_scope},
	{"image", test_image},
	{"label", test_label, .wants_all = true},
	{"container", test_name},
	{"volume", test_name},
	{"network", test_name},
	{"daemon", test_name},
	{"plugin", test_name},
	{"service", test_name},
	{"node", test_name},
	{"secret", test_name},
	{"config", test_name},
};

/* The value of LINE when it is one of KEY; NULL. */
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 && line[len] == '=' ? line + len + 1 : NULL;
}

/* Actions that carry a command or a state: asked for by name alone, their beginning counts. */
static bool has_open_action(const struct strv *filters)
{
	static const char *const lines[] = {"event=exec_create", "event=exec_start",
					    "event=health_status"};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (strv_has(filters, lines[i]))
			return true;
	return false;
}

static bool key_matches(const struct key *key, const struct strv *filters, const json_t *event)
{
	bool (*test)(const json_t *, const char *) = key->test;
	bool any = false;
	bool asked = false;

	if (test == test_event && has_open_action(filters))
		test = test_event_start;
	strv_foreach (i, filters) {
		const char *value = value_of(filters->items[i], key->name);
		bool matches = value && test(event, value);

		if (value && !matches && key->wants_all)
			return false;
		asked |= value != NULL;
		any |= matches;
	}
	return any || !asked;
}

bool event_filter_matches(const struct strv *filters, const json_t *event)
{
	for (size_t i = 0; filters->n && i < ARRAY_LEN(keys); i++)
		if (!key_matches(&keys[i], filters, event))
			return false;
	return true;
}

bool event_filter_is_known(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (value_of(line, keys[i].name))
			return true;
	return false;
}
