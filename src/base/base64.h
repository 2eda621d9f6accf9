/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H
/* Base64 (RFC 4648, with padding). */
#include <stddef.h>

/* Owned text of LEN bytes. */
char *base64_encode(const void *bytes, size_t len);

#endif
