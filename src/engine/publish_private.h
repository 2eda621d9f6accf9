/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_PUBLISH_PRIVATE_H
#define ENGINE_PUBLISH_PRIVATE_H
/*
 * The ports of one start while they are published, shared by what prepares them (publish.c), what
 * binds them (publish_bind.c), what changes those of a running container (publish_live.c) and what
 * is on record of it (publish_record.c). For these files only.
 */
#include "engine/publish.h"
#include "engine/publish_live.h"
#include "monitor/forward.h"
#include "network/rules.h"

/* One socket, or one that there is none for. */
struct publish_port {
	uint8_t proto; /* IPPROTO_* */
	struct ip_addr host;
	uint16_t first, last; /* where it may be bound; 0: the kernel chooses */
	uint16_t port;	      /* where it is; 0: not yet */
	uint16_t container_port;
	struct ip_addr to; /* the container's address that it leads to */
	bool is_twin;	   /* must have the number of the one before it */
	bool is_relayed;   /* the monitor passes on what reaches the socket */
	bool is_bound;	   /* takes a socket: not where the container is routed to */
	int rule;	   /* its index in RULES; -1: none */
	int fd;		   /* owned; -1 */
};

struct publish {
	struct engine *engine;
	char *name, *id, *endpoint_id; /* owned; of the container, for what is said */
	struct publish_port *ports;    /* owned */
	size_t n;
	/* The numbers and the rules, as they are in the process that has bound the sockets: whoever
	 * forked it explains them. One mapping. */
	struct rules_port *rules;
	uint16_t *numbers;
	size_t n_rules, shared_len;
	char bridge[IFNAMSIZ];	   /* what rules point to */
	struct live_network *live; /* borrowed, as the three of publish_target */
	int state_dir;
	const struct strv *exposed;
	char table[RULES_TABLE_LEN];
};

/* "tcp", "udp", "sctp". */
const char *publish_proto_name(uint8_t proto);
/* The protocol of that name, IPPROTO_*. */
uint8_t publish_proto_parse(const char *name);
/* "0.0.0.0:80" or "[::]:80". */
#define PUBLISH_ADDRESS_LEN (IP_TEXT_LEN + 16)
char *publish_address_format(const struct ip_addr *addr, uint16_t port,
			     char buf[static PUBLISH_ADDRESS_LEN]);

/* Binds every port; 0 or -code with docker's words, then none is bound. */
int publish_bind(struct publish *publish, struct err *err);
/* Appends the ports, with their numbers, to LIVE. */
void publish_fill(const struct publish *publish, struct live_network *live);
/* Writes LIVE down, and the column of ps. 0 or -code. */
int publish_write(int state_dir, const struct live_network *live, const struct strv *exposed,
		  struct err *err);
/* The numbers are known: into the rules with them. */
void publish_number_rules(struct publish *publish);
/* Says in OUT what publish_bind does. */
void publish_explain(const struct publish *publish, struct str *out);
/* Closes what is bound. */
void publish_close(struct publish *publish);
/* What the monitor is told of PORT. */
void publish_describe(const struct publish_port *port, uint8_t ret[static FORWARD_PAYLOAD_LEN]);

/* ---- changes (publish_record.c) ---- */

/* Whether the published PORT is one that REMOVED names. */
bool publish_names_port(const struct port_spec *removed, const struct published_port *port);
/* Whether somebody asked for PORT, as it is, by one of BINDINGS. */
bool publish_is_on_record(const struct port_list *bindings, const struct published_port *port);
/* Reads into RET (all zero) what ROW has on record; what -P publishes becomes bindings when CHANGES
 * withdraw any. 0 or -code. */
int publish_read_record(const struct container_row *row, const struct port_changes *changes,
			struct port_outcome *ret, struct err *err);
/* Takes what REMOVED names out of the bindings; -ERR_NOT_FOUND when neither they nor LIVE have it.
 * NAME is the container's. */
int publish_remove(struct port_outcome *out, const struct port_list *removed,
		   const struct live_network *live, const char *name, struct err *err);
/* Adds what CHANGES publish; what is published already is not published twice. */
void publish_add(struct port_outcome *out, const struct port_changes *changes);

#endif
