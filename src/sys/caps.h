/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_CAPS_H
#define SYS_CAPS_H
/*
 * Capabilities: their names as docker spells them, sets as 64-bit masks (bit N is capability N of
 * capabilities(7)), and the calls that take them away. A process of a container has its mask as
 * bounding, permitted and effective set; inheritable and ambient are empty (CVE-2022-24769), and a
 * user other than root has permitted and effective empty too.
 */
#include <stddef.h>
#include <stdint.h>

struct err;
struct str;
struct strv;

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))
#define CAPS_N	      41 /* known here: CAP_CHOWN 0 .. CAP_CHECKPOINT_RESTORE 40, Linux 5.9 */
#define CAPS_ALL      (CAPS_BIT(CAPS_N) - 1)
/* What a container has unless its user says otherwise: podman's eleven and NET_RAW, without which a
 * `ping` that carries it as a file capability cannot even be executed. */
#define CAPS_DEFAULT UINT64_C(0x800425fb)

/* Number of NAME: "CAP_NET_RAW" or "NET_RAW", any case; -EINVAL for an unknown one (also "ALL"). */
int caps_parse(const char *name);
/* "CAP_CHOWN" for 0; NULL for a number outside 0..CAPS_N-1. Static. */
const char *caps_name(int cap);

/* The mask that --cap-add ADD and --cap-drop DROP make of BASE, docker's rules: ADD with ALL gives
 * everything but DROP; else DROP with ALL gives ADD alone; else BASE without DROP, and ADD, which
 * wins over DROP. Nothing in ADD or DROP is ever ignored: an unknown name is ERR_INVALID with
 * docker's text, those of ADD first. */
int caps_resolve(uint64_t base, const struct strv *add, const struct strv *drop, uint64_t *ret,
		 struct err *err);

/* Highest capability of the running kernel (/proc/sys/kernel/cap_last_cap); -errno. */
int caps_last(void);
/* The bounding set of this process: nothing outside it can be given to a container. */
uint64_t caps_get_bounding(void);

/* Appends what `setpriv --bounding-set` takes: "-all,+chown,+kill"; "-all" for an empty mask.
 * setpriv refuses names it does not know, so ask only for what the kernel has. */
void caps_format_setpriv(uint64_t mask, struct str *ret);
/* As in /proc/PID/status: 16 lower-case hexadecimal digits. */
#define CAPS_HEX_LEN 17
void caps_format_hex(uint64_t mask, char buf[static CAPS_HEX_LEN]);

/*
 * The rest changes the calling process. Plain system calls without allocation: for the child after
 * clone(2). Order for a container: bounding set while CAP_SETPCAP is still there, then groups and
 * user, then caps_set.
 */

/* Takes every capability outside KEEP out of the bounding set. 0 or -errno (-EPERM without
 * CAP_SETPCAP). */
int caps_drop_bounding(uint64_t keep);
/* Sets the three sets at once (capset(2)); 0 or -errno. */
int caps_set(uint64_t permitted, uint64_t effective, uint64_t inheritable);
/* Puts MASK, which must be permitted, into the effective set, or takes it out; 0 or -errno. */
int caps_raise(uint64_t mask);
int caps_lower(uint64_t mask);
/* Empties the ambient set; 0 or -errno. */
int caps_clear_ambient(void);
/* The process becomes user and group nobody (65534) with no other groups, and loses all
 * capabilities, also from the bounding set. In a user namespace without that user it stays who it
 * is. 0 or -errno. */
int caps_become_nobody(void);

#endif
