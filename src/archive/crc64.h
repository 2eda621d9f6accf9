/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_CRC64_H
#define ARCHIVE_CRC64_H
/* CRC-64/XZ (ECMA-182's polynomial reflected; the check of the xz format): 0x995dc9bbdf1939fa for
 * "123456789". Against damage, not against an enemy. */
#include <stddef.h>
#include <stdint.h>

/* CRC of what came before and LEN more bytes; 0 to begin. */
uint64_t crc64_update(uint64_t crc, const void *bytes, size_t len);
/* The same for LEN bytes of zeros, in time that grows with the logarithm of LEN: holes of files. */
uint64_t crc64_update_zeros(uint64_t crc, uint64_t len);
/* crc64_update with the processor's carry-less multiplication (isa-l): for the helpers that link
 * it, in archive_heavy. */
uint64_t crc64_update_fast(uint64_t crc, const void *bytes, size_t len);

#endif
