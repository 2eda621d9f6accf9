/* SPDX-License-Identifier: Apache-2.0 */
/* The table of transports, and copying from one to another. */
#include "transport/transport.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/platform.h"
#include "transport/source.h"

/* ---- opening ---- */

static int open_layout(const struct place *place, const struct transport_report *report,
		       struct source *ret, struct err *err)
{
	return folder_open_dir(place->path, &ret->folder, err) < 0 ? -err->code
								   : source_open_layout(ret, err);
}

static int open_dir(const struct place *place, const struct transport_report *report,
		    struct source *ret, struct err *err)
{
	return folder_open_dir(place->path, &ret->folder, err) < 0 ? -err->code
								   : source_open_dir(ret, err);
}

static int open_layout_archive(const struct place *place, const struct transport_report *report,
			       struct source *ret, struct err *err)
{
	if (folder_open_file(ret->store, place->path, report, &ret->folder, err) < 0)
		return -err->code;
	return source_open_layout(ret, err);
}

static int open_docker_archive(const struct place *place, const struct transport_report *report,
			       struct source *ret, struct err *err)
{
	if (folder_open_file(ret->store, place->path, report, &ret->folder, err) < 0)
		return -err->code;
	return source_open_docker(ret, err);
}

static int open_store(const struct place *place, const struct transport_report *report,
		      struct source *ret, struct err *err)
{
	if (!place->image)
		return err_set(err, ERR_INVALID, "the name or id of an image is missing");
	return source_open_store(place->image, ret, err);
}

static const struct transport transports[] = {
	{"oci", "oci:DIRECTORY[:REFERENCE]", true, false, open_layout, take_layout},
	{"oci-archive", "oci-archive:FILE[:REFERENCE]", true, false, open_layout_archive,
	 take_layout_archive},
	{"docker-archive", "docker-archive:FILE[:NAME[:TAG]]", true, false, open_docker_archive,
	 take_docker_archive},
	{"dir", "dir:DIRECTORY", true, false, open_dir, take_dir},
	{"tare", "tare:NAME", false, true, open_store, take_store},
};

/* ---- places ---- */

void place_done(struct place *place)
{
	free(place->path);
	free(place->image);
	*place = (struct place)PLACE_INIT;
}

static const struct transport *lookup(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(transports); i++)
		if (strlen(transports[i].name) == len &&
		    strncmp(transports[i].name, text, len) == 0)
			return &transports[i];
	return NULL;
}

static int unknown(const char *text, struct err *err)
{
	cleanup_strv struct strv forms = STRV_INIT;
	cleanup_free char *list = NULL;

	for (size_t i = 0; i < ARRAY_LEN(transports); i++)
		strv_add(&forms, transports[i].form);
	list = strv_join(&forms, ", ");
	err_set(err, ERR_INVALID, "invalid image name \"%s\": unknown transport", text);
	return err_hint(err, "one of %s", list);
}

/* What may stand in a layout's index as a name: no blanks, nothing unprintable. */
static bool is_reference(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

int place_parse(const char *text, struct place *ret, struct err *err)
{
	size_t len = strcspn(text, ":");
	const struct transport *t = text[len] ? lookup(text, len) : NULL;
	const char *where = text + len + 1;
	size_t path_len = 0;

	if (!t)
		return unknown(text, err);
	path_len = t->has_path ? strcspn(where, ":") : 0;
	if (t->has_path && path_len == 0)
		return err_set(err, ERR_INVALID, "invalid image name \"%s\": it is %s", text,
			       t->form);
	*ret = (struct place){.transport = t};
	if (t->has_path)
		ret->path = str_ndup(where, path_len);
	where += path_len;
	if (t->has_path && *where == ':')
		where++;
	if (*where)
		ret->image = str_dup(where);
	if (ret->image && !is_reference(ret->image)) {
		place_done(ret);
		return err_set(err, ERR_INVALID, "invalid reference format");
	}
	return 0;
}

/* ---- image copy ---- */

static int copy(const struct place *from, const struct place *to, const struct platform *want,
		const struct transport_report *report, struct source *source, struct err *err)
{
	struct platform host = {};

	assert(from->transport && to->transport);
	platform_get_host(&host);
	if (from->transport->open(from, report, source, err) < 0)
		return -err->code;
	/* The store has found its one image by its name already. */
	if (source_choose(source, from->path ? from->image : NULL, want ? want : &host, err) < 0)
		return -err->code;
	return to->transport->take(to, source, &source->images[0], want, report, err);
}

int image_copy(struct store *store, const char *source_text, const char *destination,
	       const char *platform, const struct transport_report *report, struct err *err)
{
	cleanup_place struct place from = PLACE_INIT;
	cleanup_place struct place to = PLACE_INIT;
	cleanup_source struct source source = SOURCE_INIT;
	struct platform want = {};

	source.store = store;
	if (place_parse(source_text, &from, err) < 0 || place_parse(destination, &to, err) < 0 ||
	    (platform && platform_parse(platform, &want, err) < 0))
		return -err->code;
	if (copy(&from, &to, platform ? &want : NULL, report, &source, err) < 0)
		return err_wrap(err, "copy %s to %s", source_text, destination);
	return 0;
}
