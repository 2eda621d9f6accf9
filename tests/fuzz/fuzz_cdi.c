/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CDI file of a driver's installer. Whatever it says of the device that is asked for, it is
 * refused with words or becomes a part of the configuration.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cdi.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-cdi-XXXXXX";

static void remove_dir(void)
{
	fd_remove_tree_at(AT_FDCWD, dir);
}

/* Made by the first input, removed at the end. */
static void ensure_dir(void)
{
	static bool is_made;

	if (is_made)
		return;
	if (!mkdtemp(dir))
		abort();
	is_made = true;
	atexit(remove_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_oci_config struct oci_runtime_config config = {};
	cleanup_strv struct strv dirs = STRV_INIT;
	cleanup_free char *path = NULL;
	struct device_request request = {.driver = str_dup("cdi"), .count = 1};
	struct err err = ERR_INIT;

	ensure_dir();
	path = str_printf("%s/device.json", dir);
	if (fd_write_file_at(AT_FDCWD, path, (const char *)data, size, 0600) < 0)
		abort();
	strv_add(&dirs, dir);
	strv_add(&request.ids, "vendor.com/net=one");
	spec_add_request(&spec, &request);
	if (cdi_apply(&spec, &dirs, &config, &err) < 0 && !err.msg[0])
		abort();
	return 0;
}
