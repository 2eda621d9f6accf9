/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_NAMES_H
#define DNS_NAMES_H
/*
 * Who has which name: the endpoint files of the networks that our containers are in
 * (network/live.h).
 *
 * There is no copy that could grow old unnoticed, and no watch either: a change of a network is a
 * file renamed into its directory or removed from it, which changes the directory's time. That is
 * looked at when a question comes, at most every few milliseconds and always before a name counts
 * as unknown; so a name server whom nobody asks does nothing at all, and a name that was there
 * before the question was asked is found.
 */
#include "base/rand.h"
#include "sys/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds on what is read: beyond them files are passed over. */
#define NAMES_MAX_NETWORKS  4096
#define NAMES_MAX_ENDPOINTS 16384 /* in one network */
#define NAMES_MAX_FILE	    16384 /* bytes of one endpoint */

struct name_table;

/* A table of what is below NETWORKS_FD (borrowed), for the containers that IS_OURS says. */
struct name_table *names_new(int networks_fd, bool (*is_ours)(void *ctx, const char *container_id),
			     void *ctx);
void names_free(struct name_table *table);

/* Looks whether anything has changed, unless that was done a moment ago; NOW: in any case. */
void names_refresh(struct name_table *table, bool now);
/* There is one container more that is ours: what it may see is read at the next refresh. */
void names_forget(struct name_table *table);

/* What is known of a name. */
enum name_found { NAME_UNKNOWN, NAME_FOUND };

/* Called for each address. */
typedef void name_address_fn(void *ctx, const struct ip_addr *addr);

/* The addresses of FAMILY of NAME (small letters) as container ID may see them: in the first of its
 * networks, by their names, that knows it, beginning with another one each time. A name that is
 * known without an address of FAMILY is found, too. FN may be NULL. */
enum name_found names_lookup(struct name_table *table, const char *container_id, const char *name,
			     uint8_t family, name_address_fn *fn, void *ctx);
/* The name ("web.backend") of who has ADDR in one of the container's networks; NULL. Valid until
 * the next refresh. */
const char *names_lookup_address(struct name_table *table, const char *container_id,
				 const struct ip_addr *addr);

#endif
