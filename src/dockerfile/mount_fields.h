/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_MOUNT_FIELDS_H
#define DOCKERFILE_MOUNT_FIELDS_H
/* One record of comma separated values (RFC 4180). Of this module only. */
#include "base/err.h"
#include "base/str.h"

/* Appends the fields of TEXT, without the quotes around them. ERR_INVALID with the words of Go's
 * reader: "EOF" for an empty one, "parse error on line 1, column 3: bare " in non-quoted-field". */
int mount_split_fields(const char *text, struct strv *ret, struct err *err);

#endif
