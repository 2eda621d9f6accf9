/* SPDX-License-Identifier: Apache-2.0 */
/* isa-l's CRC of ECMA-182, reflected, complements the register before and after as CRC-64/XZ does,
 * so one call continues where the last one ended. tests/unit/archive/test_crc64.c compares them. */
#include "archive/crc64.h"

#include <isa-l/crc64.h>

uint64_t crc64_update_fast(uint64_t crc, const void *bytes, size_t len)
{
	return crc64_ecma_refl(crc, bytes, len);
}
