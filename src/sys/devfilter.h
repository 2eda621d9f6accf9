/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_DEVFILTER_H
#define SYS_DEVFILTER_H
/*
 * Which devices the processes of a control group may use. Everything is denied that no rule allows
 * (GHSA-g54h-m393-cpwq: a list of devices is a list of what is permitted, never of what is not).
 * On v1 a rule is a line for devices.allow; on v2 the rules become one eBPF program.
 */
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DEVICE_MKNOD = 1, /* the bits of BPF_DEVCG_ACC_* */
	DEVICE_READ = 2,
	DEVICE_WRITE = 4,
	DEVICE_RWM = DEVICE_MKNOD | DEVICE_READ | DEVICE_WRITE,
};

#define DEVICE_ANY (-1) /* any major or minor number */

/* One permission. */
struct device_rule {
	char type;	      /* 'c', 'b', or 'a' for both */
	int64_t major, minor; /* DEVICE_ANY or 0..2^32-1 */
	unsigned access;      /* DEVICE_* bits, at least one */
};

/* What every container may use: making any node; null, zero, full, random, urandom, tty, console,
 * ptmx and pseudo terminals (docker's list; /dev/net/tun, 10:200, must be asked for). */
extern const struct device_rule device_defaults[];
size_t device_n_defaults(void);

/* "c 1:3 rwm" as devices.allow and docker's --device-cgroup-rule have it. */
#define DEVICE_RULE_LEN 48
const char *device_rule_format(const struct device_rule *rule, char buf[static DEVICE_RULE_LEN]);
/* 0 or -EINVAL. */
int device_rule_parse(const char *text, struct device_rule *ret);

/* Most rules that one filter takes: the program stays far below the kernel's 4096 instructions for
 * unprivileged programs. */
#define DEVFILTER_MAX_RULES 256
#define DEVFILTER_MAX_INSNS (8 + 8 * DEVFILTER_MAX_RULES)

/* The program that permits what RULES permit: owned array of *RET_N instructions in *RET. Rules for
 * the same device are united. 0, -E2BIG for too many rules, -EINVAL for a malformed one. */
int devfilter_compile(const struct device_rule *rules, size_t n, struct bpf_insn **ret,
		      size_t *ret_n);

/* Compiles, loads and attaches the filter to the v2 directory CGROUP_FD (not O_PATH), in addition
 * to what its parents forbid. It lives as long as the directory; no descriptor is left. 0 or
 * -errno; needs CAP_SYS_ADMIN, or CAP_BPF and CAP_NET_ADMIN. */
int devfilter_attach(int cgroup_fd, const struct device_rule *rules, size_t n);

#endif
