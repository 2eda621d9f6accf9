/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_RULES_PRIVATE_H
#define NETWORK_RULES_PRIVATE_H
/* Between the parts of network/rules*.c. */
#include "network/rules.h"
#include "sys/nft.h"

#define RULES_MAX_SETS 16

/* One table with its elements: one vector for each of its sets. */
struct rules_content {
	struct nft_table table;
	struct strv elements[RULES_MAX_SETS];
};

/* The tables, empty, with NAME (borrowed). */
struct nft_table rules_inet_table(const char *name);
struct nft_table rules_bridge_table(const char *name);
/* What becomes another number when any rule of the tables becomes another: a program of another
 * version makes the tables anew. */
uint64_t rules_schema_mark(void);

/* Frees the elements. */
void rules_content_done(struct rules_content *content);
#define cleanup_rules_content __attribute__((cleanup(rules_content_done)))

/* Add the elements of one network, port, link to those of the tables that have such sets; nothing
 * where there is none to add. */
void rules_add_network(struct rules_content *content, const struct network *network);
void rules_add_port(struct rules_content *content, const struct rules_port *port);
void rules_add_link(struct rules_content *content, const struct rules_link *link);
/* Both tables of a whole state; whether the bridge table is needed. */
bool rules_fill(const struct rules_state *state, struct rules_content *ret_inet,
		struct rules_content *ret_bridge);

/* ---- changes (rules.c) ---- */

/* Takes RUNROOT/networks/rules.lock and opens a socket of nf_tables; what a change begins with. */
struct rules_session {
	const char *runroot;
	int lock, fd;
	uint32_t generation; /* noted after our last change; 0: somebody has changed something */
};
/* Waits for the lock. 0 or -code; SESSION is to be done in any case. */
int rules_session_begin(struct rules_session *session, const char *runroot, struct err *err);
/* Lets go of the lock. */
void rules_session_done(struct rules_session *session);
#define cleanup_rules_session __attribute__((cleanup(rules_session_done)))
#define RULES_SESSION_INIT           \
	{                            \
		.lock = -1, .fd = -1 \
	}
/* Notes GENERATION as the one at which everything was right. */
void rules_note(struct rules_session *session, uint32_t generation);
/* Makes both tables what they must be, whatever is there; no bridge table without IS_CLOSED. */
int rules_load(struct rules_session *session, struct rules_content *inet,
	       struct rules_content *bridge, bool is_closed, struct err *err);
/* Adds or takes away the elements of CONTENT; with NEEDS_TABLE its table is made if there is none.
 */
int rules_add(struct rules_session *session, const struct rules_content *content, bool needs_table,
	      struct err *err);
int rules_take(struct rules_session *session, const struct rules_content *content, struct err *err);
/* Removes both tables of this NAME. */
int rules_remove(struct rules_session *session, const char *name, struct err *err);
/* An error of the kernel in words; -code. */
int rules_error(int errnum, struct err *err);

#endif
