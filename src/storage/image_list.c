/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of `images` and the conditions on them. The configuration of an image is parsed only
 * when a label is asked for.
 */
#include <fnmatch.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "storage/db.h"
#include "storage/image_private.h"

void image_filter_init(struct image_filter *filter)
{
	*filter = (struct image_filter){.dangling = -1, .until_ns = INT64_MAX};
}

void image_filter_done(struct image_filter *filter)
{
	strv_done(&filter->labels);
	strv_done(&filter->not_labels);
	strv_done(&filter->references);
	free(filter->before);
	free(filter->since);
	image_filter_init(filter);
}

/* One character of a range in brackets; NULL when there is none. */
static const char *skip_range_end(const char *p)
{
	if (!*p || *p == '-' || *p == ']')
		return NULL;
	if (*p == '\\')
		p++;
	return *p ? p + 1 : NULL;
}

/* What follows the bracket after P; NULL when it is never closed, or empty. */
static const char *skip_brackets(const char *p)
{
	const char *first = p + (*p == '^');

	for (p = first; *p != ']' || p == first;) {
		p = skip_range_end(p);
		if (p && *p == '-')
			p = skip_range_end(p + 1);
		if (!p)
			return NULL;
	}
	return p + 1;
}

/* Go's path.Match refuses what fnmatch(3) takes literally. */
static bool is_pattern(const char *p)
{
	while (p && *p) {
		if (*p == '\\' && !p[1])
			return false;
		p = *p == '[' ? skip_brackets(p + 1) : p + (*p == '\\' ? 2 : 1);
	}
	return p != NULL;
}

static int add_dangling(struct image_filter *filter, const char *value, struct err *err)
{
	bool on = false;

	if (num_parse_bool(value, &on) < 0)
		return err_set(err, ERR_INVALID, "invalid filter 'dangling=[%s]'", value);
	filter->dangling = on;
	return 0;
}

static int add_until(struct image_filter *filter, const char *value, struct err *err)
{
	if (filter->until_ns != INT64_MAX)
		return err_set(err, ERR_INVALID, "more than one until filter specified");
	return clock_parse_point(value, clock_real_ns(), &filter->until_ns, err);
}

static int add_reference(struct image_filter *filter, const char *value, struct err *err)
{
	if (!is_pattern(value))
		return err_set(err, ERR_INVALID, "syntax error in pattern");
	strv_add(&filter->references, value);
	return 0;
}

static int add_label(struct image_filter *filter, const char *value, struct err *err)
{
	strv_add(&filter->labels, value);
	return 0;
}

static int add_not_label(struct image_filter *filter, const char *value, struct err *err)
{
	strv_add(&filter->not_labels, value);
	return 0;
}

static int add_before(struct image_filter *filter, const char *value, struct err *err)
{
	str_replace(&filter->before, value);
	return 0;
}

static int add_since(struct image_filter *filter, const char *value, struct err *err)
{
	str_replace(&filter->since, value);
	return 0;
}

int image_filter_add(struct image_filter *filter, const char *condition, struct err *err)
{
	static const struct {
		const char *key;
		int (*add)(struct image_filter *filter, const char *value, struct err *err);
	} keys[] = {
		{"before", add_before},	   {"dangling", add_dangling},	 {"label", add_label},
		{"label!", add_not_label}, {"reference", add_reference}, {"since", add_since},
		{"until", add_until},
	};
	const char *value = strchrnul(condition, '=');
	cleanup_free char *key = str_ndup(condition, (size_t)(value - condition));

	value += *value == '=';
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i].key) == 0)
			return keys[i].add(filter, value, err);
	return err_set(err, ERR_INVALID, "invalid filter '%s'", key);
}

/* WANTED is "key" or "key=value". */
static bool has_label(const struct image_run *run, const char *wanted)
{
	size_t len = strcspn(wanted, "=");

	strv_foreach (i, &run->label_keys) {
		const char *key = run->label_keys.items[i];

		if (strlen(key) != len || strncmp(key, wanted, len) != 0)
			continue;
		return wanted[len] == '\0' ||
		       strcmp(wanted + len + 1, run->label_values.items[i]) == 0;
	}
	return false;
}

