/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: config.json of a container, and the configuration of an image. What is accepted must
 * come out of the formatter as something that is accepted again, with the same text.
 */
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/runtime_config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_runtime_config(const char *text, size_t len)
{
	cleanup_oci_config struct oci_runtime_config config = OCI_RUNTIME_CONFIG_INIT;
	cleanup_oci_config struct oci_runtime_config again = OCI_RUNTIME_CONFIG_INIT;
	struct err err = ERR_INIT;

	if (oci_config_parse(text, len, &config, &err) < 0)
		return;
	cleanup_free char *first = oci_config_format(&config);

	if (oci_config_parse(first, strlen(first), &again, &err) < 0)
		abort();
	cleanup_free char *second = oci_config_format(&again);

	if (strcmp(first, second) != 0)
		abort();
}

static void check_image_config(const char *text, size_t len)
{
	cleanup_image_config struct image_config config = IMAGE_CONFIG_INIT;
	cleanup_image_config struct image_config again = IMAGE_CONFIG_INIT;
	struct err err = ERR_INIT;

	if (image_config_parse(text, len, &config, &err) < 0)
		return;
	cleanup_free char *first = image_config_format(&config);

	if (image_config_parse(first, strlen(first), &again, &err) < 0)
		abort();
	cleanup_free char *second = image_config_format(&again);

	if (strcmp(first, second) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_runtime_config((const char *)data, size);
	check_image_config((const char *)data, size);
	return 0;
}
