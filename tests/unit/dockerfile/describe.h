/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_DOCKERFILE_DESCRIBE_H
#define UNIT_DOCKERFILE_DESCRIBE_H
/* Instructions in one line of text, for tables of cases. */
#include "base/str.h"
#include "dockerfile/instruction.h"

/* Appends what I says: only what is set, always in the same order. */
void describe_instruction(const struct instruction *i, struct str *ret);

#endif
