/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: manifests, indexes and what docker's archives say of themselves. What is accepted
 * keeps the promises that its users rely on: digests are digests, names are names, counts are
 * limited, and an index that is written is read again.
 */
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "transport/docker_archive.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void check_descriptor(const struct descriptor *d)
{
	cleanup_free char *digest = str_printf(DIGEST_PREFIX "%s", d->hex);

	require(digest_is_valid(digest) && d->size >= 0);
}

static void check_manifest(const char *text, size_t len)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_manifest struct manifest again = MANIFEST_INIT;
	cleanup_free char *out = NULL;
	struct err err = ERR_INIT;

	if (manifest_parse(text, len, NULL, "fuzz", &m, &err) < 0)
		return;
	require(m.n_entries <= (m.is_index ? MANIFEST_MAX_ENTRIES : IMAGE_MAX_LAYERS));
	for (size_t i = 0; i < m.n_entries; i++)
		check_descriptor(&m.entries[i]);
	if (!m.is_index)
		check_descriptor(&m.config);
	out = m.is_index ? manifest_format_index(m.entries, m.n_entries)
			 : manifest_format(&m.config, m.entries, m.n_entries);
	require(manifest_parse(out, strlen(out), NULL, "fuzz", &again, &err) == 0);
	require(again.n_entries == m.n_entries && again.is_index == m.is_index);
}

static void check_archive(const struct docker_archive *a)
{
	require(a->n <= DOCKER_MAX_IMAGES);
	for (size_t i = 0; i < a->n; i++) {
		const struct docker_image *image = &a->images[i];

		require(image->config || docker_legacy_id_is_valid(image->id));
		require(image->layers.n <= IMAGE_MAX_LAYERS && image->names.n <= DOCKER_MAX_NAMES);
		strv_foreach (j, &image->names) {
			cleanup_reference struct reference ref = REFERENCE_INIT;
			struct err err = ERR_INIT;

			require(reference_parse(image->names.items[j], &ref, &err) == 0);
			require(ref.tag && !ref.digest);
		}
	}
}

static void check_legacy(const char *text, size_t len)
{
	cleanup_str struct str doc = STR_INIT;
	cleanup_strv struct strv diff_ids = STRV_INIT;
	cleanup_free char *config = NULL;
	cleanup_free char *parent = NULL;
	struct err err = ERR_INIT;

	if (docker_legacy_parent(text, len, &parent, &err) == 0 && parent)
		require(docker_legacy_id_is_valid(parent));
	str_add_bytes(&doc, text, len);
	strv_addf(&diff_ids, DIGEST_PREFIX "%064d", 0);
	if (docker_legacy_config(&doc, &diff_ids, &config, &err) == 0)
		require(strstr(config, "\"diff_ids\":[\"sha256:0"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_docker_archive struct docker_archive manifest = DOCKER_ARCHIVE_INIT;
	cleanup_docker_archive struct docker_archive repositories = DOCKER_ARCHIVE_INIT;
	const char *text = (const char *)data;
	struct err err = ERR_INIT;

	check_manifest(text, size);
	if (docker_manifest_parse(text, size, &manifest, &err) == 0)
		check_archive(&manifest);
	if (docker_repositories_parse(text, size, &repositories, &err) == 0)
		check_archive(&repositories);
	check_legacy(text, size);
	return 0;
}
