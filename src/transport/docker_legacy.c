/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of docker before 1.10: every layer has a JSON of its own with the whole configuration, and
 * names its parent. Docker made an image of today's form from the topmost one: its members but for
 * those that were about the layer, one history entry for each layer, and the diff IDs.
 */
#include "transport/docker_archive.h"

#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "oci/digest.h"
#include "oci/document.h"
#include "oci/layout.h"
#include "json/dump.h"

/* Of the layer, not of the image. */
static const char *const dropped[] = {"id", "parent", "Size", "parent_id", "layer_id", "throwaway"};

bool docker_legacy_id_is_valid(const char *s)
{
	return hex_is_valid(s, DIGEST_HEX_LEN);
}

int docker_legacy_parent(const char *text, size_t len, char **ret, struct err *err)
{
	cleanup_json json_t *doc = NULL;
	const char *parent = NULL;

	if (document_parse(text, len, "json", &doc, err) < 0 ||
	    document_get_string(doc, "parent", &parent, err) < 0)
		return -err->code;
	if (parent && *parent && !docker_legacy_id_is_valid(parent))
		return err_set(err, ERR_INVALID, "json: the parent is not the id of a layer");
	*ret = parent && *parent ? str_dup(parent) : NULL;
	return 0;
}

/* container_config.Cmd, joined by blanks: what made the layer. */
static int get_created_by(const json_t *doc, char **ret, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	json_t *config = NULL;

	if (document_get_object(doc, "container_config", &config, err) < 0 ||
	    document_get_strings(config, "Cmd", &words, err) < 0)
		return -err->code;
	*ret = strv_join(&words, " ");
	return 0;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

static int add_history(json_t *history, const struct str *text, struct err *err)
{
	cleanup_json json_t *doc = NULL;
	cleanup_free char *created_by = NULL;
	const char *created = NULL;
	const char *author = NULL;
	const char *comment = NULL;
	json_t *entry = NULL;

	if (document_parse(str_get(text), text->len, "json", &doc, err) < 0 ||
	    document_get_string(doc, "created", &created, err) < 0 ||
	    document_get_string(doc, "author", &author, err) < 0 ||
	    document_get_string(doc, "comment", &comment, err) < 0 ||
	    get_created_by(doc, &created_by, err) < 0)
		return -err->code;
	entry = json_object();
	json_object_set_new(entry, "created",
			    json_string(created && *created ? created : "0001-01-01T00:00:00Z"));
	set_text(entry, "author", author);
	set_text(entry, "created_by", created_by);
	set_text(entry, "comment", comment);
	json_array_append_new(history, entry);
	return 0;
}

static json_t *make_rootfs(const struct strv *diff_ids)
{
	json_t *list = json_array();

	strv_foreach (i, diff_ids)
		json_array_append_new(list, json_string(diff_ids->items[i]));
	return json_pack("{ss so}", "type", "layers", "diff_ids", list);
}

/* The members of the topmost layer's JSON, sorted as Go sorts a map; what is inside keeps its
 * order.
 */
static char *format(json_t *doc)
{
	cleanup_str struct str out = STR_INIT;
	cleanup_json json_t *sorted = json_object();
	size_t n = 0;
	cleanup_free const char **keys = NULL;

	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		json_object_del(doc, dropped[i]);
	keys = json_sorted_keys(doc, &n);
	for (size_t i = 0; i < n; i++)
		json_object_set(sorted, keys[i], json_object_get(doc, keys[i]));
	json_dump_docker(&out, sorted, NULL, 0, JSON_DUMP_HTML);
	return str_take(&out);
}

int docker_legacy_config(const struct str *texts, const struct strv *diff_ids, char **ret,
			 struct err *err)
{
	const struct str *top = &texts[diff_ids->n - 1];
	cleanup_json json_t *doc = NULL;
	cleanup_json json_t *history = json_array();

	for (size_t i = 0; i < diff_ids->n; i++)
		if (add_history(history, &texts[i], err) < 0)
			return err_wrap(err, "layer %zu", i);
	if (document_parse(str_get(top), top->len, "json", &doc, err) < 0)
		return -err->code;
	json_object_set(doc, "history", history);
	json_object_set_new(doc, "rootfs", make_rootfs(diff_ids));
	if (!json_is_string(json_object_get(doc, "os")))
		json_object_set_new(doc, "os", json_string("linux"));
	if (!json_is_string(json_object_get(doc, "architecture")))
		json_object_set_new(doc, "architecture", json_string(layout_host_arch()));
	*ret = format(doc);
	return 0;
}
