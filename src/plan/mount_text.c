/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount attributes in the words of mount(8): one table, read in both directions.
 */
#include "plan/mount_text.h"

#include "base/mem.h"
#include "base/str.h"

#include <sys/mount.h>

static const struct {
	const char *word;
	uint64_t set;
	uint64_t clear;
} attr_words[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
	/* Words that take an attribute away again; never printed. */
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"relatime", 0, MOUNT_ATTR__ATIME},
};

static const struct {
	const char *word;
	uint64_t flag;
} propagation_words[] = {
	{"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE},       {"slave", MS_SLAVE},
	{"rslave", MS_SLAVE},	       {"shared", MS_SHARED},	       {"rshared", MS_SHARED},
	{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE},
};

void mount_attrs_format(uint64_t attrs, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_words); i++)
		if (attr_words[i].set && (attrs & attr_words[i].set) == attr_words[i].set)
			str_addf(out, "%s%s", out->len ? "," : "", attr_words[i].word);
}

bool mount_attrs_parse(const char *word, uint64_t *attrs, uint64_t *propagation)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_words); i++) {
		if (strcmp(word, attr_words[i].word) == 0) {
			*attrs = (*attrs & ~attr_words[i].clear) | attr_words[i].set;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(propagation_words); i++) {
		if (strcmp(word, propagation_words[i].word) == 0) {
			*propagation = propagation_words[i].flag;
			return true;
		}
	}
	return false;
}

const char *mount_propagation_name(uint64_t propagation)
{
	for (size_t i = 0; i < ARRAY_LEN(propagation_words); i++)
		if (propagation_words[i].flag == propagation)
			return propagation_words[i].word;
	return "private";
}
