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

/* Add the elements of one network, of one port; nothing where there is none to add. */
void rules_add_network(struct rules_content *content, const struct network *network);
void rules_add_port(struct rules_content *content, const struct rules_port *port);
/* Both tables of a whole state; whether the bridge table is needed. */
bool rules_fill(const struct rules_state *state, struct rules_content *ret_inet,
		struct rules_content *ret_bridge);

/* The names of all bridges. */
void rules_bridges(const struct rules_state *state, struct strv *ret);

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
/* Sends what FILL adds (it returns 0 or -errno; nothing is fine) as one transaction; the note
 * follows it. 0 or -errno. */
typedef int (*rules_fill_fn)(struct netlink_batch *batch, void *data);
int rules_send(struct rules_session *session, rules_fill_fn fill, void *data);
/* An error of the kernel in words; -code. */
int rules_error(int errnum, struct err *err);

/* ---- docker's chain (rules_docker.c) ---- */

#define RULES_USER_CHAIN "DOCKER-USER"

/* Adds the step that gives BRIDGES their rules there, or takes them away, if it has anything to do;
 * warns of chains that it does not help against. */
void rules_plan_user_chain(struct plan *plan, enum step_where where, const struct strv *bridges,
			   bool add, const char *runroot);
/* Whether they have them, in nf_tables, if they need them. */
bool rules_user_chain_is_right(int fd, const struct strv *bridges);

/* The older iptables, of IPv4 (0) or IPv6 (1): whether its filter table is in use; whether a link
 * has its rules in DOCKER-USER; giving or taking them. */
bool rules_legacy_is_used(size_t family);
bool rules_legacy_has(size_t family, const char *ifname);
void rules_legacy_change(size_t family, const char *ifname, bool add);

#endif
