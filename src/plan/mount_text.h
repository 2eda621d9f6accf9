/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_MOUNT_TEXT_H
#define PLAN_MOUNT_TEXT_H
/* Mount attributes and propagation in the words of mount(8), both ways. */
#include <stdbool.h>
#include <stdint.h>

struct str;

/* Appends "ro,nosuid,..." for MOUNT_ATTR_* bits; nothing for none. */
void mount_attrs_format(uint64_t attrs, struct str *out);
/* Takes one option word ("ro", "nosuid", "rprivate"...) into ATTRS or PROPAGATION (MS_*); false
 * when it is neither and so belongs to the file system. */
bool mount_attrs_parse(const char *word, uint64_t *attrs, uint64_t *propagation);
/* "private", "slave", "shared", "unbindable". */
const char *mount_propagation_name(uint64_t propagation);

#endif
