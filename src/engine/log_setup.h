/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LOG_SETUP_H
#define ENGINE_LOG_SETUP_H
/*
 * From a container's log options to what its monitor is told. What does not change is put into
 * annotations of the OCI configuration when the container is made; what depends on its name is
 * worked out at each start.
 */
#include "base/str.h"
#include "engine/spec.h"
#include "monitor/log_driver.h"
#include "oci/image_config.h"
#include "oci/runtime_config.h"

struct container_made;
struct engine;

/* Puts SPEC's log options into CONFIG, whose environment is complete. IMAGE_ID is 64 hexadecimal
 * digits or "". ERR_INVALID when a label or variable that is to be logged is too long. */
int log_annotate(const struct container_spec *spec, const struct image_run *run,
		 const char *image_id, struct oci_runtime_config *config, struct err *err);

/* What the monitor is told, and what that borrows. */
struct log_setup {
	struct log_driver_config config;
	char *unpacker, *address;
	struct str tag, attrs, fields;
};

#define LOG_SETUP_INIT \
	{              \
	}

/* Reads MADE's annotations. "failed to initialize logging driver: ..." for a tag that cannot be
 * made. */
int log_setup_load(const struct engine *engine, const struct container_made *made,
		   struct log_setup *ret, struct err *err);
void log_setup_done(struct log_setup *setup);
#define cleanup_log_setup __attribute__((cleanup(log_setup_done)))

#endif
