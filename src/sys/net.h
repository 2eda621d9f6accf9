/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_NET_H
#define SYS_NET_H
/* Links of the network namespace that the caller is in. */

/* Sets link NAME up; 0 or -errno. */
int net_set_link_up(const char *name);

#endif