static int match_labels(const struct image_filter *filter, const char *config, struct err *err)
{
	cleanup_image_config struct image_config parsed = IMAGE_CONFIG_INIT;

	if (filter->labels.n + filter->not_labels.n == 0)
		return 1;
	if (image_config_parse(config, strlen(config), &parsed, err) < 0)
		return -err->code;
	strv_foreach (i, &filter->labels) {
		if (!has_label(&parsed.run, filter->labels.items[i]))
			return 0;
	}
	strv_foreach (i, &filter->not_labels) {
		if (has_label(&parsed.run, filter->not_labels.items[i]))
			return 0;
	}
	return 1;
}

/* FamiliarMatch of docker: a pattern may be for the name alone or for name and tag. */
static bool match_reference(const struct image_filter *filter, const char *name, const char *full)
{
	if (filter->references.n == 0)
		return true;
	strv_foreach (i, &filter->references) {
		const char *pattern = filter->references.items[i];

		if (fnmatch(pattern, name, FNM_PATHNAME) == 0 ||
		    fnmatch(pattern, full, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

/* The times that `before` and `since` stand for. */
static int resolve_times(struct store *store, const struct image_filter *filter,
			 int64_t *ret_before, int64_t *ret_since, struct err *err)
{
	cleanup_image struct image before = IMAGE_INIT;
	cleanup_image struct image since = IMAGE_INIT;

	*ret_before = filter->until_ns;
	*ret_since = INT64_MIN;
	if (filter->before && image_find(store, filter->before, &before, err) < 0)
		return -err->code;
	if (filter->before && before.created_ns < *ret_before)
		*ret_before = before.created_ns;
	if (filter->since && image_find(store, filter->since, &since, err) < 0)
		return -err->code;
	if (filter->since)
		*ret_since = since.created_ns;
	return 0;
}

/* One row of the query, if the filter lets it through. */
static int list_row(sqlite3_stmt *stmt, const struct image_filter *filter, image_fn fn, void *data,
		    struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *name = NULL;
	cleanup_free char *full = NULL;
	bool is_dangling = sqlite3_column_type(stmt, 1) == SQLITE_NULL;
	int rc = 0;

	if (filter->dangling >= 0 && filter->dangling != is_dangling)
		return 0;
	/* As in docker, what others were made from does not dangle. */
	if (is_dangling && sqlite3_column_int(stmt, 6) && (!filter->all || filter->dangling == 1))
		return 0;
	if (is_dangling && filter->references.n > 0)
		return 0;
	rc = match_labels(filter, db_text(stmt, 4), err);
	if (rc <= 0)
		return rc;
	if (!is_dangling) {
		if (reference_parse(db_text(stmt, 1), &ref, err) < 0)
			return -err->code;
		name = reference_format_familiar_name(&ref);
		full = reference_format_familiar(&ref);
		if (!match_reference(filter, name, full))
			return 0;
	}
	struct image_row row = {
		.id = db_text(stmt, 0),
		.repository = name ? name : "<none>",
		.tag = ref.tag ? ref.tag : "<none>",
		.target = (const char *)sqlite3_column_text(stmt, 5),
		.created_s = image_get_created(stmt, 2, 4),
		.size = sqlite3_column_int64(stmt, 3),
	};

	return fn(&row, data, err);
}

int image_list(struct store *store, const struct image_filter *filter, image_fn fn, void *data,
	       struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int64_t before = 0;
	int64_t since = 0;
	int rc = 0;

	if (resolve_times(store, filter, &before, &since, err) < 0)
		return -err->code;
	rc = db_prepare(store, &stmt, err,
			"SELECT i.id,t.reference,i.created_ns,i.size,i.config,t.target,"
			"EXISTS(SELECT 1 FROM image k WHERE k.parent=i.id AND k.hidden=0)"
			" FROM image i"
			" LEFT JOIN tag t ON t.image_id=i.id WHERE i.hidden=0 AND i.created_ns<?"
			" AND i.created_ns>? ORDER BY i.created_ns DESC,i.id,t.reference",
			"ii", before, since);
	while (rc >= 0 && (rc = db_step(store, stmt, err)) > 0)
		rc = list_row(stmt, filter, fn, data, err);
	return rc < 0 ? rc : 0;
}
