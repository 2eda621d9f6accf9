/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all sources have in common: verified documents, the way from an index to a manifest, and the
 * choice among several images.
 */
#include "transport/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/reference.h"
#include "storage/collect.h"
#include "transport/report.h"

void source_done(struct source *source)
{
	for (size_t i = 0; i < source->n_images; i++) {
		descriptor_done(&source->images[i].target);
		strv_done(&source->images[i].names);
	}
	free(source->images);
	for (size_t i = 0; i < source->n_made; i++) {
		free(source->made[i].member);
		fd_cleanup_close(&source->made[i].fd);
		str_done(&source->made[i].text);
	}
	free(source->made);
	folder_done(&source->folder);
	docker_archive_done(&source->docker);
	free(source->layers);
	storage_release(source->store, &source->hold_fd);
	*source = (struct source)SOURCE_INIT;
}

struct source_image *source_add_image(struct source *source)
{
	struct source_image *image = NULL;

	source->images = mem_realloc_array(source->images, source->n_images + 1,
					   sizeof(*source->images));
	image = &source->images[source->n_images];
	*image = (struct source_image){.number = source->n_images++};
	return image;
}

/* ---- blobs ---- */

static struct source_blob *add_made(struct source *source)
{
	struct source_blob *made = NULL;

	source->made = mem_realloc_array(source->made, source->n_made + 1, sizeof(*source->made));
	made = &source->made[source->n_made++];
	*made = (struct source_blob){.fd = -1};
	return made;
}

void source_add_text(struct source *source, const char *text, size_t len,
		     char ret_hex[static DIGEST_HEX_LEN + 1])
{
	struct source_blob *made = add_made(source);

	str_add_bytes(&made->text, text, len);
	sha256_hex(text, len, made->hex);
	memcpy(ret_hex, made->hex, sizeof(made->hex));
}

void source_add_member(struct source *source, const char *hex, const char *member)
{
	struct source_blob *made = add_made(source);

	memcpy(made->hex, hex, sizeof(made->hex));
	made->member = str_dup(member);
}

void source_add_file(struct source *source, const char *hex, int fd, int64_t size)
{
	struct source_blob *made = add_made(source);

	memcpy(made->hex, hex, sizeof(made->hex));
	made->fd = fd;
	made->size = size;
}

static int open_file(const struct source_blob *made, struct blob_at *ret, struct err *err)
{
	ret->fd = fcntl(made->fd, F_DUPFD_CLOEXEC, 3);
	if (ret->fd < 0)
		return err_sys(err, errno, "open the archive of a layer");
	ret->size = (uint64_t)made->size;
	return 1;
}

int source_open_made(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err)
{
	for (size_t i = 0; i < source->n_made; i++) {
		const struct source_blob *made = &source->made[i];

		if (strcmp(made->hex, d->hex) != 0)
			continue;
		if (made->member)
			return folder_find(&source->folder, made->member, ret, err) < 0 ? -err->code
											: 1;
		if (made->fd >= 0)
			return open_file(made, ret, err);
		str_add_bytes(&ret->text, str_get(&made->text), made->text.len);
		return 1;
	}
	return 0;
}

int source_open_blob(struct source *source, const struct descriptor *d, struct blob_at *ret,
		     struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;

	if (source->ops->open_blob(source, d, &at, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND, "blob " DIGEST_PREFIX "%s is missing", d->hex);
		return -err->code;
	}
	if (blob_at_get_size(&at) != (uint64_t)d->size)
		return err_set(
			err, ERR_INVALID,
			"blob " DIGEST_PREFIX "%s has %llu bytes, not the %lld of its descriptor",
			d->hex, (unsigned long long)blob_at_get_size(&at), (long long)d->size);
	*ret = at;
	at = (struct blob_at)BLOB_AT_INIT;
	return 0;
}

int source_read_blob(struct source *source, const struct descriptor *d, struct str *ret,
		     struct err *err)
{
	cleanup_blob_at struct blob_at at = BLOB_AT_INIT;
	cleanup_free char *what = str_printf("blob " DIGEST_PREFIX "%s", d->hex);

	if (d->size > (int64_t)DOCUMENT_MAX_SIZE)
		return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", what,
			       DOCUMENT_MAX_SIZE);
	if (source_open_blob(source, d, &at, err) < 0 || blob_at_read(&at, what, ret, err) < 0)
		return -err->code;
	if (!digest_is_of(d->hex, str_get(ret), ret->len))
		return err_set(err, ERR_INVALID, "%s is damaged: its digest is another", what);
	return 0;
}

int source_read_manifest(struct source *source, const struct descriptor *d, struct manifest *ret,
			 struct str *ret_text, struct err *err)
{
	cleanup_str struct str text = STR_INIT;

	if (source_read_blob(source, d, &text, err) < 0)
		return -err->code;
	if (manifest_parse(str_get(&text), text.len, d->media_type, "JSON", ret, err) < 0)
		return err_wrap(err, "manifest " DIGEST_PREFIX "%s", d->hex);
	if (ret_text) {
		*ret_text = text;
		text = (struct str)STR_INIT;
	}
	return 0;
}

