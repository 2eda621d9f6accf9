/* SPDX-License-Identifier: Apache-2.0 */
/* --metadata-file: what was made, as buildx writes it: members sorted, two blanks for a level. */
#include "base/mem.h"
#include "build/build_private.h"
#include "oci/manifest.h"
#include "json/dump.h"
#include "json/value.h"

static void set_digest(json_t *doc, const char *key, const char *hex)
{
	if (*hex)
		json_set_text_take(doc, key, str_printf(DIGEST_PREFIX "%s", hex));
}

/* The manifest of one image; an index is there by now, if its images have a name. */
static int add_descriptor(struct output *o, json_t *doc, struct err *err)
{
	cleanup_descriptor struct descriptor d = DESCRIPTOR_INIT;

	if (o->n == 1 ? o->images[0].result->config.diff_ids.n == 0 : !*o->target)
		return 0;
	if (o->n == 1 && output_describe(o, &d, err) < 0)
		return -err->code;
	if (o->n > 1) {
		memcpy(d.hex, o->target, sizeof(d.hex));
		d.size = o->target_size;
		d.media_type = str_dup(MEDIA_INDEX);
	}
	json_object_set_new(doc, "containerimage.descriptor", descriptor_to_json(&d));
	return 0;
}

static int add_image(struct output *o, json_t *doc, struct err *err)
{
	if (!o->is_made || o->n == 0)
		return 0;
	if (add_descriptor(o, doc, err) < 0)
		return -err->code;
	set_digest(doc, "containerimage.config.digest", o->images[0].id);
	set_digest(doc, "containerimage.digest", o->target);
	if (o->names.n)
		json_set_text_take(doc, "image.name", strv_join(&o->names, ","));
	return 0;
}

int metadata_write(struct output *o, struct err *err)
{
	const char *path = o->b->request->metadata_file;
	cleanup_json json_t *doc = NULL;
	cleanup_str struct str text = STR_INIT;

	if (!path)
		return 0;
	doc = json_object();
	if (add_image(o, doc, err) < 0)
		return -err->code;
	json_dump_docker(&text, doc, NULL, 2, JSON_DUMP_SORT);
	str_add_char(&text, '\n');
	return output_write_text(path, str_get(&text), text.len, err);
}
