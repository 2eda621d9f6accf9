/* SPDX-License-Identifier: Apache-2.0 */
/* References: no input may crash the parser, and what it accepts it accepts again when formatted.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_reference struct reference again = REFERENCE_INIT;
	cleanup_free char *text = str_ndup((const char *)data, size);
	cleanup_free char *full = NULL;
	cleanup_free char *twice = NULL;
	struct err err = ERR_INIT;

	if (reference_parse(text, &ref, &err) < 0)
		return 0;
	full = reference_format(&ref);
	if (reference_parse(full, &again, &err) < 0)
		abort();
	twice = reference_format(&again);
	if (!str_is_equal(full, twice))
		abort();
	return 0;
}
