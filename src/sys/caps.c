/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities: one table of names, masks computed from docker's two lists, and the system calls.
 *
 * Numbers are those of capabilities(7) and never change; a kernel older than the table answers
 * EINVAL for a capability it does not have, which is the same as not having it. Names are compared
 * without locale, since a child inside a container may be the one who asks.
 */
#include "sys/caps.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY	   65534
#define PREFIX	   "CAP_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* Index is the number. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

_Static_assert(ARRAY_LEN(names) == CAPS_N, "one name for each capability");
_Static_assert(CAPS_DEFAULT ==
		       (CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_FOWNER) |
			CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_KILL) | CAPS_BIT(CAP_NET_BIND_SERVICE) |
			CAPS_BIT(CAP_SETFCAP) | CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_SETPCAP) |
			CAPS_BIT(CAP_SETUID) | CAPS_BIT(CAP_SYS_CHROOT) | CAPS_BIT(CAP_NET_RAW)),
	       "the twelve");

int caps_parse(const char *name)
{
	if (strncasecmp(name, PREFIX, PREFIX_LEN) == 0)
		name += PREFIX_LEN;
	for (int cap = 0; cap < CAPS_N; cap++)
		if (strcasecmp(names[cap] + PREFIX_LEN, name) == 0)
			return cap;
	return -EINVAL;
}

const char *caps_name(int cap)
{
	return cap >= 0 && cap < CAPS_N ? names[cap] : NULL;
}

/* docker's message shows the name as it looked it up: in capitals, with the prefix. */
static int set_unknown(struct err *err, const char *list, const char *name)
{
	cleanup_str struct str shown = STR_INIT;

	if (strncasecmp(name, PREFIX, PREFIX_LEN) != 0)
		str_add(&shown, PREFIX);
	for (; *name; name++)
		str_add_char(&shown,
			     *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name);
	return err_set(err, ERR_INVALID, "invalid %s: unknown capability: \"%s\"", list,
		       str_get(&shown));
}

static int parse_list(const struct strv *list, const char *what, uint64_t *ret, bool *ret_all,
		      struct err *err)
{
	uint64_t mask = 0;
	bool all = false;

	strv_foreach (i, list) {
		int cap = caps_parse(list->items[i]);

		if (strcasecmp(list->items[i], "ALL") == 0)
			all = true;
		else if (cap < 0)
			return set_unknown(err, what, list->items[i]);
		else
			mask |= CAPS_BIT(cap);
	}
	*ret = mask;
	*ret_all = all;
	return 0;
}

int caps_resolve(uint64_t base, const struct strv *add, const struct strv *drop, uint64_t *ret,
		 struct err *err)
{
	uint64_t added = 0, dropped = 0;
	bool add_all = false, drop_all = false;
	int r = parse_list(add, "CapAdd", &added, &add_all, err);

	if (r < 0)
		return r;
	r = parse_list(drop, "CapDrop", &dropped, &drop_all, err);
	if (r < 0)
		return r;
	if (add_all)
		*ret = CAPS_ALL & ~dropped;
	else if (drop_all)
		*ret = added;
	else
		*ret = (base & ~dropped) | added;
	return 0;
}

int caps_last(void)
{
	cleanup_str struct str text = STR_INIT;
	int last = 0;
	int r = fd_read_kernel_file("/proc/sys/kernel/cap_last_cap", 32, &text);

	if (r < 0)
		return r;
	if (text.len == 0)
		return -ENODATA;
	r = num_parse_int(str_trim(text.buf), &last);
	return r < 0 ? r : last;
}

uint64_t caps_get_bounding(void)
{
	uint64_t mask = 0;

	for (int cap = 0; cap < CAPS_N; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			mask |= CAPS_BIT(cap);
	return mask;
}

void caps_format_setpriv(uint64_t mask, struct str *ret)
{
	str_add(ret, "-all");
	for (int cap = 0; cap < CAPS_N; cap++) {
		if (!(mask & CAPS_BIT(cap)))
			continue;
		str_add(ret, ",+");
		for (const char *c = names[cap] + PREFIX_LEN; *c; c++)
			str_add_char(ret, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
	}
}

void caps_format_hex(uint64_t mask, char buf[static CAPS_HEX_LEN])
{
	snprintf(buf, CAPS_HEX_LEN, "%016llx", (unsigned long long)mask);
}

/* Up to 63, so that capabilities which a newer kernel has and this table has not go as well. */
int caps_drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep & CAPS_BIT(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && cap > 0)
			break; /* past the kernel's last one */
		return -errno;
	}
	return 0;
}

int caps_set(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		 (uint32_t)(inheritable >> 32)},
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int change_effective(uint64_t mask, bool raise)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		uint32_t bits = (uint32_t)(mask >> (32 * i));

		data[i].effective = raise ? data[i].effective | bits : data[i].effective & ~bits;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int caps_raise(uint64_t mask)
{
	return change_effective(mask, true);
}

int caps_lower(uint64_t mask)
{
	return change_effective(mask, false);
}

int caps_clear_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_become_nobody(void)
{
	int rc = caps_drop_bounding(0);

	if (rc < 0)
		return rc;
	/* EPERM and EINVAL are a user namespace's. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	if ((setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0) &&
	    errno != EINVAL)
		return -errno;
	rc = caps_clear_ambient();
	return rc < 0 ? rc : caps_set(0, 0, 0);
}