/* ---- from an index to a manifest ---- */

int source_find_manifest(struct source *source, const struct descriptor *target,
			 const struct platform *want, struct descriptor *ret, struct err *err)
{
	cleanup_descriptor struct descriptor at = DESCRIPTOR_INIT;
	char shown[PLATFORM_LEN];

	descriptor_copy(&at, target);
	for (int depth = 0; depth <= MANIFEST_MAX_DEPTH; depth++) {
		cleanup_manifest struct manifest m = MANIFEST_INIT;
		const struct descriptor *next = NULL;

		if (source_read_manifest(source, &at, &m, NULL, err) < 0)
			return -err->code;
		if (!m.is_index) {
			descriptor_copy(ret, &at);
			return 0;
		}
		next = manifest_choose(&m, want);
		if (!next)
			return err_set(err, ERR_NOT_FOUND, "no image for %s in it",
				       platform_format(want, shown));
		descriptor_copy(&at, next);
	}
	return err_set(err, ERR_INVALID, "indexes nested deeper than %d", MANIFEST_MAX_DEPTH);
}

int source_describe(struct source *source, struct source_image *image,
		    const struct transport_report *report, struct err *err)
{
	if (*image->target.hex)
		return 0;
	return source->ops->describe(source, image, report, err);
}

/* ---- the choice among images ---- */

static void remove_image(struct source *source, size_t i)
{
	descriptor_done(&source->images[i].target);
	strv_done(&source->images[i].names);
	memmove(&source->images[i], &source->images[i + 1],
		(source->n_images - i - 1) * sizeof(*source->images));
	source->n_images--;
}

static const char *first_name(const struct source_image *image)
{
	return image->names.n ? image->names.items[0] : "";
}

/* Whether another image has the same name: then they are one, for several platforms. */
static bool has_sibling(const struct source *source, size_t i)
{
	for (size_t j = 0; j < source->n_images; j++)
		if (j != i &&
		    strcmp(first_name(&source->images[i]), first_name(&source->images[j])) == 0)
			return true;
	return false;
}

int source_filter_platform(struct source *source, const struct platform *want, struct err *err)
{
	char shown[PLATFORM_LEN];
	size_t before = source->n_images;
	cleanup_free bool *drop = mem_zalloc(before * sizeof(*drop));

	for (size_t i = 0; i < before; i++) {
		const struct descriptor *d = &source->images[i].target;

		drop[i] = d->has_platform && !platform_matches(want, &d->platform) &&
			  has_sibling(source, i);
	}
	for (size_t i = before; i > 0; i--)
		if (drop[i - 1])
			remove_image(source, i - 1);
	if (before > 0 && source->n_images == 0)
		return err_set(err, ERR_NOT_FOUND, "no image for %s in it",
			       platform_format(want, shown));
	return 0;
}

/* Whether REF, as typed, means this image: its name in the layout or a docker name of it. */
static bool is_named(const struct source_image *image, const char *ref)
{
	cleanup_reference struct reference parsed = REFERENCE_INIT;
	cleanup_free char *canonical = NULL;
	cleanup_free char *familiar = NULL;
	struct err ignored = ERR_INIT;

	if (str_is_equal(image->target.ref_name, ref) || strv_has(&image->names, ref))
		return true;
	if (reference_parse(ref, &parsed, &ignored) < 0)
		return false;
	reference_ensure_tag(&parsed);
	canonical = reference_format(&parsed);
	familiar = reference_format_familiar(&parsed);
	return strv_has(&image->names, familiar) || strv_has(&image->names, canonical) ||
	       str_is_equal(image->target.image_name, canonical);
}

static int several(const struct source *source, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *list = NULL;

	for (size_t i = 0; i < source->n_images && names.n < 10; i++)
		if (source->images[i].target.ref_name || source->images[i].names.n)
			strv_add(&names, source->images[i].names.n
						 ? first_name(&source->images[i])
						 : source->images[i].target.ref_name);
	list = strv_join(&names, ", ");
	err_set(err, ERR_INVALID, "there are %zu images in it", source->n_images);
	return names.n ? err_hint(err, "say which: %s", list) : -err->code;
}

int source_choose(struct source *source, const char *ref, const struct platform *want,
		  struct err *err)
{
	for (size_t i = source->n_images; ref && i > 0; i--)
		if (!is_named(&source->images[i - 1], ref))
			remove_image(source, i - 1);
	if (source->n_images == 0)
		return ref ? err_set(err, ERR_NOT_FOUND, "no image \"%s\" in it", ref)
			   : err_set(err, ERR_NOT_FOUND, "there is no image in it");
	if (source->n_images > 1 && source_filter_platform(source, want, err) < 0)
		return -err->code;
	return source->n_images > 1 ? several(source, err) : 0;
}
