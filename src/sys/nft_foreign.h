/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_NFT_FOREIGN_H
#define SYS_NFT_FOREIGN_H
/* Looking at firewall rules that are not ours. */
#include "sys/nft.h"

/* Finds a chain of somebody else (not in a table whose name begins with OWN) that drops what the
 * host forwards by its policy, and has no chain of docker's for others to be let in. RET is an
 * owned text for people, NULL for none. 0 or -errno. What iptables keeps outside nf_tables is not
 * seen. */
int nft_find_foreign_drop(int fd, const char *own, char **ret);

#endif
